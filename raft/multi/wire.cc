#include "raft/multi/wire.h"

#include <spdlog/fmt/fmt.h>
#include <xxhash.h>

#include <optional>

#include "base/coding.h"
#include "protocol/codec.h"
#include "raft/records/append_answer_frame.h"
#include "raft/records/append_frame.h"
#include "raft/records/heartbeat_answers_frame.h"
#include "raft/records/heartbeats_frame.h"
#include "raft/records/proposal_answer_frame.h"
#include "raft/records/proposal_frame.h"
#include "raft/records/read_index_answer_frame.h"
#include "raft/records/read_index_frame.h"
#include "raft/records/snapshot_answer_frame.h"
#include "raft/records/snapshot_chunk_frame.h"
#include "raft/records/snapshot_offer_frame.h"
#include "raft/records/snapshot_request_frame.h"
#include "raft/records/term_notice_frame.h"
#include "raft/records/timeout_now_frame.h"
#include "raft/records/vote_answer_frame.h"
#include "raft/records/vote_frame.h"

namespace chronik::raft {

namespace {

constexpr std::uint8_t frame_version = 1;

template <class Record>
ByteChain frame_of(const Record& record) {
  Writer writer;
  writer.u8(frame_version);
  writer.uvarint(static_cast<std::uint32_t>(Record::record_type));
  writer.uvarint(static_cast<std::uint32_t>(Record::max_version));
  writer.u8(0);
  protocol::encode(writer, Record::max_version, record);
  return writer.take_chain();
}

template <class Record>
Record record_for(const GroupId& group) {
  Record record;
  record.topic_id = group.topic_id;
  record.partition = group.partition;
  record.recovery = group.recovery;
  return record;
}

template <class Record>
Record record_for(const GroupId& group, Term term) {
  Record record = record_for<Record>(group);
  record.term = term;
  return record;
}

template <class Record>
GroupId group_of(const Record& record) {
  return {record.topic_id, record.partition, record.recovery};
}

Error wrong(std::string what) {
  return {Errc::corrupt, "a frame from another node cannot be read: " + std::move(what)};
}

// -- Core messages to records.

struct EncodeBody {
  const GroupId& group;
  Term term;

  ByteChain operator()(const Vote& vote) const {
    auto record = record_for<VoteFrame>(group, term);
    record.pre = vote.pre;
    record.transfer = vote.transfer;
    record.last_term = vote.last.term;
    record.last_index = vote.last.index;
    return frame_of(record);
  }
  ByteChain operator()(const VoteAnswer& answer) const {
    auto record = record_for<VoteAnswerFrame>(group, term);
    record.pre = answer.pre;
    record.granted = answer.granted;
    return frame_of(record);
  }
  ByteChain operator()(const Append& append) const {
    auto record = record_for<AppendFrame>(group, term);
    record.prev_term = append.prev.term;
    record.prev_index = append.prev.index;
    record.commit = append.commit;
    record.entries.reserve(append.entries.size());
    for (const Entry& entry : append.entries) {
      auto& to = record.entries.emplace_back();
      to.term = entry.term;
      to.kind = static_cast<std::int8_t>(entry.kind);
      to.payload = protocol::RecordsField(entry.payload);
    }
    return frame_of(record);
  }
  ByteChain operator()(const AppendAnswer& answer) const {
    auto record = record_for<AppendAnswerFrame>(group, term);
    record.accepted = answer.accepted;
    record.index = answer.index;
    record.hint_term = answer.hint.term;
    record.hint_index = answer.hint.index;
    return frame_of(record);
  }
  ByteChain operator()(const SnapshotOffer& offer) const {
    auto record = record_for<SnapshotOfferFrame>(group, term);
    record.snapshot_index = offer.meta.index;
    record.snapshot_term = offer.meta.term;
    record.membership = to_bytes(encode_membership(offer.meta.membership).view());
    return frame_of(record);
  }
  ByteChain operator()(const SnapshotAnswer& answer) const {
    auto record = record_for<SnapshotAnswerFrame>(group, term);
    record.installed = answer.installed;
    record.index = answer.index;
    return frame_of(record);
  }
  ByteChain operator()(const TimeoutNow&) const {
    return frame_of(record_for<TimeoutNowFrame>(group, term));
  }
  ByteChain operator()(const ReadIndex& read) const {
    auto record = record_for<ReadIndexFrame>(group, term);
    record.read_id = static_cast<std::int64_t>(read.id);
    return frame_of(record);
  }
  ByteChain operator()(const ReadIndexAnswer& answer) const {
    auto record = record_for<ReadIndexAnswerFrame>(group, term);
    record.read_id = static_cast<std::int64_t>(answer.id);
    record.index = answer.index;
    return frame_of(record);
  }
  ByteChain operator()(const TermNotice&) const {
    return frame_of(record_for<TermNoticeFrame>(group, term));
  }
  ByteChain operator()(const Heartbeat&) const { UNREACHABLE(); }
  ByteChain operator()(const HeartbeatAnswer&) const { UNREACHABLE(); }
  ByteChain operator()(const Propose&) const { UNREACHABLE(); }
};

// -- Records to core messages. `no_negative` makes one bad number refuse the frame.

bool negative(std::initializer_list<std::int64_t> numbers) {
  for (const std::int64_t number : numbers) {
    if (number < 0) return true;
  }
  return false;
}

Result<MessageBody> body_of(const VoteFrame& record) {
  if (negative({record.last_term, record.last_index})) return wrong("a vote's log end");
  return MessageBody(Vote{record.pre, record.transfer, {record.last_term, record.last_index}});
}
Result<MessageBody> body_of(const VoteAnswerFrame& record) {
  return MessageBody(VoteAnswer{record.pre, record.granted});
}
Result<MessageBody> body_of(AppendFrame& record) {
  if (negative({record.prev_term, record.prev_index, record.commit})) return wrong("an append");
  Append append{{record.prev_term, record.prev_index}, record.commit, {}};
  append.entries.reserve(record.entries.size());
  Index index = record.prev_index;
  for (auto& from : record.entries) {
    if (from.kind < 0 || from.kind > static_cast<std::int8_t>(EntryKind::membership)) {
      return wrong(fmt::format("an entry of kind {}", from.kind));
    }
    append.entries.push_back(
        {from.term, ++index, static_cast<EntryKind>(from.kind), from.payload.slice()});
  }
  return MessageBody(std::move(append));
}
Result<MessageBody> body_of(const AppendAnswerFrame& record) {
  if (negative({record.index, record.hint_term, record.hint_index})) {
    return wrong("an answer to an append");
  }
  return MessageBody(
      AppendAnswer{record.accepted, record.index, {record.hint_term, record.hint_index}});
}
Result<MessageBody> body_of(SnapshotOfferFrame& record) {
  if (record.snapshot_index < 1 || record.snapshot_term < 0) return wrong("a snapshot's place");
  TRY_ASSIGN(Membership membership,
             decode_membership(SharedBytes::adopt(std::move(record.membership))));
  return MessageBody(
      SnapshotOffer{{record.snapshot_index, record.snapshot_term, std::move(membership)}});
}
Result<MessageBody> body_of(const SnapshotAnswerFrame& record) {
  if (record.index < 0) return wrong("an answer to a snapshot");
  return MessageBody(SnapshotAnswer{record.installed, record.index});
}
Result<MessageBody> body_of(const TimeoutNowFrame&) { return MessageBody(TimeoutNow{}); }
Result<MessageBody> body_of(const ReadIndexFrame& record) {
  return MessageBody(ReadIndex{static_cast<ReadId>(record.read_id)});
}
Result<MessageBody> body_of(const ReadIndexAnswerFrame& record) {
  if (record.index < 0) return wrong("an answer to a read");
  return MessageBody(ReadIndexAnswer{static_cast<ReadId>(record.read_id), record.index});
}
Result<MessageBody> body_of(const TermNoticeFrame&) { return MessageBody(TermNotice{}); }

struct Ends {
  NodeId from;
  NodeId to;
};

template <class Record>
Result<Frame> frame_from(const Ends& ends, Record& record) {
  TRY_ASSIGN(MessageBody body, body_of(record));
  std::vector<GroupMessage> messages;
  messages.push_back({group_of(record), {ends.from, ends.to, record.term, std::move(body)}});
  return Frame(std::move(messages));
}

Result<Frame> frame_from(const Ends& ends, HeartbeatsFrame& record) {
  std::vector<GroupMessage> messages;
  messages.reserve(record.beats.size());
  for (const auto& beat : record.beats) {
    if (negative({beat.round, beat.commit})) return wrong("a heartbeat");
    messages.push_back(
        {group_of(beat),
         {ends.from, ends.to, beat.term, Heartbeat{beat.round, beat.commit, beat.rest}}});
  }
  return Frame(std::move(messages));
}

Result<Frame> frame_from(const Ends& ends, HeartbeatAnswersFrame& record) {
  std::vector<GroupMessage> messages;
  messages.reserve(record.answers.size());
  for (const auto& answer : record.answers) {
    if (negative({answer.round, answer.received, answer.durable}))
      return wrong("an answer to a heartbeat");
    messages.push_back({group_of(answer),
                        {ends.from, ends.to, answer.term,
                         HeartbeatAnswer{answer.round, answer.received, answer.durable,
                                         answer.withheld, answer.rests}}});
  }
  return Frame(std::move(messages));
}

Result<Frame> frame_from(const Ends&, ProposalFrame& record) {
  return Frame(ForwardedProposal{group_of(record), static_cast<std::uint64_t>(record.life),
                                 static_cast<std::uint64_t>(record.request_id),
                                 record.payload.slice()});
}

Result<Frame> frame_from(const Ends&, ProposalAnswerFrame& record) {
  if (record.code < 0 || record.code > static_cast<std::int8_t>(ForwardCode::no_space)) {
    return wrong(fmt::format("an answer to a proposal with code {}", record.code));
  }
  const auto code = static_cast<ForwardCode>(record.code);
  if (code == ForwardCode::appended && (record.index < 1 || record.term < 1)) {
    return wrong("the position of a proposal");
  }
  return Frame(ForwardAnswer{group_of(record), static_cast<std::uint64_t>(record.life),
                             static_cast<std::uint64_t>(record.request_id), code,
                             Position{record.term, record.index}, std::move(record.message)});
}

Result<Frame> frame_from(const Ends&, SnapshotRequestFrame& record) {
  if (record.snapshot_index < 1 || record.position < 0) return wrong("a request for a snapshot");
  return Frame(SnapshotRequest{group_of(record), record.snapshot_index,
                               static_cast<std::uint64_t>(record.position)});
}

Result<Frame> frame_from(const Ends&, SnapshotChunkFrame& record) {
  if (record.snapshot_index < 1 || negative({record.position, record.total})) {
    return wrong("a part of a snapshot");
  }
  SnapshotChunk chunk{group_of(record),
                      record.snapshot_index,
                      static_cast<std::uint64_t>(record.position),
                      static_cast<std::uint64_t>(record.total),
                      static_cast<std::uint64_t>(record.identity),
                      record.bytes.slice()};
  if (chunk.position > chunk.total || chunk.bytes.size() > chunk.total - chunk.position) {
    return wrong("a part of a snapshot lies behind its end");
  }
  if (chunk_checksum(chunk.bytes.view()) != static_cast<std::uint64_t>(record.checksum)) {
    return wrong("the checksum of a part of a snapshot");
  }
  return Frame(std::move(chunk));
}

template <class Record>
Result<Frame> decode_as(const Ends& ends, std::uint32_t version, Reader& reader) {
  if (version > static_cast<std::uint32_t>(Record::max_version)) {
    return Error{Errc::unsupported,
                 fmt::format("a frame {} of version {} comes from a newer chronik",
                             Record::message_name, version)};
  }
  Record record;
  protocol::DecodeFailure failure;
  if (!protocol::decode(reader, static_cast<std::int16_t>(version), record, &failure)) {
    return wrong(fmt::format("{}: {}: {}", Record::message_name, failure.field, failure.reason));
  }
  if (!reader.finished())
    return wrong(fmt::format("{}: bytes are left over", Record::message_name));
  return frame_from(ends, record);
}

template <class... Records>
Result<Frame> decode_kind(const Ends& ends, std::uint32_t kind, std::uint32_t version,
                          Reader& reader) {
  std::optional<Result<Frame>> decoded;
  const bool known = ((kind == static_cast<std::uint32_t>(Records::record_type) &&
                       (decoded.emplace(decode_as<Records>(ends, version, reader)), true)) ||
                      ...);
  if (known) return std::move(*decoded);
  return Error{Errc::unsupported,
               fmt::format("a frame of the unknown kind {} comes from a newer chronik", kind)};
}

}  // namespace

std::uint64_t chunk_checksum(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

ByteChain encode_message(const GroupId& group, const Message& message) {
  return std::visit(EncodeBody{group, message.term}, message.body);
}

ByteChain encode_beats(std::span<const GroupMessage> beats) {
  CHECK(!beats.empty());
  if (beats.front().message.is<Heartbeat>()) {
    HeartbeatsFrame record;
    record.beats.reserve(beats.size());
    for (const GroupMessage& beat : beats) {
      CHECK(beat.message.is<Heartbeat>());
      const auto& body = std::get<Heartbeat>(beat.message.body);
      auto& to = record.beats.emplace_back();
      to.topic_id = beat.group.topic_id;
      to.partition = beat.group.partition;
      to.recovery = beat.group.recovery;
      to.term = beat.message.term;
      to.round = body.round;
      to.commit = body.commit;
      to.rest = body.rest;
    }
    return frame_of(record);
  }
  HeartbeatAnswersFrame record;
  record.answers.reserve(beats.size());
  for (const GroupMessage& beat : beats) {
    CHECK(beat.message.is<HeartbeatAnswer>());
    const auto& body = std::get<HeartbeatAnswer>(beat.message.body);
    auto& to = record.answers.emplace_back();
    to.topic_id = beat.group.topic_id;
    to.partition = beat.group.partition;
    to.recovery = beat.group.recovery;
    to.term = beat.message.term;
    to.round = body.round;
    to.received = body.received;
    to.durable = body.durable;
    to.withheld = body.withheld;
    to.rests = body.rests;
  }
  return frame_of(record);
}

ByteChain encode(const ForwardedProposal& proposal) {
  auto record = record_for<ProposalFrame>(proposal.group);
  record.life = static_cast<std::int64_t>(proposal.life);
  record.request_id = static_cast<std::int64_t>(proposal.request);
  record.payload = protocol::RecordsField(proposal.payload);
  return frame_of(record);
}

ByteChain encode(const ForwardAnswer& answer) {
  auto record = record_for<ProposalAnswerFrame>(answer.group);
  record.life = static_cast<std::int64_t>(answer.life);
  record.request_id = static_cast<std::int64_t>(answer.request);
  record.code = static_cast<std::int8_t>(answer.code);
  record.term = answer.position.term;
  record.index = answer.position.index;
  record.message = answer.message;
  return frame_of(record);
}

ByteChain encode(const SnapshotRequest& request) {
  auto record = record_for<SnapshotRequestFrame>(request.group);
  record.snapshot_index = request.index;
  record.position = static_cast<std::int64_t>(request.position);
  return frame_of(record);
}

ByteChain encode(const SnapshotChunk& chunk) {
  auto record = record_for<SnapshotChunkFrame>(chunk.group);
  record.snapshot_index = chunk.index;
  record.position = static_cast<std::int64_t>(chunk.position);
  record.total = static_cast<std::int64_t>(chunk.total);
  record.identity = static_cast<std::int64_t>(chunk.identity);
  record.checksum = static_cast<std::int64_t>(chunk_checksum(chunk.bytes.view()));
  record.bytes = protocol::RecordsField(chunk.bytes);
  return frame_of(record);
}

Result<Frame> decode_frame(NodeId from, NodeId to, SharedBytes frame) {
  Reader reader(std::move(frame));
  const std::uint8_t version = reader.u8();
  const std::uint32_t kind = reader.uvarint();
  const std::uint32_t record_version = reader.uvarint();
  const std::uint8_t flags = reader.u8();
  if (!reader.ok()) return wrong("it ends too early");
  if (version != frame_version || flags != 0) {
    return Error{Errc::unsupported,
                 fmt::format("a frame of version {} with flags {} comes from a newer chronik",
                             version, flags)};
  }
  return decode_kind<VoteFrame, VoteAnswerFrame, AppendFrame, AppendAnswerFrame, HeartbeatsFrame,
                     HeartbeatAnswersFrame, SnapshotOfferFrame, SnapshotAnswerFrame,
                     TimeoutNowFrame, ReadIndexFrame, ReadIndexAnswerFrame, TermNoticeFrame,
                     ProposalFrame, ProposalAnswerFrame, SnapshotRequestFrame, SnapshotChunkFrame>(
      Ends{from, to}, kind, record_version, reader);
}

}  // namespace chronik::raft
