// What compaction leaves of one batch: pure, Kafka's rules for format v2 (Cleaner, KIP-534).
//
// A record stays when it is the last one of its key, or lies behind what the key map covers. A
// record without a value (a tombstone) goes like that too, but only once its batch's delete horizon
// is over: the time in the batch that the first run over it wrote there (attribute bit 6, the base
// timestamp). Records without a key go. Offsets, timestamps, headers, producer, epoch and codec
// stay; a batch covers the same offsets as before.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "protocol/record_reader.h"
#include "wal/offset_map.h"

namespace chronik::wal {

struct RetentionRules {
  /// Records from here on stay: the map knows nothing of them.
  Offset mapped_end = 0;
  Timestamp now = 0;
  milliseconds delete_retention{0};
};

struct FilteredBatch {
  enum class Outcome {
    dropped,
    unchanged,  // the bytes that came in
    rewritten,  // `bytes`
  };
  Outcome outcome = Outcome::dropped;
  SharedBytes bytes;
  std::int32_t records_kept = 0;
};

/// `batch` is one whole batch with a good CRC that takes offsets. `keep_empty`: its header stays
/// even if no record does. Errors: corrupt (its records do not read), too_large (over the limits of
/// decompression), unsupported (part of a transaction, or a control batch: nobody can write them
/// yet, for produce refuses both, so only a log of a later version has them).
Result<FilteredBatch> filter_batch(ByteView batch, const OffsetMap& keys,
                                   const RetentionRules& rules, bool keep_empty,
                                   protocol::RecordScratch& scratch);

/// Notes the keys of the batch's records from `from` on. False when the map is full: the offset of
/// the record for which there was no room is in `mapped_end`; else it is behind the batch.
/// Errors: as above.
Result<bool> map_keys(ByteView batch, Offset from, OffsetMap& keys, Offset& mapped_end,
                      protocol::RecordScratch& scratch);

}  // namespace chronik::wal
