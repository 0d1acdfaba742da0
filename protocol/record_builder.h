// BatchBuilder: writes one magic 2 batch, record by record. Used where chronik itself is the writer
// (recompression of a produce, markers, its own logs) and by tests. Not for two threads at a time.
// The control batches of Kafka, each of one record, are below it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "protocol/compression.h"
#include "protocol/record_batch.h"
#include "protocol/record_reader.h"

namespace chronik::protocol {

struct LeaderChangeMessage;

struct BatchOptions {
  Offset base_offset = 0;
  LeaderEpoch leader_epoch = no_leader_epoch;
  Codec codec = Codec::none;
  int compression_level = 0;  // must fit the codec
  /// Set: the batch carries LogAppendTime with this time as the timestamp of all its records.
  std::optional<Timestamp> log_append_time = {};
  ProducerId producer_id = no_producer_id;
  ProducerEpoch producer_epoch = no_producer_epoch;
  Sequence base_sequence = no_sequence;
  bool transactional = false;
  bool control = false;
  /// Set: a compacted batch whose tombstones may go after this time (it becomes base_timestamp).
  std::optional<Timestamp> delete_horizon = {};
};

class BatchBuilder {
 public:
  explicit BatchBuilder(const BatchOptions& options);

  /// The next record, one offset after the last one.
  void append(Timestamp timestamp, std::optional<ByteView> key, std::optional<ByteView> value,
              std::span<const RecordHeader> headers = {});
  /// Leaves a gap, as compaction does. Precondition: offset_delta is greater than the last one.
  void append_at(std::int32_t offset_delta, Timestamp timestamp, std::optional<ByteView> key,
                 std::optional<ByteView> value, std::span<const RecordHeader> headers = {});

  /// Lets the batch cover offsets behind its last record, whose records compaction removed.
  /// Precondition: at least the delta of the last record; nothing is appended afterwards.
  void cover(std::int32_t last_offset_delta);

  /// What compaction leaves of a batch without records: it still says up to which offset, sequence
  /// and time the producer had come. Precondition: nothing was appended.
  void leave_empty(std::int32_t last_offset_delta, Timestamp max_timestamp);

  std::int32_t record_count() const { return header_.record_count; }
  /// Size of the batch so far if it were not compressed.
  std::size_t plain_size() const { return bytes_.size(); }
  /// Of the records so far; -1 when there is none. The first record that carries it, counted from
  /// 0.
  Timestamp max_timestamp() const { return max_timestamp_; }
  std::int32_t index_of_max_timestamp() const { return index_of_max_timestamp_; }

  /// Compresses, writes the header, computes the CRC. The builder is spent.
  /// Precondition: at least one record, or leave_empty() was called; the batch fits into 2^31-1
  /// bytes.
  SharedBytes build();

 private:
  BatchOptions options_;
  BatchHeader header_;
  Bytes bytes_;  // room for the header, then the records, plain
  Timestamp max_timestamp_ = -1;
  std::int32_t index_of_max_timestamp_ = -1;
};

/// The type in the key of a control record.
enum class ControlType : std::int16_t {
  abort = 0,
  commit = 1,
  leader_change = 2,
  snapshot_header = 3,
  snapshot_footer = 4,
  kraft_version = 5,
  kraft_voters = 6,
};

/// The type in a control record's key; nothing where the key is no control key of version 0. The
/// number may be one that this build does not know.
std::optional<ControlType> control_type(const Record& record);

/// A batch with one control record whose value is the version-prefixed bytes of its schema.
SharedBytes build_control_batch(BatchOptions options, ControlType type, Timestamp timestamp,
                                ByteView value);

/// The end of a transaction of `producer`, written by the transaction coordinator of that epoch.
struct TransactionMarker {
  ProducerId producer_id = no_producer_id;
  ProducerEpoch producer_epoch = no_producer_epoch;
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
};
SharedBytes build_transaction_marker(const TransactionMarker& marker, Timestamp timestamp,
                                     LeaderEpoch leader_epoch);
/// Nothing where the value is not that of a marker.
std::optional<std::int32_t> coordinator_epoch_of(const Record& marker);

/// A new leader's first batch, as Kafka's KRaft writes it.
SharedBytes build_leader_change(const LeaderChangeMessage& message, Offset base_offset,
                                Timestamp timestamp, LeaderEpoch leader_epoch);

}  // namespace chronik::protocol
