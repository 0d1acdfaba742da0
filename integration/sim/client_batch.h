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

/// `producer_id`: none, unless the producer is idempotent.
SharedBytes make_client_batch(BatchName name, ProducerId producer_id, Sequence first_sequence,
                              int records);
/// Nothing: no producer of a simulation made it.
std::optional<BatchName> name_of(const protocol::BatchHeader& batch);

}  // namespace chronik::sim
