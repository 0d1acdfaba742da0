// `chronik log dump DIR`: what lies in one partition or in a whole data directory, one line a
// batch, if wanted one line a record below it; damage as lines of its own. Changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "base/types.h"

namespace chronik::wal {

struct DumpOptions {
  bool records = false;
  /// Keys and values are shown up to so many bytes.
  std::size_t preview_bytes = 64;
  std::optional<Offset> from = {};   // batches that end below it are left out
  std::optional<Offset> below = {};  // and those that begin here or later
};

/// `line` gets each line without its end. The number of damages met, torn tails and indexes not
/// counted. Errors: io, not_found, invalid_argument.
Result<std::uint64_t> dump_logs(Disk& disk, const std::string& path, const DumpOptions& options,
                                const std::function<void(std::string_view line)>& line);

}  // namespace chronik::wal
