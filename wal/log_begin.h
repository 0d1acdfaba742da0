// The begin of a log, as one replica gives it to another that needs entries which are no entries
// any more: segments that were compacted, and what deleted ones have taught (epochs, the owner's
// derived state). Facts are a Checkpoint that ends where entries go on; the bytes of its segments
// follow it.
//
// LogBeginReader gives them as one run of bytes, LogBeginReceiver makes files of it beside the log
// of the other replica, under names that a start removes; PartitionLog::restart_at() puts them in
// force. Both on the I/O thread, made on the shard; neither holds more than some batches in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "wal/checkpoint.h"
#include "wal/compaction_work.h"
#include "wal/flush_work.h"

namespace chronik::wal {

class LogBeginReader {
 public:
  /// `begin` is PartitionLog::begin_before() of the log in `directory`. Opens nothing yet.
  LogBeginReader(Disk& disk, const std::string& directory, const Checkpoint& begin);

  std::uint64_t size() const { return size_; }
  /// Fewer bytes only at the end. The files are opened by the first call, and read on when they are
  /// no longer part of the log. Errors: io, not_found (they were replaced before), corrupt.
  Result<std::size_t> read(std::uint64_t position, MutableByteView out);

 private:
  struct Part {
    std::string path;
    std::uint64_t position = 0;
    std::uint64_t size = 0;
    std::shared_ptr<File> file;
  };
  Result<void> open();

  Disk& disk_;
  Bytes head_;
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
  bool opened_ = false;
};

class LogBeginReceiver {
 public:
  /// PartitionLog::receive_begin() makes it. `sweeps`: files of receivers that were given up may
  /// go, none of them is about to be put in force.
  LogBeginReceiver(LogPlace place, std::uint32_t index_interval, std::uint32_t generation,
                   bool sweeps);

  /// Each byte once, in order; position 0 begins anew. Every batch is checked. Errors: corrupt,
  /// unsupported (from this sender nothing else is to be had); io; no_space, which may pass.
  Result<void> write(std::uint64_t position, ByteView bytes);
  /// All bytes were written. Durable on return, and in force nowhere yet. Errors: as write().
  Result<void> finish();

  /// What the log begins with, once its files have their final names; valid after finish().
  const Checkpoint& begin() const { return begin_; }

 private:
  Result<void> begin_anew();
  Result<std::size_t> take_head();
  Result<std::size_t> take_batches(std::size_t at);
  Result<void> take_batch(const protocol::BatchHeader& header, ByteView batch);
  Result<void> open_segment();
  Result<void> end_segment();
  Offset end_of_segment() const;
  Error damaged(const std::string& what) const;

  const LogPlace place_;
  const std::uint32_t index_interval_;
  const std::uint32_t generation_;
  const CompactionLimits limits_;
  const bool sweeps_;
  Bytes pending_;  // came, and is not yet a whole head or batch
  bool has_head_ = false;
  Checkpoint sent_;
  Checkpoint begin_;
  std::size_t segment_ = 0;  // of sent_, under the eye
  std::uint64_t taken_ = 0;  // of its bytes
  std::uint32_t chain_ = 0;
  Offset next_offset_ = 0;
  std::unique_ptr<CompactedSegmentWriter> writer_;
};

}  // namespace chronik::wal
