// Three nodes in three racks whose consumers read from the replica in their own (KIP-392).
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/produce_request.h"
#include "integration/harness/protocol_client.h"
#include "protocol/errors.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

using protocol::ErrorCode;
using std::chrono::milliseconds;

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;

std::string rack_of(int node) { return "rack-" + std::to_string(node); }

/// librdkafka's consumer of one partition, which says of each record who served it.
class RackConsumer {
 public:
  RackConsumer(const std::string& bootstrap, const std::string& rack, const std::string& topic)
      : handle_(
            make_client(RD_KAFKA_CONSUMER,
                        make_conf(bootstrap, {{"group.id", "unused"},
                                              {"client.rack", rack},
                                              {"auto.offset.reset", "error"},
                                              {"enable.auto.commit", "false"},
                                              {"socket.timeout.ms", "3000"},
                                              {"fetch.wait.max.ms", "100"},
                                              {"topic.metadata.refresh.interval.ms", "500"}}))) {
    rd_kafka_poll_set_consumer(handle_.get());
    rd_kafka_assign(handle_.get(), to_list({{topic, 0, 0}}).get());
  }
  ~RackConsumer() { rd_kafka_consumer_close(handle_.get()); }
  RackConsumer(const RackConsumer&) = delete;
  RackConsumer& operator=(const RackConsumer&) = delete;

  /// Until `enough`; each record must be the next one. False: not in time.
  bool read_until(const std::function<bool()>& enough, milliseconds limit = milliseconds(60'000)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!enough()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      rd_kafka_message_t* message = rd_kafka_consumer_poll(handle_.get(), 100);
      if (message == nullptr) continue;
      if (message->err == no_error) {
        EXPECT_EQ(message->offset, next) << "lost, or read twice";
        EXPECT_EQ(std::string(static_cast<const char*>(message->payload), message->len),
                  std::to_string(next));
        next = message->offset + 1;
        last_from = rd_kafka_message_broker_id(message);
        ++from[last_from];
      } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        ADD_FAILURE() << "it was told that offset " << next << " is out of range";
        rd_kafka_message_destroy(message);
        return false;
      }
      rd_kafka_message_destroy(message);
    }
    return true;
  }
  bool read_to(std::int64_t end) {
    return read_until([&] { return next >= end; });
  }

  std::int64_t next = 0;
  std::int32_t last_from = -1;
  std::map<std::int32_t, int> from;  // records by the broker that served them

 private:
  ClientHandle handle_;
};

class FollowerReads : public ::testing::Test {
 protected:
  static constexpr int nodes = ClusterProcesses::size;

  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
    cluster_.emplace(ClusterProcesses::NotStarted{},
                     Settings{{"replica.selector.class",
                               "org.apache.kafka.common.replica.RackAwareReplicaSelector"}});
    for (int id = 1; id <= nodes; ++id) node(id).settings()["broker.rack"] = rack_of(id);
    cluster_->launch();
    for (int id = 1; id <= nodes; ++id) ASSERT_TRUE(cluster_->knows(id, nodes));
    const Outcome made = Admin(node(1).bootstrap()).create_topic({.name = "t", .replication = 3});
    ASSERT_TRUE(made.ok()) << made.message;
    ASSERT_TRUE(eventually([&] {
      leader_ = leader_by(1);
      return leader_ > 0 && in_sync(leader_) == nodes;
    }));
    follower_ = ClusterProcesses::other_than(leader_);
  }
  BrokerProcess& node(int id) { return cluster_->node(id); }

  std::optional<protocol::MetadataResponse> metadata(int asked) {
    RawConnection connection(node(asked).host(), node(asked).port());
    if (!connection.connected()) return std::nullopt;
    protocol::MetadataRequest request;
    request.topics.emplace().emplace_back().name = "t";
    return call(connection, request);
  }
  std::optional<protocol::MetadataResponse::MetadataResponsePartition> partition(int asked) {
    const auto response = metadata(asked);
    if (!response || response->topics.size() != 1 || response->topics[0].partitions.empty()) {
      return std::nullopt;
    }
    return response->topics[0].partitions[0];
  }
  int leader_by(int asked) {
    const auto found = partition(asked);
    return found ? found->leader_id : -1;
  }
  std::size_t in_sync(int asked) {
    const auto found = partition(asked);
    return found ? found->isr_nodes.size() : 0;
  }
  void produce(int from, int to) {
    Producer producer(cluster_->bootstrap(), {{"enable.idempotence", "true"},
                                              {"acks", "all"},
                                              {"socket.timeout.ms", "3000"},
                                              {"message.timeout.ms", "60000"}});
    for (int i = from; i < to; ++i) producer.produce("t", 0, std::to_string(i));
    ASSERT_TRUE(producer.flush(milliseconds(60'000)));
    ASSERT_EQ(producer.failures(), 0u);
  }

  struct Fetched {
    ErrorCode error = ErrorCode::unknown_server_error;
    std::int64_t high_watermark = -1;
    int preferred = -1;
    std::size_t bytes = 0;
  };
  struct Asking {
    std::string rack = {};
    std::int64_t from = 0;
    std::int32_t epoch = -1;
    std::int16_t version = 12;
    int wait_ms = 100;
  };
  Fetched fetch(int asked, const Asking& how) {
    RawConnection connection(node(asked).host(), node(asked).port());
    protocol::FetchRequest request;
    request.max_wait_ms = how.wait_ms;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    if (how.version >= 11) request.rack_id = how.rack;
    auto& topic = request.topics.emplace_back();
    topic.topic = "t";
    auto& partition = topic.partitions.emplace_back();
    partition.fetch_offset = how.from;
    partition.current_leader_epoch = how.epoch;
    partition.partition_max_bytes = 1 << 20;
    const auto response = call(connection, request, how.version);
    if (!response || response->responses.size() != 1) return {};
    const auto& answer = response->responses[0].partitions.at(0);
    return {static_cast<ErrorCode>(answer.error_code), answer.high_watermark,
            answer.preferred_read_replica, answer.records.chain.size()};
  }

  std::optional<ClusterProcesses> cluster_;
  int leader_ = -1;
  int follower_ = -1;
};

TEST_F(FollowerReads, TheLeaderSendsAConsumerToTheReplicaInItsRack) {
  const auto described = metadata(leader_);
  ASSERT_TRUE(described);
  for (const auto& broker : described->brokers) EXPECT_EQ(broker.rack, rack_of(broker.node_id));
  produce(0, 100);
  const Fetched sent = fetch(leader_, {.rack = rack_of(follower_)});
  EXPECT_EQ(sent.error, ErrorCode::none);
  EXPECT_EQ(sent.preferred, follower_);
  EXPECT_EQ(sent.bytes, 0u);
  EXPECT_EQ(sent.high_watermark, 100);
  for (const std::string& rack : {std::string(), rack_of(leader_), std::string("elsewhere")}) {
    const Fetched here = fetch(leader_, {.rack = rack});
    EXPECT_EQ(here.preferred, -1) << rack;
    EXPECT_GT(here.bytes, 0u) << rack;
  }
  EXPECT_GT(fetch(leader_, {.version = 10}).bytes, 0u);
}

TEST_F(FollowerReads, AFollowerAnswersAsKafkas) {
  produce(0, 100);
  const std::int32_t epoch = partition(leader_)->leader_epoch;
  // By the redirection the follower knows the high watermark.
  ASSERT_EQ(fetch(leader_, {.rack = rack_of(follower_)}).preferred, follower_);
  const Fetched all = fetch(follower_, {.rack = rack_of(follower_), .epoch = epoch});
  EXPECT_EQ(all.error, ErrorCode::none);
  EXPECT_EQ(all.high_watermark, 100);
  EXPECT_GT(all.bytes, 0u);
  EXPECT_EQ(all.preferred, -1);
  EXPECT_EQ(fetch(follower_, {.from = 100}).error, ErrorCode::none);
  EXPECT_EQ(fetch(follower_, {.from = 200}).error, ErrorCode::offset_not_available);
  EXPECT_EQ(fetch(leader_, {.from = 200}).error, ErrorCode::offset_out_of_range);
  EXPECT_EQ(fetch(follower_, {.epoch = epoch - 1}).error, ErrorCode::fenced_leader_epoch);
  EXPECT_EQ(fetch(follower_, {.epoch = epoch + 1}).error, ErrorCode::unknown_leader_epoch);
  EXPECT_EQ(fetch(follower_, {.version = 10}).error, ErrorCode::not_leader_or_follower);

  RawConnection connection(node(follower_).host(), node(follower_).port());
  protocol::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back().timestamp = -1;
  const auto offsets = call(connection, request, 7);
  ASSERT_TRUE(offsets);
  EXPECT_EQ(offsets->topics.at(0).partitions.at(0).error_code,
            static_cast<int>(ErrorCode::not_leader_or_follower))
      << "where a partition ends the leader says";
}

TEST_F(FollowerReads, AReaderThatWaitsAtAFollowerIsWokenByWhatIsCommitted) {
  produce(0, 1);
  const auto began = std::chrono::steady_clock::now();
  Fetched woken;
  std::thread reader([&] { woken = fetch(follower_, {.from = 1, .wait_ms = 9'000}); });
  produce(1, 2);
  reader.join();
  EXPECT_EQ(woken.error, ErrorCode::none);
  EXPECT_GT(woken.bytes, 0u);
  EXPECT_EQ(woken.high_watermark, 2);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(8));
}

// librdkafka 2.0 waits for a replica that is down for up to five minutes, whatever it is told
// (later versions ask the leader at once); so the replica comes back here.
TEST_F(FollowerReads, AConsumerReadsFromItsRackAndOutlivesItsReplicaAndTheLeader) {
  produce(0, 1'000);
  RackConsumer consumer(cluster_->bootstrap(), rack_of(follower_), "t");
  ASSERT_TRUE(consumer.read_to(1'000));
  EXPECT_EQ(consumer.from[follower_], 1'000) << "all bytes come out of the rack";

  node(follower_).kill();
  produce(1'000, 1'500);
  node(follower_).start();
  ASSERT_TRUE(consumer.read_to(1'500)) << "next is " << consumer.next;

  ASSERT_TRUE(eventually([&] { return in_sync(leader_) == nodes; }));
  node(leader_).kill();
  produce(1'500, 2'000);
  ASSERT_TRUE(consumer.read_to(2'000)) << "next is " << consumer.next;
  // Whoever leads now, what is in the rack is read there.
  EXPECT_GT(consumer.from[follower_], 1'000);
}

}  // namespace
}  // namespace chronik::integration
