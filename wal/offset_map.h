// OffsetMap: for each key the offset of its last record, as compaction needs it. Keys are kept as
// 128-bit hashes, 24 bytes a key, in memory that is bounded when it is made. The hash is seeded so
// that nobody can make keys that meet. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"

namespace chronik::wal {

class OffsetMap {
 public:
  static constexpr std::size_t slot_bytes = 24;

  /// Room for `keys_wanted` keys, or as many as `bytes_max` and `load_max` (the share of slots that
  /// may be taken) allow; at least for one.
  OffsetMap(std::uint64_t keys_wanted, std::uint64_t bytes_max, double load_max,
            std::uint64_t seed);

  /// Remembers `offset` unless a later one is known. False, without effect, when the key is new and
  /// there is no room.
  bool put(ByteView key, Offset offset);
  std::optional<Offset> find(ByteView key) const;

  std::size_t size() const { return size_; }
  std::size_t keys_max() const { return keys_max_; }
  std::size_t memory_bytes() const { return slots_.size() * slot_bytes; }

 private:
  struct Slot {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    Offset offset = -1;  // -1: free
  };

  /// The slot of the key, or the free one where it belongs.
  std::size_t place_of(std::uint64_t high, std::uint64_t low) const;

  std::vector<Slot> slots_;
  std::size_t keys_max_;
  std::size_t size_ = 0;
  std::uint64_t seed_;
};

}  // namespace chronik::wal
