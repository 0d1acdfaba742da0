// Three nodes under everything at once, by seeds; and nodes with other names than usual.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "raft/multi/test_register.h"

namespace chronik::raft {
namespace {

using testing::batch_of;
using testing::RegisterSetup;
using testing::TestCluster;

// Chronik 1.8 (4): a node with the id 0 is a node like any other.
TEST(ReplicatedRegisterOfNodeZero, Works) {
  RegisterSetup setup;
  setup.bootstrap = {{0, 1}, {}, {}, {}, false};
  TestCluster cluster(4, 1, setup);
  cluster.add_node(0);
  cluster.start_all();
  for (const NodeId id : {0, 1}) {
    bool done = false;
    setup.replicas.at(id)->propose(batch_of("x"), {}, [&](const Result<Position>& result) {
      EXPECT_TRUE(result);
      done = true;
    });
    EXPECT_TRUE(cluster.run_until([&] { return done; }));
  }
}

// Chronik 1.8 (1, 2, 3): disorder, loss and repetition must neither break nor stop anything.
TEST(ReplicatedRegisterUnderFire, AgreesWhateverNetworkAndPowerDo) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RegisterSetup setup;
    TestCluster cluster(seed, 3, setup);
    Random random(seed);
    cluster.network.faults = {milliseconds(1), milliseconds(20), 10, 10, true};
    cluster.start_all();
    struct Told {
      std::string value;
      std::optional<bool> ok;
    };
    std::vector<std::shared_ptr<Told>> told;
    for (int step = 0; step < 300; ++step) {
      const NodeId id = static_cast<NodeId>(random.below(3)) + 1;
      if (!cluster.node(id).up()) {
        ASSERT_TRUE(cluster.start(id));
      } else if (random.one_in(40)) {
        cluster.crash(id, random.one_in(2) ? CrashModel::ordered : CrashModel::reordered,
                      random.one_in(2));
      } else if (random.one_in(40)) {
        cluster.network.isolate(id);
      } else if (random.one_in(10)) {
        cluster.network.heal();
      } else {
        auto one = std::make_shared<Told>();
        one->value = fmt::format("{}-{}", seed, step);
        told.push_back(one);
        setup.replicas.at(id)->propose(
            batch_of(one->value), {.timeout = milliseconds(3000)},
            [one](const Result<Position>& result) { one->ok = result.has_value(); });
      }
      cluster.run(milliseconds(random.below(100)));
    }
    cluster.network.heal();
    cluster.network.faults = {};
    for (const NodeId id : cluster.ids()) {
      if (cluster.node(id).up()) continue;
      ASSERT_TRUE(cluster.start(id));
    }
    const auto settled = [&] {
      for (const NodeId id : cluster.ids()) {
        const auto& state = setup.machines.at(id)->state;
        if (state.applied != setup.machines.at(1)->state.applied) return false;
        if (setup.replicas.at(id)->waiting() != 0) return false;
        if (setup.replicas.at(id)->leadership().leader == no_node) return false;
      }
      return true;
    };
    ASSERT_TRUE(cluster.run_until(settled));
    std::size_t acknowledged = 0;
    for (const auto& one : told) {
      const auto count = std::ranges::count(setup.machines.at(1)->state.values, one->value);
      const bool ok = one->ok.value_or(false);
      acknowledged += ok ? 1 : 0;
      EXPECT_LE(count, 1) << one->value;
      EXPECT_GE(count, ok ? 1 : 0) << one->value;
    }
    for (const NodeId id : cluster.ids()) {
      EXPECT_EQ(setup.machines.at(id)->state.values, setup.machines.at(1)->state.values);
    }
    EXPECT_GT(acknowledged, told.size() / 10);
  }
}

}  // namespace
}  // namespace chronik::raft
