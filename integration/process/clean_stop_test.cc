// A node that stops has handed over what it led: whoever writes to it meanwhile is answered, by the
// new leader where need be.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/produce_request.h"
#include "integration/harness/protocol_client.h"
#include "protocol/errors.h"
#include "protocol/messages/metadata.h"
#include "protocol/record_builder.h"

namespace chronik::integration {
namespace {

using std::chrono::milliseconds;

// Of produce and metadata: names, not ids of topics.
constexpr std::int16_t produce_version = 9;
constexpr std::int16_t metadata_version = 9;

/// Who leads partition 0 of "t", as the node says; 0: nobody that it knows of.
int leader_of(const BrokerProcess& node) {
  RawConnection connection(node.host(), node.port());
  if (!connection.connected()) return 0;
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace().emplace_back().name = "t";
  const auto response = call(connection, request, metadata_version);
  if (!response || response->topics.size() != 1 || response->topics[0].partitions.empty()) return 0;
  return std::max(response->topics[0].partitions[0].leader_id, 0);
}

/// Writes to one node, a record at a time, whoever leads: as a client does that has not heard yet.
/// What was refused is written again.
class StubbornWriter {
 public:
  explicit StubbornWriter(const BrokerProcess& node, ProducerId producer = -1)
      : node_(node), producer_(producer) {}

  /// Until the node takes no connection any more.
  void run() {
    while (write_over_one_connection()) ++connections_;
  }
  /// How often the node has ended a connection, and come back.
  int connections() const { return connections_; }
  /// Records that were answered; each was acknowledged, or error() says otherwise.
  int acknowledged() const { return acknowledged_; }
  int error() const { return error_; }

 private:
  bool write_over_one_connection() {
    RawConnection connection(node_.host(), node_.port());
    if (!connection.connected()) return false;
    for (;;) {
      const auto response = call(connection, produce_request("t", next_batch()), produce_version);
      if (!response) return true;
      const int error = response->responses.at(0).partition_responses.at(0).error_code;
      if (error != 0) error_ = error;
      if (error == 0) ++acknowledged_;
    }
  }

  SharedBytes next_batch() const {
    const std::string value = std::to_string(acknowledged_);
    if (producer_ < 0) return one_record(value);
    protocol::BatchBuilder builder(
        {.producer_id = producer_, .producer_epoch = 0, .base_sequence = acknowledged_});
    builder.append(1'700'000'000'000, std::nullopt, as_bytes(value));
    return builder.build();
  }

  const BrokerProcess& node_;
  const ProducerId producer_;  // negative: not idempotent
  std::atomic<int> connections_ = 0;
  std::atomic<int> acknowledged_ = 0;
  std::atomic<int> error_ = 0;
};

class CleanStop : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
  /// Makes "t"; the node that leads it and knows that it does, 0: there is none.
  static int make_topic(ClusterProcesses& cluster) {
    const Outcome made =
        Admin(cluster.node(1).bootstrap())
            .create_topic({.name = "t", .partitions = 1, .replication = ClusterProcesses::size});
    EXPECT_TRUE(made.ok()) << made.message;
    int leader = 0;
    const bool is_led = eventually([&] {
      leader = leader_of(cluster.node(1));
      return leader != 0 && leader_of(cluster.node(leader)) == leader;
    });
    return is_led ? leader : 0;
  }
};

TEST_F(CleanStop, AnswersWhatIsWrittenMeanwhileWithoutAnError) {
  ClusterProcesses cluster;
  const int leader = make_topic(cluster);
  ASSERT_NE(leader, 0);
  BrokerProcess& node = cluster.node(leader);
  StubbornWriter writer(node);
  std::thread writing([&] { writer.run(); });
  EXPECT_TRUE(eventually([&] { return writer.acknowledged() > 10; }));
  EXPECT_EQ(node.stop(), 0);
  writing.join();
  EXPECT_EQ(writer.error(), 0);
  EXPECT_GE(writer.connections(), 2) << "a client that knew this node alone has not met another";
  const int other = ClusterProcesses::other_than(leader);
  EXPECT_TRUE(eventually([&] {
    const int now = leader_of(cluster.node(other));
    return now != 0 && now != leader;
  }));
  Consumer consumer(cluster.node(other).bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  // In order, and none but one that was written as the connection ended twice or not at all.
  const auto acknowledged = static_cast<std::size_t>(writer.acknowledged());
  const std::vector<Message> got = consumer.consume(acknowledged);
  ASSERT_EQ(got.size(), acknowledged);
  int next = 0;
  for (const Message& message : got) {
    const int number = std::stoi(*message.value);
    ASSERT_TRUE(number == next || number == next - 1) << number << " where " << next << " comes";
    next = number + 1;
  }
}

// It may have sent what comes behind a batch to the new leader, which would take that for out of
// order. Its batches are refused here, and it writes them there.
TEST_F(CleanStop, WhatAnIdempotentProducerWritesMeanwhileIsNotHandedOn) {
  ClusterProcesses cluster;
  const int leader = make_topic(cluster);
  ASSERT_NE(leader, 0);
  BrokerProcess& node = cluster.node(leader);
  StubbornWriter writer(node, 77);
  std::thread writing([&] { writer.run(); });
  EXPECT_TRUE(eventually([&] { return writer.acknowledged() > 10; }));
  EXPECT_EQ(node.stop(), 0);
  writing.join();
  EXPECT_EQ(writer.error(), static_cast<int>(protocol::ErrorCode::not_leader_or_follower));
  Consumer consumer(cluster.node(ClusterProcesses::other_than(leader)).bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  const auto acknowledged = static_cast<std::size_t>(writer.acknowledged());
  const std::vector<Message> got = consumer.consume(acknowledged);
  ASSERT_EQ(got.size(), acknowledged);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(*got[i].value, std::to_string(i));
}

}  // namespace
}  // namespace chronik::integration
