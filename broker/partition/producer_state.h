// ProducerState: what a partition knows of its idempotent producers: the epoch and the last five
// batches of each, enough to drop a repeated batch and to refuse one that leaves a gap (KIP-98,
// KAFKA-5494), and the one before these. A producer has up to five batches under way, which a new
// leader may not have; when they are cut off, what stands then must be known, though the log may
// begin behind it by now.
//
// Owned by its Partition, on that partition's shard. A pure function of the batches in the log: the
// log hands every batch to apply(), both when it is appended and when a restart reads it again, and
// saves the state with its checkpoints. Batches that are appended but not yet durable are part of
// it: an answer that rests on them must wait until they are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"
#include "protocol/errors.h"
#include "protocol/record_batch.h"
#include "wal/derived_state.h"

namespace chronik::broker {

/// One remembered batch of a producer.
struct ProducerBatch {
  Sequence base_sequence = no_sequence;
  Sequence last_sequence = no_sequence;
  Offset base_offset = -1;
  Offset last_offset = -1;
  Timestamp timestamp = -1;  // the batch's max timestamp

  bool operator==(const ProducerBatch&) const = default;
};

/// As DescribeProducers shows it (KIP-664).
struct ActiveProducer {
  ProducerId id = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  Sequence last_sequence = no_sequence;
  Timestamp last_timestamp = -1;
};

/// A producer's last batch.
struct ProducerPlace {
  ProducerEpoch epoch = no_producer_epoch;
  Sequence sequence = no_sequence;  // of its last record
};

/// What to do with a batch that is about to be appended.
struct ProducerVerdict {
  protocol::ErrorCode error = protocol::ErrorCode::none;
  std::string message;                     // for a person, when error is not none
  std::optional<ProducerBatch> duplicate;  // set: do not append, answer with this batch's offsets
};

class ProducerState final : public wal::DerivedState {
 public:
  /// How many batches back a repetition is recognised; producers may have five in flight.
  static constexpr std::size_t remembered_batches = 5;

  /// Judges a batch by its header; changes nothing. Batches without producer id are always
  /// accepted. Errors: invalid_producer_epoch, out_of_order_sequence_number.
  ProducerVerdict check(const protocol::BatchHeader& batch) const;

  /// Of the last batch; no_sequence when nothing is known of the producer in this epoch.
  Sequence last_sequence(ProducerId id, ProducerEpoch epoch) const;
  /// Nothing when the producer is not known.
  std::optional<ProducerPlace> last(ProducerId id) const;

  /// Forgets producers whose last batch is older than `expiration` (producer.id.expiration.ms).
  void expire(Timestamp now, milliseconds expiration);

  /// In ascending order of id.
  std::vector<ActiveProducer> active() const;
  std::size_t size() const { return producers_.size(); }

  void apply(const protocol::BatchHeader& batch) override;
  Bytes save_below(Offset end) const override;
  /// False when all that is remembered of a producer is taken back, and more came before.
  bool forget_beyond(Offset end) override;
  Result<void> restore(ByteView saved) override;
  void reset() override { producers_.clear(); }
  /// The last batch of each producer: it says the epoch and the sequence that come next.
  std::vector<Offset> batches_to_keep() const override;

 private:
  struct Producer {
    ProducerEpoch epoch = no_producer_epoch;
    std::uint8_t count = 0;  // batches remembered, the newest last; at least one
    std::array<ProducerBatch, remembered_batches> batches;
    // The one before them.
    ProducerEpoch earlier_epoch = no_producer_epoch;  // none, when there is no such batch
    ProducerBatch earlier;

    const ProducerBatch& last() const { return batches[count - 1u]; }
    void remember(ProducerEpoch of_batch, const ProducerBatch& batch);
    /// Something that is remembered lies below `end`.
    bool began_below(Offset end) const;
    /// As it was when the log ended at `end`, as far as that is remembered; else nothing.
    std::optional<Producer> below(Offset end) const;
    /// Nothing is known to have been before what is remembered.
    bool is_whole() const;
  };

  std::unordered_map<ProducerId, Producer> producers_;
};

}  // namespace chronik::broker
