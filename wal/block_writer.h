// BlockWriter: brings many small parts to a file in whole blocks, past the page cache where the
// file system can (File::write_blocks()): for what is read again after a crash only. The first
// block is written last. On one thread.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"

namespace chronik::wal {

class BlockWriter {
 public:
  /// Memory for so many bytes at most, and one block.
  static constexpr std::size_t chunk_bytes_max = 1u << 20;

  /// From `position` on, a multiple of block_bytes, as `bytes` is: all that will be written.
  BlockWriter(File& file, std::uint64_t position, std::uint64_t bytes);

  /// Nothing is durable, here and below. Errors: those of File::write_at().
  Result<void> add(ByteView part);
  /// The rest is zeros. `late` was not known before: it replaces what was added at `late_at`, in
  /// the first block.
  Result<void> finish(std::size_t late_at, ByteView late);

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };

  Result<void> write_chunk();

  File& file_;
  const std::uint64_t position_;
  const std::uint64_t bytes_;
  const std::size_t chunk_bytes_;
  std::unique_ptr<std::uint8_t, Free> memory_;  // a chunk, and the first block behind it
  std::uint64_t written_ = 0;                   // of bytes_, the first block with them
  std::size_t filled_ = 0;                      // of the chunk
};

}  // namespace chronik::wal
