#include "broker/broker_fencing.h"

#include <gtest/gtest.h>

#include <utility>

#include "metadata/memory_store.h"

namespace chronik::broker {
namespace {

class BrokerFencingTest : public testing::Test {
 protected:
  BrokerFencingTest() {
    for (const BrokerId id : {1, 2, 3}) {
      metadata::BrokerRegistered broker;
      broker.broker_id = id;
      store_.propose({broker},
                     [](const Result<metadata::ApplyResults>& done) { ASSERT_TRUE(done); });
    }
    store_.set_leadership({.leader = 2, .term = 4, .ready = false});
  }
  void lead() { store_.set_leadership({.leader = 1, .term = 5, .ready = true}); }
  std::vector<BrokerId> fenced() const {
    std::vector<BrokerId> ids;
    for (const auto& [id, broker] : store_.image()->brokers()) {
      if (store_.image()->is_fenced(id)) ids.push_back(id);
    }
    return ids;
  }

  metadata::MemoryMetadataStore store_;
  BrokerFencing fencing_{store_, 1};
};

TEST_F(BrokerFencingTest, ALeaderFencesWhoIsGoneAndLetsHimBackIn) {
  lead();
  fencing_.set_absent({3});
  EXPECT_EQ(fenced(), (std::vector<BrokerId>{3}));
  fencing_.set_absent({2});
  EXPECT_EQ(fenced(), (std::vector<BrokerId>{2}));
  fencing_.set_absent({});
  EXPECT_EQ(fenced(), std::vector<BrokerId>{});
}

TEST_F(BrokerFencingTest, WhoDoesNotLeadDecidesWhenHeDoes) {
  fencing_.set_absent({2});
  EXPECT_EQ(fenced(), std::vector<BrokerId>{});
  lead();
  EXPECT_EQ(fenced(), (std::vector<BrokerId>{2}));
}

TEST_F(BrokerFencingTest, ANewLeaderIsNotFencedThoughTheOldOneHadLostIt) {
  store_.propose({metadata::BrokerFenced{1, true}}, [](const auto&) {});
  lead();
  EXPECT_EQ(fenced(), std::vector<BrokerId>{});
}

TEST_F(BrokerFencingTest, WhatChangesWhileADecisionIsOnItsWayIsDecidedNext) {
  lead();
  store_.hold_back(true);
  fencing_.set_absent({2});
  fencing_.set_absent({3});
  EXPECT_EQ(store_.waiting(), 1u);
  while (store_.step()) {
  }
  EXPECT_EQ(fenced(), (std::vector<BrokerId>{3}));
}

TEST_F(BrokerFencingTest, ABrokerThatRegistersWhileItIsAbsentIsFenced) {
  lead();
  fencing_.set_absent({4});
  metadata::BrokerRegistered late;
  late.broker_id = 4;
  store_.propose({late}, [](const auto&) {});
  EXPECT_EQ(fenced(), (std::vector<BrokerId>{4}));
}

TEST(BrokerFencing, AnAnswerAfterItsEndIsHarmless) {
  metadata::MemoryMetadataStore store;
  metadata::BrokerRegistered broker;
  broker.broker_id = 2;
  store.propose({broker}, [](const auto&) {});
  auto fencing = std::make_unique<BrokerFencing>(store, 1);
  store.hold_back(true);
  fencing->set_absent({2});
  fencing.reset();
  EXPECT_TRUE(store.step());
  EXPECT_TRUE(store.image()->is_fenced(2));
}

}  // namespace
}  // namespace chronik::broker
