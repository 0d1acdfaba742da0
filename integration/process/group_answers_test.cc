// The answers of the group APIs in all their versions, as Apache Kafka 4.4 gives them
// (testdata/group_answers.txt; harness/recorded_answers.h says how it was recorded). Where chronik
// means to differ there is no line there but a test of its own below.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/uuid.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/recorded_answers.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"

namespace chronik::integration {
namespace {

using namespace protocol;  // NOLINT: the messages of eleven APIs

template <class T>
void in_order_of_id(std::vector<T>& groups) {
  std::sort(groups.begin(), groups.end(),
            [](const T& a, const T& b) { return a.group_id < b.group_id; });
}
template <class Topic>
void in_order_of_partition(std::vector<Topic>& topics) {
  for (Topic& topic : topics) {
    std::sort(topic.partitions.begin(), topic.partitions.end(),
              [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
  }
}

template <class Response>
void make_comparable(Response&) {}
void make_comparable(DescribeGroupsResponse& response) { in_order_of_id(response.groups); }
void make_comparable(ListGroupsResponse& response) { in_order_of_id(response.groups); }
void make_comparable(DeleteGroupsResponse& response) {
  in_order_of_id(response.results);
  // Kafka has nothing to say here.
  for (auto& result : response.results) result.error_message.reset();
}
void make_comparable(OffsetCommitResponse& response) { in_order_of_partition(response.topics); }
void make_comparable(OffsetDeleteResponse& response) { in_order_of_partition(response.topics); }

class Answers {
 public:
  Answers() : recorded_("group_answers.txt", {{"group.initial.rebalance.delay.ms", "0"}}) {
    create_topic();
  }

  void expect_as_recorded() const { recorded_.expect_as_recorded(); }

  template <class Request>
  typename Request::Response show(const std::string& what, std::int16_t version,
                                  const Request& request) {
    return recorded_.show(what, version, request,
                          [](auto& response) { make_comparable(response); });
  }

  // Requests with what most of them have in common.
  static JoinGroupRequest join(const std::string& group, const std::string& member = "") {
    JoinGroupRequest request;
    request.group_id = group;
    request.member_id = member;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 5'000;
    request.protocol_type = "consumer";
    // Version 0, one topic "news", no user data.
    auto& protocol = request.protocols.emplace_back();
    protocol.name = "range";
    protocol.metadata = {0, 0, 0, 0, 0, 1, 0, 4, 'n', 'e', 'w', 's', 255, 255, 255, 255};
    return request;
  }
  static SyncGroupRequest sync(const std::string& group, const std::string& member,
                               std::int32_t generation) {
    SyncGroupRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id = generation;
    request.protocol_type = "consumer";
    request.protocol_name = "range";
    auto& assigned = request.assignments.emplace_back();
    assigned.member_id = member;
    assigned.assignment = {'a', 'b', 'c'};
    return request;
  }
  static HeartbeatRequest heartbeat(const std::string& group, const std::string& member,
                                    std::int32_t generation) {
    HeartbeatRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id = generation;
    return request;
  }
  using Leaving = std::pair<std::string, std::optional<std::string>>;
  static LeaveGroupRequest leave(const std::string& group, const std::vector<Leaving>& members) {
    LeaveGroupRequest request;
    request.group_id = group;
    for (const auto& [member, instance] : members) {
      request.member_id = member;
      auto& one = request.members.emplace_back();
      one.member_id = member;
      one.group_instance_id = instance;
    }
    return request;
  }
  /// Of the topic "news", unless another is named.
  OffsetCommitRequest commit(const std::string& group, const std::string& member = "",
                             std::int32_t generation = -1,
                             const std::string& topic = "news") const {
    OffsetCommitRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id_or_member_epoch = generation;
    auto& to = request.topics.emplace_back();
    to.name = topic;
    to.topic_id = topic == "news" ? news_ : unknown_topic;
    auto& partition = to.partitions.emplace_back();
    partition.committed_offset = 7;
    partition.committed_metadata = "m";
    return request;
  }
  /// Without partitions: all offsets.
  OffsetFetchRequest fetch(const std::string& group, const std::vector<std::int32_t>& partitions,
                           const std::string& topic = "news") const {
    OffsetFetchRequest request;
    request.group_id = group;
    auto& from = request.groups.emplace_back();
    from.group_id = group;
    if (partitions.empty()) {
      request.topics.reset();
      from.topics.reset();
      return request;
    }
    auto& old = request.topics->emplace_back();
    old.name = topic;
    old.partition_indexes = partitions;
    auto& asked = from.topics->emplace_back();
    asked.name = topic;
    asked.topic_id = topic == "news" ? news_ : unknown_topic;
    asked.partition_indexes = partitions;
    return request;
  }
  static OffsetDeleteRequest delete_offsets(const std::string& group, const std::string& topic,
                                            const std::vector<std::int32_t>& partitions) {
    OffsetDeleteRequest request;
    request.group_id = group;
    auto& from = request.topics.emplace_back();
    from.name = topic;
    for (const std::int32_t partition : partitions) {
      from.partitions.emplace_back().partition_index = partition;
    }
    return request;
  }

 private:
  static inline const Uuid unknown_topic = Uuid::from_random(77, 77);

  void create_topic() {
    CreateTopicsRequest request;
    request.timeout_ms = 10'000;
    auto& topic = request.topics.emplace_back();
    topic.name = "news";
    topic.num_partitions = 2;
    topic.replication_factor = 1;
    const auto response = recorded_.await(7, request, [](const CreateTopicsResponse& answer) {
      return answer.topics.size() == 1 && answer.topics[0].error_code == 0;
    });
    if (response.topics.size() == 1) news_ = response.topics[0].topic_id;
    recorded_.call_it(news_.to_string(), "NEWS");
    // Kafka makes its own topic for groups at the first request, and is not ready until then.
    FindCoordinatorRequest find;
    find.coordinator_keys = {"g"};
    recorded_.await(4, find, [](const FindCoordinatorResponse& answer) {
      return answer.coordinators.at(0).error_code == 0;
    });
    DescribeGroupsRequest describe;
    describe.groups = {"g", "nogroup", "simple", "", "s", "old"};
    recorded_.await(5, describe, [](const DescribeGroupsResponse& answer) {
      return std::all_of(answer.groups.begin(), answer.groups.end(),
                         [](const auto& group) { return group.error_code == 0; });
    });
  }

  RecordedAnswers recorded_;
  Uuid news_;
};

void find_coordinators(Answers& to) {
  for (std::int16_t version = 0; version <= 6; ++version) {
    for (const std::int8_t type : std::initializer_list<std::int8_t>{0, 2, 9}) {
      if (version == 0 && type != 0) continue;
      FindCoordinatorRequest request;
      request.key_type = type;
      request.key = "g";
      request.coordinator_keys = {"g", "h", ""};
      // Kafka leaves out the message for a share group's key that it cannot read; we do not.
      if (type == 2 && version >= 4) continue;
      to.show("type " + std::to_string(type), version, request);
    }
  }
}

void join_and_fail(Answers& to) {
  for (std::int16_t version = 0; version <= 9; ++version) {
    to.show("empty group id", version, Answers::join(""));
    JoinGroupRequest request = Answers::join("g");
    request.session_timeout_ms = 1;
    to.show("session timeout", version, request);
    request = Answers::join("g");
    request.protocols.clear();
    to.show("no protocols", version, request);
    request = Answers::join("g");
    request.protocol_type.clear();
    to.show("no type", version, request);
    to.show("unknown member", version, Answers::join("g", "who"));
    to.show("unknown group", version, Answers::join("nogroup", "who"));
  }
}

void others_that_fail(Answers& to) {
  for (std::int16_t version = 0; version <= 4; ++version) {
    to.show("unknown group", version, Answers::heartbeat("nogroup", "who", 1));
    to.show("empty group id", version, Answers::heartbeat("", "who", 1));
  }
  for (std::int16_t version = 0; version <= 5; ++version) {
    if (version < 3) {
      to.show("unknown group", version, Answers::leave("nogroup", {{"who", {}}}));
    } else {
      to.show("unknown group", version, Answers::leave("nogroup", {{"who", {}}, {"", "i"}}));
      to.show("nobody", version, Answers::leave("nogroup", {}));
    }
    to.show("empty group id", version, Answers::leave("", {{"who", {}}}));
    to.show("unknown group", version, Answers::sync("nogroup", "who", 1));
    to.show("empty group id", version, Answers::sync("", "who", 1));
    if (version == 5) {
      SyncGroupRequest request = Answers::sync("nogroup", "who", 1);
      request.protocol_name.reset();
      to.show("no protocol name", version, request);
    }
  }
  for (std::int16_t version = 0; version <= 6; ++version) {
    DescribeGroupsRequest request;
    request.groups = {"nogroup", ""};
    to.show("unknown groups", version, request);
  }
}

void commit_without_members(Answers& to) {
  for (std::int16_t version = 2; version <= 10; ++version) {
    to.show("generation of an unknown group", version, to.commit("nogroup", "who", 1));
    to.show("unknown topic", version, to.commit("simple", "", -1, "nope"));
    OffsetCommitRequest request = to.commit("simple");
    for (const std::int32_t partition : {5, -1}) {
      request.topics[0].partitions.emplace_back().partition_index = partition;
    }
    to.show("unknown partitions", version, request);
    request = {};
    request.group_id = "simple";
    to.show("nothing", version, request);
    to.show("empty group id", version, to.commit(""));
    request = to.commit("simple");
    request.topics[0].partitions[0].committed_metadata = std::string(4097, 'x');
    to.show("metadata too large", version, request);
    request.topics[0].partitions[0].committed_metadata.reset();
    to.show("no metadata", version, request);
  }
}

void fetch_offsets(Answers& to) {
  for (std::int16_t version = 1; version <= 10; ++version) {
    to.show("some", version, to.fetch("simple", {0, 1, 5}));
    to.show("unknown topic", version, to.fetch("simple", {0}, "nope"));
    to.show("unknown group", version, to.fetch("nogroup", {0}));
    to.show("empty group id", version, to.fetch("", {0}));
    if (version >= 2) {
      to.show("all", version, to.fetch("simple", {}));
      to.show("all of an unknown group", version, to.fetch("nogroup", {}));
    }
    OffsetFetchRequest request = to.fetch("simple", {0});
    request.topics->clear();
    request.groups[0].topics->clear();
    to.show("no topics", version, request);
    if (version >= 7) {
      request = to.fetch("simple", {0});
      request.require_stable = true;
      to.show("stable", version, request);
    }
    if (version >= 8) {
      request = to.fetch("simple", {0});
      request.groups.push_back(to.fetch("nogroup", {}).groups[0]);
      request.groups.push_back(request.groups[0]);
      to.show("several groups", version, request);
    }
    if (version >= 9) {
      request = to.fetch("simple", {0});
      request.groups[0].member_id = "who";
      request.groups[0].member_epoch = 3;
      to.show("as a member", version, request);
    }
  }
}

std::string a_member_of_a_group(Answers& to) {
  const std::string member = to.show("first", 9, Answers::join("g")).member_id;
  to.show("with the id", 9, Answers::join("g", member));
  DescribeGroupsRequest describe;
  describe.groups = {"g"};
  to.show("before sync", 6, describe);
  SyncGroupRequest sync = Answers::sync("g", member, 1);
  sync.protocol_name = "other";
  to.show("wrong protocol", 5, sync);
  sync = Answers::sync("g", member, 1);
  sync.protocol_type = "other";
  to.show("wrong type", 5, sync);
  to.show("wrong generation", 5, Answers::sync("g", member, 2));
  to.show("before sync", 9, to.commit("g", member, 1));
  to.show("well", 5, Answers::sync("g", member, 1));
  to.show("again", 5, Answers::sync("g", member, 1));
  to.show("well", 4, Answers::heartbeat("g", member, 1));
  to.show("wrong generation", 4, Answers::heartbeat("g", member, 2));
  to.show("wrong member", 4, Answers::heartbeat("g", "who", 1));
  to.show("well", 9, to.commit("g", member, 1));
  to.show("from outside", 9, to.commit("g"));
  to.show("wrong generation", 9, to.commit("g", member, 2));
  to.show("wrong member", 9, to.commit("g", "who", 1));
  to.show("other protocols", 9, [] {
    JoinGroupRequest request = Answers::join("g");
    request.protocols[0].name = "other";
    return request;
  }());
  describe.groups = {"g", "simple", "nogroup"};
  for (std::int16_t version = 0; version <= 6; ++version) to.show("three", version, describe);
  describe.include_authorized_operations = true;
  for (std::int16_t version = 3; version <= 6; ++version) {
    to.show("with operations", version, describe);
  }
  return member;
}

void list_groups(Answers& to) {
  for (std::int16_t version = 0; version <= 5; ++version) to.show("", version, ListGroupsRequest{});
  const auto by = [&to](std::int16_t version, std::vector<std::string> states,
                        std::vector<std::string> types) {
    std::string what = "states";
    for (const std::string& state : states) what += " '" + state + "'";
    what += " types";
    for (const std::string& type : types) what += " '" + type + "'";
    ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    to.show(what, version, request);
  };
  by(4, {"stable"}, {});
  by(4, {"Empty", "nonsense"}, {});
  by(5, {" STABLE "}, {});
  by(5, {}, {"Classic"});
  by(5, {}, {"consumer"});
  by(5, {}, {"nonsense"});
  by(5, {"stable"}, {"classic", "consumer"});
}

void delete_and_leave(Answers& to, const std::string& member) {
  DeleteGroupsRequest deletion;
  deletion.groups_names = {"g", "nogroup", "nogroup"};
  for (std::int16_t version = 0; version <= 3; ++version) to.show("two", version, deletion);
  OffsetDeleteRequest offsets = Answers::delete_offsets("g", "news", {0, 9});
  offsets.topics.push_back(Answers::delete_offsets("g", "nope", {0}).topics[0]);
  to.show("in use", 0, offsets);
  to.show("unknown group", 0, Answers::delete_offsets("nogroup", "news", {0}));
  to.show("unknown group and topic", 0, Answers::delete_offsets("nogroup", "nope", {0}));
  to.show("empty group id", 0, Answers::delete_offsets("", "news", {0}));
  OffsetDeleteRequest nothing;
  nothing.group_id = "g";
  to.show("nothing", 0, nothing);
  OffsetCommitRequest more = to.commit("simple");
  more.topics[0].partitions[0].partition_index = 1;
  to.show("more", 9, more);
  to.show("well", 0, Answers::delete_offsets("simple", "news", {0}));
  to.show("what is left", 8, to.fetch("simple", {}));

  to.show("wrong instance", 5, Answers::leave("g", {{member, "x"}}));
  to.show("one of two", 5, Answers::leave("g", {{member, {}}, {"who", {}}}));
  to.show("again", 2, Answers::leave("g", {{member, {}}}));
  DescribeGroupsRequest describe;
  describe.groups = {"g"};
  to.show("empty", 6, describe);
  to.show("as a member that left", 9, to.commit("g", member, 1));
  to.show("as a member without generation", 9, to.commit("g", member, -1));
  to.show("of an empty group", 4, Answers::heartbeat("g", member, 1));
  to.show("of an empty group", 5, Answers::sync("g", member, 1));
}

template <class Request>
Request as(const std::string& instance, Request request) {
  request.group_instance_id = instance;
  return request;
}

void static_members(Answers& to) {
  std::string member = to.show("static", 9, as("one", Answers::join("s"))).member_id;
  to.show("static", 5, as("one", Answers::sync("s", member, 1)));
  member = to.show("static again", 9, as("one", Answers::join("s"))).member_id;
  const std::string old = member;
  member = to.show("static again", 7, as("one", Answers::join("s"))).member_id;
  to.show("the old id", 4, as("one", Answers::heartbeat("s", old, 1)));
  to.show("the old id", 5, as("one", Answers::sync("s", old, 1)));
  to.show("the old id", 9, as("one", Answers::join("s", old)));
  to.show("the old id", 5, Answers::leave("s", {{old, "one"}}));
  to.show("the old id", 9, as("one", to.commit("s", old, 1)));
  to.show("another instance", 4, as("two", Answers::heartbeat("s", member, 1)));
  DescribeGroupsRequest describe;
  describe.groups = {"s"};
  to.show("static", 6, describe);
  to.show("by instance", 5, Answers::leave("s", {{"", "one"}, {"", "two"}, {"", {}}}));
  DeleteGroupsRequest deletion;
  deletion.groups_names = {"s", "g", "simple"};
  to.show("all", 3, deletion);
  to.show("deleted", 6, describe);
}

void an_old_client(Answers& to) {
  const std::string member = to.show("one step", 0, Answers::join("old")).member_id;
  to.show("well", 0, Answers::sync("old", member, 1));
  to.show("again", 0, Answers::join("old", member));
  to.show("well", 0, Answers::leave("old", {{member, {}}}));
}

TEST(GroupAnswers, AreThoseOfKafkaInEveryVersion) {
  Answers answers;
  find_coordinators(answers);
  join_and_fail(answers);
  others_that_fail(answers);
  commit_without_members(answers);
  fetch_offsets(answers);
  const std::string member = a_member_of_a_group(answers);
  list_groups(answers);
  delete_and_leave(answers, member);
  static_members(answers);
  an_old_client(answers);

  answers.expect_as_recorded();
}

// Clients of transactions are told at once, and why, where Kafka names its coordinator.
TEST(GroupAnswers, TransactionsAreRefusedWithAReason) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka has transactions";
  BrokerProcess broker;
  RawConnection connection(broker.host(), broker.port());
  FindCoordinatorRequest request;
  request.key_type = 1;
  request.coordinator_keys = {"t"};
  const auto response = call(connection, request, 6);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->coordinators.at(0).error_code, 35);
  EXPECT_NE(response->coordinators.at(0).error_message->find("transactional.id"),
            std::string::npos);
}

}  // namespace
}  // namespace chronik::integration
