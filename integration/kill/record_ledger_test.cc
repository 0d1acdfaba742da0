// The judge of partition_rounds finds each kind of broken promise: nothing else tells whether it
// looks.
#include "integration/kill/record_ledger.h"

#include <gtest/gtest.h>

#include <thread>

namespace chronik::integration {
namespace {

class Judging : public ::testing::Test {
 protected:
  Judging() : writer_(ledger_.new_writer()) {
    for (std::int64_t i = 0; i < 5; ++i) ledger_.hand_out(writer_, 0);
    for (std::int64_t i = 0; i < 4; ++i) ledger_.acknowledge(0, {writer_, i}, i);
  }
  /// The log as it would be read, by sequence.
  RecordCounts judge(const std::vector<std::int64_t>& sequences) {
    problems_.clear();
    PartitionJudge judge(ledger_, readings_, 0, begin_, problems_);
    std::int64_t offset = begin_;
    for (const std::int64_t one : sequences) judge.take(offset++, record_value({writer_, one}));
    return judge.finish(offset);
  }

  RecordLedger ledger_{1};
  ReadRecords readings_{1};
  int writer_;
  std::int64_t begin_ = 0;
  Problems problems_;
};

TEST_F(Judging, AWholeLogHasNoProblem) {
  const RecordCounts counts = judge({0, 1, 2, 3, 4});
  EXPECT_EQ(problems_, Problems{});
  EXPECT_EQ(counts.acknowledged, 4);
  EXPECT_EQ(counts.unacknowledged_there, 1) << "it may be there";
}

TEST_F(Judging, AnAcknowledgedRecordThatIsMissingIsLost) {
  EXPECT_EQ(judge({0, 1, 3}).lost, 1);
  EXPECT_FALSE(problems_.empty());
}

TEST_F(Judging, ARecordTwiceIsDoubled) {
  EXPECT_EQ(judge({0, 1, 1, 2, 3}).doubled, 1);
  EXPECT_FALSE(problems_.empty());
}

TEST_F(Judging, ARecordBehindALaterOneIsReordered) {
  EXPECT_EQ(judge({0, 2, 1, 3}).reordered, 1);
  EXPECT_FALSE(problems_.empty());
}

TEST_F(Judging, ARecordAtAnotherOffsetThanAcknowledgedHasMoved) {
  EXPECT_EQ(judge({4, 0, 1, 2, 3}).moved, 4);
  EXPECT_FALSE(problems_.empty());
}

TEST_F(Judging, WhatNobodyWroteIsForeign) {
  EXPECT_EQ(judge({0, 1, 2, 3, 7}).foreign, 1);
  EXPECT_FALSE(problems_.empty());
}

TEST_F(Judging, AFlippedBitIsForeign) {
  PartitionJudge judge(ledger_, readings_, 0, 0, problems_);
  std::string value = record_value({writer_, 0});
  value.back() ^= 1;
  judge.take(0, value);
  EXPECT_EQ(judge.finish(1).foreign, 1);
  EXPECT_FALSE(problems_.empty());
}

TEST_F(Judging, WhatAReaderGotStays) {
  EXPECT_TRUE(readings_.note(0, 4, record_value({writer_, 4})));
  EXPECT_FALSE(readings_.note(0, 4, record_value({writer_, 3})));
  EXPECT_EQ(judge({0, 1, 2, 3}).lost, 1) << "a reader got it, though nobody acknowledged it";
}

TEST_F(Judging, AnAcknowledgementWithoutAnOffsetCounts) {
  ledger_.acknowledge(0, {writer_, 4}, -1);
  EXPECT_EQ(judge({0, 1, 2, 3}).lost, 1);
  EXPECT_EQ(judge({0, 1, 2, 3, 4}).lost, 0);
  EXPECT_EQ(problems_, Problems{});
}

TEST_F(Judging, WhatWasDeletedIsNotLostAndWhatIsBehindItIs) {
  begin_ = 2;
  EXPECT_EQ(judge({2, 3}).lost, 0);
  EXPECT_EQ(problems_, Problems{});
  EXPECT_EQ(judge({3, 4}).lost, 1) << "at offset 2 was another one";
}

TEST(RecordValue, IsReadBackOrRefused) {
  const RecordName name{12, 345'678};
  EXPECT_EQ(read_record(record_value(name)), name);
  EXPECT_EQ(read_record(""), std::nullopt);
  EXPECT_EQ(read_record("0123456789"), std::nullopt);
  EXPECT_EQ(read_record(record_value(name).substr(1)), std::nullopt);
}

TEST(RecordLedger, WaitsForAnAcknowledgementInEveryPartition) {
  RecordLedger ledger(2);
  const int writer = ledger.new_writer();
  const RecordName before = ledger.hand_out(writer, 0);
  std::int64_t offset = 0;
  std::jthread other([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ledger.acknowledge(1, ledger.hand_out(writer, 1), offset++);
      ledger.acknowledge(0, before, 0);
    }
  });
  EXPECT_EQ(ledger.await_acks(std::chrono::milliseconds(50)), std::vector<int>{0})
      << "what was handed out before does not count";
  other.request_stop();
  other.join();
  other = std::jthread([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (int p : {0, 1}) ledger.acknowledge(p, ledger.hand_out(writer, p), offset++);
    }
  });
  EXPECT_EQ(ledger.await_acks(std::chrono::seconds(30)), std::vector<int>{});
}

TEST(RecordLedger, PausesCountToTheEndOfTheTime) {
  RecordLedger ledger(2);
  const int writer = ledger.new_writer();
  const auto begin = RecordLedger::Clock::now();
  ledger.acknowledge(0, ledger.hand_out(writer, 0), 0);
  const auto end = begin + std::chrono::seconds(10);
  EXPECT_EQ(ledger.longest_pause(begin, end), std::chrono::seconds(10)) << "partition 1 is silent";
}

}  // namespace
}  // namespace chronik::integration
