// Which replica a partition goes on with that cannot have a leader any more.
#include "broker/api/survivor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "raft/core/membership.h"

namespace chronik::broker {
namespace {

using protocol::ErrorCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Uuid directory_of(BrokerId broker) {
  return Uuid::from_random(7, static_cast<std::uint64_t>(broker));
}

/// A partition on brokers 1, 2 and 3.
struct SurvivorTest : ::testing::Test {
  SurvivorTest() {
    topic.id = Uuid::from_random(1, 2);
    topic.name = "t";
    metadata::Partition& partition = topic.partitions.emplace_back();
    for (const BrokerId broker : {1, 2, 3}) {
      partition.replicas.push_back(broker);
      partition.directories.push_back(directory_of(broker));
      membership.voters.push_back(broker);
      membership.directories.push_back({broker, directory_of(broker)});
    }
  }
  HeardReplica& hear(BrokerId broker, LeaderEpoch last_term, EntryIndex last_index) {
    HeardReplica& replica = heard.emplace_back();
    replica.broker = broker;
    replica.directory = directory_of(broker);
    replica.holds.is_open = true;
    replica.holds.term = last_term;
    replica.holds.last_term = last_term;
    replica.holds.last_index = last_index;
    replica.holds.end_offset = last_index * 10;
    replica.holds.membership = to_bytes(raft::encode_membership(membership).view());
    return replica;
  }
  Survivor choose() const {
    return choose_survivor(topic, 0, heard, [&](BrokerId broker) { return gone.contains(broker); });
  }

  metadata::Topic topic;
  raft::Membership membership;
  std::vector<HeardReplica> heard;
  std::set<BrokerId> gone;
};

TEST_F(SurvivorTest, TheOnlyOneThatIsThereGoesOnAndWhatIsLostIsSaid) {
  hear(3, 4, 10).holds.term = 6;
  gone = {1, 2};
  const Survivor survivor = choose();
  ASSERT_EQ(survivor.error, ErrorCode::none) << survivor.message;
  EXPECT_EQ(survivor.event.survivor, 3);
  EXPECT_EQ(survivor.event.directory, directory_of(3));
  EXPECT_EQ(survivor.event.recovery, 1);
  EXPECT_GT(survivor.event.term, 100) << "those that were not heard may have been in later terms";
  EXPECT_EQ(survivor.event.end_offset, 100);
  EXPECT_THAT(survivor.event.unheard, ElementsAre(1, 2));
  EXPECT_THAT(survivor.message, HasSubstr("records from offset 100 on"));
  EXPECT_THAT(survivor.message, HasSubstr("not heard: 1, 2"));
}

TEST_F(SurvivorTest, NobodyGoesOnWhileAMajorityCanElect) {
  hear(2, 4, 10);
  hear(3, 4, 12);
  gone = {1};
  const Survivor survivor = choose();
  EXPECT_EQ(survivor.error, ErrorCode::election_not_needed);
  EXPECT_TRUE(survivor.elects_itself);
  heard[0].holds.leads = true;
  EXPECT_EQ(choose().error, ErrorCode::election_not_needed);
  EXPECT_FALSE(choose().elects_itself);
}

// Who lost its log or its disk is there, and cannot vote.
TEST_F(SurvivorTest, AReplicaThatLostWhatItHadDoesNotMakeAMajority) {
  hear(1, 0, 0).holds.withheld = true;
  hear(3, 4, 10);
  gone = {2};
  Survivor survivor = choose();
  ASSERT_EQ(survivor.error, ErrorCode::none) << survivor.message;
  EXPECT_EQ(survivor.event.survivor, 3);
  EXPECT_THAT(survivor.message, HasSubstr("had lost its log"));
  heard[0].holds.withheld = false;
  EXPECT_EQ(choose().error, ErrorCode::election_not_needed);
  heard[0].directory = directory_of(9);
  EXPECT_EQ(choose().event.survivor, 3);
}

TEST_F(SurvivorTest, TheLongestLogIsTheOneOfTheLatestTerm) {
  topic.partitions[0].replicas = {1, 2, 3, 4, 5};
  membership.voters = {1, 2, 3, 4, 5};
  membership.directories.clear();
  hear(1, 4, 30);
  hear(2, 5, 20);
  gone = {3, 4, 5};
  EXPECT_EQ(choose().event.survivor, 2);
}

// It may know more, and may even be one of a majority that serves.
TEST_F(SurvivorTest, WhoIsNotGivenUpIsWaitedFor) {
  hear(3, 4, 10);
  gone = {1};
  EXPECT_EQ(choose().error, ErrorCode::eligible_leaders_not_available);
  EXPECT_THAT(choose().message, HasSubstr("Broker 2 has a replica"));
}

TEST_F(SurvivorTest, OfAnEarlierHistoryNobodyIsTaken) {
  topic.partitions[0].recovery = {2, 1, directory_of(1), 5'000};
  hear(3, 9, 99).holds.recovery = 1;
  gone = {1, 2};
  EXPECT_EQ(choose().error, ErrorCode::eligible_leaders_not_available);
  hear(2, 5'001, 4).holds.recovery = 2;
  heard[1].holds.withheld = true;
  gone = {1};
  ASSERT_EQ(choose().error, ErrorCode::none);
  EXPECT_EQ(choose().event.survivor, 2);
  EXPECT_EQ(choose().event.recovery, 3);
  EXPECT_GT(choose().event.term, 5'001);
}

TEST_F(SurvivorTest, WithoutAnyReplicaThereIsNobodyToTake) {
  gone = {1, 2, 3};
  EXPECT_EQ(choose().error, ErrorCode::eligible_leaders_not_available);
}

}  // namespace
}  // namespace chronik::broker
