#include "raft/multi/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/multi/log_entry.h"
#include "raft/multi/test_register.h"

namespace chronik::raft {
namespace {

using ::testing::HasSubstr;

const GroupId group{Uuid::from_random(3, 4), 7, 2};

SharedBytes bytes_of(const ByteChain& chain) {
  return SharedBytes::copy_of(wal::gather(chain).value().view());
}

Message round_trip(MessageBody body) {
  const Message sent{1, 2, 9, std::move(body)};
  auto frame = decode_frame(1, 2, bytes_of(encode_message(group, sent)));
  EXPECT_TRUE(frame) << frame.error().message;
  auto& messages = std::get<std::vector<GroupMessage>>(*frame);
  EXPECT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].group, group);
  EXPECT_EQ(messages[0].message.from, 1);
  EXPECT_EQ(messages[0].message.to, 2);
  EXPECT_EQ(messages[0].message.term, 9);
  return std::move(messages[0].message);
}

TEST(Wire, EveryKindOfMessageComesOutAsItWentIn) {
  const auto vote = std::get<Vote>(round_trip(Vote{true, true, {8, 77}}).body);
  EXPECT_TRUE(vote.pre && vote.transfer);
  EXPECT_EQ(vote.last, (Position{8, 77}));
  EXPECT_TRUE(std::get<VoteAnswer>(round_trip(VoteAnswer{false, true}).body).granted);
  const auto refused = std::get<AppendAnswer>(round_trip(AppendAnswer{false, 5, {3, 4}}).body);
  EXPECT_FALSE(refused.accepted);
  EXPECT_EQ(refused.index, 5);
  EXPECT_EQ(refused.hint, (Position{3, 4}));
  const SnapshotMeta meta{100, 8, {{1, 2, 3}, {1, 2}, {9}, {}, true}};
  EXPECT_EQ(std::get<SnapshotOffer>(round_trip(SnapshotOffer{meta}).body).meta, meta);
  EXPECT_EQ(std::get<SnapshotAnswer>(round_trip(SnapshotAnswer{true, 100}).body).index, 100);
  EXPECT_TRUE(round_trip(TimeoutNow{}).is<TimeoutNow>());
  EXPECT_TRUE(round_trip(TermNotice{}).is<TermNotice>());
  const ReadId id = ~std::uint64_t{0} - 3;
  EXPECT_EQ(std::get<ReadIndex>(round_trip(ReadIndex{id}).body).id, id);
  const auto read = std::get<ReadIndexAnswer>(round_trip(ReadIndexAnswer{id, 12}).body);
  EXPECT_EQ(read.id, id);
  EXPECT_EQ(read.index, 12);
}

TEST(Wire, EntriesKeepPlaceKindAndBytes) {
  Append append{{4, 10}, 9, {}};
  append.entries.push_back({5, 11, EntryKind::no_op, {}});
  append.entries.push_back({5, 12, EntryKind::data, testing::batch_of("x")});
  append.entries.push_back(
      {5, 13, EntryKind::membership, encode_membership({{1}, {}, {}, {}, false})});
  const auto got = std::get<Append>(round_trip(append).body);
  EXPECT_EQ(got.prev, append.prev);
  EXPECT_EQ(got.commit, 9);
  ASSERT_EQ(got.entries.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got.entries[i].index, append.entries[i].index);
    EXPECT_EQ(got.entries[i].term, append.entries[i].term);
    EXPECT_EQ(got.entries[i].kind, append.entries[i].kind);
    EXPECT_TRUE(
        std::ranges::equal(got.entries[i].payload.view(), append.entries[i].payload.view()));
  }
}

TEST(Wire, HeartbeatsOfManyGroupsAreOneFrame) {
  std::vector<GroupMessage> beats;
  std::vector<GroupMessage> answers;
  for (int i = 0; i < 1000; ++i) {
    beats.push_back({{group.topic_id, i}, {1, 2, 5, Heartbeat{i, i + 1, i == 999}}});
    answers.push_back(
        {{group.topic_id, i}, {1, 2, 5, HeartbeatAnswer{i, i + 2, i + 1, i == 998, i == 997}}});
  }
  const SharedBytes bytes = bytes_of(encode_beats(beats));
  EXPECT_LT(bytes.size(), 45'000u);
  const auto frame = decode_frame(1, 2, bytes);
  ASSERT_TRUE(frame);
  const auto& got = std::get<std::vector<GroupMessage>>(*frame);
  ASSERT_EQ(got.size(), 1000u);
  EXPECT_EQ(got[999].group.partition, 999);
  EXPECT_EQ(std::get<Heartbeat>(got[999].message.body).commit, 1000);
  EXPECT_TRUE(std::get<Heartbeat>(got[999].message.body).rest);
  EXPECT_FALSE(std::get<Heartbeat>(got[998].message.body).rest);
  const auto answer_frame = decode_frame(1, 2, bytes_of(encode_beats(answers)));
  ASSERT_TRUE(answer_frame);
  const auto& got_answers = std::get<std::vector<GroupMessage>>(*answer_frame);
  EXPECT_EQ(std::get<HeartbeatAnswer>(got_answers[998].message.body).received, 1000);
  EXPECT_EQ(std::get<HeartbeatAnswer>(got_answers[998].message.body).durable, 999);
  EXPECT_TRUE(std::get<HeartbeatAnswer>(got_answers[998].message.body).withheld);
  EXPECT_FALSE(std::get<HeartbeatAnswer>(got_answers[997].message.body).withheld);
  EXPECT_TRUE(std::get<HeartbeatAnswer>(got_answers[997].message.body).rests);
  EXPECT_FALSE(std::get<HeartbeatAnswer>(got_answers[998].message.body).rests);
}

TEST(Wire, WhatNodesAskOfEachOtherComesOutAsItWentIn) {
  const SharedBytes payload = testing::batch_of("value");
  auto frame = decode_frame(1, 2, bytes_of(encode(ForwardedProposal{group, 5, 6, payload})));
  ASSERT_TRUE(frame);
  const auto& proposal = std::get<ForwardedProposal>(*frame);
  EXPECT_EQ(proposal.life, 5u);
  EXPECT_EQ(proposal.request, 6u);
  EXPECT_EQ(testing::value_of(proposal.payload), "value");

  frame = decode_frame(
      2, 1, bytes_of(encode(ForwardAnswer{group, 5, 6, ForwardCode::appended, {3, 9}, ""})));
  ASSERT_TRUE(frame);
  EXPECT_EQ(std::get<ForwardAnswer>(*frame).position, (Position{3, 9}));

  frame = decode_frame(2, 1, bytes_of(encode(SnapshotRequest{group, 50, 1000})));
  ASSERT_TRUE(frame);
  EXPECT_EQ(std::get<SnapshotRequest>(*frame).position, 1000u);

  frame = decode_frame(2, 1,
                       bytes_of(encode(SnapshotChunk{
                           group, 50, 10, 20, 99, SharedBytes::copy_of(as_bytes("0123456789"))})));
  ASSERT_TRUE(frame);
  EXPECT_EQ(as_text(std::get<SnapshotChunk>(*frame).bytes.view()), "0123456789");
}

TEST(Wire, AFlippedBitInASnapshotsPartIsFound) {
  const SharedBytes good = bytes_of(
      encode(SnapshotChunk{group, 50, 0, 10, 99, SharedBytes::copy_of(as_bytes("0123456789"))}));
  const std::size_t begin = as_text(good.view()).find("0123456789");
  ASSERT_NE(begin, std::string_view::npos);
  for (std::size_t i = begin; i < begin + 10; ++i) {
    SharedBytes bad = SharedBytes::copy_of(good.view());
    bad.mutable_view()[i] ^= 1;
    EXPECT_FALSE(decode_frame(2, 1, bad)) << i;
  }
}

TEST(Wire, AnAnswerWithAnUnknownCodeIsNoSuccess) {
  ForwardAnswer answer{group, 5, 6, static_cast<ForwardCode>(99), {3, 9}, ""};
  EXPECT_FALSE(decode_frame(2, 1, bytes_of(encode(answer))));
  answer = {group, 5, 6, ForwardCode::appended, {0, 0}, ""};
  EXPECT_FALSE(decode_frame(2, 1, bytes_of(encode(answer))));
}

TEST(Wire, WhatANewerNodeSaysIsToldFromWhatIsDamaged) {
  const Message message{1, 2, 9, TermNotice{}};
  const SharedBytes good = bytes_of(encode_message(group, message));
  SharedBytes newer = SharedBytes::copy_of(good.view());
  newer.mutable_view()[1] = 99;
  EXPECT_EQ(decode_frame(1, 2, newer).error().code, Errc::unsupported);
  newer = SharedBytes::copy_of(good.view());
  newer.mutable_view()[0] = 2;
  EXPECT_EQ(decode_frame(1, 2, newer).error().code, Errc::unsupported);
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(decode_frame(1, 2, SharedBytes::copy_of(good.view().first(n)))) << n;
  }
}

TEST(LogEntry, RaftsOwnEntriesTakeNoOffsetAndComeBack) {
  const Entry no_op{4, 10, EntryKind::no_op, {}};
  const SharedBytes batch = own_entry_batch(no_op, 33);
  const protocol::BatchHeader header = protocol::read_batch_header(batch.view());
  EXPECT_EQ(header.next_offset(), 33);
  EXPECT_TRUE(header.is_control());
  const Entry again = entry_of_batch(batch, 10).value();
  EXPECT_EQ(again.kind, EntryKind::no_op);
  EXPECT_EQ(again.term, 4);
  const Membership membership{{1, 2, 3}, {}, {4}, {}, false};
  const Entry change{4, 11, EntryKind::membership, encode_membership(membership)};
  const Entry changed = entry_of_batch(own_entry_batch(change, 33), 11).value();
  EXPECT_EQ(decode_membership(changed.payload).value(), membership);
}

TEST(LogEntry, WhatIsNoWholeBatchIsNotTakenForAnEntry) {
  const SharedBytes good = testing::batch_of("x");
  EXPECT_TRUE(check_payload(good));
  for (std::size_t i = 21; i < good.size(); ++i) {
    SharedBytes bad = SharedBytes::copy_of(good.view());
    bad.mutable_view()[i] ^= 4;
    EXPECT_FALSE(check_payload(bad)) << i;
  }
  EXPECT_FALSE(check_payload(SharedBytes::copy_of(good.view().first(good.size() - 1))));
  EXPECT_FALSE(check_payload({}));
  const SharedBytes own = own_entry_batch({1, 1, EntryKind::no_op, {}}, 0);
  EXPECT_THAT(check_payload(own).error().message, HasSubstr("takes no offset"));
}

}  // namespace
}  // namespace chronik::raft
