// The coordinator on a manual shard, with a store that can be held back and a clock that is told.
#include "broker/group/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "base/coding.h"
#include "broker/runtime/shard.h"
#include "metadata/memory_store.h"

namespace chronik::broker {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

template <class T>
Task<void> keep(Task<T> task, std::optional<T>* result) {
  T value = co_await std::move(task);
  result->emplace(std::move(value));
}

/// The consumer protocol's subscription to one topic.
Bytes subscription(std::string_view topic) {
  Writer writer;
  writer.i16(0);
  writer.i32(1);
  writer.i16(static_cast<std::int16_t>(topic.size()));
  writer.text(topic);
  writer.i32(-1);
  return writer.take_bytes();
}

class GroupCoordinatorTest : public testing::Test {
 protected:
  GroupCoordinatorTest() {
    settings_.group.initial_rebalance_delay = milliseconds{0};
    create_topic("news");
    create_topic("sports");
    start();
  }
  ~GroupCoordinatorTest() override { stop(); }

  void create_topic(const std::string& name) {
    metadata::TopicCreated event;
    event.topic_id = topic_ids_[name] = Uuid::from_random(random_.next(), random_.next());
    event.name = name;
    for (PartitionId i = 0; i < 4; ++i) event.partitions.push_back({i, {1}, 1, 0});
    store_.propose({event}, [](Result<metadata::ApplyResults> done) {
      ASSERT_TRUE(done.has_value() && done->front().ok());
    });
  }
  void start() {
    groups_.emplace(store_, shard_.timers(), clock_, Random(7), settings_);
    shard_.run([&] { groups_->start(); });
  }
  /// The broker goes down; the store keeps what was durable.
  void stop() {
    shard_.run([&] { groups_->stop(); });
    while (store_.step()) shard_.step();
    groups_.reset();
  }

  template <class T>
  std::shared_ptr<std::optional<T>> begin(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    results_.push_back(result);
    Task<void> kept = keep<T>(std::move(task), result.get());
    shard_.run([&] { spawn(std::move(kept), gate_); });
    return result;
  }
  template <class T>
  T await(Task<T> task) {
    auto result = begin(std::move(task));
    EXPECT_TRUE(result->has_value()) << "is not answered";
    return result->value_or(T{});
  }
  void advance(milliseconds step) {
    clock_.advance(step);
    shard_.step();
  }
  /// Until the shard has nothing more to do at this time.
  void settle() {
    while (shard_.timers().next_deadline() &&
           *shard_.timers().next_deadline() <= clock_.steady_now()) {
      shard_.step();
    }
  }

  static JoinRequest joining(const std::string& client, const std::string& member_id = "") {
    JoinRequest request;
    request.client_id = client;
    request.client_host = "/127.0.0.1";
    request.member_id = member_id;
    request.protocol_type = "consumer";
    request.protocols = {{"range", subscription("news")}};
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 60'000;
    return request;
  }
  Task<JoinResult> join(const std::string& group, JoinRequest request) {
    return groups_->join(group, std::move(request), groups_->new_token());
  }
  /// The first member of an empty group, from its announcement to the end of its rebalance.
  JoinResult join_empty(const std::string& group) {
    const JoinResult announced = await(join(group, joining("c")));
    EXPECT_EQ(announced.error, ErrorCode::member_id_required);
    auto joined = begin(join(group, joining("c", announced.member_id)));
    advance(milliseconds{1});
    EXPECT_TRUE(joined->has_value()) << "is not answered";
    return joined->value_or(JoinResult{});
  }
  /// A group with one member; the id of the member.
  std::string make_member(const std::string& group) {
    const JoinResult joined = join_empty(group);
    EXPECT_EQ(joined.error, ErrorCode::none);
    SyncRequest sync{joined.member_id, {}, joined.generation, {}, {}, {}};
    sync.assignments.push_back({joined.member_id, Bytes{1, 2, 3}});
    SyncResult synced = await(groups_->sync(group, sync, groups_->new_token()));
    EXPECT_EQ(synced.error, ErrorCode::none);
    EXPECT_THAT(synced.assignment, ElementsAre(1, 2, 3));
    return joined.member_id;
  }
  Task<LeaveResult> leave(const std::string& group, const std::string& member) {
    return groups_->leave(group, {{member, {}, ""}}, groups_->new_token());
  }

  OffsetCommit commit_of(const std::string& group, const std::string& topic,
                         const std::vector<std::pair<PartitionId, Offset>>& offsets) {
    OffsetCommit request;
    request.group_id = group;
    metadata::OffsetsCommitted::Topic& to = request.topics.emplace_back();
    to.topic_id = topic_ids_.at(topic);
    to.name = topic;
    for (auto [partition, offset] : offsets)
      to.partitions.push_back({partition, offset, 5, 0, -1, "m"});
    return request;
  }
  const metadata::CommittedOffset* committed(const std::string& group, const std::string& topic,
                                             PartitionId partition) {
    image_ = groups_->image();
    const metadata::OffsetTable* offsets = groups_->offsets(*image_, group);
    return offsets == nullptr ? nullptr : offsets->find(topic_ids_.at(topic), partition);
  }

  ManualClock clock_;
  Shard shard_{0, clock_, Shard::Mode::manual};
  Random random_{1};
  metadata::MemoryMetadataStore store_;
  GroupCoordinator::Settings settings_;
  std::map<std::string, Uuid> topic_ids_;
  std::optional<GroupCoordinator> groups_;
  std::shared_ptr<const metadata::Image> image_;
  std::vector<std::shared_ptr<void>> results_;
  Gate gate_;
};

TEST_F(GroupCoordinatorTest, MembersGoOnAfterARestartWithoutARebalance) {
  const std::string member = make_member("g");
  stop();
  start();
  EXPECT_EQ(groups_->heartbeat("g", member, {}, 1), ErrorCode::none);
  SyncResult synced =
      await(groups_->sync("g", SyncRequest{member, {}, 1, {}, {}, {}}, groups_->new_token()));
  EXPECT_THAT(synced.assignment, ElementsAre(1, 2, 3));
  // Its session runs anew from the start, and ends.
  advance(seconds{10});
  EXPECT_EQ(groups_->heartbeat("g", member, {}, 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(groups_->describe("g")->state, GroupState::empty);
}

TEST_F(GroupCoordinatorTest, MemberIdsAreTheClientsNameAndAUuid) {
  EXPECT_THAT(await(join("g", joining("client"))).member_id,
              testing::MatchesRegex("client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-"
                                    "[0-9a-f]{12}"));
}

// A delay of 0 is not none: consumers that start together share the first generation, as on Kafka.
TEST_F(GroupCoordinatorTest, ConsumersThatStartTogetherNeedOneRebalance) {
  const JoinResult ann = await(join("g", joining("ann")));
  const JoinResult bob = await(join("g", joining("bob")));
  auto first = begin(join("g", joining("ann", ann.member_id)));
  auto second = begin(join("g", joining("bob", bob.member_id)));
  EXPECT_FALSE(first->has_value());
  advance(milliseconds{1});
  EXPECT_FALSE(first->has_value()) << "it does not wait for others, though one has come";
  advance(milliseconds{1});
  ASSERT_TRUE(first->has_value() && second->has_value());
  EXPECT_EQ((*first)->generation, 1);
  EXPECT_EQ((*second)->generation, 1);
  EXPECT_THAT((*first)->members, SizeIs(2));
}

TEST_F(GroupCoordinatorTest, AnAssignmentIsGivenOutOnceItIsDurable) {
  const JoinResult joined = join_empty("g");
  store_.hold_back(true);
  SyncRequest sync{joined.member_id, {}, joined.generation, {}, {}, {{joined.member_id, {9}}}};
  auto synced = begin(groups_->sync("g", sync, groups_->new_token()));
  EXPECT_FALSE(synced->has_value());
  shard_.run([&] { store_.step(); });
  ASSERT_TRUE(synced->has_value());
  EXPECT_THAT((*synced)->assignment, ElementsAre(9));
  store_.hold_back(false);
}

TEST_F(GroupCoordinatorTest, LeavingIsAnsweredOnceItIsDurable) {
  const std::string member = make_member("g");
  store_.hold_back(true);
  auto left = begin(leave("g", member));
  EXPECT_FALSE(left->has_value());
  shard_.run([&] { store_.step(); });
  ASSERT_TRUE(left->has_value());
  EXPECT_EQ((*left)->members.at(0).error, ErrorCode::none);
  store_.hold_back(false);
  stop();
  start();
  EXPECT_EQ(groups_->describe("g")->state, GroupState::empty);
}

TEST_F(GroupCoordinatorTest, GroupsWithoutMembersAreNotKeptAsObjects) {
  for (int i = 0; i < 100; ++i) {
    const std::string group = "simple-" + std::to_string(i);
    EXPECT_THAT(await(groups_->commit(commit_of(group, "news", {{0, 1}}))).partitions,
                ElementsAre(ErrorCode::none));
  }
  await(leave("g", make_member("g")));
  EXPECT_EQ(groups_->active_groups(), 0u);
  EXPECT_THAT(groups_->list(), SizeIs(101));
  // But they are still what they were.
  EXPECT_EQ(join_empty("g").generation, 3);
  // Whoever asked for an id and never joined leaves nothing behind.
  await(join("h", joining("c")));
  EXPECT_EQ(groups_->active_groups(), 2u);
  advance(seconds{10});
  advance(seconds{300});
  EXPECT_EQ(groups_->active_groups(), 0u);
  EXPECT_FALSE(groups_->describe("h").has_value());
}

TEST_F(GroupCoordinatorTest, UnknownGroupsAndMembersAreRefused) {
  EXPECT_EQ(await(join("g", joining("c", "c-who"))).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(await(groups_->sync("g", {}, groups_->new_token())).error,
            ErrorCode::unknown_member_id);
  EXPECT_EQ(groups_->heartbeat("g", "c-who", {}, 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(await(leave("g", "c-who")).members.at(0).error, ErrorCode::unknown_member_id);
  EXPECT_THAT(await(groups_->delete_groups({"g"})), ElementsAre(ErrorCode::group_id_not_found));
  EXPECT_THAT(groups_->list(), IsEmpty());
  // An empty id is no group, though offsets may be stored under it.
  EXPECT_EQ(await(join("", joining("c"))).error, ErrorCode::invalid_group_id);
  EXPECT_EQ(await(groups_->sync("", {}, groups_->new_token())).error, ErrorCode::invalid_group_id);
  EXPECT_EQ(await(leave("", "c-who")).error, ErrorCode::invalid_group_id);
  EXPECT_EQ(groups_->heartbeat("", "c-who", {}, 1), ErrorCode::invalid_group_id);
  EXPECT_EQ(await(groups_->delete_offsets({"", {}})).error, ErrorCode::invalid_group_id);
  EXPECT_EQ(await(groups_->commit(commit_of("", "news", {{0, 1}}))).error, ErrorCode::none);
}

TEST_F(GroupCoordinatorTest, CommittedOffsetsSurviveARestart) {
  await(groups_->commit(commit_of("g", "news", {{0, 17}, {3, 4}})));
  stop();
  start();
  const metadata::CommittedOffset* offset = committed("g", "news", 0);
  ASSERT_NE(offset, nullptr);
  EXPECT_EQ(offset->offset, 17);
  EXPECT_EQ(offset->leader_epoch, 5);
  EXPECT_EQ(offset->metadata, "m");
  EXPECT_EQ(offset->commit_time_ms, clock_.now_ms());
  EXPECT_EQ(committed("g", "news", 1), nullptr);
  EXPECT_EQ(committed("h", "news", 0), nullptr);
}

TEST_F(GroupCoordinatorTest, EachPartitionOfACommitHasItsOwnAnswer) {
  OffsetCommit request = commit_of("g", "news", {{0, 1}, {1, 2}, {2, 3}, {9, 4}});
  request.topics[0].partitions[1].metadata = std::string(4097, 'x');
  // 4096 characters as Java counts, in more bytes.
  std::string umlauts;
  for (int i = 0; i < 4096; ++i) umlauts += "\xc3\xa4";
  request.topics[0].partitions[2].metadata = umlauts;
  EXPECT_THAT(await(groups_->commit(request)).partitions,
              ElementsAre(ErrorCode::none, ErrorCode::offset_metadata_too_large, ErrorCode::none,
                          ErrorCode::unknown_topic_or_partition));
  EXPECT_NE(committed("g", "news", 0), nullptr);
  EXPECT_EQ(committed("g", "news", 1), nullptr);
  EXPECT_EQ(committed("g", "news", 2)->metadata, umlauts);
}

TEST_F(GroupCoordinatorTest, CommitsAreCheckedAgainstTheGroup) {
  OffsetCommit request = commit_of("g", "news", {{0, 1}});
  request.who = {"c-1", {}, 1, false};
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::illegal_generation);
  request.knows_group_not_found = true;
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::group_id_not_found);
  EXPECT_THAT(groups_->list(), IsEmpty());
  const std::string member = make_member("g");
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::unknown_member_id);
  request.who = {member, {}, 1, false};
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::none);
  request.who = {};
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::unknown_member_id);
  // The members gone, anybody may commit again, but not as one of them.
  await(leave("g", member));
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::none);
  request.who = {member, {}, 2, false};
  EXPECT_EQ(await(groups_->commit(request)).error, ErrorCode::unknown_member_id);
}

TEST_F(GroupCoordinatorTest, DeletingAGroupTakesItsOffsetsAlong) {
  const std::string member = make_member("g");
  await(groups_->commit(commit_of("h", "news", {{0, 1}})));
  EXPECT_THAT(
      await(groups_->delete_groups({"g", "h", "i"})),
      ElementsAre(ErrorCode::non_empty_group, ErrorCode::none, ErrorCode::group_id_not_found));
  EXPECT_EQ(committed("h", "news", 0), nullptr);
  await(leave("g", member));
  store_.hold_back(true);
  auto deleted = begin(groups_->delete_groups({"g"}));
  // Until it is durable the group is neither here nor gone: clients come again.
  EXPECT_EQ(await(join("g", joining("c"))).error, ErrorCode::coordinator_not_available);
  EXPECT_EQ(await(groups_->commit(commit_of("g", "news", {{0, 1}}))).error,
            ErrorCode::coordinator_not_available);
  shard_.run([&] { store_.step(); });
  EXPECT_THAT(**deleted, ElementsAre(ErrorCode::none));
  store_.hold_back(false);
  EXPECT_FALSE(groups_->describe("g").has_value());
  EXPECT_EQ(await(join("g", joining("c"))).error, ErrorCode::member_id_required);
  // A group that was only announced is deleted too, though the store does not know it.
  EXPECT_THAT(await(groups_->delete_groups({"g"})), ElementsAre(ErrorCode::none));
  EXPECT_EQ(groups_->active_groups(), 0u);
}

TEST_F(GroupCoordinatorTest, OffsetsOfTopicsInUseAreNotDeleted) {
  await(groups_->commit(commit_of("g", "news", {{0, 1}, {1, 1}})));
  await(groups_->commit(commit_of("g", "sports", {{0, 1}})));
  const std::string member = make_member("g");
  OffsetDelete both{"g",
                    {{topic_ids_["news"], "news", {0}}, {topic_ids_["sports"], "sports", {0, 1}}}};
  OffsetChangeResult result = await(groups_->delete_offsets(both));
  EXPECT_EQ(result.error, ErrorCode::none);
  EXPECT_THAT(result.partitions,
              ElementsAre(ErrorCode::group_subscribed_to_topic, ErrorCode::none, ErrorCode::none));
  EXPECT_NE(committed("g", "news", 0), nullptr);
  EXPECT_EQ(committed("g", "sports", 0), nullptr);
  await(leave("g", member));
  EXPECT_THAT(await(groups_->delete_offsets(both)).partitions, Each(ErrorCode::none));
  EXPECT_EQ(committed("g", "news", 0), nullptr);
  EXPECT_NE(committed("g", "news", 1), nullptr);
  both.group_id = "nobody";
  EXPECT_EQ(await(groups_->delete_offsets(both)).error, ErrorCode::group_id_not_found);
}

TEST_F(GroupCoordinatorTest, OffsetsExpireAndGroupsWithThem) {
  await(groups_->commit(commit_of("simple", "news", {{0, 1}, {1, 1}})));
  advance(hours{24});
  await(groups_->commit(commit_of("simple", "sports", {{0, 1}})));
  const std::string member = make_member("g");
  OffsetCommit request = commit_of("g", "news", {{0, 1}});
  request.who = {member, {}, 1, false};
  await(groups_->commit(request));
  await(leave("g", member));
  await(groups_->commit(commit_of("short", "news", {{0, 1}})));
  OffsetCommit brief = commit_of("short", "news", {{0, 1}});
  brief.retention_ms = 1'000;
  await(groups_->commit(brief));

  advance(std::chrono::minutes{10});
  settle();
  EXPECT_FALSE(groups_->describe("short").has_value());
  for (int day = 1; day <= 5; ++day) advance(hours{24});
  settle();
  EXPECT_NE(committed("simple", "news", 0), nullptr);
  advance(hours{24});
  settle();
  // A simple consumer's offsets live from their commit, and its group as long as one of them does.
  EXPECT_EQ(committed("simple", "news", 0), nullptr);
  EXPECT_NE(committed("simple", "sports", 0), nullptr);
  EXPECT_NE(committed("g", "news", 0), nullptr);
  advance(hours{24});
  settle();
  EXPECT_FALSE(groups_->describe("g").has_value());
  EXPECT_FALSE(groups_->describe("simple").has_value());
  EXPECT_EQ(store_.image()->offset_count(), 0u);
}

// A month ahead and back within the hour: who committed goes on where it was.
TEST_F(GroupCoordinatorTest, OffsetsOutliveAClockThatJumpsForAWhile) {
  await(groups_->commit(commit_of("simple", "news", {{0, 1}})));
  clock_.jump_wall(hours{24 * 30});
  for (int pass = 0; pass < 5; ++pass) {
    advance(std::chrono::minutes{10});
    settle();
  }
  EXPECT_NE(committed("simple", "news", 0), nullptr);
  clock_.jump_wall(-hours{24 * 60});
  for (int pass = 0; pass < 12; ++pass) {
    advance(std::chrono::minutes{10});
    settle();
  }
  EXPECT_NE(committed("simple", "news", 0), nullptr);
  // What stays for an hour is the time.
  clock_.jump_wall(hours{24 * 60});
  for (int pass = 0; pass < 8; ++pass) {
    advance(std::chrono::minutes{10});
    settle();
  }
  EXPECT_EQ(committed("simple", "news", 0), nullptr);
}

TEST_F(GroupCoordinatorTest, ASessionLastsAsLongAsItsHeartbeatsWhateverTheClockSays) {
  const std::string member = make_member("g");
  for (const hours jump : {hours{24 * 30}, -hours{24 * 60}, hours{24 * 30}}) {
    clock_.jump_wall(jump);
    advance(milliseconds{9'000});
    EXPECT_EQ(groups_->heartbeat("g", member, std::nullopt, 1), ErrorCode::none);
  }
  clock_.jump_wall(-hours{24});
  advance(milliseconds{10'001});
  EXPECT_EQ(groups_->heartbeat("g", member, std::nullopt, 1), ErrorCode::unknown_member_id);
}

TEST_F(GroupCoordinatorTest, ExpiryLooksAtAllGroupsInSlices) {
  for (int i = 0; i < 2'500; ++i) {
    await(groups_->commit(commit_of("g" + std::to_string(i), "news", {{0, 1}})));
  }
  advance(hours{24 * 8});
  settle();
  EXPECT_EQ(store_.image()->group_count(), 0u);
}

TEST_F(GroupCoordinatorTest, ADeletedTopicTakesItsOffsetsAlong) {
  await(groups_->commit(commit_of("g", "news", {{0, 1}})));
  await(groups_->commit(commit_of("g", "sports", {{0, 2}})));
  store_.propose({metadata::TopicDeleted{topic_ids_["news"], "news"}},
                 [](const Result<metadata::ApplyResults>&) {});
  EXPECT_EQ(committed("g", "news", 0), nullptr);
  EXPECT_EQ(committed("g", "sports", 0)->offset, 2);
  EXPECT_THAT(await(groups_->commit(commit_of("g", "news", {{0, 1}}))).partitions,
              ElementsAre(ErrorCode::unknown_topic_or_partition));
}

TEST_F(GroupCoordinatorTest, AWaitThatIsCancelledEndsAtOnce) {
  const std::string member = make_member("g");
  JoinRequest old = joining("old");
  old.two_step = false;
  const GroupToken token = groups_->new_token();
  auto joined = begin(groups_->join("g", old, token));
  EXPECT_FALSE(joined->has_value());
  EXPECT_EQ(groups_->describe("g")->members.size(), 2u);
  shard_.run([&] { groups_->cancel(token); });
  EXPECT_TRUE(joined->has_value());
  // It was a member that nobody could have spoken for.
  EXPECT_EQ(groups_->describe("g")->members.size(), 1u);
  shard_.run([&] { groups_->cancel(token); });
}

TEST_F(GroupCoordinatorTest, StoppingAnswersWhoWaits) {
  make_member("g");
  JoinResult announced = await(join("g", joining("c")));
  auto joined = begin(join("g", joining("c", announced.member_id)));
  EXPECT_FALSE(joined->has_value());
  shard_.run([&] { groups_->stop(); });
  ASSERT_TRUE(joined->has_value());
  EXPECT_EQ((*joined)->error, ErrorCode::not_coordinator);
  EXPECT_EQ(await(join("g", joining("c"))).error, ErrorCode::coordinator_not_available);
  EXPECT_EQ(groups_->heartbeat("g", announced.member_id, {}, 1),
            ErrorCode::coordinator_not_available);
}

TEST_F(GroupCoordinatorTest, AnswersOfTheStoreMayComeAfterTheCoordinatorIsGone) {
  const std::string member = make_member("g");
  store_.hold_back(true);
  auto left = begin(leave("g", member));
  shard_.run([&] { groups_->stop(); });
  EXPECT_EQ((*left)->error, ErrorCode::not_coordinator);
  groups_.reset();
  shard_.run([&] { store_.step(); });
  store_.hold_back(false);
  start();
  EXPECT_EQ(groups_->describe("g")->state, GroupState::empty);
}

TEST_F(GroupCoordinatorTest, AStoreThatFailsIsToldToTheMembers) {
  EXPECT_EQ(to_error_code({Errc::timeout, ""}), ErrorCode::coordinator_not_available);
  EXPECT_EQ(to_error_code({Errc::busy, ""}), ErrorCode::coordinator_not_available);
  EXPECT_EQ(to_error_code({Errc::closed, ""}), ErrorCode::not_coordinator);
  EXPECT_EQ(to_error_code({Errc::too_large, ""}), ErrorCode::invalid_commit_offset_size);
  EXPECT_EQ(to_error_code({Errc::corrupt, ""}), ErrorCode::unknown_server_error);
}

}  // namespace
}  // namespace chronik::broker
