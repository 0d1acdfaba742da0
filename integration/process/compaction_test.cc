// Compacted topics under a real client: the last record of each key stays where it was, whatever
// the codec, after kill -9 too; deleted keys go; an idempotent producer goes on. In a cluster each
// replica compacts, and one that has nothing gets what is left.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

constexpr rd_kafka_resp_err_t no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
constexpr std::chrono::seconds patience(60);

const std::map<std::string, std::string> compacted = {
    {"cleanup.policy", "compact"},    {"segment.ms", "100"},
    {"segment.bytes", "1048576"},     {"min.cleanable.dirty.ratio", "0.01"},
    {"max.compaction.lag.ms", "100"}, {"delete.retention.ms", "86400000"}};

/// All records of the partition, from its beginning to where it ends now.
std::vector<Message> read_partition(const std::string& bootstrap, const std::string& topic) {
  Consumer consumer(bootstrap, "", {{"enable.partition.eof", "true"}});
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
  std::vector<Message> messages = read_partition(broker.bootstrap(), topic);
  while (messages.size() > count && std::chrono::steady_clock::now() < deadline) {
    messages = read_partition(broker.bootstrap(), topic);
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
  check(read_partition(broker.bootstrap(), "t"));
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
  EXPECT_EQ(read_partition(broker.bootstrap(), "t").size(), 10u);
}

/// Of its partition 0, in segments.
std::uintmax_t stored_bytes(const BrokerProcess& node, const std::string& topic) {
  std::uintmax_t bytes = 0;
  std::error_code gone;
  for (const auto& entry :
       std::filesystem::directory_iterator(node.data_directory() + "/" + topic + "-0", gone)) {
    if (entry.path().extension() == ".log") bytes += entry.file_size(gone);
  }
  return bytes;
}

class ReplicatedCompaction : public ::testing::Test {
 protected:
  static constexpr int keys = 20;
  static constexpr int rounds = 100;
  static constexpr int nodes = ClusterProcesses::size;

  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
  void write(Producer& producer, int from, int to) {
    for (int i = from; i < to; ++i) {
      const std::string key = "key-" + std::to_string(i % keys);
      const std::string value = "value " + std::to_string(i) + std::string(500, 'x');
      ASSERT_EQ(producer.produce({.topic = "t", .partition = 0, .key = key, .value = value}),
                no_error);
      last_[key] = value;
    }
    ASSERT_TRUE(producer.flush());
    ASSERT_EQ(producer.failures(), 0u);
    end_ = to;
  }
  /// Whatever else is left of it, each key ends with the last that was written.
  void check(ClusterProcesses& cluster) {
    std::map<std::string, std::string> read;
    std::int64_t offset = -1;
    for (const Message& message : read_partition(cluster.bootstrap(), "t")) {
      EXPECT_GT(message.offset, offset);
      offset = message.offset;
      read[*message.key] = *message.value;
    }
    EXPECT_EQ(read, last_);
    EXPECT_EQ(offset, end_ - 1);
  }
  using MetadataPartition = protocol::MetadataResponse::MetadataResponsePartition;
  /// As the node says it; nothing in it while it does not answer.
  static MetadataPartition first_partition(const BrokerProcess& node) {
    RawConnection connection(node.host(), node.port());
    if (!connection.connected()) return {};
    protocol::MetadataRequest request;
    request.allow_auto_topic_creation = false;
    request.topics.emplace().emplace_back().name = "t";
    const auto response = call(connection, request);
    const bool found =
        response && response->topics.size() == 1 && !response->topics[0].partitions.empty();
    return found ? response->topics[0].partitions[0] : MetadataPartition{};
  }
  static bool is_compacted(ClusterProcesses& cluster) {
    for (int id = 1; id <= nodes; ++id) {
      const std::uintmax_t stored = stored_bytes(cluster.node(id), "t");
      if (stored == 0 || stored > std::uintmax_t{300} * 500) return false;
    }
    return true;
  }

 private:
  std::map<std::string, std::string> last_;
  std::int64_t end_ = 0;
};

TEST_F(ReplicatedCompaction, GivesANodeThatLostItsDirectoryWhatIsLeft) {
  ClusterProcesses cluster(Settings{{"log.cleaner.backoff.ms", "100"}});
  Admin admin(cluster.bootstrap());
  const Outcome made =
      admin.create_topic({.name = "t", .configs = compacted, .replication = nodes});
  ASSERT_TRUE(made.ok()) << made.message;
  Producer producer(cluster.bootstrap(), {{"enable.idempotence", "true"}, {"acks", "all"}});
  write(producer, 0, keys * rounds);
  ASSERT_TRUE(eventually([&] { return is_compacted(cluster); })) << "the logs grow";
  check(cluster);

  // The preferred leader: it serves again once it has everything.
  const int lost = first_partition(cluster.node(1)).replica_nodes.at(0);
  cluster.node(lost).kill();
  std::filesystem::remove_all(cluster.node(lost).data_directory());
  write(producer, keys * rounds, keys * rounds + 7);
  cluster.node(lost).start();
  ASSERT_TRUE(eventually([&] {
    const MetadataPartition now = first_partition(cluster.node(lost));
    return now.leader_id == lost && now.isr_nodes.size() == nodes;
  })) << "node "
      << lost << " does not lead again";
  check(cluster);
  ASSERT_TRUE(eventually([&] { return is_compacted(cluster); }));

  // It has come from files; all of them start from what they have made of it.
  for (int id = 1; id <= nodes; ++id) cluster.node(id).kill();
  cluster.launch();
  write(producer, keys * rounds + 7, keys * rounds + 100);
  check(cluster);
}

}  // namespace
}  // namespace chronik::integration
