// ReadHint: where a read of a partition log ended. Shard only.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace chronik::wal {

/// A place in a segment file where a batch begins or the last one ends.
struct Boundary {
  std::uint64_t position = 0;
  Offset offset = 0;
};

/// The next read of the same consumer needs no index.
struct ReadHint {
  Offset segment_base = -1;
  Boundary at;
};

}  // namespace chronik::wal
