// What a broker answers that is one of several: where partitions go, who is named, and who serves
// what.
#include <gtest/gtest.h>

#include <set>

#include "broker/api/create_topics.h"
#include "broker/api/describe_cluster.h"
#include "broker/api/handlers.h"
#include "broker/api/metadata.h"
#include "broker/api/test_data.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"

namespace chronik::broker {
namespace {

using namespace protocol;  // NOLINT: the messages of nine APIs

ErrorCode code(std::int16_t error) { return static_cast<ErrorCode>(error); }

class SeveralBrokersTest : public testing::Test {
 protected:
  SeveralBrokersTest() {
    for (BrokerId id = 1; id <= 3; ++id) {
      metadata::BrokerRegistered broker;
      broker.broker_id = id;
      broker.endpoints.push_back({"PLAINTEXT", "n" + std::to_string(id), 9092, 0});
      if (id == 3) broker.endpoints.push_back({"INSIDE", "inside3", 9093, 0});
      data_.propose(broker);
    }
    metadata::TopicCreated topic;
    topic.topic_id = topic_id_;
    topic.name = "news";
    topic.partitions.push_back({0, {1}, 1, 0});
    topic.partitions.push_back({1, {3}, 3, 7});
    data_.propose(topic);
  }
  CreateTopicsResponse::CreatableTopicResult create(const std::string& name,
                                                    std::int32_t partitions,
                                                    std::int16_t replication) {
    CreateTopicsRequest request;
    request.timeout_ms = 0;  // nobody will lead here
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = replication;
    return broker_.call<create_topics>(std::move(request)).topics.at(0);
  }
  std::multiset<BrokerId> leaders_of(const std::string& name) {
    std::multiset<BrokerId> leaders;
    for (const metadata::Partition& partition : broker_.image()->topic(name)->partitions) {
      EXPECT_EQ(partition.replicas, std::vector<BrokerId>{partition.leader});
      leaders.insert(partition.leader);
    }
    return leaders;
  }

  /// To partition 1, which broker 3 leads.
  ProduceResponse produce_to_another(SharedBytes batch) {
    ProduceRequest request;
    request.acks = -1;
    auto& topic = request.topic_data.emplace_back();
    topic.topic_id = topic_id_;
    auto& partition = topic.partition_data.emplace_back();
    partition.index = 1;
    partition.records.null = false;
    partition.records.chain.append(std::move(batch));
    return broker_.call<produce>(std::move(request));
  }

  TestBroker broker_;
  TestData data_{broker_};
  const Uuid topic_id_ = Uuid::from_random(77, 7);
};

TEST_F(SeveralBrokersTest, PartitionsOfATopicGoRoundTheBrokers) {
  ASSERT_EQ(create("spread", 6, 1).error_code, 0);
  EXPECT_EQ(leaders_of("spread"), (std::multiset<BrokerId>{1, 1, 2, 2, 3, 3}));
}

TEST_F(SeveralBrokersTest, TopicsOfOnePartitionDoNotAllGoToTheFirstBroker) {
  std::set<BrokerId> leaders;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "single-" + std::to_string(i);
    ASSERT_EQ(create(name, 1, 1).error_code, 0);
    leaders.insert(*leaders_of(name).begin());
  }
  EXPECT_EQ(leaders, (std::set<BrokerId>{1, 2, 3}));
}

TEST_F(SeveralBrokersTest, CopiesOfAPartitionAreOnDifferentBrokersAndLeadersGoRound) {
  ASSERT_EQ(create("copies", 6, 3).error_code, 0);
  std::multiset<BrokerId> leaders;
  for (const metadata::Partition& partition : broker_.image()->topic("copies")->partitions) {
    EXPECT_EQ(std::set<BrokerId>(partition.replicas.begin(), partition.replicas.end()),
              (std::set<BrokerId>{1, 2, 3}));
    EXPECT_EQ(partition.leader, partition.replicas.front());
    EXPECT_EQ(partition.directories.size(), 3u);
    leaders.insert(partition.leader);
  }
  EXPECT_EQ(leaders, (std::multiset<BrokerId>{1, 1, 2, 2, 3, 3}));
}

TEST_F(SeveralBrokersTest, MoreCopiesThanBrokersAreRefused) {
  const auto result = create("copies", 1, 4);
  EXPECT_EQ(code(result.error_code), ErrorCode::invalid_replication_factor);
  EXPECT_NE(result.error_message->find("only 3 broker(s)"), std::string::npos);
  CreateTopicsRequest by_hand;
  auto& topic = by_hand.topics.emplace_back();
  topic.name = "copies";
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  topic.assignments.emplace_back().broker_ids = {1, 9};
  EXPECT_EQ(code(broker_.call<create_topics>(by_hand).topics.at(0).error_code),
            ErrorCode::invalid_replica_assignment);
  topic.assignments[0].broker_ids = {2};
  EXPECT_EQ(code(broker_.call<create_topics>(by_hand).topics.at(0).error_code), ErrorCode::none);
  EXPECT_EQ(leaders_of("copies"), (std::multiset<BrokerId>{2}));
}

// Who uses a topic at once, as most programs do, would find it without leaders.
TEST_F(SeveralBrokersTest, AReplicatedTopicIsAnsweredForOnceItsLeadersAreKnown) {
  CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "copies";
  topic.num_partitions = 2;
  topic.replication_factor = 3;
  auto pending = broker_.start<create_topics>(std::move(request));
  const Uuid id = broker_.image()->topic("copies")->id;
  for (PartitionId index = 0; index < 2; ++index) {
    EXPECT_FALSE(pending->response) << index;
    broker_.shard().run([&] { broker_.broker().metadata->tell_leader(id, index, {2, 1, {}}); });
  }
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(code(pending->response->topics.at(0).error_code), ErrorCode::none);
}

// Nobody is known to lead a replicated partition until its group has said so.
TEST_F(SeveralBrokersTest, WhoLeadsAReplicatedPartitionIsWhatItsGroupSays) {
  ASSERT_EQ(create("copies", 1, 3).error_code, 0);
  const Uuid id = broker_.image()->topic("copies")->id;
  const auto ask = [&] {
    MetadataRequest request;
    request.topics.emplace();
    request.topics->emplace_back().name = "copies";
    return broker_.call<metadata_request>(request).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(code(ask().error_code), ErrorCode::leader_not_available);
  const auto tell = [&](PartitionLeader leader) {
    broker_.shard().run([&] { broker_.broker().metadata->tell_leader(id, 0, leader); });
  };
  tell({2, 5, {1, 2}});
  EXPECT_EQ(ask().leader_id, 2);
  EXPECT_EQ(ask().leader_epoch, 5);
  EXPECT_EQ(ask().isr_nodes, (std::vector<BrokerId>{1, 2}));
  tell({3, 4, {3}});
  EXPECT_EQ(ask().leader_id, 2) << "an older epoch says nothing";
  tell({2, 5, {}});
  EXPECT_EQ(ask().isr_nodes, (std::vector<BrokerId>{1, 2})) << "a follower does not know them";
  tell({3, 6, {1, 2, 3}});
  EXPECT_EQ(ask().leader_id, 3);
}

// Node 3 came with a move that was taken back: it is not among those that the partition had.
TEST_F(SeveralBrokersTest, AMoveThatIsTakenBackTwiceEndsWhereItBegan) {
  CreateTopicsRequest create;
  auto& topic = create.topics.emplace_back();
  topic.name = "copies";
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  topic.assignments.emplace_back().broker_ids = {1, 2};
  const auto pending = broker_.start<create_topics>(std::move(create));
  const Uuid id = broker_.image()->topic("copies")->id;
  broker_.shard().run([&] { broker_.broker().metadata->tell_leader(id, 0, {1, 1, {}}); });
  using Replicas = std::vector<BrokerId>;
  const auto now = [&] { return broker_.image()->topic("copies")->partitions.at(0); };
  ASSERT_EQ(now().replicas, (Replicas{1, 2}));
  const auto reassign = [&](std::optional<Replicas> to) {
    protocol::AlterPartitionReassignmentsRequest request;
    auto& asked = request.topics.emplace_back();
    asked.name = "copies";
    asked.partitions.push_back({0, std::move(to)});
    return code(broker_.call<alter_partition_reassignments>(request)
                    .responses.at(0)
                    .partitions.at(0)
                    .error_code);
  };
  EXPECT_EQ(reassign(Replicas{2, 3}), ErrorCode::none);
  for (int times = 1; times <= 2; ++times) {
    EXPECT_EQ(reassign(std::nullopt), ErrorCode::none);
    EXPECT_EQ(now().target(), (Replicas{2, 1})) << times;
    EXPECT_EQ(now().removing, Replicas{3}) << times;
  }
  EXPECT_EQ(reassign(Replicas{3, 1}), ErrorCode::none);
  EXPECT_EQ(now().target(), (Replicas{3, 1}));
  EXPECT_EQ(reassign(std::nullopt), ErrorCode::none);
  EXPECT_EQ(now().target(), (Replicas{1, 2})) << "the two it had";
}

// A replica that has moved away hears of its group no more, while its leader goes on.
TEST_F(SeveralBrokersTest, WhatAReplicaSaidIsForgottenOnceItHasMovedAway) {
  ASSERT_EQ(create("copies", 1, 3).error_code, 0);
  const Uuid id = broker_.image()->topic("copies")->id;
  MetadataView& view = *broker_.broker().metadata;
  const auto leader = [&] {
    PartitionLeader now;
    broker_.shard().run([&] { now = view.leader_of(*broker_.image()->topic("copies"), 0); });
    return now;
  };
  broker_.shard().run([&] {
    view.tell_leader(id, 0, {2, 5, {2, 3}});
    view.tell_leader_by_replica(id, 0, {-1, 5, {}});
  });
  EXPECT_EQ(leader().leader, -1);
  broker_.shard().run([&] { view.tell_leader_by_replica(id, 0, {-1, 6, {}}); });
  broker_.shard().run([&] { view.forget_replica(id, 0); });
  EXPECT_EQ(leader().leader, 2);
  EXPECT_EQ(leader().in_sync, (std::vector<BrokerId>{2, 3}));
  broker_.shard().run([&] { view.tell_leader(id, 0, {3, 6, {2, 3}}); });
  EXPECT_EQ(leader().leader, 3);
}

TEST_F(SeveralBrokersTest, AddedPartitionsGoWhereTheRequestSays) {
  CreatePartitionsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "news";
  topic.count = 4;
  topic.assignments.emplace();
  topic.assignments->emplace_back().broker_ids = {3};
  topic.assignments->emplace_back().broker_ids = {9};
  EXPECT_EQ(code(broker_.call<create_partitions>(request).results.at(0).error_code),
            ErrorCode::invalid_replica_assignment);
  topic.assignments->back().broker_ids = {2};
  EXPECT_EQ(code(broker_.call<create_partitions>(request).results.at(0).error_code),
            ErrorCode::none);
  EXPECT_EQ(leaders_of("news"), (std::multiset<BrokerId>{1, 2, 3, 3}));
}

TEST_F(SeveralBrokersTest, AFencedBrokerIsNotNamedToClientsAndGetsNoPartition) {
  data_.propose(metadata::BrokerFenced{3, true});
  // librdkafka gives up what it has for a broker that is no longer listed, while it still moves.
  EXPECT_EQ(broker_.call<metadata_request>(MetadataRequest{}).brokers.size(), 3u);
  broker_.clock().advance(milliseconds(10'000));
  EXPECT_EQ(broker_.call<metadata_request>(MetadataRequest{}).brokers.size(), 2u);
  DescribeClusterRequest request;
  EXPECT_EQ(broker_.call<describe_cluster>(request).brokers.size(), 2u);
  request.include_fenced_brokers = true;
  const DescribeClusterResponse all = broker_.call<describe_cluster>(request);
  ASSERT_EQ(all.brokers.size(), 3u);
  EXPECT_FALSE(all.brokers[1].is_fenced);
  EXPECT_TRUE(all.brokers[2].is_fenced);
  ASSERT_EQ(create("spread", 4, 1).error_code, 0);
  EXPECT_EQ(leaders_of("spread"), (std::multiset<BrokerId>{1, 1, 2, 2}));
}

// In the moment after a broker has died: nobody leads who could fence it.
TEST_F(SeveralBrokersTest, ABrokerThatThisOneCannotReachGetsNoPartition) {
  broker_.shard().run([&] { broker_.broker().metadata->set_absent({2}); });
  ASSERT_EQ(create("spread", 4, 1).error_code, 0);
  EXPECT_EQ(leaders_of("spread"), (std::multiset<BrokerId>{1, 1, 3, 3}));
}

TEST_F(SeveralBrokersTest, ClientsAreToldOfAllBrokersOnTheirListener) {
  const MetadataResponse all = broker_.call<metadata_request>(MetadataRequest{});
  ASSERT_EQ(all.brokers.size(), 3u);
  EXPECT_EQ(all.brokers[0].host, "broker.example") << "what this one says of itself is newest";
  EXPECT_EQ(all.brokers[1].host, "n2");
  EXPECT_EQ(all.brokers[2].host, "n3");
  EXPECT_EQ(broker_.call<describe_cluster>(DescribeClusterRequest{}).brokers.size(), 3u);

  broker_.broker().node.listeners.push_back({"INSIDE", "inside1", 9093});
  broker_.connection().listener = "INSIDE";
  const MetadataResponse inside = broker_.call<metadata_request>(MetadataRequest{});
  ASSERT_EQ(inside.brokers.size(), 2u) << "the second broker has no such listener";
  EXPECT_EQ(inside.brokers[0].host, "inside1");
  EXPECT_EQ(inside.brokers[1].host, "inside3");
}

// librdkafka waits for the controller that it was told of, and does not ask again.
TEST_F(SeveralBrokersTest, AControllerThatIsGoneIsNotNamed) {
  const auto named = [this] {
    const BrokerId by_metadata = broker_.call<metadata_request>(MetadataRequest{}).controller_id;
    EXPECT_EQ(broker_.call<describe_cluster>(DescribeClusterRequest{}).controller_id, by_metadata);
    return by_metadata;
  };
  broker_.store().set_leadership({.leader = 3, .term = 2, .ready = false});
  EXPECT_EQ(named(), 3);
  data_.propose(metadata::BrokerFenced{3, true});
  EXPECT_EQ(named(), 1) << "any broker takes what the controller is asked";
  broker_.store().set_leadership({.leader = -1, .term = 3, .ready = false});
  EXPECT_EQ(named(), 1);
}

TEST_F(SeveralBrokersTest, ProduceToAnothersPartitionNamesItsLeader) {
  const ProduceResponse response = produce_to_another(TestData::records(2));
  const auto& answer = response.responses.at(0).partition_responses.at(0);
  EXPECT_EQ(code(answer.error_code), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(answer.current_leader.leader_id, 3);
  EXPECT_EQ(answer.current_leader.leader_epoch, 7);
  ASSERT_EQ(response.node_endpoints.size(), 1u);
  EXPECT_EQ(response.node_endpoints[0].node_id, 3);
  EXPECT_EQ(response.node_endpoints[0].host, "n3");
  EXPECT_EQ(response.node_endpoints[0].port, 9092);
  EXPECT_EQ(broker_.broker().data(broker_.shard()).partitions.find(topic_id_, 1), nullptr)
      << "nothing of it may be made here";
}

// As it has no replica, it is no node that clients come to because it led.
TEST_F(SeveralBrokersTest, ABrokerThatStopsMakesNothingOfAnothersPartition) {
  broker_.broker().leaving = true;
  const ProduceResponse response = produce_to_another(TestData::records(2));
  const auto& answer = response.responses.at(0).partition_responses.at(0);
  EXPECT_EQ(code(answer.error_code), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(answer.current_leader.leader_id, 3);
  EXPECT_EQ(broker_.broker().data(broker_.shard()).partitions.find(topic_id_, 1), nullptr);
}

TEST_F(SeveralBrokersTest, FetchFromAnothersPartitionNamesItsLeader) {
  FetchRequest request;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = topic_id_;
  topic.partitions.emplace_back().partition = 1;
  const FetchResponse response = broker_.call<fetch>(request);
  const auto& answer = response.responses.at(0).partitions.at(0);
  EXPECT_EQ(code(answer.error_code), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(answer.current_leader.leader_id, 3);
  ASSERT_EQ(response.node_endpoints.size(), 1u);
  EXPECT_EQ(response.node_endpoints[0].host, "n3");
}

TEST_F(SeveralBrokersTest, TheOtherCallsOnAnothersPartitionAreRefusedAlike) {
  ListOffsetsRequest offsets;
  offsets.topics.emplace_back().name = "news";
  offsets.topics[0].partitions.emplace_back().partition_index = 1;
  EXPECT_EQ(code(broker_.call<list_offsets>(offsets).topics.at(0).partitions.at(0).error_code),
            ErrorCode::not_leader_or_follower);

  DeleteRecordsRequest records;
  records.topics.emplace_back().name = "news";
  records.topics[0].partitions.emplace_back().partition_index = 1;
  EXPECT_EQ(code(broker_.call<delete_records>(records).topics.at(0).partitions.at(0).error_code),
            ErrorCode::not_leader_or_follower);

  OffsetForLeaderEpochRequest epochs;
  epochs.topics.emplace_back().topic = "news";
  epochs.topics[0].partitions.emplace_back().partition = 1;
  EXPECT_EQ(
      code(broker_.call<offset_for_leader_epoch>(epochs).topics.at(0).partitions.at(0).error_code),
      ErrorCode::not_leader_or_follower);

  DescribeProducersRequest producers;
  producers.topics.emplace_back().name = "news";
  producers.topics[0].partition_indexes = {1};
  EXPECT_EQ(
      code(broker_.call<describe_producers>(producers).topics.at(0).partitions.at(0).error_code),
      ErrorCode::not_leader_or_follower);
}

TEST_F(SeveralBrokersTest, TheDataDirectoryListsOwnPartitionsOnly) {
  DescribeLogDirsRequest request;
  request.topics.reset();  // all
  const auto response = broker_.call<describe_log_dirs>(request);
  ASSERT_EQ(response.results.at(0).topics.size(), 1u);
  const auto& partitions = response.results[0].topics[0].partitions;
  ASSERT_EQ(partitions.size(), 1u);
  EXPECT_EQ(partitions[0].partition_index, 0);
}

}  // namespace
}  // namespace chronik::broker
