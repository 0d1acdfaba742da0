// Compacted topics under a real client: the last record of each key stays where it was, whatever
// the codec, after kill -9 too; deleted keys go; an idempotent producer goes on.
#include <gtest/gtest.h>

#include <map>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

constexpr rd_kafka_resp_err_t no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
constexpr std::chrono::seconds patience(60);

const std::map<std::string, std::string> compacted = {
    {"cleanup.policy", "compact"},    {"segment.ms", "100"},
    {"segment.bytes", "1048576"},     {"min.cleanable.dirty.ratio", "0.01"},
    {"max.compaction.lag.ms", "100"}, {"delete.retention.ms", "86400000"}};

/// All records of the partition, from its beginning to where it ends now.
std::vector<Message> read_partition(const BrokerProcess& broker, const std::string& topic) {
  Consumer consumer(broker.bootstrap(), "", {{"enable.partition.eof", "true"}});
  consumer.assign({{topic, 0, 0}});
  std::vector<Message> messages;
  const auto deadline = std::chrono::steady_clock::now() + client_patience;
  while (std::chrono::steady_clock::now() < deadline) {
    std::optional<Message> message = consumer.poll(std::chrono::milliseconds(500));
    if (!message) continue;
    if (message->error == RD_KAFKA_RESP_ERR__PARTITION_EOF) return messages;
    if (message->error == no_error) messages.push_back(std::move(*message));
  }
  ADD_FAILURE() << "the end of " << topic << " was not reached";
  return messages;
}

/// Reads again and again until no more than `count` records are there.
std::vector<Message> wait_for_compaction(const BrokerProcess& broker, const std::string& topic,
                                         std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::vector<Message> messages = read_partition(broker, topic);
  while (messages.size() > count && std::chrono::steady_clock::now() < deadline) {
    messages = read_partition(broker, topic);
  }
  return messages;
}

class CompactedTopic : public ::testing::TestWithParam<const char*> {};

TEST_P(CompactedTopic, KeepsTheLastRecordOfEachKeyWhereItWas) {
  BrokerProcess broker(Settings{{"log.cleaner.backoff.ms", "100"}});
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .configs = compacted}).ok());
  std::map<std::string, Message> last;
  Producer producer(
      broker.bootstrap(),
      {{"compression.type", GetParam()}, {"enable.idempotence", "true"}, {"linger.ms", "5"}});
  constexpr int keys = 20;
  constexpr int rounds = 100;
  for (int i = 0; i < keys * rounds; ++i) {
    Message message{.topic = "t",
                    .partition = 0,
                    .key = "key-" + std::to_string(i % keys),
                    .value = "value " + std::to_string(i) + std::string(50, 'x'),
                    .headers = {{"n", std::to_string(i)}}};
    // One key is deleted at the end.
    if (i == keys * rounds - 1) message.value = std::nullopt;
    ASSERT_EQ(producer.produce(message), no_error);
    message.offset = i;
    last[*message.key] = message;
  }
  ASSERT_TRUE(producer.flush());
  ASSERT_EQ(producer.failures(), 0u);

  const auto check = [&](const std::vector<Message>& read) {
    ASSERT_EQ(read.size(), last.size());
    for (const Message& message : read) {
      const Message& expected = last.at(*message.key);
      EXPECT_EQ(message.offset, expected.offset);
      EXPECT_EQ(message.value, expected.value);
      EXPECT_EQ(message.headers, expected.headers);
    }
  };
  check(wait_for_compaction(broker, "t", last.size()));
  broker.restart_after_kill();
  check(read_partition(broker, "t"));
  Consumer consumer(broker.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), (std::pair<std::int64_t, std::int64_t>(0, keys * rounds)));

  // The producer of before goes on where it was: its last batch is still known.
  const Message next = producer.send({.topic = "t", .partition = 0, .key = "new", .value = "1"});
  EXPECT_EQ(next.error, no_error);
  EXPECT_EQ(next.offset, keys * rounds);
}

INSTANTIATE_TEST_SUITE_P(Codecs, CompactedTopic,
                         ::testing::Values("none", "gzip", "snappy", "lz4", "zstd"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Compaction, ForgetsDeletedKeysWhenTheirTimeIsOver) {
  BrokerProcess broker(Settings{{"log.cleaner.backoff.ms", "100"}});
  Admin admin(broker.bootstrap());
  auto configs = compacted;
  configs["delete.retention.ms"] = "100";
  ASSERT_TRUE(admin.create_topic({.name = "t", .configs = configs}).ok());
  Producer producer(broker.bootstrap());
  ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .key = "a", .value = "1"}).error,
            no_error);
  ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .key = "a"}).error, no_error);
  wait_for_compaction(broker, "t", 1);
  // Another record makes the log dirty, so that there is another run.
  std::vector<Message> read;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  do {
    ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .key = "b", .value = "2"}).error,
              no_error);
    read = wait_for_compaction(broker, "t", 1);
  } while ((read.size() != 1 || read[0].key != "b") && std::chrono::steady_clock::now() < deadline);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].key, "b");
}

TEST(Compaction, StaysOutWhereItIsSwitchedOff) {
  BrokerProcess broker(Settings{{"log.cleaner.enable", "false"}, {"log.cleaner.backoff.ms", "10"}});
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .configs = compacted}).ok());
  Producer producer(broker.bootstrap());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(producer.send({.topic = "t", .partition = 0, .key = "a", .value = "1"}).error,
              no_error);
  }
  broker.restart();
  EXPECT_EQ(read_partition(broker, "t").size(), 10u);
}

}  // namespace
}  // namespace chronik::integration
