// Integers on the wire and on disk: big endian, varints of 7 bits a byte (least group first),
// zigzag for signed ones. Reader is sticky: after the first failure every read gives zero and ok()
// is false; check once at the end. It never allocates by a declared length.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"

namespace chronik {

namespace detail {
template <class T>
constexpr T to_big_endian(T value) {
  if constexpr (sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else {
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  }
}
static_assert(std::endian::native == std::endian::little, "byte order of the machine");
}  // namespace detail

/// The big-endian integer at `from`; sizeof(T) bytes must be there.
template <class T>
T load_be(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return detail::to_big_endian(value);
}

template <class T>
void store_be(std::uint8_t* to, T value) {
  value = detail::to_big_endian(value);
  std::memcpy(to, &value, sizeof value);
}

constexpr std::uint32_t zigzag(std::int32_t value) {
  return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t value) {
  return static_cast<std::int32_t>(value >> 1) ^ -static_cast<std::int32_t>(value & 1);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

class Reader {
 public:
  explicit Reader(ByteView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  /// Reads from shared memory: shared_slice() then keeps the block alive without a copy.
  explicit Reader(SharedBytes bytes) : Reader(bytes.view()) { source_ = std::move(bytes); }

  bool ok() const { return ok_; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  /// ok() and nothing left over.
  bool finished() const { return ok_ && at_ == end_; }
  void fail() {
    ok_ = false;
    at_ = end_;
  }

  std::int8_t i8() { return fixed<std::int8_t>(); }
  std::int16_t i16() { return fixed<std::int16_t>(); }
  std::int32_t i32() { return fixed<std::int32_t>(); }
  std::int64_t i64() { return fixed<std::int64_t>(); }
  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  double f64() { return std::bit_cast<double>(fixed<std::uint64_t>()); }

  /// At most 5 bytes and 32 bits; anything longer fails.
  std::uint32_t uvarint();
  /// At most 10 bytes and 64 bits; anything longer fails.
  std::uint64_t uvarlong();
  std::int32_t varint() { return unzigzag(uvarint()); }
  std::int64_t varlong() { return unzigzag(uvarlong()); }

  /// The next `length` bytes, or an empty view and failure. The view lives as long as the source.
  ByteView bytes(std::size_t length) {
    if (length > remaining()) [[unlikely]] {
      fail();
      return {};
    }
    ByteView view{at_, length};
    at_ += length;
    return view;
  }
  std::string_view text(std::size_t length) { return as_text(bytes(length)); }
  /// As bytes(), sharing the source's memory where it was given shared, else a copy.
  SharedBytes shared_slice(std::size_t length);

 private:
  template <class T>
  T fixed() {
    if (sizeof(T) > remaining()) [[unlikely]] {
      fail();
      return T{};
    }
    T value = load_be<T>(at_);
    at_ += sizeof(T);
    return value;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool ok_ = true;
  SharedBytes source_;
};

/// Appends to a growing buffer; chain() cuts it at spliced parts (records that leave by writev or
/// sendfile).
class Writer {
 public:
  void i8(std::int8_t value) { fixed(value); }
  void i16(std::int16_t value) { fixed(value); }
  void i32(std::int32_t value) { fixed(value); }
  void i64(std::int64_t value) { fixed(value); }
  void u8(std::uint8_t value) { fixed(value); }
  void u16(std::uint16_t value) { fixed(value); }
  void u32(std::uint32_t value) { fixed(value); }
  void u64(std::uint64_t value) { fixed(value); }
  void f64(double value) { fixed(std::bit_cast<std::uint64_t>(value)); }
  void uvarint(std::uint32_t value);
  void uvarlong(std::uint64_t value);
  void varint(std::int32_t value) { uvarint(zigzag(value)); }
  void varlong(std::int64_t value) { uvarlong(zigzag(value)); }
  void bytes(ByteView view) { buffer_.insert(buffer_.end(), view.begin(), view.end()); }
  void text(std::string_view view) { bytes(as_bytes(view)); }

  /// Everything so far, then `chain` as it is (no copy), then what follows.
  void splice(ByteChain chain);

  /// Bytes written so far, spliced ones included.
  std::uint64_t size() const { return chain_.size() + buffer_.size(); }
  /// Whether something was spliced in since the result was last taken: then only take_chain() gives
  /// it.
  bool spliced() const { return !chain_.empty(); }
  /// Overwrites four bytes at `position` of a writer that has spliced nothing (a length known only
  /// afterwards).
  void patch_i32(std::size_t position, std::int32_t value) {
    CHECK(chain_.empty() && position + 4 <= buffer_.size());
    store_be(buffer_.data() + position, value);
  }
  void reserve(std::size_t size) { buffer_.reserve(size); }

  /// The result of a writer that has spliced nothing. The writer is empty afterwards.
  Bytes take_bytes() {
    CHECK(chain_.empty());
    return std::exchange(buffer_, {});
  }
  /// The result as a chain. The writer is empty afterwards.
  ByteChain take_chain();

 private:
  template <class T>
  void fixed(T value) {
    std::size_t at = buffer_.size();
    buffer_.resize(at + sizeof(T));
    store_be(buffer_.data() + at, value);
  }

  Bytes buffer_;
  ByteChain chain_;
};

}  // namespace chronik
