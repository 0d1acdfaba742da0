// What nodes say to each other, as bytes. A frame is one schema record (raft/schema/records/)
// behind a head that lets versions grow:
//
//   frame version u8 = 1 | kind uvarint | version uvarint | flags u8 (0) | body
//
// The kind is the record's number. What a newer build adds to a record as tagged fields an older
// one skips; a kind or version that a build does not know is dropped (unsupported), which Raft
// survives. Pure. Decoding bounds every count by the bytes that are there, and takes nothing that a
// correct node would not send for granted: raft/core and the replica check what it means.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "raft/core/message.h"
#include "raft/multi/group_id.h"

namespace chronik::raft {

struct GroupMessage {
  GroupId group;
  Message message;
};

/// Asks the leader to append. `life` and `request` name it; see proposal_frame.msg.
struct ForwardedProposal {
  GroupId group;
  std::uint64_t life = 0;
  std::uint64_t request = 0;
  SharedBytes payload;
};

enum class ForwardCode : std::int8_t {
  appended = 0,
  not_leader = 1,
  busy = 2,
  too_large = 3,
  invalid = 4,
  no_space = 5,
};

struct ForwardAnswer {
  GroupId group;
  std::uint64_t life = 0;
  std::uint64_t request = 0;
  ForwardCode code = ForwardCode::not_leader;
  Position position;  // when appended
  std::string message;
};

struct SnapshotRequest {
  GroupId group;
  Index index = 0;
  std::uint64_t position = 0;
};

struct SnapshotChunk {
  GroupId group;
  Index index = 0;
  std::uint64_t position = 0;
  std::uint64_t total = 0;  // 0: the snapshot is gone
  std::uint64_t identity = 0;
  SharedBytes bytes;  // its checksum was right
};

/// Messages: one of a group, or the heartbeats of many.
using Frame = std::variant<std::vector<GroupMessage>, ForwardedProposal, ForwardAnswer,
                           SnapshotRequest, SnapshotChunk>;

/// Not for heartbeats and their answers, which go together, nor for raft::Propose, in place of
/// which there is ForwardedProposal (CHECKed).
ByteChain encode_message(const GroupId& group, const Message& message);
/// Heartbeats, or answers to heartbeats, of many groups; all of one kind (CHECKed), at least one.
ByteChain encode_beats(std::span<const GroupMessage> beats);
ByteChain encode(const ForwardedProposal& proposal);
ByteChain encode(const ForwardAnswer& answer);
ByteChain encode(const SnapshotRequest& request);
ByteChain encode(const SnapshotChunk& chunk);

/// What `from` has sent to `to`. Payloads are slices of the frame. Errors: corrupt, unsupported.
Result<Frame> decode_frame(NodeId from, NodeId to, SharedBytes frame);

/// XXH3 of 64 bits.
std::uint64_t chunk_checksum(ByteView bytes);

}  // namespace chronik::raft
