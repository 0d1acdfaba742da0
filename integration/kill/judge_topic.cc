#include "integration/kill/judge_topic.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "integration/harness/kafka_client.h"

namespace chronik::integration {

namespace {

constexpr std::chrono::seconds next_record_within(60);

}  // namespace

TopicJudgement judge_topic(const std::string& bootstrap, const std::string& topic,
                           const std::vector<std::int64_t>& begins, RecordLedger& ledger,
                           ReadRecords& readings, Problems& problems) {
  Consumer consumer(bootstrap, "", {{"socket.timeout.ms", "5000"}});
  TopicJudgement judgement;
  std::deque<PartitionJudge> judges;
  std::vector<PartitionOffset> starts;
  std::int64_t missing = 0;
  for (int p = 0; p < ledger.partitions(); ++p) {
    const std::int64_t begin = begins.at(static_cast<std::size_t>(p));
    const auto [low, high] = consumer.watermarks(topic, p);
    if (low != begin) {
      problems.push_back(
          fmt::format("partition {} of {} begins at {}, not at {}", p, topic, low, begin));
    }
    judgement.ends.push_back(high);
    missing += std::max<std::int64_t>(0, high - begin);
    judges.emplace_back(ledger, readings, p, begin, problems);
    starts.push_back({topic, p, begin});
  }
  consumer.assign(starts);
  auto deadline = std::chrono::steady_clock::now() + next_record_within;
  while (missing > 0 && std::chrono::steady_clock::now() < deadline) {
    const std::optional<Message> record = consumer.poll(std::chrono::milliseconds(200));
    if (!record || record->error != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    deadline = std::chrono::steady_clock::now() + next_record_within;
    const auto p = static_cast<std::size_t>(record->partition);
    if (record->offset < judgement.ends[p]) --missing;
    judges[p].take(record->offset, *record->value);
  }
  if (missing > 0) {
    problems.push_back(
        fmt::format("{} of the records below the high watermarks do not come", missing));
  }
  for (std::size_t p = 0; p < judges.size(); ++p) {
    // What the clients still had under way may have come meanwhile.
    judgement.counts += judges[p].finish(std::max(judgement.ends[p], judges[p].next_offset()));
  }
  return judgement;
}

}  // namespace chronik::integration
