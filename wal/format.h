// Constants and names of the files that wal/format.md describes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::wal {

inline constexpr std::uint16_t format_version = 1;
/// Of a checkpoint that has something of compaction in it.
inline constexpr std::uint16_t compacted_checkpoint_version = 2;
/// Of one that makes frames of a journal void.
inline constexpr std::uint16_t journaled_checkpoint_version = 3;
inline constexpr std::uint64_t segment_bytes_limit = 0xffff'ffff;

inline constexpr std::string_view checkpoint_file = "checkpoint";
inline constexpr std::string_view new_checkpoint_file = "checkpoint.new";
inline constexpr std::string_view log_suffix = ".log";
inline constexpr std::string_view index_suffix = ".index";
inline constexpr std::string_view topic_suffix = ".topic";
inline constexpr std::string_view deleted_suffix = ".deleted";
inline constexpr std::string_view damaged_suffix = ".damaged";
/// Behind the name of a file that came from another replica and is not in force yet.
inline constexpr std::string_view received_suffix = ".received";

/// The bytes of each entry that the chain covers: all that its own CRC leaves out.
inline constexpr std::size_t chain_prefix_bytes = 21;
inline std::uint32_t extend_chain(std::uint32_t chain, ByteView prefix) {
  return crc32c_extend(chain, prefix.first(chain_prefix_bytes));
}

/// Names the files of a segment. Generation 0: as it was appended; above: written by compaction,
/// each time under a number that its directory never had.
struct SegmentName {
  Offset base_offset = 0;
  std::uint32_t generation = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): the compiler's comparison with 0, no pointer
  auto operator<=>(const SegmentName&) const = default;
};

/// {42}, ".log" -> "00000000000000000042.log"; {42, 7}, ".log" -> "00000000000000000042.7.log".
std::string segment_file_name(SegmentName segment, std::string_view suffix);
/// The way back; nothing when the name is another's.
std::optional<SegmentName> parse_segment_file_name(std::string_view name, std::string_view suffix);

std::string received_path(const std::string& directory, SegmentName segment,
                          std::string_view suffix);

std::string topic_file_name(const Uuid& topic_id);
std::optional<Uuid> parse_topic_file_name(std::string_view name);

/// Where the directory of a deleted partition waits for its removal.
std::string deleted_directory_name(const Uuid& topic_id, PartitionId partition);

}  // namespace chronik::wal
