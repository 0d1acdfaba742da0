// Message sets of magic 0 and 1, which Kafka before 0.11 wrote: read only, and only by wire_check.
// The broker refuses them (a produce of them is INVALID_RECORD) and never stores them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"

namespace chronik::protocol::wire_check {

struct LegacyRecord {
  Offset offset = 0;
  Timestamp timestamp = -1;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
};

/// All records of the message set, those inside compressed messages with their true offsets.
Result<std::vector<LegacyRecord>> read_legacy_records(ByteView message_set);

}  // namespace chronik::protocol::wire_check
