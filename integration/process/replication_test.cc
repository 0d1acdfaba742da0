// Partitions with a replica on each of three nodes: what a client was promised holds whichever node
// is lost.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <thread>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/produce_request.h"
#include "integration/harness/protocol_client.h"
#include "integration/kill/stored_partitions.h"
#include "protocol/errors.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/record_builder.h"

namespace chronik::integration {
namespace {

using protocol::ErrorCode;
using std::chrono::milliseconds;

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
// Of produce: names, not ids of topics.
constexpr std::int16_t produce_version = 9;

class Replication : public ::testing::Test {
 protected:
  static constexpr int nodes = ClusterProcesses::size;

  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
  using Partition = protocol::MetadataResponse::MetadataResponsePartition;
  /// As the node says it; none while it does not answer or does not know the topic.
  static std::vector<Partition> partitions(const BrokerProcess& node, const std::string& topic) {
    RawConnection connection(node.host(), node.port());
    if (!connection.connected()) return {};
    protocol::MetadataRequest request;
    request.allow_auto_topic_creation = false;
    request.topics.emplace().emplace_back().name = topic;
    const auto response = call(connection, request);
    if (!response || response->topics.size() != 1) return {};
    std::vector<Partition> found = response->topics.front().partitions;
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
    return found;
  }
  /// A client that is told of a leader without an address is content with it, and waits.
  static bool names_only_brokers(const BrokerProcess& node, const std::string& topic) {
    RawConnection connection(node.host(), node.port());
    protocol::MetadataRequest request;
    request.topics.emplace().emplace_back().name = topic;
    const auto response = call(connection, request);
    if (!response || response->topics.size() != 1) return false;
    std::set<std::int32_t> known{-1};
    for (const auto& broker : response->brokers) known.insert(broker.node_id);
    const auto& partitions = response->topics[0].partitions;
    return std::all_of(partitions.begin(), partitions.end(),
                       [&](const Partition& one) { return known.contains(one.leader_id); });
  }
  struct Led {
    int leader = -1;
    std::int32_t epoch = -1;
  };
  /// Made, and led by the first replicas: they get their leadership when others were elected.
  static void create(ClusterProcesses& cluster, const std::string& name, int partition_count = 1) {
    const Outcome outcome =
        Admin(cluster.node(1).bootstrap())
            .create_topic({.name = name, .partitions = partition_count, .replication = nodes});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    for (int id = 1; id <= nodes; ++id) {
      ASSERT_TRUE(eventually([&] {
        const std::vector<Partition> found = partitions(cluster.node(id), name);
        return !found.empty() && std::all_of(found.begin(), found.end(), [](const Partition& one) {
          return one.leader_id == one.replica_nodes.front();
        });
      })) << "node "
          << id;
    }
  }
  /// Waits until the node names a leader of partition 0 that is not `not_this`.
  static Led led(ClusterProcesses& cluster, int asked, const std::string& topic,
                 int not_this = -1) {
    Led result;
    EXPECT_TRUE(eventually([&] {
      const std::vector<Partition> found = partitions(cluster.node(asked), topic);
      if (found.empty()) return false;
      result = {found.front().leader_id, found.front().leader_epoch};
      return result.leader > 0 && result.leader != not_this;
    })) << "node "
        << asked << " knows no leader";
    return result;
  }
  static bool in_sync(ClusterProcesses& cluster, int asked, const std::string& topic) {
    return eventually([&] {
      const std::vector<Partition> found = partitions(cluster.node(asked), topic);
      return !found.empty() && std::all_of(found.begin(), found.end(), [](const Partition& one) {
        return one.isr_nodes.size() == nodes;
      });
    });
  }
  /// Who leads a topic "t" whose acks=all asks for all three replicas, which are in sync; 0:
  /// nobody.
  static int lead_where_all_are_asked_for(ClusterProcesses& cluster) {
    const Outcome made = Admin(cluster.node(1).bootstrap())
                             .create_topic({.name = "t",
                                            .configs = {{"min.insync.replicas", "3"}},
                                            .replication = ClusterProcesses::size});
    EXPECT_TRUE(made.ok()) << made.message;
    const int leader = led(cluster, 1, "t").leader;
    return leader > 0 && in_sync(cluster, leader, "t") ? leader : 0;
  }
  static ClientConfig careful() {
    return {{"enable.idempotence", "true"},
            {"acks", "all"},
            {"socket.timeout.ms", "3000"},
            {"message.timeout.ms", "60000"}};
  }
  /// Records "from" up to "to", not including it; how many were acknowledged.
  static int produce(Producer& producer, const std::string& topic, int from, int to) {
    for (int i = from; i < to; ++i) producer.produce(topic, 0, std::to_string(i));
    EXPECT_TRUE(producer.flush());
    int acknowledged = 0;
    for (const Message& message : producer.take_deliveries()) {
      EXPECT_EQ(message.error, no_error) << rd_kafka_err2name(message.error);
      if (message.error == no_error) ++acknowledged;
    }
    return acknowledged;
  }
  static void expect_records(const std::string& bootstrap, const std::string& topic, int count) {
    Consumer consumer(bootstrap, "");
    consumer.assign({{topic, 0, 0}});
    const std::vector<Message> got = consumer.consume(static_cast<std::size_t>(count));
    ASSERT_EQ(got.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(got[static_cast<std::size_t>(i)].offset, i);
      ASSERT_EQ(got[static_cast<std::size_t>(i)].value, std::to_string(i));
    }
    EXPECT_EQ(consumer.watermarks(topic, 0).second, count);
  }
  /// The error code of the answer; -1: none came.
  static int produce_one(const BrokerProcess& node, const std::string& topic,
                         const std::string& value, std::int16_t acks) {
    RawConnection connection(node.host(), node.port());
    protocol::ProduceRequest request = produce_request(topic, one_record(value), acks);
    request.timeout_ms = 1000;
    const auto response = call(connection, request, produce_version);
    return response ? response->responses.at(0).partition_responses.at(0).error_code : -1;
  }
  /// The node's high watermark of partition 0; nothing when it does not lead it.
  static std::optional<std::int64_t> high_watermark(const BrokerProcess& node,
                                                    const std::string& topic) {
    RawConnection connection(node.host(), node.port());
    if (!connection.connected()) return std::nullopt;
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& asked = request.topics.emplace_back();
    asked.name = topic;
    asked.partitions.emplace_back().timestamp = -1;
    const auto response = call(connection, request, 7);
    if (!response || response->topics.size() != 1) return std::nullopt;
    const auto& partition = response->topics[0].partitions.at(0);
    if (partition.error_code != 0) return std::nullopt;
    return partition.offset;
  }
  struct EpochEnd {
    int error = -1;
    std::int64_t end = -1;
  };
  static EpochEnd end_of_epoch(const BrokerProcess& node, const std::string& topic,
                               std::int32_t epoch, std::int32_t current = -1) {
    RawConnection connection(node.host(), node.port());
    protocol::OffsetForLeaderEpochRequest request;
    auto& asked = request.topics.emplace_back();
    asked.topic = topic;
    auto& partition = asked.partitions.emplace_back();
    partition.leader_epoch = epoch;
    partition.current_leader_epoch = current;
    const auto response = call(connection, request);
    if (!response || response->topics.size() != 1) return {};
    const auto& end = response->topics[0].partitions.at(0);
    return {end.error_code, end.end_offset};
  }
};

TEST_F(Replication, ReplicatedTopicSurvivesItsLeader) {
  ClusterProcesses cluster;
  create(cluster, "t");
  Producer producer(cluster.bootstrap(), careful());
  ASSERT_EQ(produce(producer, "t", 0, 500), 500);
  const int leader = led(cluster, 1, "t").leader;
  ASSERT_GT(leader, 0);
  // With records under way, which the new leader may have got twice then.
  for (int i = 500; i < 1000; ++i) producer.produce("t", 0, std::to_string(i));
  producer.poll(milliseconds(0));
  cluster.node(leader).kill();
  EXPECT_EQ(produce(producer, "t", 1000, 1500), 1000);

  expect_records(cluster.bootstrap(), "t", 1500);
  cluster.node(leader).start();
  EXPECT_TRUE(in_sync(cluster, leader, "t"));
  // The one that was away holds everything as well: it is half of what is left.
  cluster.node(led(cluster, leader, "t").leader).kill();
  expect_records(cluster.bootstrap(), "t", 1500);
}

TEST_F(Replication, AcksAllWaitsForAMajority) {
  ClusterProcesses cluster;
  create(cluster, "t");
  const int leader = led(cluster, 1, "t").leader;
  ASSERT_GT(leader, 0);
  ASSERT_TRUE(in_sync(cluster, leader, "t"));
  BrokerProcess& node = cluster.node(leader);
  // It is named before it is ready, and says so.
  ASSERT_TRUE(eventually([&] { return produce_one(node, "t", "0", -1) == 0; }));
  for (int id = 1; id <= nodes; ++id) {
    if (id != leader) cluster.node(id).send_signal(SIGSTOP);
  }
  EXPECT_EQ(produce_one(node, "t", "its own disk is enough", 1), 0);
  const std::optional<std::int64_t> seen = high_watermark(node, "t");
  EXPECT_TRUE(!seen || seen == 1) << *seen << ": a reader would see what may be lost";
  const std::set<int> honest{static_cast<int>(ErrorCode::request_timed_out),
                             static_cast<int>(ErrorCode::not_enough_replicas),
                             static_cast<int>(ErrorCode::not_enough_replicas_after_append),
                             static_cast<int>(ErrorCode::not_leader_or_follower)};
  for (int i = 0; i < 3; ++i) {
    const int said = produce_one(node, "t", "nobody else has it", -1);
    EXPECT_TRUE(honest.contains(said)) << "error " << said;
  }
  const std::optional<std::int64_t> later = high_watermark(node, "t");
  EXPECT_TRUE(!later || later == 1) << *later;

  for (int id = 1; id <= nodes; ++id) {
    if (id != leader) cluster.node(id).send_signal(SIGCONT);
  }
  Producer producer(cluster.bootstrap(), careful());
  EXPECT_EQ(producer.send({.topic = "t", .partition = 0, .value = "last"}).error, no_error);
  Consumer consumer(cluster.bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  const std::int64_t end = consumer.watermarks("t", 0).second;
  const std::vector<Message> got = consumer.consume(static_cast<std::size_t>(end));
  ASSERT_GE(got.size(), 2u);
  EXPECT_EQ(got.front().value, "0");
  EXPECT_EQ(got.back().value, "last");
}

TEST_F(Replication, MoreInSyncReplicasThanAMajorityCanBeAskedFor) {
  ClusterProcesses cluster;
  const int leader = lead_where_all_are_asked_for(cluster);
  ASSERT_GT(leader, 0);
  BrokerProcess& node = cluster.node(leader);
  EXPECT_TRUE(eventually([&] { return produce_one(node, "t", "0", -1) == 0; }));
  const int gone = ClusterProcesses::other_than(leader);
  cluster.node(gone).kill();
  const std::set<int> refused{static_cast<int>(ErrorCode::not_enough_replicas),
                              static_cast<int>(ErrorCode::not_enough_replicas_after_append),
                              static_cast<int>(ErrorCode::request_timed_out)};
  const int said = produce_one(node, "t", "two of three", -1);
  EXPECT_TRUE(refused.contains(said)) << "error " << said;
  EXPECT_EQ(produce_one(node, "t", "two of three", 1), 0) << "acks=1 asks for no replica";

  cluster.node(gone).start();
  EXPECT_TRUE(eventually([&] { return produce_one(node, "t", "three again", -1) == 0; }));
}

// Committed by the other two at once: acks=all would be answered before the third has it.
TEST_F(Replication, AcksAllWaitsForAllWhereAllAreAskedFor) {
  ClusterProcesses cluster;
  const int leader = lead_where_all_are_asked_for(cluster);
  ASSERT_GT(leader, 0);
  BrokerProcess& node = cluster.node(leader);
  ASSERT_TRUE(eventually([&] { return produce_one(node, "t", "0", -1) == 0; }));
  const int paused = ClusterProcesses::other_than(leader);
  cluster.node(paused).send_signal(SIGSTOP);
  // It counts as in sync until its silence is noticed.
  const std::set<int> honest{static_cast<int>(ErrorCode::request_timed_out),
                             static_cast<int>(ErrorCode::not_enough_replicas_after_append),
                             static_cast<int>(ErrorCode::not_enough_replicas)};
  for (int i = 0; i < 4; ++i) {
    const int said = produce_one(node, "t", "two of three have it", -1);
    EXPECT_TRUE(honest.contains(said)) << "error " << said;
  }
  EXPECT_GT(high_watermark(node, "t").value_or(-1), 1) << "readers see what is committed";
  cluster.node(paused).send_signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return produce_one(node, "t", "all three", -1) == 0; }));
}

/// One record of an idempotent producer.
SharedBytes in_sequence(std::int32_t sequence, ProducerId producer = 77) {
  protocol::BatchBuilder builder(
      {.producer_id = producer, .producer_epoch = 0, .base_sequence = sequence});
  builder.append(1'700'000'000'000, std::nullopt, as_bytes("value"));
  return builder.build();
}

// librdkafka has five requests under way. Told that the second one is out of order, where the first
// one was only refused for the moment, it begins a new epoch and writes again what it does not know
// the fate of: that was seen as doubled records of other partitions.
TEST_F(Replication, WhatComesBehindARefusedBatchIsRefusedAlike) {
  ClusterProcesses cluster;
  const Outcome made =
      Admin(cluster.node(1).bootstrap())
          .create_topic(
              {.name = "t", .configs = {{"min.insync.replicas", "3"}}, .replication = nodes});
  ASSERT_TRUE(made.ok()) << made.message;
  const int leader = led(cluster, 1, "t").leader;
  ASSERT_TRUE(in_sync(cluster, leader, "t"));
  const auto produce = [&](std::int32_t sequence, std::int16_t acks) {
    RawConnection connection(cluster.node(leader).host(), cluster.node(leader).port());
    const auto response =
        call(connection, produce_request("t", in_sequence(sequence), acks), produce_version);
    return response ? response->responses.at(0).partition_responses.at(0).error_code : -1;
  };
  ASSERT_TRUE(eventually([&] { return produce(0, -1) == 0; }));
  cluster.node(ClusterProcesses::other_than(leader)).kill();
  const int refused = static_cast<int>(ErrorCode::not_enough_replicas);
  EXPECT_EQ(produce(1, -1), refused);
  // With acks=1 it could be taken by itself.
  EXPECT_EQ(produce(2, 1), refused);
  EXPECT_EQ(produce(1, 1), 0);
  EXPECT_EQ(produce(3, 1), refused) << "sent before the refusal of 2 was heard";
  EXPECT_EQ(produce(2, 1), 0);
  EXPECT_EQ(produce(3, 1), 0);
  EXPECT_EQ(produce(9, 1), static_cast<int>(ErrorCode::out_of_order_sequence_number));
}

// As when the leader dies, or is cut off, with a batch that nobody else has, and its producer sends
// the next one to the new leader before it gives up on the first: librdkafka would count all its
// batches anew if it were told that they are out of order.
TEST_F(Replication, WhatComesBeforeALostBatchHasToWait) {
  ClusterProcesses cluster;
  create(cluster, "t");
  const int former = led(cluster, 1, "t").leader;
  const int asked = ClusterProcesses::other_than(former);
  int leader = former;
  const auto produce = [&](std::int32_t sequence, ProducerId producer) {
    RawConnection connection(cluster.node(leader).host(), cluster.node(leader).port());
    const auto response =
        call(connection, produce_request("t", in_sequence(sequence, producer)), produce_version);
    return response ? response->responses.at(0).partition_responses.at(0).error_code : -1;
  };
  ASSERT_EQ(produce(0, 1), 0);
  cluster.node(former).kill();
  leader = led(cluster, asked, "t", former).leader;
  const int refused = static_cast<int>(ErrorCode::not_enough_replicas);
  int first = -1;
  ASSERT_TRUE(eventually([&] {
    first = produce(2, 1);
    return first != static_cast<int>(ErrorCode::not_leader_or_follower);
  }));
  EXPECT_EQ(first, refused);
  EXPECT_EQ(produce(1, 1), 0);
  EXPECT_EQ(produce(3, 1), refused) << "it was sent behind the one that was refused";
  EXPECT_EQ(produce(2, 1), 0);
  EXPECT_EQ(produce(4, 1), refused) << "the former leader may not have refused 3 yet";
  EXPECT_EQ(produce(3, 1), 0);
  // Nobody has heard of this one.
  EXPECT_EQ(produce(1, 2), refused);
  EXPECT_EQ(produce(0, 2), 0);
  EXPECT_EQ(produce(1, 2), 0);
}

TEST_F(Replication, LeaderEpochGrowsWithEachLeader) {
  ClusterProcesses cluster;
  create(cluster, "t");
  Producer producer(cluster.bootstrap(), careful());
  const Led first = led(cluster, 1, "t");
  ASSERT_EQ(produce(producer, "t", 0, 100), 100);
  cluster.node(first.leader).kill();
  const Led second = led(cluster, ClusterProcesses::other_than(first.leader), "t", first.leader);
  EXPECT_GT(second.epoch, first.epoch);
  ASSERT_EQ(produce(producer, "t", 100, 150), 50);
  cluster.node(first.leader).start();
  ASSERT_TRUE(in_sync(cluster, second.leader, "t"));
  EXPECT_EQ(cluster.node(second.leader).stop(), 0);
  const Led third = led(cluster, ClusterProcesses::other_than(second.leader), "t", second.leader);
  EXPECT_GT(third.epoch, second.epoch);
  ASSERT_EQ(produce(producer, "t", 150, 160), 10);

  // What a consumer asks to find out whether it read what is gone (KIP-320).
  // Of whoever leads by now: the first replica gets its leadership back.
  const auto now = [&] { return led(cluster, ClusterProcesses::other_than(second.leader), "t"); };
  const auto ask = [&](std::int32_t epoch, std::int32_t current = -1) {
    return end_of_epoch(cluster.node(now().leader), "t", epoch, current);
  };
  EXPECT_TRUE(eventually([&] { return ask(first.epoch).end == 100; }));
  EXPECT_TRUE(eventually([&] { return ask(second.epoch).end == 150; }));
  EXPECT_TRUE(eventually([&] { return ask(now().epoch).end == 160; }));
  const int fenced = static_cast<int>(ErrorCode::fenced_leader_epoch);
  EXPECT_TRUE(eventually([&] { return ask(first.epoch, second.epoch).error == fenced; }));
  const int unknown = static_cast<int>(ErrorCode::unknown_leader_epoch);
  EXPECT_TRUE(eventually([&] { return ask(first.epoch, third.epoch + 10).error == unknown; }));
}

TEST_F(Replication, MetadataShowsTheNewLeader) {
  ClusterProcesses cluster;
  create(cluster, "t", 6);
  const int victim = led(cluster, 1, "t").leader;
  for (int id = 1; id <= nodes; ++id) ASSERT_TRUE(in_sync(cluster, id, "t"));
  const auto all_have_others = [&](int asked) {
    EXPECT_TRUE(names_only_brokers(cluster.node(asked), "t"));
    const std::vector<Partition> found = partitions(cluster.node(asked), "t");
    return found.size() == 6 && std::all_of(found.begin(), found.end(), [&](const auto& one) {
             return one.leader_id > 0 && one.leader_id != victim;
           });
  };
  const auto killed = std::chrono::steady_clock::now();
  cluster.node(victim).kill();
  for (int id = 1; id <= nodes; ++id) {
    if (id == victim) continue;
    EXPECT_TRUE(eventually([&] { return all_have_others(id); })) << "on node " << id;
  }
  const auto took = std::chrono::steady_clock::now() - killed;
  std::printf("all nodes name the new leaders after %.0f ms\n",
              std::chrono::duration<double, std::milli>(took).count());
  if (std::getenv("TEST_PROGRAM") == nullptr) {
    EXPECT_LE(took, std::chrono::seconds(1));
  }
  // Whoever is named leads.
  const int asked = ClusterProcesses::other_than(victim);
  const int leader = led(cluster, asked, "t", victim).leader;
  EXPECT_TRUE(eventually([&] { return produce_one(cluster.node(leader), "t", "0", -1) == 0; }));
  const int follower = 6 - victim - leader;
  EXPECT_EQ(produce_one(cluster.node(follower), "t", "0", -1),
            static_cast<int>(ErrorCode::not_leader_or_follower));
}

TEST_F(Replication, HighWatermarkNeverGoesBack) {
  ClusterProcesses cluster;
  create(cluster, "t");
  ASSERT_GT(led(cluster, 1, "t").leader, 0);
  std::atomic<std::int64_t> highest = 0;
  std::atomic<int> backwards = 0;
  // Whatever node answers: all that were answered before it counts.
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (int id = 1; id <= nodes; ++id) {
        const std::optional<std::int64_t> seen = high_watermark(cluster.node(id), "t");
        if (!seen) continue;
        if (*seen < highest) ++backwards;
        highest = std::max<std::int64_t>(highest, *seen);
      }
    }
  });
  Producer producer(cluster.bootstrap(), careful());
  int written = 0;
  int leader = led(cluster, 1, "t").leader;
  for (int turn = 0; turn < 4; ++turn) {
    ASSERT_EQ(produce(producer, "t", written, written + 300), 300);
    written += 300;
    if (turn % 2 == 0) {
      cluster.node(leader).kill();
    } else {
      EXPECT_EQ(cluster.node(leader).stop(), 0);
    }
    const int asked = ClusterProcesses::other_than(leader);
    const int next = led(cluster, asked, "t", leader).leader;
    ASSERT_EQ(produce(producer, "t", written, written + 100), 100);
    written += 100;
    cluster.node(leader).start();
    ASSERT_TRUE(in_sync(cluster, next, "t"));
    leader = led(cluster, asked, "t").leader;
  }
  EXPECT_TRUE(eventually([&] { return highest == written; }));
  watcher.request_stop();
  watcher.join();
  EXPECT_EQ(backwards, 0);
  expect_records(cluster.bootstrap(), "t", written);
}

TEST_F(Replication, FollowerRejoinsAndCatchesUp) {
  ClusterProcesses cluster;
  create(cluster, "t");
  const int leader = led(cluster, 1, "t").leader;
  ASSERT_TRUE(in_sync(cluster, leader, "t"));
  const int follower = ClusterProcesses::other_than(leader);
  Producer producer(cluster.bootstrap(), careful());
  ASSERT_EQ(produce(producer, "t", 0, 100), 100);
  cluster.node(follower).kill();
  ASSERT_EQ(produce(producer, "t", 100, 2000), 1900);
  EXPECT_TRUE(eventually([&] {
    const std::vector<Partition> found = partitions(cluster.node(leader), "t");
    return !found.empty() && found.front().isr_nodes.size() == nodes - 1;
  })) << "clients are told that it is behind";
  cluster.node(follower).start();
  EXPECT_TRUE(in_sync(cluster, leader, "t"));
  const StoredTopic stored{"t", {2000}, {{1, 2, 3}}};
  EXPECT_TRUE(eventually([&] { return is_stored_everywhere(cluster, stored); }));

  for (int id = 1; id <= nodes; ++id) EXPECT_EQ(cluster.node(id).stop(), 0);
  Problems problems;
  compare_stored_partitions(cluster, stored, problems);
  EXPECT_EQ(problems, Problems{});
}

TEST_F(Replication, CleanStopHandsLeadershipsOver) {
  ClusterProcesses cluster;
  create(cluster, "t", 12);
  for (int id = 1; id <= nodes; ++id) ASSERT_TRUE(in_sync(cluster, id, "t"));
  const int stopped = led(cluster, 1, "t").leader;
  // The first replicas lead after a while, whoever was elected at first.
  long led_before = 0;
  ASSERT_TRUE(eventually([&] {
    const std::vector<Partition> before = partitions(cluster.node(stopped), "t");
    led_before = std::count_if(before.begin(), before.end(),
                               [&](const Partition& one) { return one.leader_id == stopped; });
    return led_before > 1;
  }));
  ASSERT_EQ(cluster.node(stopped).stop(), 0);
  const auto left = [&] {
    const auto found = partitions(cluster.node(ClusterProcesses::other_than(stopped)), "t");
    return std::count_if(found.begin(), found.end(), [&](const Partition& one) {
      return one.leader_id <= 0 || one.leader_id == stopped;
    });
  };
  // They were handed over before it ended; the news of the last one may be on its way.
  EXPECT_LE(left(), 1) << "of " << led_before;
  EXPECT_TRUE(eventually([&] { return left() == 0; }, std::chrono::seconds(1)));
  Producer producer(cluster.bootstrap(), careful());
  for (std::int32_t p = 0; p < 12; ++p) {
    EXPECT_EQ(producer.send({.topic = "t", .partition = p, .value = "x"}).error, no_error);
  }
}

TEST_F(Replication, TopicsOfReplicationFactorThreeAreDeletedEverywhere) {
  ClusterProcesses cluster;
  create(cluster, "t", 3);
  {
    Producer producer(cluster.bootstrap(), careful());
    for (std::int32_t p = 0; p < 3; ++p) {
      EXPECT_EQ(producer.send({.topic = "t", .partition = p, .value = "old"}).error, no_error);
    }
  }
  EXPECT_TRUE(eventually([&] { return stored_directories(cluster, {"t"}).size() == 3 * nodes; }))
      << "each node has a replica of each partition";
  const int away = cluster.leader(1);
  const int here = ClusterProcesses::other_than(away);
  cluster.node(away).kill();
  ASSERT_GT(cluster.leader(here, away), 0);
  ASSERT_TRUE(Admin(cluster.node(here).bootstrap()).delete_topic("t").ok());
  EXPECT_TRUE(eventually([&] { return stored_directories(cluster, {"t"}).size() == 3; }));
  cluster.node(away).start();
  EXPECT_TRUE(eventually([&] { return stored_directories(cluster, {"t"}).empty(); }))
      << "also where it was not there to hear of it";

  create(cluster, "t", 3);
  Producer producer(cluster.bootstrap(), careful());
  EXPECT_EQ(producer.send({.topic = "t", .partition = 0, .value = "0"}).error, no_error);
  expect_records(cluster.bootstrap(), "t", 1);
}

// The directory of the former topic is still being removed, maybe by another shard.
TEST_F(Replication, ATopicIsMadeAgainUnderItsName) {
  ClusterProcesses cluster(Settings{{"chronik.shards", "2"}});
  Admin admin(cluster.bootstrap());
  for (int life = 0; life < 10; ++life) {
    ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 4, .replication = nodes}).ok());
    {
      Producer producer(cluster.bootstrap(), careful());
      EXPECT_EQ(producer.send({.topic = "t", .partition = life % 4, .value = "x"}).error, no_error);
    }
    ASSERT_TRUE(admin.delete_topic("t").ok());
  }
  for (int id = 1; id <= nodes; ++id) EXPECT_TRUE(cluster.node(id).running()) << "node " << id;
  EXPECT_TRUE(eventually([&] { return stored_directories(cluster, {"t"}).empty(); }));
}

// Nobody has a word for the groups of a shard but themselves.
TEST_F(Replication, GroupsOfAllShardsElectLeadersWhenAllNodesComeBack) {
  constexpr int count = 9;
  ClusterProcesses cluster(Settings{{"chronik.shards", "3"}});
  create(cluster, "t", count);
  for (int id = 1; id <= nodes; ++id) cluster.node(id).kill();
  cluster.launch();
  for (int id = 1; id <= nodes; ++id) {
    EXPECT_TRUE(eventually([&] {
      const std::vector<Partition> found = partitions(cluster.node(id), "t");
      return found.size() == count &&
             std::ranges::all_of(found, [](const Partition& one) { return one.leader_id > 0; });
    })) << "node "
        << id << " knows no leader of a partition";
  }
  Producer producer(cluster.bootstrap(), careful());
  for (std::int32_t p = 0; p < count; ++p) {
    EXPECT_EQ(producer.send({.topic = "t", .partition = p, .value = "x"}).error, no_error);
  }
}

}  // namespace
}  // namespace chronik::integration
