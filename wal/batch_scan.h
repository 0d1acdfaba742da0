// Reading a segment file batch by batch: header by header where the bytes are trusted (HeaderWalk),
// or everything checked where they are not (check_entry, find_entry_behind, has_hole). Any thread;
// only reads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "protocol/record_batch.h"
#include "wal/format.h"

namespace chronik::wal {

struct EntryPlace {
  protocol::BatchHeader header;
  std::uint64_t position = 0;
  std::array<std::uint8_t, chain_prefix_bytes> prefix{};

  std::uint64_t end() const { return position + header.size(); }
};

/// Steps over the headers of batches that are known to be whole, reading a few KiB at a time.
class HeaderWalk {
 public:
  /// Batches from `position` (where one begins) to `end` (where one ends).
  HeaderWalk(const File& file, std::uint64_t position, std::uint64_t end)
      : file_(file), position_(position), end_(end) {}

  /// Nothing at the end. Errors: io; corrupt when no whole batch begins here after all.
  Result<std::optional<EntryPlace>> next();

 private:
  const File& file_;
  std::uint64_t position_;
  const std::uint64_t end_;
  std::uint64_t buffer_position_ = 0;
  std::size_t buffer_size_ = 0;
  std::array<std::uint8_t, 4096> buffer_;
};

/// What must be true of the next entry of a log.
struct ExpectedEntry {
  Offset base_offset = 0;
  /// False where compaction may have left gaps: then base_offset is the least.
  bool exact = true;
  LeaderEpoch epoch_min = no_leader_epoch;
};

/// A file in large pieces, for those who read all of it.
class ScanBuffer {
 public:
  ScanBuffer(const File& file, std::uint64_t file_size);

  std::uint64_t file_size() const { return size_; }
  /// Up to `size` bytes at `position`, fewer only at the end of the file. The view lives until the
  /// next call. Precondition: size <= window_bytes.
  Result<ByteView> at(std::uint64_t position, std::size_t size);
  Result<std::uint32_t> crc(std::uint64_t position, std::uint64_t size);

  static constexpr std::size_t window_bytes = 256 * 1024;

 private:
  const File& file_;
  const std::uint64_t size_;
  Bytes window_;
  std::uint64_t window_position_ = 0;
  std::size_t window_filled_ = 0;
};

/// What is wrong with the entry at a position, as a clause; empty when it is good.
struct CheckedEntry {
  EntryPlace place;  // as far as it could be read
  std::string problem;
  /// It does not follow the entry before it, which may be the one that is wrong.
  bool conflicts = false;

  bool good() const { return problem.empty(); }
};
/// Reads the whole entry at `position`. Precondition: position < file_size. Errors: io only.
Result<CheckedEntry> check_entry(ScanBuffer& buffer, std::uint64_t position,
                                 const ExpectedEntry& expected);

/// The position of the first good entry behind a bad one, at `from` or later, whose base offset is
/// `expected.base_offset` or a little more. Work is bounded whatever the bytes are; when the bound
/// is met the answer is the place where the search gave up.
Result<std::optional<std::uint64_t>> find_entry_behind(ScanBuffer& buffer, std::uint64_t from,
                                                       const ExpectedEntry& expected);
/// What a bad entry is.
struct BadEntry {
  /// A write that was under way when the process or the machine died; otherwise damage.
  bool torn = false;
  /// Where a good entry follows, or the bad one itself, when all of it is there that its CRC
  /// covers.
  std::optional<std::uint64_t> behind;
};
/// Judges what lies at `position`, where the entry with `base_offset` should be and no good one is.
/// Precondition: nothing behind `position` is known to have been synced. Errors: io.
Result<BadEntry> judge_bad_entry(ScanBuffer& buffer, std::uint64_t position, Offset base_offset);
/// Whether a sector that overlaps [begin, end) is all zeros behind `begin`, where the entry with
/// this base offset should begin: never written.
Result<bool> has_hole(ScanBuffer& buffer, std::uint64_t begin, std::uint64_t end,
                      Offset base_offset);

}  // namespace chronik::wal
