// How a Raft entry lies in a partition log (wal/format.md, "Entries of Raft's own") and back. What
// was proposed is a record batch and lies there as it is; entries of Raft itself get a control
// batch around them that takes no offset. Pure.
//
//   batch header with the control bit, record_count 0, last_offset_delta -1 | version u8 = 1 |
//   kind u8 (1 no-op, 2 membership) | payload
#pragma once

#include "base/result.h"
#include "raft/core/types.h"

namespace chronik::raft {

/// Whether `payload` is one whole record batch that takes offsets, with the right checksum: what
/// may be proposed, and what a follower takes from the network. Errors: corrupt.
Result<void> check_payload(const SharedBytes& payload);

/// An entry of Raft's own as a batch; base offset and epoch are the entry's place. Precondition:
/// the kind is not data.
SharedBytes own_entry_batch(const Entry& entry, Offset base_offset);

/// The entry that `batch`, as it was read from the log, is. Its checksum is verified. Errors:
/// corrupt; unsupported (a kind or version of a newer build).
Result<Entry> entry_of_batch(SharedBytes batch, Index index);

}  // namespace chronik::raft
