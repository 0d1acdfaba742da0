#include "broker/partition/producer_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/coding.h"

namespace chronik::broker {
namespace {

using protocol::BatchHeader;
using protocol::ErrorCode;

BatchHeader batch(ProducerId id, ProducerEpoch epoch, Sequence first, std::int32_t count,
                  Offset offset = 0) {
  BatchHeader header;
  header.base_offset = offset;
  header.producer_id = id;
  header.producer_epoch = epoch;
  header.base_sequence = first;
  header.last_offset_delta = count - 1;
  header.record_count = count;
  header.max_timestamp = 1'700'000'000'000 + offset;
  return header;
}

TEST(ProducerState, BatchesWithoutProducerAreNotLookedAt) {
  ProducerState state;
  EXPECT_EQ(state.check(batch(no_producer_id, no_producer_epoch, no_sequence, 3)).error,
            ErrorCode::none);
  state.apply(batch(no_producer_id, no_producer_epoch, no_sequence, 3));
  EXPECT_EQ(state.size(), 0u);
}

TEST(ProducerState, AnyOfTheLastFiveBatchesIsRecognisedWithItsOffset) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.apply(batch(9, 0, i * 10, 10, 100 + i * 10));
  for (int i = 2; i < 7; ++i) {
    const ProducerVerdict verdict = state.check(batch(9, 0, i * 10, 10));
    ASSERT_TRUE(verdict.duplicate.has_value()) << i;
    EXPECT_EQ(verdict.duplicate->base_offset, 100 + i * 10);
    EXPECT_EQ(verdict.duplicate->last_offset, 109 + i * 10);
  }
  EXPECT_EQ(state.check(batch(9, 0, 10, 10)).error, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(state.check(batch(9, 0, 70, 1)).error, ErrorCode::none);
}

TEST(ProducerState, TheBatchesThatCompactionKeepsSayWhatComesNext) {
  ProducerState state;
  std::vector<BatchHeader> log;
  log.reserve(12);
  for (int i = 0; i < 12; ++i) log.push_back(batch(i % 3, 0, i / 3 * 10, 10, i * 10));
  for (const BatchHeader& header : log) state.apply(header);
  std::vector<Offset> kept = state.batches_to_keep();
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(kept, (std::vector<Offset>{99, 109, 119}));

  ProducerState replayed;
  for (BatchHeader header : log) {
    if (std::find(kept.begin(), kept.end(), header.last_offset()) == kept.end()) continue;
    header.record_count = 0;
    replayed.apply(header);
  }
  for (ProducerId id = 0; id < 3; ++id) {
    EXPECT_EQ(replayed.check(batch(id, 0, 40, 1)).error, ErrorCode::none);
    EXPECT_EQ(replayed.check(batch(id, 0, 41, 1)).error, ErrorCode::out_of_order_sequence_number);
    EXPECT_TRUE(replayed.check(batch(id, 0, 30, 10)).duplicate.has_value());
  }
}

TEST(ProducerState, AGapIsRefused) {
  ProducerState state;
  state.apply(batch(9, 0, 0, 10));
  EXPECT_EQ(state.check(batch(9, 0, 11, 1)).error, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(state.check(batch(9, 0, 5, 1)).error, ErrorCode::out_of_order_sequence_number);
}

TEST(ProducerState, EpochsFenceAndANewOneStartsAtZero) {
  ProducerState state;
  state.apply(batch(9, 3, 0, 10));
  EXPECT_EQ(state.check(batch(9, 2, 10, 1)).error, ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(state.check(batch(9, 4, 10, 1)).error, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(state.check(batch(9, 4, 0, 1)).error, ErrorCode::none);
  state.apply(batch(9, 4, 0, 1, 50));
  // The old epoch's batches are no longer duplicates, they are fenced.
  EXPECT_EQ(state.check(batch(9, 3, 0, 10)).error, ErrorCode::invalid_producer_epoch);
}

TEST(ProducerState, SequencesWrap) {
  constexpr Sequence max = std::numeric_limits<Sequence>::max();
  ProducerState state;
  state.apply(batch(9, 0, max - 1, 4));  // max-1, max, 0, 1
  EXPECT_EQ(state.check(batch(9, 0, 2, 1)).error, ErrorCode::none);
  EXPECT_EQ(state.check(batch(9, 0, 3, 1)).error, ErrorCode::out_of_order_sequence_number);
  ProducerState at_end;
  at_end.apply(batch(9, 0, max, 1));
  EXPECT_EQ(at_end.check(batch(9, 0, 0, 1)).error, ErrorCode::none);
}

TEST(ProducerState, AnUnknownProducerMayStartAnywhere) {
  ProducerState state;
  EXPECT_EQ(state.check(batch(9, 0, 77, 1)).error, ErrorCode::none);
}

TEST(ProducerState, SavedStateComesBack) {
  ProducerState state;
  for (int p = 0; p < 20; ++p) {
    for (int i = 0; i <= p % 7; ++i) state.apply(batch(p, 1, i * 2, 2, p * 100 + i * 2));
  }
  ProducerState restored;
  ASSERT_TRUE(restored.restore(state.save()).has_value());
  EXPECT_EQ(restored.size(), 20u);
  const ProducerVerdict verdict = restored.check(batch(6, 1, 4, 2));
  ASSERT_TRUE(verdict.duplicate.has_value());
  EXPECT_EQ(verdict.duplicate->base_offset, 604);
}

// A new replica that took the batches of the log's end for its own would acknowledge a repeated
// one, as a leader, that it does not have.
TEST(ProducerState, OfALogThatBeginsSomewhereOnlyWhatLiesBeforeIsKnown) {
  ProducerState state;
  state.apply(batch(1, 0, 0, 2, 0));
  state.apply(batch(1, 0, 2, 2, 10));
  state.apply(batch(2, 0, 0, 2, 12));
  ProducerState begin;
  ASSERT_TRUE(begin.restore(state.save_below(10)).has_value());
  EXPECT_EQ(begin.size(), 1u);
  EXPECT_TRUE(begin.check(batch(1, 0, 0, 2)).duplicate);
  const ProducerVerdict next = begin.check(batch(1, 0, 2, 2));
  EXPECT_FALSE(next.duplicate);
  EXPECT_EQ(next.error, ErrorCode::none);
}

TEST(ProducerState, WhatIsCutOffIsForgottenAndNothingElse) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.apply(batch(1, 0, i * 2, 2, i * 10));
  state.apply(batch(2, 0, 0, 2, 70));
  ASSERT_TRUE(state.forget_beyond(40));
  EXPECT_EQ(state.size(), 1u);
  EXPECT_EQ(state.last_sequence(1, 0), 7);
  EXPECT_EQ(state.check(batch(1, 0, 8, 2)).error, ErrorCode::none);
  EXPECT_FALSE(state.check(batch(1, 0, 8, 2)).duplicate);
  EXPECT_TRUE(state.check(batch(1, 0, 6, 2)).duplicate);
}

// The log may begin behind the last batch that stays: nobody else knows of the producer then.
TEST(ProducerState, WhatAProducerHasUnderWayMayBeCutOffWhole) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.apply(batch(1, 0, i * 2, 2, i * 10));
  ProducerState restored;
  ASSERT_TRUE(restored.restore(state.save()).has_value());
  for (ProducerState* each : {&state, &restored}) {
    ASSERT_TRUE(each->forget_beyond(20));
    EXPECT_EQ(each->last_sequence(1, 0), 3);
    EXPECT_TRUE(each->check(batch(1, 0, 2, 2)).duplicate);
    EXPECT_EQ(each->check(batch(1, 0, 4, 2)).error, ErrorCode::none);
    EXPECT_EQ(each->check(batch(1, 0, 6, 2)).error, ErrorCode::out_of_order_sequence_number);
  }
}

TEST(ProducerState, ANewEpochMayBeCutOffWhole) {
  ProducerState state;
  for (int i = 0; i < 3; ++i) state.apply(batch(1, 4, i * 2, 2, i * 10));
  for (int i = 0; i < 5; ++i) state.apply(batch(1, 5, i * 2, 2, 30 + i * 10));
  EXPECT_EQ(state.check(batch(1, 4, 6, 2)).error, ErrorCode::invalid_producer_epoch);
  ProducerState begin;
  ASSERT_TRUE(begin.restore(state.save_below(30)).has_value());
  ASSERT_TRUE(state.forget_beyond(30));
  for (const ProducerState* each : {&begin, &state}) {
    EXPECT_EQ(each->last_sequence(1, 4), 5);
    EXPECT_EQ(each->check(batch(1, 3, 0, 2)).error, ErrorCode::invalid_producer_epoch);
    EXPECT_EQ(each->check(batch(1, 5, 0, 2)).error, ErrorCode::none);
  }
}

TEST(ProducerState, IsShownTheLogAgainWhereItRemembersNothingBeforeTheCut) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.apply(batch(1, 0, i * 2, 2, i * 10));
  EXPECT_FALSE(state.forget_beyond(10));
  EXPECT_EQ(state.last_sequence(1, 0), 13);
  ProducerState renewed;
  renewed.apply(batch(1, 1, 0, 2, 10));
  EXPECT_FALSE(renewed.forget_beyond(10));
}

TEST(ProducerState, WhatWasSavedWithoutTheEarlierBatchIsRead) {
  Writer writer;
  writer.u8(1);
  writer.u32(1);
  writer.i64(7);
  writer.i16(3);
  writer.u8(1);
  for (const Sequence sequence : {0, 1}) writer.i32(sequence);
  for (const Offset offset : {40, 41}) writer.i64(offset);
  writer.i64(1000);
  ProducerState state;
  ASSERT_TRUE(state.restore(writer.take_bytes()).has_value());
  EXPECT_TRUE(state.check(batch(7, 3, 0, 2)).duplicate);
  EXPECT_EQ(state.check(batch(7, 3, 2, 1)).error, ErrorCode::none);
}

TEST(ProducerState, DamagedSavedStateIsAnError) {
  ProducerState state;
  state.apply(batch(1, 0, 0, 1));
  Bytes saved = state.save();
  saved.pop_back();
  ProducerState restored;
  EXPECT_FALSE(restored.restore(saved).has_value());
  saved = state.save();
  saved[0] = 99;
  EXPECT_EQ(restored.restore(saved).error().code, Errc::unsupported);
}

TEST(ProducerState, OldProducersAreForgotten) {
  ProducerState state;
  state.apply(batch(1, 0, 0, 1, 0));
  state.apply(batch(2, 0, 0, 1, 5'000));
  state.expire(1'700'000'000'000 + 5'000, milliseconds(1'000));
  ASSERT_EQ(state.active().size(), 1u);
  EXPECT_EQ(state.active()[0].id, 2);
}

}  // namespace
}  // namespace chronik::broker
