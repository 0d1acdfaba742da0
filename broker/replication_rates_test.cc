// Which throttled rates hold on a node.
#include "broker/replication_rates.h"

#include <gtest/gtest.h>

#include "metadata/memory_store.h"

namespace chronik::broker {
namespace {

class ReplicationRatesTest : public ::testing::Test {
 protected:
  ReplicationRatesTest() {
    for (const BrokerId id : {1, 2, 3}) {
      metadata::BrokerRegistered broker;
      broker.broker_id = id;
      propose(broker);
    }
  }
  void propose(metadata::MetadataEvent event) {
    store_.propose({std::move(event)}, [](const Result<metadata::ApplyResults>& done) {
      ASSERT_TRUE(done);
      ASSERT_TRUE(done->at(0).ok()) << done->at(0).message;
    });
  }
  /// Of a broker's id as text; empty: of all.
  void set(const std::string& broker, const std::string& name, std::optional<std::string> value) {
    metadata::ConfigChanged change;
    change.resource_type = static_cast<std::int8_t>(metadata::ConfigResourceType::broker);
    change.resource_name = broker;
    change.changes.push_back({name, std::move(value)});
    propose(change);
  }

  metadata::MemoryMetadataStore store_;
};

TEST_F(ReplicationRatesTest, TheOwnOneAsLeaderAndThoseOfTheOthersAsFollowers) {
  EXPECT_EQ(replication_rates(*store_.image(), 1), raft::CatchUpRates());
  set("1", "leader.replication.throttled.rate", "100");
  set("2", "leader.replication.throttled.rate", "200");
  set("1", "follower.replication.throttled.rate", "300");
  set("2", "follower.replication.throttled.rate", "400");
  EXPECT_EQ(replication_rates(*store_.image(), 1), (raft::CatchUpRates{100, {{2, 400}}}));
  EXPECT_EQ(replication_rates(*store_.image(), 2), (raft::CatchUpRates{200, {{1, 300}}}));
  EXPECT_EQ(replication_rates(*store_.image(), 3),
            (raft::CatchUpRates{std::nullopt, {{1, 300}, {2, 400}}}));
  set("", "follower.replication.throttled.rate", "50");
  EXPECT_EQ(replication_rates(*store_.image(), 1), (raft::CatchUpRates{100, {{2, 400}, {3, 50}}}));
  set("2", "follower.replication.throttled.rate", "9223372036854775807");
  EXPECT_EQ(replication_rates(*store_.image(), 1), (raft::CatchUpRates{100, {{3, 50}}}));
}

TEST_F(ReplicationRatesTest, FollowsTheImage) {
  ReplicationRates rates(1);
  store_.add_observer(rates);
  const raft::CatchUpLimits leader{true, false};
  EXPECT_FALSE(rates.budgets().is_limited(2, leader));
  set("1", "leader.replication.throttled.rate", "100");
  EXPECT_TRUE(rates.budgets().is_limited(2, leader));
  set("1", "leader.replication.throttled.rate", std::nullopt);
  EXPECT_FALSE(rates.budgets().is_limited(2, leader));
  store_.remove_observer(rates);
}

}  // namespace
}  // namespace chronik::broker
