// StoredImage: what the metadata is by the files of a node that does not run: its newest snapshot
// and the log behind it (metadata/format.md). For tools; changes nothing, and takes no part in any
// start. Any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "metadata/image.h"

namespace chronik::metadata {

struct StoredImage {
  std::shared_ptr<const Image> image;
  /// The last entry in it (0: none), and the term in which it was written.
  EntryIndex index = 0;
  LeaderEpoch term = no_leader_epoch;
  /// As far as this node knew that entries are committed. Without a cluster: all of them.
  EntryIndex committed = 0;
  /// The last entry of the log; those behind `committed` may be taken back.
  EntryIndex last_index = 0;
};

/// `directory` is that of the metadata log. With `at`, the image after that entry; else after the
/// last one that this node knew to be committed. Two nodes whose images have the same index and
/// term have equal images, or something is wrong with one of them. Errors: not_found, io, corrupt,
/// unsupported; out_of_range: `at` is behind the end of the log, or before what snapshots and log
/// still tell apart.
Result<StoredImage> read_stored_image(Disk& disk, const std::string& directory,
                                      std::optional<EntryIndex> at);

}  // namespace chronik::metadata
