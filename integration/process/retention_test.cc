// Retention: what a topic keeps, by size and by time, and that the disk gets the rest back.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

constexpr rd_kafka_resp_err_t no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
constexpr std::int64_t segment_bytes = 1 << 20;
constexpr std::int64_t record_bytes = 64 << 10;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class Retention : public testing::Test {
 protected:
  static NewTopic topic(std::map<std::string, std::string> configs) {
    configs["segment.bytes"] = std::to_string(segment_bytes);
    return {.name = "t", .configs = std::move(configs)};
  }

  /// Records of 64 KiB, each a batch of its own: about 15 fill a segment.
  void fill(int count, std::int64_t timestamp) {
    Producer producer(broker_.bootstrap(), {{"batch.num.messages", "1"}});
    const std::string value(record_bytes, 'v');
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(
          producer.produce({.topic = "t", .partition = 0, .value = value, .timestamp = timestamp}),
          no_error);
    }
    ASSERT_TRUE(producer.flush());
    ASSERT_EQ(producer.failures(), 0u);
  }

  /// The first offset there is, once `right` says so; else the last one seen in time.
  template <class Condition>
  std::int64_t first_offset(Condition right) {
    Consumer consumer(broker_.bootstrap(), "");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::int64_t first = -1;
    do {
      first = consumer.watermarks("t", 0).first;
    } while (!right(first) && std::chrono::steady_clock::now() < deadline);
    return first;
  }

  std::int64_t bytes_on_disk() const {
    std::int64_t sum = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(broker_.data_directory() + "/t-0")) {
      std::error_code gone;  // as files do while this looks
      const std::uintmax_t size = entry.file_size(gone);
      if (!gone && entry.path().extension() == ".log") sum += static_cast<std::int64_t>(size);
    }
    return sum;
  }

  /// Files go a little after the offsets do.
  bool disk_has_at_most(std::int64_t bytes) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (bytes_on_disk() > bytes) {
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;
  }

  BrokerProcess broker_{{{"log.retention.check.interval.ms", "100"}}};
};

TEST_F(Retention, BySizeKeepsTheNewestSegments) {
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(
      admin.create_topic(topic({{"retention.bytes", std::to_string(2 * segment_bytes)}})).ok());
  fill(100, now_ms());
  // What was deleted while records were still written leaves more.
  const std::int64_t first = first_offset([](std::int64_t offset) {
    return (100 - offset) * record_bytes <= 3 * segment_bytes + record_bytes;
  });
  // Kafka's rule: a segment goes when at least retention.bytes stay without it.
  EXPECT_GE((100 - first) * record_bytes, 2 * segment_bytes - record_bytes);
  EXPECT_LE((100 - first) * record_bytes, 3 * segment_bytes + record_bytes);
  EXPECT_TRUE(disk_has_at_most(3 * segment_bytes));

  Consumer consumer(broker_.bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  const auto messages = consumer.consume(static_cast<std::size_t>(100 - first));
  ASSERT_EQ(messages.size(), static_cast<std::size_t>(100 - first));
  EXPECT_EQ(messages.front().offset, first);
  EXPECT_EQ(messages.back().offset, 99);

  broker_.restart_after_kill();
  EXPECT_EQ(first_offset([&](std::int64_t offset) { return offset == first; }), first);
}

TEST_F(Retention, ByTimeDropsWhatIsTooOldOnceTheTopicSaysSo) {
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(admin.create_topic(topic({{"retention.ms", "-1"}})).ok());
  fill(40, now_ms() - 3'600'000);
  fill(20, now_ms());
  EXPECT_EQ(first_offset([](std::int64_t offset) { return offset == 0; }), 0);

  ASSERT_TRUE(admin.set_topic_config("t", {{"retention.ms", "60000"}}).ok());
  // Segments that hold a young record stay whole.
  const std::int64_t first = first_offset([](std::int64_t offset) { return offset > 20; });
  EXPECT_GT(first, 20);
  EXPECT_LE(first, 40);
}

TEST_F(Retention, ALogOfOldRecordsOnlyBecomesEmptyAndGoesOn) {
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(admin.create_topic(topic({{"retention.ms", "60000"}})).ok());
  fill(20, now_ms() - 3'600'000);
  EXPECT_EQ(first_offset([](std::int64_t offset) { return offset == 20; }), 20);
  fill(1, now_ms());
  broker_.restart_after_kill();
  Consumer consumer(broker_.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{20}, std::int64_t{21}));
}

}  // namespace
}  // namespace chronik::integration
