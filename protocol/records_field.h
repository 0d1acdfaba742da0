// The `records` of a Produce request or a Fetch response: null, or bytes that nobody copies.
// Decoding takes one slice of the received frame; encoding splices the chain (memory or file
// ranges) into the response.
#pragma once

#include "base/bytes.h"

namespace chronik::protocol {

struct RecordsField {
  bool null = true;  // a fresh message holds null, as Kafka's does
  ByteChain chain;   // empty when null

  RecordsField() = default;
  explicit RecordsField(ByteChain bytes) : null(false), chain(std::move(bytes)) {}
  explicit RecordsField(SharedBytes bytes) : null(false) { chain.append(std::move(bytes)); }

  /// What a decoded field holds: one slice, or nothing (null and empty alike).
  SharedBytes slice() const;

  /// Equal bytes; of file ranges the same range of the same file.
  bool operator==(const RecordsField& other) const;
};

}  // namespace chronik::protocol
