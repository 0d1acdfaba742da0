// BufferPool: memory for received bytes. Big frames (1 MiB batches) would otherwise cost a fresh
// mmap and its page faults each; here a released buffer waits on a free list of its size class. One
// pool a shard; take() on the shard, release on any thread (the flush thread lets go of batches).
//
// Bounded: at most `free_bytes_max` lie on the free lists; trim() gives them back to the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace chronik::broker {

class BufferPool {
 public:
  explicit BufferPool(std::size_t free_bytes_max);

  /// Uninitialised memory of exactly `size` bytes; pooled when it is not small.
  SharedBytes take(std::size_t size);

  /// Frees what lies on the free lists; what is out comes back as usual.
  void trim();
  std::size_t free_bytes() const;
  /// Pooled buffers that are out.
  std::size_t taken() const;

  /// Below this a buffer is a plain allocation.
  static constexpr std::size_t pooled_bytes_min = 64u << 10;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The block of memory that small requests are received into: requests of many connections, one
/// behind the other, each a slice that keeps the block alive. One a shard.
class ReceiveSlab {
 public:
  static constexpr std::size_t slab_bytes = 128u << 10;
  static constexpr std::size_t room_bytes_min = 16u << 10;

  explicit ReceiveSlab(BufferPool& pool) : pool_(pool) {}

  /// Where the next bytes may go; at least room_bytes_min.
  MutableByteView room();
  /// The first `size` bytes of room() hold something now: a slice of them.
  SharedBytes commit(std::size_t size);

 private:
  BufferPool& pool_;
  SharedBytes block_;
  std::size_t used_ = 0;
};

}  // namespace chronik::broker
