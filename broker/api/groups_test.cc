// The handlers of the group APIs. That each version answers as Kafka does is shown by
// integration/process/group_answers_test.cc; here is what that cannot show.
#include "broker/api/groups.h"

#include <gtest/gtest.h>

#include "broker/api/group_call.h"
#include "broker/api/test_broker.h"

namespace chronik::broker {
namespace {

using namespace protocol;  // NOLINT: the messages of eleven APIs

class GroupsTest : public testing::Test {
 protected:
  GroupsTest() {
    metadata::TopicCreated topic;
    topic.topic_id = news_;
    topic.name = "news";
    topic.partitions.push_back({0, {1}, 1, 0});
    broker_.store().propose({topic}, [](const Result<metadata::ApplyResults>&) {});
    GroupCoordinator::Settings settings;
    settings.group.initial_rebalance_delay = milliseconds{0};
    groups_.emplace(broker_.store(), broker_.shard().timers(), broker_.clock(), Random(1),
                    settings);
    broker_.shard().run([&] { groups_->start(); });
    broker_.broker().groups = &*groups_;
  }
  ~GroupsTest() override {
    broker_.shard().run([&] { groups_->stop(); });
  }

  static JoinGroupRequest joining(const std::string& member = "") {
    JoinGroupRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    request.protocol_type = "consumer";
    request.protocols.emplace_back().name = "range";
    return request;
  }
  /// The first join of an empty group, whose rebalance ends when time passes.
  JoinGroupResponse join_empty(JoinGroupRequest request,
                               std::int16_t version = JoinGroupRequest::max_version) {
    auto joined = broker_.start<join_group>(std::move(request), version);
    broker_.clock().advance(milliseconds{1});
    broker_.shard().step();
    CHECK_MSG(joined->response.has_value(), "the join still waits");
    return std::move(*joined->response);
  }
  static ErrorCode code(std::int16_t error) { return static_cast<ErrorCode>(error); }
  void commit(const std::string& group, const std::string& metadata) {
    OffsetCommitRequest request;
    request.group_id = group;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = news_;
    auto& partition = topic.partitions.emplace_back();
    partition.committed_offset = 7;
    partition.committed_metadata = metadata;
    const OffsetCommitResponse response = broker_.call<offset_commit>(request);
    EXPECT_EQ(code(response.topics.at(0).partitions.at(0).error_code), ErrorCode::none);
  }

  const Uuid news_ = Uuid::from_random(1, 2);
  TestBroker broker_;
  std::optional<GroupCoordinator> groups_;
};

TEST_F(GroupsTest, AConsumerOfVersionZeroHasItsSessionAsRebalanceTimeout) {
  const JoinGroupResponse joined = join_empty(joining(), 0);
  EXPECT_EQ(code(joined.error_code), ErrorCode::none);
  EXPECT_EQ(joined.members.size(), 1u);
  // It must sync within the ten seconds, though its heartbeats go on.
  HeartbeatRequest beat;
  beat.group_id = "g";
  beat.member_id = joined.member_id;
  beat.generation_id = joined.generation_id;
  for (const ErrorCode expected : {ErrorCode::none, ErrorCode::unknown_member_id}) {
    broker_.clock().advance(milliseconds{expected == ErrorCode::none ? 9'000 : 1'000});
    broker_.shard().step();
    EXPECT_EQ(code(broker_.call<heartbeat>(beat).error_code), expected);
  }
}

// A request of 2 MiB must not become a response of gigabytes.
TEST_F(GroupsTest, WhatIsAskedForAMillionTimesIsRefused) {
  commit("g", std::string(4'000, 'x'));
  OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = "g";
  auto& topic = group.topics->emplace_back();
  topic.topic_id = news_;
  topic.partition_indexes.assign(500'000, 0);
  auto& small = request.groups.emplace_back(request.groups[0]);
  small.topics->at(0).partition_indexes.resize(1);
  const OffsetFetchResponse response = broker_.call<offset_fetch>(request);
  for (const auto& answer : response.groups) {
    EXPECT_EQ(code(answer.error_code), ErrorCode::invalid_request);
    EXPECT_TRUE(answer.topics.empty());
  }
  request.groups.erase(request.groups.begin());
  EXPECT_EQ(broker_.call<offset_fetch>(request).groups.at(0).topics.size(), 1u);
}

TEST_F(GroupsTest, TransactionsAreRefusedSoThatTheClientSaysWhy) {
  FindCoordinatorRequest request;
  request.key = "my-transactions";
  request.key_type = 1;
  const FindCoordinatorResponse response = broker_.call<find_coordinator>(request, 3);
  EXPECT_EQ(code(response.error_code), ErrorCode::unsupported_version);
  EXPECT_NE(response.error_message->find("transactional.id"), std::string::npos);
}

TEST_F(GroupsTest, AGroupThatCannotBeDeletedIsToldWhy) {
  const JoinGroupResponse announced = broker_.call<join_group>(joining());
  join_empty(joining(announced.member_id));
  DeleteGroupsRequest request;
  request.groups_names = {"g", "h", "g"};
  const DeleteGroupsResponse response = broker_.call<delete_groups>(request);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(code(response.results[0].error_code), ErrorCode::non_empty_group);
  EXPECT_EQ(response.results[0].error_message,
            "Group g has members: it can be deleted when they have left.");
  EXPECT_EQ(response.results[1].error_message, "Group h not found.");
}

TEST_F(GroupsTest, ACoordinatorThatStopsSendsClientsAway) {
  broker_.shard().run([&] { groups_->stop(); });
  EXPECT_EQ(code(broker_.call<join_group>(joining()).error_code),
            ErrorCode::coordinator_not_available);
  EXPECT_EQ(code(broker_.call<list_groups>(ListGroupsRequest{}).error_code),
            ErrorCode::coordinator_not_available);
  DescribeGroupsRequest describe;
  describe.groups = {"g"};
  EXPECT_EQ(code(broker_.call<describe_groups>(describe).groups.at(0).error_code),
            ErrorCode::coordinator_not_available);
  // Version 1 of OffsetFetch has no place for it but the partitions.
  OffsetFetchRequest fetch;
  fetch.group_id = "g";
  auto& topic = fetch.topics->emplace_back();
  topic.name = "news";
  topic.partition_indexes = {0};
  EXPECT_EQ(code(broker_.call<offset_fetch>(fetch, 2).error_code), ErrorCode::not_coordinator);
}

Task<void> join_and_end(RequestContext& context, JoinGroupRequest request, bool* ended) {
  Task<JoinGroupResponse> task = join_group(context, std::move(request));
  JoinGroupResponse response = co_await std::move(task);
  *ended = true;
}

TEST_F(GroupsTest, AJoinEndsWithItsConnection) {
  const JoinGroupResponse first = broker_.call<join_group>(joining());
  join_empty(joining(first.member_id));
  const JoinGroupResponse second = broker_.call<join_group>(joining());
  // The second waits for the first, which does not come; then its connection is closed.
  RequestContext context(broker_.broker(), broker_.shard(), broker_.connection());
  RequestHeader header;
  header.api_key = 11;
  header.api_version = 9;
  bool ended = false;
  Gate gate;
  broker_.shard().run([&] {
    context.start(std::move(header), broker_.shard().now());
    spawn(join_and_end(context, joining(second.member_id), &ended), gate);
  });
  EXPECT_FALSE(ended);
  broker_.shard().run([&] { context.cancel(); });
  EXPECT_TRUE(ended);
  // It is still a member, and may come again by another connection.
  DescribeGroupsRequest describe;
  describe.groups = {"g"};
  EXPECT_EQ(broker_.call<describe_groups>(describe).groups.at(0).members.size(), 2u);
}

}  // namespace
}  // namespace chronik::broker
