// StreamHash: XXH3 (64 bits) of bytes that come piece by piece.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace chronik::metadata {

class StreamHash {
 public:
  StreamHash() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }

  void update(ByteView bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
  std::uint64_t digest() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace chronik::metadata
