#include "raft/multi/commit_offsets.h"

#include <gtest/gtest.h>

namespace chronik::raft {
namespace {

TEST(CommitOffsets, FollowsTheCommitIndexEntryByEntry) {
  CommitOffsets offsets(0, 0, 0);
  offsets.append(1, 0, 0);  // a leader's own, without an offset
  offsets.append(2, 0, 10);
  offsets.append(3, 10, 11);
  EXPECT_EQ(offsets.advance(1), 0);
  EXPECT_EQ(offsets.advance(2), 10);
  EXPECT_EQ(offsets.advance(2), 10);
  EXPECT_EQ(offsets.advance(9), 11);
}

// A reader who is shown a record that may still be cut has read what never was.
TEST(CommitOffsets, OfALogThatWasOpenedNothingIsCommittedUntilAllOfItIs) {
  CommitOffsets offsets(5, 40, 100);
  EXPECT_EQ(offsets.committed(), 5);
  EXPECT_EQ(offsets.advance(39), 5);
  offsets.append(41, 100, 101);
  EXPECT_EQ(offsets.advance(40), 100);
  EXPECT_EQ(offsets.advance(41), 101);
}

TEST(CommitOffsets, WhatTakesThePlaceOfACutEntryCountsFromItsOwnOffset) {
  CommitOffsets offsets(0, 40, 100);
  offsets.append(41, 100, 110);
  offsets.append(30, 70, 75);
  EXPECT_EQ(offsets.advance(29), 70);
  EXPECT_EQ(offsets.advance(30), 75);
}

// A reader would see the high watermark go back to the log's begin.
TEST(CommitOffsets, IsNotKnownToBeWhatWasToldBeforeUntilItIsPastTheOldEnd) {
  CommitOffsets offsets(5, 40, 100);
  EXPECT_FALSE(offsets.is_known());
  offsets.append(41, 100, 110);
  offsets.advance(39);
  EXPECT_FALSE(offsets.is_known());
  offsets.advance(40);
  EXPECT_TRUE(offsets.is_known());

  CommitOffsets cut(5, 40, 100);
  cut.append(38, 90, 95);
  EXPECT_FALSE(cut.is_known());
  cut.advance(37);
  EXPECT_TRUE(cut.is_known()) << "what was behind it was never committed";
}

TEST(CommitOffsets, GoesOnBehindASnapshot) {
  CommitOffsets offsets(0, 3, 9);
  offsets.restart(50, 500);
  EXPECT_EQ(offsets.committed(), 500);
  offsets.advance(50);
  EXPECT_TRUE(offsets.is_known());
  offsets.append(51, 500, 501);
  EXPECT_EQ(offsets.advance(51), 501);
}

}  // namespace
}  // namespace chronik::raft
