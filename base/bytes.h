// Bytes: a view, an owner, a shared slice, and a chain of slices and file ranges that leaves by
// writev and sendfile.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"

namespace chronik {

class File;

/// A view; the one who hands it over says how long the bytes live.
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

/// A slice of reference-counted memory. Copies share; a slice keeps the whole block alive.
/// Read-only by contract once a second holder exists; until then its only holder may patch it (a
/// record batch gets its offset where it was received). May be released on any thread.
class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(std::shared_ptr<std::uint8_t> owner, MutableByteView view)
      : owner_(std::move(owner)), data_(view.data()), size_(view.size()) {}

  /// Uninitialised memory of `size` bytes.
  static SharedBytes allocate(std::size_t size);
  static SharedBytes copy_of(ByteView bytes);
  /// Takes the vector over, without a copy.
  static SharedBytes adopt(Bytes bytes);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::uint8_t* data() const { return data_; }
  ByteView view() const { return {data_, size_}; }
  /// Precondition: the caller is the only one who reads or writes these bytes.
  MutableByteView mutable_view() { return {data_, size_}; }

  SharedBytes slice(std::size_t begin, std::size_t length) const {
    CHECK(begin <= size_ && length <= size_ - begin);
    return {owner_, MutableByteView{data_ + begin, length}};
  }

 private:
  std::shared_ptr<std::uint8_t> owner_;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A range of an open file, to be sent by sendfile. The bytes must not change while it is held.
struct FileRange {
  std::shared_ptr<const File> file;
  std::uint64_t position = 0;
  std::uint64_t size = 0;
};

/// What a response is made of: memory and file ranges in order.
class ByteChain {
 public:
  using Part = std::variant<SharedBytes, FileRange>;

  ByteChain() = default;
  /// Of one slice; not explicit, since a slice is a chain wherever one is taken.
  ByteChain(SharedBytes bytes) { append(std::move(bytes)); }  // NOLINT(google-explicit-constructor)

  void append(SharedBytes bytes) {
    if (!bytes.empty()) {
      size_ += bytes.size();
      parts_.emplace_back(std::move(bytes));
    }
  }
  void append(FileRange range) {
    if (range.size != 0) {
      size_ += range.size;
      parts_.emplace_back(std::move(range));
    }
  }
  void append(ByteChain other) {
    size_ += other.size_;
    for (Part& part : other.parts_) parts_.push_back(std::move(part));
  }

  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
};

}  // namespace chronik
