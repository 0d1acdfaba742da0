#include "integration/kill/group_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace chronik::integration {

namespace {

constexpr const char* group = "readers";
constexpr int records_per_step = 500;
constexpr std::chrono::seconds catches_up_within(120);

}  // namespace

GroupReader::GroupReader(std::vector<std::string> bootstraps, std::string topic, int partitions,
                         ReadRecords& readings, std::uint64_t seed)
    : bootstraps_(std::move(bootstraps)),
      topic_(std::move(topic)),
      readings_(readings),
      random_(seed),
      members_(bootstraps_.size()),
      progress_(static_cast<std::size_t>(partitions)) {
  for (std::size_t member = 0; member < members_.size(); ++member) join(member);
}

GroupReader::~GroupReader() {
  for (const Member& member : members_) member.consumer->abandon();
}

void GroupReader::join(std::size_t member) {
  members_[member].consumer = std::make_unique<Consumer>(
      bootstraps_[member], group,
      ClientConfig{{"group.instance.id", fmt::format("reader-{}", member)},
                   {"session.timeout.ms", "6000"},
                   {"heartbeat.interval.ms", "500"},
                   {"socket.timeout.ms", "2000"},
                   {"queued.max.messages.kbytes", "4096"}});
  members_[member].consumer->subscribe({topic_});
  members_[member].next.clear();
  members_[member].assignments = 0;
  ++joined_;
}

void GroupReader::step() {
  for (Member& member : members_) read(member);
  const std::size_t one = random_.below(members_.size());
  if (random_.below(2000) == 0) {
    members_[one].consumer->abandon();
    join(one);
  } else if (random_.below(20) == 0) {
    commit(members_[one]);
  }
}

void GroupReader::read(Member& member) {
  for (int i = 0; i < records_per_step; ++i) {
    const std::optional<Message> message =
        member.consumer->poll(std::chrono::milliseconds(i == 0 ? 5 : 0));
    if (member.assignments != member.consumer->assignments()) {
      member.assignments = member.consumer->assignments();
      member.next.clear();
    }
    if (!message) return;
    if (message->error != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (!readings_.note(message->partition, message->offset, *message->value)) {
      failures_.push_back(fmt::format("{}: partition {} offset {}: another record was there before",
                                      group, message->partition, message->offset));
    }
    Progress& progress = progress_[static_cast<std::size_t>(message->partition)];
    member.next[message->partition] = message->offset + 1;
    progress.reached = std::max(progress.reached, message->offset + 1);
    ++read_;
  }
}

void GroupReader::commit(Member& member) {
  std::vector<PartitionOffset> offsets;
  for (const PartitionOffset& mine : member.consumer->assignment()) {
    const auto next = member.next.find(mine.partition);
    if (next == member.next.end()) continue;
    offsets.push_back({topic_, mine.partition, next->second});
    Progress& progress = progress_[static_cast<std::size_t>(mine.partition)];
    progress.attempted = std::max(progress.attempted, next->second);
  }
  if (offsets.empty() || member.consumer->commit(offsets) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  for (const PartitionOffset& offset : offsets) {
    Progress& progress = progress_[static_cast<std::size_t>(offset.partition)];
    progress.acknowledged = std::max(progress.acknowledged, offset.offset);
  }
  ++commits_;
}

void GroupReader::check(bool, Problems& problems) {
  await_ends(problems);
  problems.insert(problems.end(), failures_.begin(), failures_.end());
  failures_.clear();
  check_commits(problems);
}

void GroupReader::await_ends(Problems& problems) {
  Consumer asking(bootstraps_.front(), "");
  std::vector<std::int64_t> ends;
  for (std::size_t p = 0; p < progress_.size(); ++p) {
    ends.push_back(asking.watermarks(topic_, static_cast<std::int32_t>(p)).second);
  }
  const auto missing = [&] {
    std::int64_t count = 0;
    for (std::size_t p = 0; p < ends.size(); ++p) {
      count += std::max<std::int64_t>(0, ends[p] - progress_[p].reached);
    }
    return count;
  };
  const auto deadline = std::chrono::steady_clock::now() + catches_up_within;
  while (missing() > 0 && std::chrono::steady_clock::now() < deadline) {
    for (Member& member : members_) read(member);
  }
  if (missing() > 0) {
    problems.push_back(fmt::format("{}: {} records do not come within {} s", group, missing(),
                                   catches_up_within.count()));
  }
}

void GroupReader::check_commits(Problems& problems) {
  std::vector<PartitionOffset> wanted;
  for (std::size_t p = 0; p < progress_.size(); ++p) {
    wanted.push_back({topic_, static_cast<std::int32_t>(p)});
  }
  const std::vector<PartitionOffset> found = Consumer(bootstraps_.front(), group).committed(wanted);
  if (found.size() != wanted.size()) {
    problems.push_back(fmt::format("{}: the committed offsets cannot be read", group));
    return;
  }
  for (std::size_t p = 0; p < progress_.size(); ++p) {
    const std::int64_t is = found[p].offset == RD_KAFKA_OFFSET_INVALID ? -1 : found[p].offset;
    const Progress& progress = progress_[p];
    if (is >= progress.acknowledged && is <= progress.attempted) continue;
    problems.push_back(fmt::format("{} partition {}: committed {}, acknowledged {}, tried {}",
                                   group, p, is, progress.acknowledged, progress.attempted));
  }
}

std::string GroupReader::counts() const {
  return fmt::format("{} records read by {} members, {} commits acknowledged", read_, joined_,
                     commits_);
}

}  // namespace chronik::integration
