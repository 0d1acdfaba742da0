// The requests about who decides in the cluster: answered by the leader, passed on by others.
#include <gtest/gtest.h>

#include <algorithm>

#include "broker/api/api_versions.h"
#include "broker/api/features.h"
#include "broker/api/handlers.h"
#include "broker/api/quorum.h"
#include "broker/api/test_data.h"
#include "protocol/codec.h"
#include "protocol/messages/add_raft_voter.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/remove_raft_voter.h"
#include "protocol/messages/unregister_broker.h"
#include "protocol/messages/update_features.h"

namespace chronik::broker {
namespace {

using namespace protocol;  // NOLINT: the messages of five APIs

ErrorCode code(std::int16_t error) { return static_cast<ErrorCode>(error); }

/// What the leader would say, and what it was asked.
class FakeQuorum final : public Quorum {
 public:
  QuorumState state;
  Result<void> outcome;
  Result<SharedBytes> forwarded{SharedBytes{}};
  std::vector<std::string> asked;

  Result<QuorumState> describe() override {
    asked.emplace_back("describe");
    return state;
  }
  Task<Result<void>> add_voter(BrokerId node, Uuid directory, milliseconds timeout,
                               GivenUp) override {
    asked.push_back("add " + std::to_string(node) + " " + directory.to_string() + " " +
                    std::to_string(timeout.count()));
    co_return outcome;
  }
  Task<Result<void>> remove_voter(BrokerId node, Uuid directory, milliseconds) override {
    asked.push_back("remove " + std::to_string(node) + " " + directory.to_string());
    co_return outcome;
  }
  Task<Result<SharedBytes>> ask_leader(std::int16_t api_key, std::int16_t version, SharedBytes,
                                       milliseconds, GivenUp) override {
    asked.push_back("leader " + std::to_string(api_key) + " v" + std::to_string(version));
    co_return forwarded;
  }
};

class QuorumApiTest : public testing::Test {
 protected:
  QuorumApiTest() {
    broker_.broker().quorum = &quorum_;
    broker_.broker().node.directory_id = directory_;
  }
  static DescribeQuorumRequest about_metadata() {
    DescribeQuorumRequest request;
    DescribeQuorumRequest::TopicData& topic = request.topics.emplace_back();
    topic.topic_name = "__cluster_metadata";
    topic.partitions.emplace_back();
    return request;
  }
  void lead(BrokerId leader) {
    broker_.store().set_leadership({.leader = leader, .term = 4, .ready = leader == 1});
  }

  FakeQuorum quorum_;
  TestBroker broker_;
  TestData data_{broker_};
  const Uuid directory_ = Uuid::from_random(3, 4);
};

TEST_F(QuorumApiTest, TheLeaderTellsHowFarEachOneIs) {
  quorum_.state = {1, 4, 90, {}};
  quorum_.state.members.push_back({1, directory_, true, 91, 1000, 1000, "n1", 9192});
  quorum_.state.members.push_back({2, Uuid(), true, 80, 990, -1, "n2", 9192});
  quorum_.state.members.push_back({7, Uuid(), false, 11, 995, 800, "n7", 9192});
  const DescribeQuorumResponse response = broker_.call<describe_quorum>(about_metadata());
  EXPECT_EQ(code(response.error_code), ErrorCode::none);
  const auto& partition = response.topics.at(0).partitions.at(0);
  EXPECT_EQ(partition.leader_id, 1);
  EXPECT_EQ(partition.leader_epoch, 4);
  EXPECT_EQ(partition.high_watermark, 90);
  ASSERT_EQ(partition.current_voters.size(), 2u);
  EXPECT_EQ(partition.current_voters[0].replica_directory_id, directory_);
  EXPECT_EQ(partition.current_voters[1].log_end_offset, 80);
  EXPECT_EQ(partition.current_voters[1].last_fetch_timestamp, 990);
  EXPECT_EQ(partition.current_voters[1].last_caught_up_timestamp, -1);
  ASSERT_EQ(partition.observers.size(), 1u);
  EXPECT_EQ(partition.observers[0].replica_id, 7);
  ASSERT_EQ(response.nodes.size(), 2u) << "voters only";
  EXPECT_EQ(response.nodes[1].listeners.at(0).host, "n2");
  EXPECT_EQ(response.nodes[1].listeners.at(0).port, 9192);
}

TEST_F(QuorumApiTest, ANodeAloneIsItsOwnQuorum) {
  broker_.broker().quorum = nullptr;
  data_.create("t");
  const DescribeQuorumResponse response = broker_.call<describe_quorum>(about_metadata());
  const auto& partition = response.topics.at(0).partitions.at(0);
  EXPECT_EQ(partition.leader_id, 1);
  ASSERT_EQ(partition.current_voters.size(), 1u);
  EXPECT_EQ(partition.current_voters[0].replica_directory_id, directory_);
  EXPECT_EQ(partition.current_voters[0].log_end_offset, partition.high_watermark);
  EXPECT_GT(partition.high_watermark, 1);
}

TEST_F(QuorumApiTest, AnotherTopicHasNoQuorum) {
  DescribeQuorumRequest request = about_metadata();
  request.topics[0].topic_name = "t";
  const DescribeQuorumResponse response = broker_.call<describe_quorum>(request);
  EXPECT_EQ(code(response.topics.at(0).partitions.at(0).error_code),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(quorum_.asked.empty());
}

TEST_F(QuorumApiTest, WhoDoesNotLeadPassesItOn) {
  lead(3);
  DescribeQuorumResponse theirs;
  theirs.topics.emplace_back().topic_name = "__cluster_metadata";
  Writer writer;
  protocol::encode(writer, 2, theirs);
  quorum_.forwarded = SharedBytes::adopt(writer.take_bytes());
  EXPECT_EQ(broker_.call<describe_quorum>(about_metadata()), theirs);
  EXPECT_EQ(quorum_.asked, std::vector<std::string>{"leader 55 v2"});

  // What another node passed on goes no further.
  broker_.connection().of_node = true;
  broker_.call<describe_quorum>(about_metadata());
  EXPECT_EQ(quorum_.asked.back(), "describe");
}

TEST_F(QuorumApiTest, WithoutALeaderClientsTryAgain) {
  lead(-1);
  quorum_.forwarded = Error{Errc::not_leader, "no leader is known; ask again"};
  const DescribeQuorumResponse response = broker_.call<describe_quorum>(about_metadata());
  EXPECT_EQ(code(response.error_code), ErrorCode::leader_not_available);
  EXPECT_EQ(response.error_message, "no leader is known; ask again");
  AddRaftVoterRequest add;
  add.cluster_id.reset();
  add.voter_id = 4;
  EXPECT_EQ(code(broker_.call<add_raft_voter>(add).error_code), ErrorCode::leader_not_available);
}

TEST_F(QuorumApiTest, AVoterIsAddedAndRemovedByNodeAndDirectory) {
  AddRaftVoterRequest add;
  add.cluster_id = "test-cluster";
  add.timeout_ms = 700;
  add.voter_id = 4;
  add.voter_directory_id = directory_;
  EXPECT_EQ(code(broker_.call<add_raft_voter>(add).error_code), ErrorCode::none);
  RemoveRaftVoterRequest remove;
  remove.cluster_id.reset();
  remove.voter_id = 4;
  remove.voter_directory_id = directory_;
  EXPECT_EQ(code(broker_.call<remove_raft_voter>(remove).error_code), ErrorCode::none);
  EXPECT_EQ(quorum_.asked, (std::vector<std::string>{"add 4 " + directory_.to_string() + " 700",
                                                     "remove 4 " + directory_.to_string()}));
}

TEST_F(QuorumApiTest, EachRefusalOfAVoterHasItsCode) {
  const auto add = [&](Errc errc) {
    quorum_.outcome = Error{errc, "why"};
    AddRaftVoterRequest request;
    request.cluster_id.reset();
    request.voter_id = 4;
    const AddRaftVoterResponse response = broker_.call<add_raft_voter>(request);
    EXPECT_EQ(response.error_message, "why");
    return code(response.error_code);
  };
  EXPECT_EQ(add(Errc::already_exists), ErrorCode::duplicate_voter);
  EXPECT_EQ(add(Errc::timeout), ErrorCode::request_timed_out);
  EXPECT_EQ(add(Errc::not_found), ErrorCode::invalid_request);
  quorum_.outcome = Error{Errc::not_found, "why"};
  RemoveRaftVoterRequest remove;
  remove.cluster_id.reset();
  remove.voter_id = 4;
  EXPECT_EQ(code(broker_.call<remove_raft_voter>(remove).error_code), ErrorCode::voter_not_found);

  const std::size_t before = quorum_.asked.size();
  remove.cluster_id = "another";
  EXPECT_EQ(code(broker_.call<remove_raft_voter>(remove).error_code),
            ErrorCode::inconsistent_cluster_id);
  broker_.broker().quorum = nullptr;
  remove.cluster_id.reset();
  EXPECT_EQ(code(broker_.call<remove_raft_voter>(remove).error_code), ErrorCode::invalid_request);
  EXPECT_EQ(quorum_.asked.size(), before);
}

TEST_F(QuorumApiTest, ABrokerIsForgottenOnceItIsGone) {
  metadata::BrokerRegistered other;
  other.broker_id = 2;
  data_.propose(other);
  UnregisterBrokerRequest request;
  request.broker_id = 2;
  EXPECT_EQ(code(broker_.call<unregister_broker>(request).error_code), ErrorCode::invalid_request);
  EXPECT_NE(broker_.image()->broker(2), nullptr);
  broker_.shard().run([&] { broker_.broker().metadata->set_absent({2}); });
  EXPECT_EQ(code(broker_.call<unregister_broker>(request).error_code), ErrorCode::none);
  EXPECT_EQ(broker_.image()->broker(2), nullptr);
  EXPECT_EQ(code(broker_.call<unregister_broker>(request).error_code),
            ErrorCode::broker_id_not_registered);
}

TEST_F(QuorumApiTest, AFeatureStaysAtItsLevel) {
  const auto update = [&](const std::string& feature, std::int16_t level, std::int16_t version) {
    UpdateFeaturesRequest request;
    auto& one = request.feature_updates.emplace_back();
    one.feature = feature;
    one.max_version_level = level;
    return broker_.call<update_features>(request, version);
  };
  const std::string name(metadata_version_feature);
  EXPECT_EQ(code(update(name, metadata_version_level, 2).error_code), ErrorCode::none);
  EXPECT_EQ(code(update(name, metadata_version_level - 1, 2).error_code),
            ErrorCode::invalid_update_version);
  EXPECT_EQ(code(update("group.version", 1, 2).error_code), ErrorCode::invalid_update_version);
  const UpdateFeaturesResponse old = update(name, 0, 1);
  EXPECT_EQ(code(old.error_code), ErrorCode::none) << "each feature has its own";
  EXPECT_EQ(code(old.results.at(0).error_code), ErrorCode::invalid_update_version);
  EXPECT_EQ(code(broker_.call<update_features>(UpdateFeaturesRequest{}).error_code),
            ErrorCode::invalid_request);
}

}  // namespace
}  // namespace chronik::broker
