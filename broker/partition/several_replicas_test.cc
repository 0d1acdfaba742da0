// A partition with a replica on each of three nodes, in simulated time: who may read where
// (KIP-392), and what acks=all waits for.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "broker/partition/partition.h"
#include "protocol/record_batch.h"
#include "protocol/record_builder.h"
#include "raft/multi/test_cluster.h"
#include "wal/log_slice.h"

namespace chronik::broker {
namespace {

using protocol::ErrorCode;
using raft::NodeId;
using raft::testing::TestNode;

constexpr Timestamp wall = 1'700'000'000'000;

class Replicas final : public raft::testing::NodeSetup {
 public:
  Result<void> start(TestNode& node) override {
    ReplicaSeat seat;
    seat.groups = node.manager.get();
    seat.founders.voters = {1, 2, 3};
    seat.lag_max = lag_max;
    TRY_ASSIGN(
        partitions[node.id()],
        Partition::open_replica({*node.environment, *node.group_commit, scratch}, "data/t-0",
                                {"t", 0, Uuid::from_random(1, 2)}, settings, std::move(seat)));
    return {};
  }
  void stop(TestNode& node) override { partitions.erase(node.id()); }

  milliseconds lag_max{30'000};
  std::shared_ptr<PartitionSettings> settings = std::make_shared<PartitionSettings>();
  protocol::RecordScratch scratch;
  std::map<NodeId, std::unique_ptr<Partition>> partitions;
};

struct SeveralReplicas : testing::Test {
  Replicas replicas;
  raft::testing::TestCluster cluster{7, 3, replicas};

  SeveralReplicas() { replicas.settings->log = std::make_shared<wal::LogSettings>(); }

  Partition& at(NodeId id) { return *replicas.partitions.at(id); }
  bool is_up(NodeId id) const { return replicas.partitions.contains(id); }
  NodeId await_leader(NodeId not_this = raft::no_node) {
    NodeId leader = raft::no_node;
    const auto known = [&] {
      for (const auto& [id, partition] : replicas.partitions) {
        if (partition->leads() && id != not_this) leader = id;
      }
      return leader != raft::no_node;
    };
    EXPECT_TRUE(cluster.run_until(known, milliseconds(200'000)));
    return leader;
  }
  AppendResult append(NodeId leader) {
    protocol::BatchBuilder builder({});
    builder.append(wall, std::nullopt, as_bytes("value"));
    AppendResult result = at(leader).append(builder.build(), {.now = wall, .at = cluster.now()});
    EXPECT_EQ(result.error, ErrorCode::none) << result.message;
    return result;
  }
  /// Committed, and known to be at all nodes that are up.
  void write(NodeId leader, int records) {
    for (int i = 0; i < records; ++i) append(leader);
    const Offset end = at(leader).log().end_offset();
    EXPECT_TRUE(cluster.run_until([&] {
      return std::ranges::all_of(replicas.partitions, [&](const auto& replica) {
        return replica.second->high_watermark() == end;
      });
    }));
  }
  ReadResult read(NodeId id, Offset from, LeaderEpoch epoch = no_leader_epoch) {
    ReadRequest request;
    request.from = from;
    request.bytes_max = 1 << 20;
    request.current_leader_epoch = epoch;
    request.from_follower = true;
    return at(id).read(request);
  }
  static int records_in(const ReadResult& result) {
    int count = 0;
    const SharedBytes bytes = wal::gather(result.records).value();
    for (ByteView left = bytes.view(); !left.empty();) {
      const protocol::BatchHeader batch = protocol::read_batch_header(left);
      count += std::max(batch.record_count, 0);
      left = left.subspan(batch.size());
    }
    return count;
  }
  /// Time passes, and the leader looks after its followers as it does twice a second.
  void pass(NodeId leader, milliseconds time) {
    metadata::Partition members;
    members.replicas = {leader, next(leader), next(next(leader))};
    for (const SteadyTime end = cluster.now() + time; cluster.now() < end;) {
      cluster.run(milliseconds(500));
      at(leader).tend(members, cluster.now());
    }
  }
  static NodeId next(NodeId id) { return id % 3 + 1; }
};

// A reader at the end of a follower's log would get the last records of a burst with the next
// heartbeat only. Heartbeats are seconds apart here.
TEST_F(SeveralReplicas, AFollowerKnowsWithoutAHeartbeatWhatIsCommitted) {
  cluster.options.tick = milliseconds(10'000);
  cluster.start_all();
  const NodeId leader = await_leader();
  cluster.run(milliseconds(100));
  for (int i = 1; i <= 20; ++i) {
    append(leader);
    cluster.run(milliseconds(30));
    for (NodeId id = 1; id <= 3; ++id) ASSERT_EQ(at(id).high_watermark(), i) << "node " << id;
  }
}

TEST_F(SeveralReplicas, AFollowerServesWhatItKnowsToBeCommitted) {
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 5);
  const NodeId follower = next(leader);
  const LeaderEpoch epoch = at(leader).leader_epoch();
  const ReadResult all = read(follower, 0, epoch);
  EXPECT_EQ(all.error, ErrorCode::none);
  EXPECT_EQ(all.high_watermark, 5);
  EXPECT_EQ(records_in(all), 5);
  EXPECT_EQ(records_in(read(follower, 5, epoch)), 0);
  EXPECT_FALSE(read(follower, 5, epoch).ahead);
  EXPECT_EQ(read(follower, 0, epoch - 1).error, ErrorCode::fenced_leader_epoch);
  EXPECT_EQ(read(follower, 0, epoch + 1).error, ErrorCode::unknown_leader_epoch);
  EXPECT_EQ(at(follower).read({.bytes_max = 100}).error, ErrorCode::not_leader_or_follower)
      << "an old client reads from leaders only";
  const ReadResult beyond = read(follower, 6, epoch);
  EXPECT_EQ(beyond.error, ErrorCode::none) << "out of range would make a client begin anew";
  EXPECT_TRUE(beyond.ahead);
  EXPECT_EQ(read(leader, 6, epoch).error, ErrorCode::offset_out_of_range);
}

// Nobody but the leader has it: it may still be lost.
TEST_F(SeveralReplicas, AFollowerDoesNotShowWhatIsNotCommitted) {
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  for (NodeId id = 1; id <= 3; ++id) {
    if (id != leader) cluster.network.block(id, leader);
  }
  append(leader);
  const NodeId follower = next(leader);
  EXPECT_TRUE(cluster.run_until([&] { return at(follower).log().end_offset() == 2; }));
  EXPECT_EQ(records_in(read(follower, 0)), 1);
  EXPECT_EQ(read(follower, 0).high_watermark, 1);
}

// It would tell a reader for ever that there is nothing new.
TEST_F(SeveralReplicas, AFollowerThatIsCutOffSendsItsReadersAway) {
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 3);
  const NodeId follower = next(leader);
  int woken = 0;
  FetchWait wait([&woken] { ++woken; });
  wait.join({&at(follower).waiters()});
  cluster.network.isolate(follower);
  EXPECT_TRUE(cluster.run_until(
      [&] { return read(follower, 3).error == ErrorCode::not_leader_or_follower; },
      milliseconds(5'000)));
  EXPECT_EQ(woken, 1) << "who waits there is told at once";
  cluster.network.heal();
  EXPECT_TRUE(cluster.run_until([&] { return read(follower, 3).error == ErrorCode::none; }));
}

// After a start a replica knows nothing of what is committed at first.
TEST_F(SeveralReplicas, AReaderNeverSeesTheHighWatermarkGoBack) {
  cluster.start_all();
  NodeId leader = await_leader();
  Random random(3);
  int answers = 0;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 5; ++i) {
      append(leader);
      cluster.run(milliseconds(random.below(4)));
    }
    const NodeId victim = 1 + static_cast<NodeId>(random.below(3));
    // A reader stays with its replica, and comes back to it.
    const NodeId reads = victim;
    Offset told = 0;
    const auto look = [&] {
      if (!is_up(reads)) return;
      const ReadResult result = read(reads, 0);
      if (result.error != ErrorCode::none) return;
      ++answers;
      ASSERT_GE(result.high_watermark, told) << "round " << round;
      told = result.high_watermark;
    };
    look();
    cluster.crash(victim, CrashModel::ordered);
    ASSERT_TRUE(cluster.start(victim));
    for (int i = 0; i < 1'500; ++i) {
      cluster.run(milliseconds(1));
      look();
      if (HasFatalFailure()) return;
    }
    leader = await_leader();
  }
  EXPECT_GT(answers, 1'000);
}

TEST_F(SeveralReplicas, AcksAllWaitsForAsManyInSyncReplicasAsAreAskedFor) {
  replicas.settings->min_insync_replicas = 3;
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  const NodeId late = next(leader);
  cluster.network.block(leader, late);
  const AppendResult appended = append(leader);
  Future<WaitEnd> end = at(leader).acknowledged(appended, SteadyTime::max());
  EXPECT_TRUE(cluster.run_until([&] { return at(leader).high_watermark() == 2; }))
      << "readers see what a majority has";
  pass(leader, milliseconds(2'000));
  EXPECT_FALSE(end.ready()) << "one replica in sync does not have it";
  cluster.network.heal();
  EXPECT_TRUE(cluster.run_until([&] { return end.ready(); }));
  EXPECT_EQ(end.await_resume(), WaitEnd::reached);
  EXPECT_EQ(at(late).log().durable_end_offset(), 2);
}

// As Kafka: the batch stays, and its producer hears that it is not as safe as was asked for.
TEST_F(SeveralReplicas, AcksAllIsToldWhenTooFewAreLeftInSync) {
  replicas.settings->min_insync_replicas = 3;
  replicas.lag_max = milliseconds(4'000);
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  pass(leader, milliseconds(1'000));
  cluster.network.block(leader, next(leader));
  Future<WaitEnd> end = at(leader).acknowledged(append(leader), SteadyTime::max());
  pass(leader, milliseconds(3'000));
  EXPECT_FALSE(end.ready());
  pass(leader, milliseconds(2'500));
  ASSERT_TRUE(end.ready());
  EXPECT_EQ(end.await_resume(), WaitEnd::too_few_in_sync);
  EXPECT_EQ(at(leader).high_watermark(), 2);
}

TEST_F(SeveralReplicas, FewerThatAreAskedForFreeThoseThatWait) {
  replicas.settings->min_insync_replicas = 3;
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  cluster.network.block(leader, next(leader));
  Future<WaitEnd> end = at(leader).acknowledged(append(leader), SteadyTime::max());
  cluster.run(milliseconds(200));
  EXPECT_FALSE(end.ready());
  auto fewer = std::make_shared<PartitionSettings>(*replicas.settings);
  fewer->min_insync_replicas = 2;
  at(leader).set_settings(fewer);
  ASSERT_TRUE(end.ready());
  EXPECT_EQ(end.await_resume(), WaitEnd::reached);
}

// What was appended before is held by fewer than was asked for: the answer is the same again.
TEST_F(SeveralReplicas, ARepeatedBatchIsAcknowledgedNoSoonerThanTheFirst) {
  replicas.settings->min_insync_replicas = 3;
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  cluster.network.block(leader, next(leader));
  const auto produce = [&] {
    protocol::BatchBuilder builder({.producer_id = 9, .producer_epoch = 0, .base_sequence = 0});
    builder.append(wall, std::nullopt, as_bytes("once"));
    return at(leader).append(builder.build(), {.now = wall, .at = cluster.now()});
  };
  const AppendResult first = produce();
  ASSERT_EQ(first.error, ErrorCode::none) << first.message;
  EXPECT_TRUE(cluster.run_until([&] { return at(leader).high_watermark() == 2; }));
  const AppendResult again = produce();
  EXPECT_EQ(again.base_offset, first.base_offset);
  Future<WaitEnd> end = at(leader).acknowledged(again, SteadyTime::max());
  EXPECT_FALSE(end.ready());
  cluster.network.heal();
  EXPECT_TRUE(cluster.run_until([&] { return end.ready(); }));
}

// Its leader had not heard yet that the move was taken back, and nobody took the learner out again.
TEST_F(SeveralReplicas, WhoLearnsForAMoveThatIsNoneAnyMoreIsTakenOut) {
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  metadata::Partition two;
  two.replicas = {leader, next(leader)};
  metadata::Partition fewer = two;
  fewer.replicas.push_back(next(next(leader)));
  fewer.removing = {next(next(leader))};
  const auto tend_until = [&](const metadata::Partition& members, const auto& reached) {
    return cluster.run_until([&] {
      at(leader).tend(members, cluster.now());
      return reached();
    });
  };
  const auto is_of_two = [&] { return at(leader).is_reassigned_to(two); };
  ASSERT_TRUE(tend_until(fewer, is_of_two));
  metadata::Partition three = fewer;
  three.removing.clear();
  ASSERT_TRUE(tend_until(three, [&] { return !is_of_two(); }));
  EXPECT_TRUE(tend_until(two, is_of_two));
}

// KIP-73: of the voters, those out of sync are held to the rate, as long as clients need none of
// them.
TEST_F(SeveralReplicas, WhoIsBehindIsThrottledUntilClientsWaitForIt) {
  raft::CatchUpBudgets budgets;
  cluster.options.catch_up = &budgets;
  replicas.lag_max = milliseconds(2'000);
  replicas.settings->throttled_followers.all = true;
  cluster.start_all();
  const NodeId leader = await_leader();
  const NodeId late = next(leader);
  const NodeId other = next(late);
  write(leader, 1);
  budgets.set_rates({std::nullopt, {{1, 100}, {2, 100}, {3, 100}}});
  cluster.crash(late);
  for (int i = 0; i < 300; ++i) append(leader);
  pass(leader, milliseconds(4'000));
  EXPECT_EQ(at(leader).high_watermark(), 301) << "nobody in sync is throttled";
  ASSERT_EQ(at(leader).in_sync_replicas().size(), 2u);
  ASSERT_TRUE(cluster.start(late).has_value());
  pass(leader, milliseconds(10'000));
  EXPECT_LT(at(late).log().end_offset(), 200);
  EXPECT_GT(at(late).log().end_offset(), 1);
  append(leader);
  pass(leader, milliseconds(500));
  EXPECT_EQ(at(leader).high_watermark(), 302);
  cluster.crash(other);
  append(leader);
  pass(leader, milliseconds(4'000));
  EXPECT_EQ(at(leader).high_watermark(), 303);
}

// Nothing is written for hours, and nobody has to be told anything.
TEST_F(SeveralReplicas, APartitionAtRestIsReadEverywhereAndStaysInSync) {
  cluster.options.rest_after_ticks = 5;
  cluster.watch_silence(milliseconds(1'000));
  replicas.lag_max = milliseconds(2'000);
  cluster.start_all();
  const NodeId leader = await_leader();
  const NodeId follower = next(leader);
  write(leader, 5);
  metadata::Partition members;
  members.replicas = {leader, follower, next(follower)};
  pass(leader, milliseconds(3'000));
  EXPECT_TRUE(at(leader).is_tended(members));
  const std::uint64_t sent = cluster.network.sent;
  cluster.run(milliseconds(600'000));
  EXPECT_LT(cluster.network.sent - sent, 60U);
  EXPECT_EQ(records_in(read(follower, 0)), 5);
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 3U);
  pass(leader, milliseconds(500));
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 3U);

  int told = 0;
  at(leader).on_led = [&] { ++told; };
  cluster.crash(follower);
  pass(leader, milliseconds(500));
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 2U);
  EXPECT_EQ(told, 1);
  pass(leader, milliseconds(3'000));
  EXPECT_TRUE(at(leader).replica()->rests());
  append(leader);
  pass(leader, milliseconds(3'000));
  ASSERT_TRUE(cluster.start(follower).has_value());
  pass(leader, milliseconds(1'000));
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 3U);
  EXPECT_EQ(told, 2);
  EXPECT_EQ(records_in(read(follower, 0)), 6);
  at(leader).on_led = nullptr;
}

// replica.lag.time.max.ms.
class ReplicaLag : public SeveralReplicas, public testing::WithParamInterface<milliseconds> {};

TEST_P(ReplicaLag, LongerThanTheSettingIsNotInSync) {
  replicas.lag_max = GetParam();
  cluster.start_all();
  const NodeId leader = await_leader();
  write(leader, 1);
  pass(leader, milliseconds(1'000));
  cluster.network.block(leader, next(leader));
  append(leader);
  pass(leader, GetParam() - milliseconds(500));
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 3u);
  pass(leader, milliseconds(1'500));
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 2u);
  cluster.network.heal();
  pass(leader, milliseconds(3'000));
  EXPECT_EQ(at(leader).in_sync_replicas().size(), 3u) << "it has caught up again";
}

INSTANTIATE_TEST_SUITE_P(Settings, ReplicaLag,
                         testing::Values(milliseconds(2'000), milliseconds(10'000)),
                         [](const auto& info) { return std::to_string(info.param.count()); });

}  // namespace
}  // namespace chronik::broker
