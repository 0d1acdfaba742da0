// Constants and names of the files that wal/format.md describes.
#pragma once

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
inline constexpr std::uint64_t segment_bytes_limit = 0xffff'ffff;

inline constexpr std::string_view checkpoint_file = "checkpoint";
inline constexpr std::string_view new_checkpoint_file = "checkpoint.new";
inline constexpr std::string_view log_suffix = ".log";
inline constexpr std::string_view index_suffix = ".index";
inline constexpr std::string_view topic_suffix = ".topic";
inline constexpr std::string_view deleted_suffix = ".deleted";
inline constexpr std::string_view damaged_suffix = ".damaged";

/// The bytes of each entry that the chain covers: all that its own CRC leaves out.
inline constexpr std::size_t chain_prefix_bytes = 21;
inline std::uint32_t extend_chain(std::uint32_t chain, ByteView prefix) {
  return crc32c_extend(chain, prefix.first(chain_prefix_bytes));
}

/// 42, ".log" -> "00000000000000000042.log".
std::string segment_file_name(Offset base_offset, std::string_view suffix);
/// The base offset, when the name is 20 digits and `suffix`.
std::optional<Offset> parse_segment_file_name(std::string_view name, std::string_view suffix);

std::string topic_file_name(const Uuid& topic_id);
std::optional<Uuid> parse_topic_file_name(std::string_view name);

/// Where the directory of a deleted partition waits for its removal.
std::string deleted_directory_name(const Uuid& topic_id, PartitionId partition);

}  // namespace chronik::wal
