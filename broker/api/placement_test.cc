#include "broker/api/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace chronik::broker {
namespace {

/// Brokers 1, 2, ... in these racks.
std::vector<PlacementBroker> brokers_in(const std::vector<std::string>& racks) {
  std::vector<PlacementBroker> brokers;
  brokers.reserve(racks.size());
  for (const std::string& rack : racks) {
    brokers.push_back({static_cast<BrokerId>(brokers.size()) + 1, {}, rack});
  }
  return brokers;
}

/// What a partition has in each rack, of those that have brokers.
std::map<std::string, std::size_t> spread(const std::vector<PlacementBroker>& brokers,
                                          const std::vector<BrokerId>& replicas) {
  std::map<std::string, std::size_t> count;
  for (const PlacementBroker& broker : brokers) count[*broker.rack];
  for (const BrokerId replica : replicas) ++count[*find_broker(brokers, replica)->rack];
  return count;
}

// Who loses a rack keeps the partition, also where racks are not of one size.
TEST(Placement, NoRackHasTwoReplicasWhileAnotherHasNone) {
  Random random(1);
  for (const std::vector<std::string>& racks : {std::vector<std::string>{"a", "a", "a", "a", "b"},
                                                {"a", "a", "b", "c"},
                                                {"a", "b", "c"},
                                                {"a", "a", "a", "b", "b", "c"}}) {
    const std::vector<PlacementBroker> brokers = brokers_in(racks);
    Placement placement(brokers, random);
    for (int partition = 0; partition < 20; ++partition) {
      for (std::size_t factor = 1; factor <= brokers.size(); ++factor) {
        const std::vector<BrokerId> replicas = placement.next(factor);
        ASSERT_EQ(replicas.size(), factor);
        std::vector<BrokerId> different = replicas;
        std::ranges::sort(different);
        ASSERT_EQ(std::unique(different.begin(), different.end()), different.end());
        const auto has = spread(brokers, replicas);
        const auto all = spread(brokers, [&] {
          std::vector<BrokerId> ids;
          ids.reserve(brokers.size());
          for (const PlacementBroker& broker : brokers) ids.push_back(broker.id);
          return ids;
        }());
        for (const auto& [rack, count] : has) {
          for (const auto& [other, others] : has) {
            EXPECT_TRUE(count <= others + 1 || others == all.at(other))
                << count << " in " << rack << ", " << others << " in " << other;
          }
        }
      }
    }
  }
}

TEST(Placement, LeadersGoRoundAllBrokersWhateverTheRacks) {
  Random random(2);
  const std::vector<PlacementBroker> brokers = brokers_in({"a", "a", "a", "b"});
  Placement placement(brokers, random);
  std::map<BrokerId, int> leads;
  for (int partition = 0; partition < 40; ++partition) ++leads[placement.next(2).front()];
  for (const PlacementBroker& broker : brokers) EXPECT_EQ(leads[broker.id], 10) << broker.id;
}

// A topic of three replicas is made while one of three nodes is down; where the others are enough,
// it gets none.
TEST(Placement, BrokersThatCannotBeReachedComeLast) {
  Random random(3);
  std::vector<PlacementBroker> brokers = brokers_in({"a", "b", "c", "d"});
  brokers[1].reachable = brokers[3].reachable = false;
  Placement placement(brokers, random);
  std::map<BrokerId, int> leads;
  for (int partition = 0; partition < 20; ++partition) {
    std::vector<BrokerId> two = placement.next(2);
    ++leads[two.front()];
    std::ranges::sort(two);
    EXPECT_EQ(two, (std::vector<BrokerId>{1, 3}));
    const std::vector<BrokerId> three = placement.next(3);
    ++leads[three.front()];
    EXPECT_TRUE(three.back() == 2 || three.back() == 4);
    EXPECT_EQ(placement.next(4).size(), 4u);
  }
  EXPECT_EQ(leads[1] + leads[3], 40);
}

TEST(Placement, APartitionIsMadeOnlyWhereMostReplicasAreNotFenced) {
  std::vector<PlacementBroker> brokers = brokers_in({"a", "b", "c"});
  brokers[1].reachable = false;  // for this node, which may be the one that is cut off
  brokers[2].reachable = false;
  brokers[2].fenced = true;
  EXPECT_TRUE(can_elect(brokers, 3));
  EXPECT_TRUE(can_elect(brokers, std::vector<BrokerId>{3, 1, 2}));
  EXPECT_FALSE(can_elect(brokers, std::vector<BrokerId>{1, 3}));
  EXPECT_FALSE(can_elect(brokers, std::vector<BrokerId>{3}));
  EXPECT_TRUE(can_elect(brokers, std::vector<BrokerId>{2}));
}

}  // namespace
}  // namespace chronik::broker
