#include "integration/kill/member_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace chronik::integration {

namespace {

constexpr const char* group = "members";
constexpr std::chrono::seconds settles_within(60);

}  // namespace

MemberLoad::MemberLoad(std::vector<std::string> bootstraps, std::string topic, int partitions,
                       std::uint64_t seed)
    : bootstraps_(std::move(bootstraps)),
      topic_(std::move(topic)),
      random_(seed),
      members_(bootstraps_.size()),
      commits_(static_cast<std::size_t>(partitions)) {
  for (std::size_t member = 0; member < members_.size(); ++member) join(member);
}

MemberLoad::~MemberLoad() {
  for (const auto& member : members_) member->abandon();
}

void MemberLoad::join(std::size_t member) {
  // One that wants something else than before makes the group share anew.
  const char* strategy = joined_ % 2 == 0 ? "range,roundrobin" : "roundrobin,range";
  members_[member] = std::make_unique<Consumer>(
      bootstraps_[member], group,
      ClientConfig{{"group.instance.id", fmt::format("member-{}", member)},
                   {"partition.assignment.strategy", strategy},
                   {"session.timeout.ms", "6000"},
                   {"heartbeat.interval.ms", "500"},
                   {"socket.timeout.ms", "3000"},
                   {"enable.auto.commit", "false"}});
  members_[member]->subscribe({topic_});
  ++joined_;
}

void MemberLoad::step() {
  for (const auto& member : members_) member->poll(std::chrono::milliseconds(5));
  const std::size_t one = random_.below(members_.size());
  if (random_.below(100) == 0) {
    assignments_ += members_[one]->assignments();
    members_[one]->abandon();
    join(one);
  } else if (random_.below(4) == 0) {
    commit(*members_[one]);
  }
}

void MemberLoad::commit(Consumer& member) {
  std::vector<PartitionOffset> offsets;
  for (const PartitionOffset& mine : member.assignment()) {
    Commit& commit = commits_[static_cast<std::size_t>(mine.partition)];
    offsets.push_back({topic_, mine.partition, ++commit.attempted});
  }
  if (offsets.empty() || member.commit(offsets) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  for (const PartitionOffset& offset : offsets) {
    commits_[static_cast<std::size_t>(offset.partition)].acknowledged = offset.offset;
  }
  ++count_;
}

bool MemberLoad::settled() {
  std::multiset<std::int32_t> owned;
  for (const auto& member : members_) {
    member->poll(std::chrono::milliseconds(5));
    for (const PartitionOffset& mine : member->assignment()) owned.insert(mine.partition);
  }
  const bool each_once = std::set<std::int32_t>(owned.begin(), owned.end()).size() == owned.size();
  return each_once && owned.size() == commits_.size();
}

std::string MemberLoad::as_it_is() {
  std::string text;
  for (std::size_t member = 0; member < members_.size(); ++member) {
    const std::string error = members_[member]->fatal_error();
    text +=
        fmt::format("member-{} has {} of them{}; ", member, members_[member]->assignment().size(),
                    error.empty() ? "" : " and cannot go on: " + error);
  }
  const rd_kafka_group_list* groups = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_list_groups(members_.front()->get(), group, &groups, 10'000);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return text + rd_kafka_err2name(error);
  for (int i = 0; i < groups->group_cnt; ++i) {
    const rd_kafka_group_info& found = groups->groups[i];
    text += fmt::format("the group is {} with", found.state);
    for (int m = 0; m < found.member_cnt; ++m) {
      text += fmt::format(" {} ({} bytes assigned)", found.members[m].member_id,
                          found.members[m].member_assignment_size);
    }
  }
  rd_kafka_group_list_destroy(groups);
  return text;
}

void MemberLoad::check(bool, Problems& problems) {
  const auto deadline = std::chrono::steady_clock::now() + settles_within;
  bool is_settled = settled();
  while (!is_settled && std::chrono::steady_clock::now() < deadline) is_settled = settled();
  if (!is_settled) {
    problems.push_back(
        fmt::format("{}: the {} partitions are not shared among the members after {} seconds; {}",
                    group, commits_.size(), settles_within.count(), as_it_is()));
  }
  std::vector<PartitionOffset> wanted;
  for (std::size_t p = 0; p < commits_.size(); ++p) {
    wanted.push_back({topic_, static_cast<std::int32_t>(p)});
  }
  const std::vector<PartitionOffset> committed =
      Consumer(bootstraps_.front(), group).committed(wanted);
  if (committed.size() != wanted.size()) {
    problems.push_back(fmt::format("{}: the committed offsets cannot be read", group));
    return;
  }
  std::vector<std::int64_t> found;
  found.reserve(committed.size());
  for (const PartitionOffset& one : committed) {
    found.push_back(one.offset == RD_KAFKA_OFFSET_INVALID ? -1 : one.offset);
  }
  for (std::size_t p = 0; p < commits_.size(); ++p) {
    if (found[p] >= commits_[p].acknowledged && found[p] <= commits_[p].attempted) continue;
    problems.push_back(fmt::format("{} partition {}: committed {}, acknowledged {}, tried {}",
                                   group, p, found[p], commits_[p].acknowledged,
                                   commits_[p].attempted));
  }
}

std::string MemberLoad::counts() const {
  int assignments = assignments_;
  for (const auto& member : members_) assignments += member->assignments();
  return fmt::format("{} joins of members, {} assignments, {} commits of theirs acknowledged",
                     joined_, assignments, count_);
}

}  // namespace chronik::integration
