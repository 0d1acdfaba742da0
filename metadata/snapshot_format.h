// The header of a snapshot file and the names of snapshot files (metadata/format.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"

namespace chronik::metadata {

inline constexpr std::string_view snapshot_magic = "chrnkmsn";
inline constexpr std::uint16_t snapshot_format_version = 1;
inline constexpr std::size_t snapshot_header_size = 72;
inline constexpr std::string_view snapshot_suffix = ".snapshot";
inline constexpr std::string_view unfinished_suffix = ".new";

struct SnapshotHeader {
  LeaderEpoch epoch = no_leader_epoch;
  EntryIndex index = 0;
  Offset offset = 0;
  std::uint64_t events = 0;
  std::uint64_t plain_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t stored_hash = 0;

  bool operator==(const SnapshotHeader&) const = default;
};

Bytes encode_snapshot_header(const SnapshotHeader& header);
/// `path` is named in errors. Errors: corrupt, unsupported.
Result<SnapshotHeader> decode_snapshot_header(ByteView bytes, const std::string& path);

}  // namespace chronik::metadata
