// ApiTable: finds the entry of an API key. The broker's own table is in table.h; tests make others.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "broker/api/handler.h"
#include "broker/runtime/metrics.h"

namespace chronik::broker {

class ApiTable {
 public:
  /// The entries must live as long as the table. Precondition: keys in [0, api_key_limit), each
  /// once.
  constexpr explicit ApiTable(std::span<const ApiEntry> entries) : entries_(entries) {
    for (const ApiEntry& entry : entries) by_key_[static_cast<std::size_t>(entry.key)] = &entry;
  }

  std::span<const ApiEntry> entries() const { return entries_; }

  /// Null for a key that is not served.
  const ApiEntry* find(std::int16_t key) const {
    if (key < 0 || static_cast<std::size_t>(key) >= by_key_.size()) return nullptr;
    return by_key_[static_cast<std::size_t>(key)];
  }

 private:
  std::span<const ApiEntry> entries_;
  std::array<const ApiEntry*, api_key_limit> by_key_{};
};

}  // namespace chronik::broker
