#include "broker/cli/metadata_commands.h"

#include <spdlog/fmt/fmt.h>

#include <ostream>

#include "broker/cli/command_line.h"
#include "metadata/image_events.h"
#include "metadata/meta_log_store.h"
#include "metadata/stored_image.h"
#include "wal/log_directory.h"

namespace chronik::broker::cli {

namespace {

/// That of the metadata log: `path` itself, or in it.
Result<std::string> metadata_directory(const std::string& path, Disk& disk) {
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  const std::string name = fmt::format("{}-{}", identity.topic, identity.partition);
  const std::string inside = "/" + name;
  for (const std::string& directory : {path + inside, path}) {
    if (!directory.ends_with(inside)) continue;
    TRY_ASSIGN(const bool there, disk.exists(directory));
    if (there) return directory;
  }
  return Error{Errc::not_found, fmt::format("{}: no data directory of a broker: there is no {} in "
                                            "it",
                                            path, name)};
}

}  // namespace

int dump_metadata(const MetadataDumpCommand& command, Disk& disk, const Console& console) {
  const std::string path = full_path(command.directory);
  note_a_running_broker(path, disk, console);
  const auto read = [&]() -> Result<metadata::StoredImage> {
    TRY_ASSIGN(const std::string directory, metadata_directory(path, disk));
    return metadata::read_stored_image(disk, directory, command.at);
  };
  const Result<metadata::StoredImage> stored = read();
  if (!stored) {
    console.err << "chronik: " << stored.error().message << "\n";
    return exit_failed;
  }
  console.out << fmt::format("index={} term={} committed={} last_index={} hash={:016x}\n",
                             stored->index, stored->term, stored->committed, stored->last_index,
                             metadata::image_hash(stored->image));
  if (!command.hash_only) console.out << metadata::dump_image(stored->image);
  console.out.flush();
  return exit_fine;
}

}  // namespace chronik::broker::cli
