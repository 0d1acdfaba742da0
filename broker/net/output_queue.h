// OutputQueue: what a connection has to send, in order: memory, gathered into few parts, and file
// ranges. Small pieces are copied behind one another, so that a thousand small responses leave as
// one piece; large ones are kept as they came. Empty, it holds no memory.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace chronik::broker {

class OutputQueue {
 public:
  /// Pieces up to this size are copied rather than sent as a part of their own.
  static constexpr std::size_t copied_bytes_max = 4096;
  /// Copied pieces gather in blocks of about this size.
  static constexpr std::size_t block_bytes = 64u << 10;

  void add_copy(ByteView bytes);
  void add(Bytes bytes);
  void add(SharedBytes bytes);
  void add(const ByteChain& chain);

  bool empty() const { return size_ == 0; }
  /// Bytes to send, those of file ranges included.
  std::uint64_t size() const { return size_; }
  /// Bytes of memory held: what a slow reader costs.
  std::uint64_t memory_size() const { return memory_size_; }

  /// Memory parts from the front, up to the first file range; their number. The views live until
  /// the next change.
  std::size_t gather(std::span<iovec> out) const;
  /// The file range at the front, advanced by what was consumed of it, or null.
  const FileRange* file_at_front() const;
  /// Whether a file range comes directly behind the memory that gather() gives.
  bool file_follows(std::size_t gathered) const;
  /// `size` bytes from the front have left.
  void consume(std::uint64_t size);
  /// Drops everything.
  void clear();

 private:
  using Part = std::variant<Bytes, SharedBytes, FileRange>;

  void append(const FileRange& range);
  static ByteView view_of(const Part& part);

  // parts_[first_] is the front, and `front_consumed_` bytes of it (memory parts only) have left.
  std::vector<Part> parts_;
  std::size_t first_ = 0;
  std::size_t front_consumed_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t memory_size_ = 0;
};

}  // namespace chronik::broker
