// ClientBatch: a batch as the producers of a simulation make it. Its time stamp names it, so that
// it is found in the log again also where no producer id says whose it is. Values.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "protocol/record_batch.h"

namespace chronik::sim {

/// Of one partition.
struct BatchName {
  int producer = 0;
  int number = 0;                                      // from 0, without gaps
  auto operator<=>(const BatchName&) const = default;  // NOLINT(modernize-use-nullptr): its slip
};

/// Each record has a key of its own, but for one batch in four: the next such batch of the same
/// producer has its keys too.
bool is_superseded_by_the_next(BatchName name);

/// `producer_id`: none, unless the producer is idempotent. Of a batch that the next supersedes
/// `records` must be 1.
SharedBytes make_client_batch(BatchName name, ProducerId producer_id, ProducerEpoch epoch,
                              Sequence first_sequence, int records);
/// Nothing: no producer of a simulation made it.
std::optional<BatchName> name_of(const protocol::BatchHeader& batch);

}  // namespace chronik::sim
