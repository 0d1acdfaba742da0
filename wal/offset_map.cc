#include "wal/offset_map.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace chronik::wal {

OffsetMap::OffsetMap(std::uint64_t keys_wanted, std::uint64_t bytes_max, double load_max,
                     std::uint64_t seed)
    : seed_(seed) {
  static_assert(sizeof(Slot) == slot_bytes);
  // A free slot must be left, or a search for what is not there would not end.
  const double load = std::clamp(load_max, 0.05, 0.95);
  // With more room than that, searches are short.
  const double wanted = std::ceil(static_cast<double>(keys_wanted) / std::min(load, 0.6)) + 1;
  const std::uint64_t slots_max = bytes_max / slot_bytes;
  const auto allowed = static_cast<double>(slots_max);
  slots_.resize(static_cast<std::size_t>(std::max(2.0, std::min(wanted, allowed))));
  const auto share = static_cast<std::size_t>(std::ceil(static_cast<double>(slots_.size()) * load));
  keys_max_ = std::clamp<std::size_t>(share, 1, slots_.size() - 1);
}

std::size_t OffsetMap::place_of(std::uint64_t high, std::uint64_t low) const {
  auto place =
      static_cast<std::size_t>((static_cast<unsigned __int128>(low) * slots_.size()) >> 64);
  while (slots_[place].offset >= 0 && (slots_[place].high != high || slots_[place].low != low)) {
    if (++place == slots_.size()) place = 0;
  }
  return place;
}

bool OffsetMap::put(ByteView key, Offset offset) {
  CHECK(offset >= 0);
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  Slot& slot = slots_[place_of(hash.high64, hash.low64)];
  if (slot.offset < 0) {
    if (size_ == keys_max_) return false;
    ++size_;
    slot.high = hash.high64;
    slot.low = hash.low64;
  }
  slot.offset = std::max(slot.offset, offset);
  return true;
}

std::optional<Offset> OffsetMap::find(ByteView key) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  const Slot& slot = slots_[place_of(hash.high64, hash.low64)];
  return slot.offset < 0 ? std::nullopt : std::optional(slot.offset);
}

}  // namespace chronik::wal
