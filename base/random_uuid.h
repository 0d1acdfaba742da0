// A new id of something that must have one of its own: a cluster, a directory, a life of a process.
// Pure but for what it draws.
#pragma once

#include "base/random.h"
#include "base/uuid.h"

namespace chronik {

inline Uuid random_uuid(Random& random) {
  const std::uint64_t high = random.next();
  return Uuid::from_random(high, random.next());
}

}  // namespace chronik
