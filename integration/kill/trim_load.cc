#include "integration/kill/trim_load.h"

#include <fmt/format.h>

#include <algorithm>

#include "integration/harness/protocol_client.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/list_offsets.h"

namespace chronik::integration {

namespace {

constexpr std::chrono::milliseconds pace{100};
constexpr std::chrono::milliseconds answers_within{2'000};
constexpr std::int64_t earliest = -2;

}  // namespace

TrimLoad::TrimLoad(ClusterProcesses& cluster, const std::string& topic, const RecordLedger& ledger,
                   std::uint64_t seed)
    : cluster_(cluster),
      topic_(topic),
      ledger_(ledger),
      view_(cluster, topic),
      random_(seed),
      trimmed_(static_cast<std::size_t>(ledger.partitions())) {}

void TrimLoad::step() {
  {
    std::unique_lock lock(mutex_);
    pace_.wait_for(lock, pace);
  }
  const std::vector<int> leaders = view_.leaders();
  const std::size_t p = random_.below(trimmed_.size());
  if (p >= leaders.size() || leaders[p] < 1 || leaders[p] > cluster_.count()) return;
  const auto partition = static_cast<int>(p);
  std::int64_t from = 0;
  {
    const std::lock_guard lock(mutex_);
    from = trimmed_[p].told;
  }
  const std::int64_t end = ledger_.acknowledged_end(partition);
  if (end <= from) return;
  const auto most = static_cast<std::uint64_t>(end - from);
  trim(partition, leaders[p], from + 1 + static_cast<std::int64_t>(random_.below(most)));
}

void TrimLoad::trim(int partition, int leader, std::int64_t offset) {
  RawConnection connection(cluster_.node(leader).host(), cluster_.node(leader).port());
  if (!connection.connected()) return;
  Trimmed& trimmed = trimmed_[static_cast<std::size_t>(partition)];
  {
    const std::lock_guard lock(mutex_);
    trimmed.asked = std::max(trimmed.asked, offset);
  }
  protocol::DeleteRecordsRequest request;
  request.timeout_ms = static_cast<std::int32_t>(answers_within.count());
  auto& topic = request.topics.emplace_back();
  topic.name = topic_;
  topic.partitions.push_back({partition, offset});
  const auto response = call(connection, request, request.max_version, answers_within);
  const std::lock_guard lock(mutex_);
  if (!response) {
    ++unanswered_;
    return;
  }
  const auto& answer = response->topics.at(0).partitions.at(0);
  if (answer.error_code != 0) {
    ++refusals_[answer.error_code];
    return;
  }
  ++deletions_;
  trimmed.told = std::max(trimmed.told, offset);
  if (answer.low_watermark >= offset && answer.low_watermark <= trimmed.asked) return;
  failures_.push_back(
      fmt::format("partition {} of {} says that it begins at {}, told to begin at {} (at most {})",
                  partition, topic_, answer.low_watermark, offset, trimmed.asked));
}

/// -1: no answer.
std::int64_t TrimLoad::begin_at(int leader, int partition) const {
  if (leader < 1 || leader > cluster_.count()) return -1;
  RawConnection connection(cluster_.node(leader).host(), cluster_.node(leader).port());
  if (!connection.connected()) return -1;
  protocol::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = topic_;
  auto& asked = topic.partitions.emplace_back();
  asked.partition_index = partition;
  asked.timestamp = earliest;
  const auto response = call(connection, request, request.max_version, answers_within);
  if (!response) return -1;
  const auto& answer = response->topics.at(0).partitions.at(0);
  return answer.error_code == 0 ? answer.offset : -1;
}

std::vector<std::int64_t> TrimLoad::begins(Problems& problems) {
  std::vector<std::int64_t> begins;
  for (int p = 0; p < ledger_.partitions(); ++p) {
    const auto at = static_cast<std::size_t>(p);
    std::int64_t told = 0;
    {
      const std::lock_guard lock(mutex_);
      told = trimmed_[at].told;
    }
    std::int64_t begin = -1;
    // Whoever leads may have changed since this was heard.
    eventually([&] {
      const std::vector<int> leaders = view_.leaders();
      begin = at < leaders.size() ? begin_at(leaders[at], p) : -1;
      return begin >= 0;
    });
    const std::lock_guard lock(mutex_);
    if (begin < told || begin > trimmed_[at].asked) {
      problems.push_back(fmt::format(
          "partition {} of {} begins at {}; its deletion below {} was acknowledged, and "
          "nobody asked for more than {}",
          p, topic_, begin, told, trimmed_[at].asked));
    }
    begins.push_back(std::max<std::int64_t>(begin, 0));
  }
  return begins;
}

void TrimLoad::check(bool, Problems& problems) {
  begins(problems);
  const std::lock_guard lock(mutex_);
  problems.insert(problems.end(), failures_.begin(), failures_.end());
  failures_.clear();
}

std::string TrimLoad::counts() const {
  const std::lock_guard lock(mutex_);
  std::string text = fmt::format("{} deletions of records acknowledged, {} requests unanswered",
                                 deletions_, unanswered_);
  for (const auto& [error, count] : refusals_) {
    text += fmt::format(", {} x error {}", count, error);
  }
  return text;
}

}  // namespace chronik::integration
