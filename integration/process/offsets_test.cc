// Offsets by position and by time, and deleting records from the front of a log.
#include <gtest/gtest.h>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

constexpr rd_kafka_resp_err_t no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
constexpr std::int64_t epoch_ms = 1'700'000'000'000;

/// Records "0" to "count-1" at epoch_ms, epoch_ms + 10, ...
void fill(const BrokerProcess& broker, const std::string& topic, int count) {
  Producer producer(broker.bootstrap(), {{"batch.num.messages", "7"}});
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(producer.produce({.topic = topic,
                                .partition = 0,
                                .value = std::to_string(i),
                                .timestamp = epoch_ms + 10 * i}),
              no_error);
  }
  ASSERT_TRUE(producer.flush());
  ASSERT_EQ(producer.failures(), 0u);
}

TEST(Offsets, WatermarksFollowTheLogAndSurviveRestarts) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  Consumer consumer(broker.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{0}, std::int64_t{0}));
  fill(broker, "t", 100);
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{0}, std::int64_t{100}));
  broker.restart_after_kill();
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{0}, std::int64_t{100}));
}

TEST(Offsets, TimesAreFoundRecordByRecord) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  fill(broker, "t", 100);
  for (const bool again : {false, true}) {
    if (again) broker.restart();
    Consumer consumer(broker.bootstrap(), "");
    const auto offset_at = [&](std::int64_t time) {
      const auto found = consumer.offsets_for_times({{"t", 0, time}});
      return found.empty() ? -99 : found.front().offset;
    };
    EXPECT_EQ(offset_at(0), 0);
    EXPECT_EQ(offset_at(epoch_ms), 0);
    EXPECT_EQ(offset_at(epoch_ms + 1), 1);
    EXPECT_EQ(offset_at(epoch_ms + 550), 55);
    EXPECT_EQ(offset_at(epoch_ms + 551), 56);
    EXPECT_EQ(offset_at(epoch_ms + 990), 99);
    EXPECT_EQ(offset_at(epoch_ms + 991), RD_KAFKA_OFFSET_END);
  }
}

TEST(Offsets, DeletedRecordsStayDeleted) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  fill(broker, "t", 100);
  const auto deleted = admin.delete_records({{"t", 0, 42}});
  ASSERT_EQ(deleted.size(), 1u);
  EXPECT_EQ(deleted.front().error, no_error);
  EXPECT_EQ(deleted.front().offset, 42);
  const auto beyond = admin.delete_records({{"t", 0, 101}});
  ASSERT_EQ(beyond.size(), 1u);
  EXPECT_EQ(beyond.front().error, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);

  for (const bool again : {false, true}) {
    if (again) broker.restart_after_kill();
    Consumer consumer(broker.bootstrap(), "");
    EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{42}, std::int64_t{100}));
    consumer.assign({{"t", 0, RD_KAFKA_OFFSET_BEGINNING}});
    const std::vector<Message> read = consumer.consume(58);
    ASSERT_EQ(read.size(), 58u);
    EXPECT_EQ(read.front().value, "42");
  }

  // -1 is the end of the log.
  const auto all = admin.delete_records({{"t", 0, RD_KAFKA_OFFSET_END}});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all.front().offset, 100);
  Producer producer(broker.bootstrap());
  EXPECT_EQ(producer.send({.topic = "t", .partition = 0, .value = "next"}).offset, 100);
}

}  // namespace
}  // namespace chronik::integration
