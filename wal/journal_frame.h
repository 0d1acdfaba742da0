// One frame of a journal (wal/format.md, "Journal"): the small appends that one group commit made
// to many logs, with where in which segment each belongs. A frame is written at once and synced
// before the next one is begun. Built on the I/O thread; read at a start, and by tools.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/coding.h"
#include "base/file.h"
#include "base/types.h"
#include "wal/log_settings.h"

namespace chronik::wal {

/// Frames begin at multiples of it, so that a recycled file is written in whole pages.
inline constexpr std::size_t journal_block_bytes = File::block_bytes;

inline constexpr std::uint64_t round_up_to_block(std::uint64_t bytes) {
  return (bytes + journal_block_bytes - 1) / journal_block_bytes * journal_block_bytes;
}

/// In place of a segment: the state that Raft keeps beside the log (raft/multi/state_file.h).
inline constexpr Offset state_segment = -1;

/// What one append was. The bytes live as long as what was decoded.
struct JournalWrite {
  Uuid topic_id;
  PartitionId partition = 0;
  std::string_view directory;  // its name in the data directory
  Offset segment = 0;          // base offset, or state_segment
  std::uint64_t position = 0;
  ByteView bytes;
};

/// Which frame: of the journals since which start, and the how manieth of its journal, from 1.
struct FrameNumber {
  std::uint64_t epoch = 0;
  std::uint64_t lsn = 0;
  /// Of frames up to this one the segments have all, synced.
  std::uint64_t released = 0;
};

struct JournalFrame {
  FrameNumber number;
  std::vector<JournalWrite> writes;
  std::uint64_t bytes = 0;  // of the file, in whole blocks
};

/// The frame that begins at the beginning of `bytes`; nothing where none does, or not all of it is
/// there.
std::optional<JournalFrame> decode_journal_frame(ByteView bytes);

class JournalFrameBuilder {
 public:
  static constexpr std::uint64_t header_bytes = 64;
  /// What an append adds to a frame.
  static std::uint64_t bytes_of(std::string_view directory, std::uint64_t append_bytes);

  /// The parts, one behind the other, belong at `position` of the segment; what they point to must
  /// live until the frame is written.
  void add(const LogIdentity& identity, std::string_view directory, Offset segment,
           std::uint64_t position, std::span<const ByteView> parts);

  bool empty() const { return writes_ == 0; }
  /// Nothing is durable. Errors: those of File::write_at().
  Result<void> write(File& file, std::uint64_t position, const FrameNumber& number);

 private:
  Writer table_;
  std::uint32_t writes_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::vector<ByteView> parts_;
};

}  // namespace chronik::wal
