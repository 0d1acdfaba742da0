// ProposeEvent and ReadPath of a cluster: three nodes in one thread, each with its RaftMetaLog.
#include "metadata/raft_meta_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <map>

#include "metadata/event_source.h"
#include "metadata/image_difference.h"
#include "metadata/image_events.h"
#include "raft/multi/test_cluster.h"

namespace chronik::metadata {
namespace {

using protocol::ErrorCode;
using raft::NodeId;
using raft::testing::NodeSetup;
using raft::testing::TestCluster;
using raft::testing::TestNode;
using ::testing::HasSubstr;

constexpr const char* directory = "data/__meta-0";

MetaLogOptions log_options() {
  MetaLogOptions options;
  options.directory = directory;
  options.now = [] { return Timestamp{1'700'000'000'000}; };
  return options;
}

// What an observer of one node has been told.
class Watcher final : public MetadataObserver {
 public:
  void on_image(const std::shared_ptr<const Image>& before,
                const std::shared_ptr<const Image>& after, const MetadataDelta& delta) override {
    CHECK(last == nullptr || last == before);
    last = after;
    for (const TopicChange& change : delta.topics) {
      if (change.before != nullptr) topics.erase(change.before->name);
      if (change.after != nullptr) topics[change.after->name] = change.after->id;
    }
  }
  void on_leadership(const Leadership& now) override { leadership.push_back(now); }

  std::shared_ptr<const Image> last;
  std::map<std::string, Uuid> topics;
  std::vector<Leadership> leadership;
};

class MetadataNodes final : public NodeSetup {
 public:
  raft::Membership voters{{1, 2, 3}, {}, {}, {}, false};
  MetaLogOptions options = log_options();
  std::map<NodeId, std::unique_ptr<RaftMetaLog>> stores;
  std::map<NodeId, std::unique_ptr<Watcher>> watchers;

  Result<void> start(TestNode& node) override {
    TRY_ASSIGN(stores[node.id()],
               RaftMetaLog::open(*node.environment, *node.group_commit, node.executor,
                                 *node.manager, {options, voters, 3'000}));
    watchers[node.id()] = std::make_unique<Watcher>();
    stores[node.id()]->add_observer(*watchers[node.id()]);
    return {};
  }
  void stop(TestNode& node) override {
    stores.erase(node.id());
    watchers.erase(node.id());
  }
};

class MetadataCluster : public ::testing::Test {
 protected:
  explicit MetadataCluster() : cluster_(7, 3, setup_) {}

  RaftMetaLog& store(NodeId id) { return *setup_.stores.at(id); }
  std::shared_ptr<const Image> image(NodeId id) { return store(id).image(); }

  NodeId leader() {
    for (const auto& [id, store] : setup_.stores) {
      if (store->leadership().ready && cluster_.node(id).fatal.empty()) return id;
    }
    return raft::no_node;
  }
  NodeId await_leader(NodeId other_than = raft::no_node) {
    EXPECT_TRUE(
        cluster_.run_until([&] { return leader() != raft::no_node && leader() != other_than; }));
    return leader();
  }
  NodeId follower() { return leader() % 3 + 1; }

  using Answer = std::shared_ptr<std::optional<Result<ApplyResults>>>;
  Answer propose(NodeId id, std::vector<MetadataEvent> events, ProposeOptions options = {}) {
    auto answer = std::make_shared<std::optional<Result<ApplyResults>>>();
    store(id).propose(std::move(events), options, [answer](Result<ApplyResults> results) {
      CHECK(!*answer);
      *answer = std::move(results);
    });
    return answer;
  }
  Result<ApplyResults> await(const Answer& answer) {
    EXPECT_TRUE(cluster_.run_until([&] { return answer->has_value(); }));
    return **answer;
  }
  ApplyResults must_propose(NodeId id, std::vector<MetadataEvent> events) {
    Result<ApplyResults> results = await(propose(id, std::move(events)));
    EXPECT_TRUE(results) << (results ? "" : results.error().message);
    return results ? std::move(*results) : ApplyResults{};
  }
  void make_history(NodeId id, std::uint64_t seed, int batches) {
    EventSource source([random = Random(seed)]() mutable { return random.next(); });
    for (int i = 0; i < batches; ++i) must_propose(id, source.batch(5));
  }
  void expect_equal_images() {
    EXPECT_TRUE(cluster_.run_until([&] {
      const EntryIndex first = setup_.stores.begin()->second->image()->applied_index();
      for (const auto& [id, store] : setup_.stores) {
        if (store->image()->applied_index() != first) return false;
      }
      return leader() != raft::no_node;
    }));
    const std::uint64_t hash = image_hash(setup_.stores.begin()->second->image());
    for (const auto& [id, store] : setup_.stores) EXPECT_EQ(image_hash(store->image()), hash);
  }

  MetadataNodes setup_;
  TestCluster cluster_;
};

class ProposeEventInCluster : public MetadataCluster {};
class ReadPathInCluster : public MetadataCluster {};

TEST_F(ProposeEventInCluster, ThroughAnyNodeIsSeenThereAtOnceAndSoonOnAll) {
  cluster_.start_all();
  await_leader();
  for (const NodeId id : cluster_.ids()) {
    const std::string name = fmt::format("topic-{}", id);
    const auto number = static_cast<std::uint64_t>(id);
    EXPECT_TRUE(must_propose(id, {topic_created(number, name, 3)})[0].ok());
    EXPECT_NE(image(id)->topic(name), nullptr);
  }
  expect_equal_images();
  EXPECT_EQ(image(1)->topic_count(), 3u);
  for (const NodeId id : cluster_.ids()) EXPECT_EQ(setup_.watchers.at(id)->topics.size(), 3u);
}

// Chronik 1.8 (16, 17): who was first is decided in apply, once for all nodes.
TEST_F(ProposeEventInCluster, OfRacingCreationsOnAllNodesOneSucceeds) {
  cluster_.start_all();
  await_leader();
  std::vector<Answer> answers;
  for (const NodeId id : cluster_.ids()) {
    answers.push_back(propose(id, {topic_created(static_cast<std::uint64_t>(id), "orders")}));
  }
  int created = 0;
  for (const Answer& answer : answers) {
    const ErrorCode code = (*await(answer))[0].code;
    created += code == ErrorCode::none ? 1 : 0;
    EXPECT_TRUE(code == ErrorCode::none || code == ErrorCode::topic_already_exists);
  }
  EXPECT_EQ(created, 1);
  expect_equal_images();
}

TEST_F(ProposeEventInCluster, BeforeThereIsALeaderWaitsForOne) {
  cluster_.start_all();
  const Answer answer = propose(1, {topic_created(1, "early")});
  EXPECT_FALSE(answer->has_value());
  EXPECT_TRUE(await(answer));
  EXPECT_NE(image(1)->topic("early"), nullptr);
}

TEST_F(ProposeEventInCluster, WithoutAMajorityIsARetriableError) {
  ASSERT_TRUE(cluster_.start(1));
  const Result<ApplyResults> refused = await(propose(1, {topic_created(1, "t")}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::timeout);
  EXPECT_THAT(refused.error().message, HasSubstr("majority"));
  EXPECT_EQ(image(1)->topic("t"), nullptr);
}

TEST_F(ProposeEventInCluster, OfACoordinatorThatWasReplacedIsRefused) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const LeaderEpoch term = store(first).leadership().term;
  EXPECT_TRUE(await(propose(first, {group_updated("g", 1)}, {.only_in_term = term})));
  const Result<ApplyResults> elsewhere =
      await(propose(follower(), {group_updated("g", 2)}, {.only_in_term = term}));
  EXPECT_EQ(elsewhere.error().code, Errc::not_leader);
  cluster_.node(first).manager->hand_over(milliseconds(1000), [] {});
  await_leader(first);
  const Result<ApplyResults> late =
      await(propose(first, {group_updated("g", 3)}, {.only_in_term = term}));
  EXPECT_EQ(late.error().code, Errc::not_leader);
  EXPECT_EQ(image(first)->group("g")->state->members.size(), 1u);
}

// Chronik 1.8 (21, 24): a bulk is one entry, and none of it is lost on the way.
TEST_F(ProposeEventInCluster, OfTenThousandTopicsIsOneEntryAndAllOfThemAreEverywhere) {
  cluster_.start_all();
  await_leader();
  std::vector<MetadataEvent> events;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    events.emplace_back(topic_created(i, fmt::format("topic-{}", i)));
  }
  cluster_.run(milliseconds(500));
  const EntryIndex before = image(follower())->applied_index();
  EXPECT_EQ(must_propose(follower(), std::move(events)).size(), 10'000u);
  EXPECT_EQ(image(follower())->applied_index(), before + 1);
  expect_equal_images();
  EXPECT_EQ(image(1)->topic_count(), 10'000u);
}

TEST_F(ProposeEventInCluster, IsKeptWhenItsLeaderDiesAndTheNewOneTakesMore) {
  cluster_.start_all();
  const NodeId old = await_leader();
  make_history(old, 3, 30);
  must_propose(old, {topic_created(900, "last")});
  const std::uint64_t hash = image_hash(image(old));
  const Offset offset = image(old)->applied_offset();
  cluster_.crash(old, CrashModel::reordered);
  const NodeId next = await_leader(old);
  EXPECT_NE(image(next)->topic("last"), nullptr);
  EXPECT_EQ(image(next)->applied_offset(), offset);
  EXPECT_NE(hash, 0u);
  must_propose(next, {topic_created(901, "more")});
  ASSERT_TRUE(cluster_.start(old));
  expect_equal_images();
  EXPECT_NE(image(old)->topic("more"), nullptr);
}

TEST_F(ReadPathInCluster, IsTheSameOnAllNodesAfterEverybodyLostPower) {
  setup_.options.snapshot_log_bytes_min = 2'000;
  setup_.options.segment_bytes = 4'000;
  cluster_.start_all();
  std::uint64_t hash = 0;
  for (std::uint64_t round = 0; round < 4; ++round) {
    const NodeId id = await_leader();
    make_history(id, round + 10, 40);
    expect_equal_images();
    must_propose(id, {offset_committed("g", 1, 0, static_cast<Offset>(round))});
    cluster_.run(milliseconds(300));
    hash = image_hash(image(1));
    for (const NodeId each : cluster_.ids()) cluster_.crash(each, CrashModel::reordered, false);
    cluster_.start_all();
    await_leader();
    expect_equal_images();
    EXPECT_EQ(image_hash(image(1)), hash);
  }
  // Snapshots were written, and the log was cut behind them.
  for (const NodeId id : cluster_.ids()) {
    EXPECT_EQ(store(id).snapshots().size(), 2u);
    EXPECT_GT(store(id).replica().store().first_index(), 1);
    EXPECT_FALSE(store(id).recovery().snapshot.empty());
  }
}

TEST_F(ReadPathInCluster, LeadershipIsToldToObserversAndReadyOnlyWithEverythingApplied) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, {topic_created(1, "t")});
  for (const NodeId id : cluster_.ids()) {
    const Leadership& told = setup_.watchers.at(id)->leadership.back();
    EXPECT_EQ(told, store(id).leadership());
    EXPECT_EQ(told.leader, first);
    EXPECT_EQ(told.ready, id == first);
  }
  cluster_.crash(first);
  const NodeId next = await_leader(first);
  EXPECT_NE(image(next)->topic("t"), nullptr);
  EXPECT_TRUE(setup_.watchers.at(next)->leadership.back().ready);
  bool was_without = false;
  for (const Leadership& told : setup_.watchers.at(next)->leadership) {
    was_without = was_without || told.leader == -1;
  }
  EXPECT_TRUE(was_without);
}

TEST_F(ReadPathInCluster, ABarrierShowsWhatWasAcknowledgedElsewhere) {
  cluster_.start_all();
  const NodeId first = await_leader();
  for (std::uint64_t i = 1; i <= 10; ++i) {
    const std::string name = fmt::format("t{}", i);
    must_propose(first, {topic_created(i, name)});
    bool seen = false;
    store(follower()).read_barrier([&](const Result<void>& done) {
      EXPECT_TRUE(done);
      seen = image(follower())->topic(name) != nullptr;
    });
    EXPECT_TRUE(cluster_.run_until([&] { return seen; }));
  }
}

TEST_F(ReadPathInCluster, ANewNodeGetsTheSnapshotAndItsObserversTheDifference) {
  setup_.options.snapshot_log_bytes_min = 2'000;
  setup_.options.segment_bytes = 4'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower();
  must_propose(first, {topic_created(500, "doomed")});
  EXPECT_TRUE(cluster_.run_until([&] { return image(other)->topic("doomed") != nullptr; }));
  cluster_.network.isolate(other);
  must_propose(first, {topic_deleted(500, "doomed")});
  make_history(first, 5, 200);
  ASSERT_GT(store(first).replica().store().first_index(), image(other)->applied_index() + 1);
  cluster_.network.heal();
  expect_equal_images();
  const Watcher& watcher = *setup_.watchers.at(other);
  EXPECT_EQ(watcher.topics.size(), image(other)->topic_count());
  EXPECT_FALSE(watcher.topics.contains("doomed"));
  EXPECT_EQ(watcher.last, image(other));
  // And it comes back from its own disk with it.
  cluster_.crash(other, CrashModel::reordered);
  ASSERT_TRUE(cluster_.start(other));
  EXPECT_FALSE(store(other).recovery().log_lost);
  expect_equal_images();
}

TEST_F(ReadPathInCluster, ADamagedDirectoryIsRefetchedFromTheOthers) {
  setup_.options.snapshot_log_bytes_min = 2'000;
  setup_.options.segment_bytes = 4'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower();
  make_history(first, 6, 200);
  expect_equal_images();
  const auto damage = [&](const std::string& suffix, bool all) {
    cluster_.crash(other);
    int damaged = 0;
    for (const std::string& file : cluster_.node(other).disk.files(directory)) {
      if (!file.ends_with(suffix) || (damaged > 0 && !all)) continue;
      cluster_.node(other).disk.flip_bit(file, 100, 1);
      cluster_.node(other).disk.flip_bit(file, 20, 1);
      ++damaged;
    }
    EXPECT_GT(damaged, 0);
    ASSERT_TRUE(cluster_.start(other));
    must_propose(other, {ProducerIdsAllocated{}});
    expect_equal_images();
  };
  damage("/checkpoint", true);
  EXPECT_TRUE(store(other).recovery().log_lost);
  damage(".snapshot", false);
  damage(".snapshot", true);
  EXPECT_TRUE(store(other).recovery().log_lost);
  EXPECT_FALSE(store(other).replica().raft().is_withheld());
}

// A snapshot does not say who belonged to the cluster at its end. A node whose log was damaged went
// on behind its own one, with the members from before, and led with a majority that was none.
TEST_F(ReadPathInCluster, ANodeWithADamagedLogDoesNotForgetAChangeOfMembership) {
  setup_.options.snapshot_log_bytes_min = 2'000;
  setup_.options.segment_bytes = 4'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower();
  make_history(first, 6, 100);
  cluster_.add_node(4);
  setup_.voters = {};
  ASSERT_TRUE(cluster_.start(4));
  bool changed = false;
  store(first).replica().change_membership(
      std::vector<raft::MemberChange>{{raft::MemberChange::Kind::add_learner, 4}},
      milliseconds(3000),
      [&](const Result<raft::Position>& result) { changed = result.has_value(); });
  EXPECT_TRUE(cluster_.run_until([&] { return changed; }));
  expect_equal_images();
  const EntryIndex change = store(first).replica().raft().log().membership().index;
  // Until the newest snapshot is behind the change, and the log begins before it.
  const Offset before = store(other).snapshots().front().offset;
  for (std::uint64_t i = 0; store(other).snapshots().front().offset == before; ++i) {
    make_history(first, 100 + i, 1);
    cluster_.run(milliseconds(20));
  }
  ASSERT_LT(store(other).replica().store().first_index(), change);
  cluster_.crash(other);
  cluster_.node(other).disk.flip_bit(std::string(directory) + "/checkpoint", 100, 1);
  ASSERT_TRUE(cluster_.start(other));
  EXPECT_TRUE(store(other).recovery().log_lost);
  expect_equal_images();
  EXPECT_EQ(store(other).replica().raft().membership(), store(first).replica().raft().membership());
}

TEST_F(ReadPathInCluster, AStandaloneDirectoryBecomesTheFirstNodeAndOthersJoin) {
  std::uint64_t hash = 0;
  {
    TestNode& node = cluster_.node(1);
    wal::LogEnvironment environment(node.disk);
    wal::ManualIoExecutor executor;
    wal::GroupCommit group_commit(environment, executor);
    auto alone = MetaLogStore::open(environment, group_commit, executor, log_options()).value();
    EventSource source([random = Random(3)]() mutable { return random.next(); });
    for (int i = 0; i < 50; ++i)
      alone->propose(source.batch(5), [](const Result<ApplyResults>&) {});
    executor.run_all();
    hash = image_hash(alone->image());
    alone->close();
    group_commit.stop([] {});
    executor.run_all();
  }
  setup_.voters = {{1}, {}, {}, {}, false};
  ASSERT_TRUE(cluster_.start(1));
  await_leader();
  EXPECT_EQ(image_hash(image(1)), hash);
  setup_.voters = {};
  for (const NodeId id : {2, 3}) {
    ASSERT_TRUE(cluster_.start(id));
    for (const auto kind :
         {raft::MemberChange::Kind::add_learner, raft::MemberChange::Kind::add_voter}) {
      bool done = false;
      store(1).replica().change_membership(std::vector<raft::MemberChange>{{kind, id}},
                                           milliseconds(3000),
                                           [&](const Result<raft::Position>& result) {
                                             EXPECT_TRUE(result);
                                             done = true;
                                           });
      EXPECT_TRUE(cluster_.run_until([&] { return done; }));
    }
  }
  expect_equal_images();
  EXPECT_EQ(image_hash(image(3)), hash);
  cluster_.crash(1);
  must_propose(await_leader(), {topic_created(999, "grown")});
}

TEST(ImageDifference, IsWhatChangedAndNothingElse) {
  ImageBuilder first(std::make_shared<const Image>());
  first.apply(topic_created(1, "stays"));
  first.apply(topic_created(2, "goes"));
  first.apply(topic_created(3, "again"));
  first.apply(group_updated("g", 1));
  first.apply(offset_committed("g", 1, 0, 5));
  const auto before = first.finish().image;
  EXPECT_TRUE(difference(*before, *before).empty());
  ImageBuilder second(before);
  second.apply(topic_deleted(2, "goes"));
  second.apply(topic_deleted(3, "again"));
  second.apply(topic_created(4, "again"));
  second.apply(offset_committed("g", 1, 0, 6));
  const auto after = second.finish().image;
  const MetadataDelta delta = difference(*before, *after);
  ASSERT_EQ(delta.topics.size(), 3u);
  EXPECT_EQ(delta.topics[2].before, nullptr);
  EXPECT_EQ(delta.topics[2].after->id, topic_id(4));
  EXPECT_TRUE(delta.offsets);
  EXPECT_TRUE(delta.groups.empty() && delta.configs.empty() && delta.brokers.empty());
  EXPECT_FALSE(delta.features || delta.producer_ids);
}

}  // namespace
}  // namespace chronik::metadata
