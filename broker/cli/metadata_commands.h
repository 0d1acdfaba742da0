// `chronik metadata dump DIR`: the metadata as the directory of a stopped node has it, and a hash
// by which the images of two nodes are compared. What it is says metadata/stored_image.h; here is
// how it is told.
#pragma once

#include <optional>
#include <string>

#include "base/file.h"
#include "base/types.h"
#include "broker/cli/data_directory.h"

namespace chronik::broker::cli {

struct MetadataDumpCommand {
  std::string directory;
  std::optional<EntryIndex> at;
  bool hash_only = false;
};

/// The exit code: exit_failed when the directory does not give the image.
int dump_metadata(const MetadataDumpCommand& command, Disk& disk, const Console& console);

}  // namespace chronik::broker::cli
