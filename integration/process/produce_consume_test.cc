// Records from a producer to a consumer: what was acknowledged comes back as it was, in order,
// once.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

constexpr rd_kafka_resp_err_t no_error = RD_KAFKA_RESP_ERR_NO_ERROR;

std::string random_text(Random& random, std::size_t size) {
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('a' + random.below(26));
  return text;
}

std::vector<Message> read_all(const BrokerProcess& broker, const std::string& topic,
                              std::int32_t partition, std::size_t count) {
  Consumer consumer(broker.bootstrap(), "");
  consumer.assign({{topic, partition, 0}});
  return consumer.consume(count);
}

class EveryCodec : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryCodec, RecordsComeBackAsTheyWere) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  Random random(11);
  std::vector<Message> sent;
  Producer producer(broker.bootstrap(), {{"compression.type", GetParam()}, {"linger.ms", "20"}});
  for (int i = 0; i < 2000; ++i) {
    Message message{.topic = "t", .partition = 0, .timestamp = 1'600'000'000'000 + i};
    if (i % 5 != 0) message.key = "key-" + std::to_string(i % 7);
    if (i % 11 != 0) message.value = random_text(random, random.below(400));
    if (i % 3 == 0) message.headers = {{"a", "1"}, {"a", "2"}, {"none", std::nullopt}, {"b", ""}};
    ASSERT_EQ(producer.produce(message), no_error);
    sent.push_back(message);
  }
  ASSERT_TRUE(producer.flush());
  ASSERT_EQ(producer.failures(), 0u);

  broker.restart();
  const std::vector<Message> read = read_all(broker, "t", 0, sent.size());
  ASSERT_EQ(read.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ASSERT_EQ(read[i].offset, static_cast<std::int64_t>(i));
    ASSERT_EQ(read[i].key, sent[i].key);
    ASSERT_EQ(read[i].value, sent[i].value);
    ASSERT_EQ(read[i].headers, sent[i].headers);
    ASSERT_EQ(read[i].timestamp, sent[i].timestamp);
    ASSERT_EQ(read[i].timestamp_type, RD_KAFKA_TIMESTAMP_CREATE_TIME);
  }
}

INSTANTIATE_TEST_SUITE_P(Produce, EveryCodec,
                         ::testing::Values("none", "gzip", "snappy", "lz4", "zstd"),
                         [](const auto& info) { return std::string(info.param); });

class BrokerCodec : public ::testing::TestWithParam<const char*> {};

TEST_P(BrokerCodec, TopicThatCompressesByItselfKeepsRecords) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(
      admin.create_topic({.name = "t", .configs = {{"compression.type", GetParam()}}}).ok());
  Producer producer(broker.bootstrap(), {{"compression.type", "gzip"}, {"linger.ms", "20"}});
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(producer.produce("t", 0, "value " + std::to_string(i)), no_error);
  }
  ASSERT_TRUE(producer.flush());
  const std::vector<Message> read = read_all(broker, "t", 0, 500);
  ASSERT_EQ(read.size(), 500u);
  for (std::size_t i = 0; i < read.size(); ++i) {
    ASSERT_EQ(read[i].value, "value " + std::to_string(i));
    ASSERT_EQ(read[i].offset, static_cast<std::int64_t>(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Produce, BrokerCodec,
                         ::testing::Values("uncompressed", "gzip", "snappy", "lz4", "zstd"),
                         [](const auto& info) { return std::string(info.param); });

class EveryAcks : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryAcks, RecordsArriveInOrder) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  Producer producer(broker.bootstrap(), {{"acks", GetParam()},
                                         {"max.in.flight.requests.per.connection", "5"},
                                         {"batch.num.messages", "10"}});
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(producer.produce("t", 0, std::to_string(i)), no_error);
  }
  ASSERT_TRUE(producer.flush());
  const std::vector<Message> read = read_all(broker, "t", 0, 1000);
  ASSERT_EQ(read.size(), 1000u);
  for (std::size_t i = 0; i < read.size(); ++i) ASSERT_EQ(read[i].value, std::to_string(i));
}

INSTANTIATE_TEST_SUITE_P(Produce, EveryAcks, ::testing::Values("0", "1", "all"),
                         [](const auto& info) { return "acks_" + std::string(info.param); });

TEST(Produce, ManyPartitionsEachKeepTheirOrder) {
  constexpr int partitions = 12, records = 6000;
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = partitions}).ok());
  Producer producer(broker.bootstrap(), {{"linger.ms", "1"}, {"batch.num.messages", "50"}});
  for (int i = 0; i < records; ++i) {
    ASSERT_EQ(producer.produce("t", i % partitions, std::to_string(i)), no_error);
  }
  ASSERT_TRUE(producer.flush());
  ASSERT_EQ(producer.failures(), 0u);

  Consumer consumer(broker.bootstrap(), "");
  std::vector<PartitionOffset> all;
  for (int p = 0; p < partitions; ++p) all.push_back({"t", p, 0});
  consumer.assign(all);
  std::vector<int> next(partitions);
  for (int p = 0; p < partitions; ++p) next[static_cast<std::size_t>(p)] = p;
  const std::vector<Message> read = consumer.consume(records);
  ASSERT_EQ(read.size(), static_cast<std::size_t>(records));
  for (const Message& m : read) {
    int& expected = next[static_cast<std::size_t>(m.partition)];
    ASSERT_EQ(m.value, std::to_string(expected));
    expected += partitions;
  }
}

TEST(Produce, LargeRecordsFitUpToTheLimitOfTheTopic) {
  BrokerProcess broker(Settings{{"message.max.bytes", "20000000"}});
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  ASSERT_TRUE(
      admin.create_topic({.name = "small", .configs = {{"max.message.bytes", "1000"}}}).ok());
  Producer producer(broker.bootstrap(), {{"message.max.bytes", "30000000"}});
  Random random(5);
  std::vector<std::string> values;
  for (const std::size_t size : {1'000'000u, 9'000'000u, 19'900'000u}) {
    values.push_back(random_text(random, size));
    ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .value = values.back()}).error,
              no_error);
  }
  EXPECT_EQ(
      producer.send({.topic = "t", .partition = 0, .value = std::string(20'000'001, 'x')}).error,
      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  EXPECT_EQ(
      producer.send({.topic = "small", .partition = 0, .value = std::string(1000, 'x')}).error,
      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  EXPECT_EQ(producer.send({.topic = "small", .partition = 0, .value = std::string(800, 'x')}).error,
            no_error);

  // The consumer's own limits are below the size of one record: it gets it all the same.
  Consumer consumer(broker.bootstrap(), "",
                    {{"fetch.message.max.bytes", "1000"},
                     {"fetch.max.bytes", "1000000"},
                     {"message.max.bytes", "1000000"},
                     {"receive.message.max.bytes", "100000000"}});
  consumer.assign({{"t", 0, 0}});
  const std::vector<Message> read = consumer.consume(3);
  ASSERT_EQ(read.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(read[i].value == values[i]);
}

TEST(Produce, TimestampsOfTheBrokerReplaceThoseOfTheProducer) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(
      admin.create_topic({.name = "t", .configs = {{"message.timestamp.type", "LogAppendTime"}}})
          .ok());
  const std::int64_t before = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count();
  Producer producer(broker.bootstrap(), {{"linger.ms", "50"}});
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(producer.produce({.topic = "t", .partition = 0, .value = "x", .timestamp = 1000 + i}),
              no_error);
  }
  ASSERT_TRUE(producer.flush());
  for (const Message& m : read_all(broker, "t", 0, 10)) {
    EXPECT_EQ(m.timestamp_type, RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME);
    EXPECT_GE(m.timestamp, before);
    EXPECT_LT(m.timestamp, before + 60'000);
  }
}

TEST(Produce, RefusedRecordsLeaveNoTrace) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin
                  .create_topic({.name = "t",
                                 .configs = {{"message.timestamp.before.max.ms", "60000"},
                                             {"cleanup.policy", "compact"}}})
                  .ok());
  Producer producer(broker.bootstrap());
  EXPECT_NE(producer.send({.topic = "t", .partition = 0, .value = "no key"}).error, no_error);
  EXPECT_EQ(
      producer.send({.topic = "t", .partition = 0, .key = "k", .value = "old", .timestamp = 1000})
          .error,
      RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP);
  const Message good = producer.send({.topic = "t", .partition = 0, .key = "k", .value = "good"});
  EXPECT_EQ(good.error, no_error);
  EXPECT_EQ(good.offset, 0);
  EXPECT_EQ(read_all(broker, "t", 0, 1).front().value, "good");
}

TEST(Produce, IdempotentProducerSurvivesKillsWithoutLossOrDoubles) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  Producer producer(broker.bootstrap(),
                    {{"enable.idempotence", "true"}, {"batch.num.messages", "20"}});
  constexpr int rounds = 4, records = 2000;
  int next = 0;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < records; ++i) {
      ASSERT_EQ(producer.produce("t", 0, std::to_string(next++)), no_error);
    }
    producer.poll(std::chrono::milliseconds(5));
    broker.restart_after_kill();
  }
  ASSERT_TRUE(producer.flush());
  ASSERT_EQ(producer.failures(), 0u);
  const std::vector<Message> read = read_all(broker, "t", 0, rounds * records);
  ASSERT_EQ(read.size(), static_cast<std::size_t>(rounds * records));
  for (std::size_t i = 0; i < read.size(); ++i) ASSERT_EQ(read[i].value, std::to_string(i));
  Consumer consumer(broker.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0).second, rounds * records);
}

TEST(Consume, WaitingFetchIsAnsweredByANewRecord) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  // Without the wake-up the record would come after a minute.
  Consumer consumer(broker.bootstrap(), "",
                    {{"fetch.wait.max.ms", "60000"}, {"socket.timeout.ms", "300000"}});
  consumer.assign({{"t", 0, 0}});
  EXPECT_TRUE(consumer.consume(1, std::chrono::milliseconds(500)).empty());
  Producer producer(broker.bootstrap());
  ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .value = "x"}).error, no_error);
  EXPECT_EQ(consumer.consume(1, std::chrono::seconds(10)).size(), 1u);
}

TEST(Consume, OffsetOutOfRangeIsReportedOrReset) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  Producer producer(broker.bootstrap());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .value = "x"}).error, no_error);
  }
  Consumer reset(broker.bootstrap(), "", {{"auto.offset.reset", "earliest"}});
  reset.assign({{"t", 0, 1000}});
  EXPECT_EQ(reset.consume(5).size(), 5u);

  Consumer strict(broker.bootstrap(), "", {{"auto.offset.reset", "error"}});
  strict.assign({{"t", 0, 1000}});
  const std::optional<Message> told = strict.poll(client_patience);
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->error, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
}

}  // namespace
}  // namespace chronik::integration
