#include <spdlog/fmt/fmt.h>

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "metadata/meta_log_store.h"
#include "protocol/record_batch.h"

namespace chronik::metadata {

namespace {

constexpr std::uint64_t replay_bytes = 1 << 20;

constexpr const char* ways_out =
    "put back a copy of this directory from a backup; or, if other nodes of a cluster have the "
    "metadata, remove it, and this node copies it from them";

Error with_way_out(Error error) {
  error.message += fmt::format("; {}", ways_out);
  return error;
}

wal::SharedLogSettings log_settings(const MetaLogOptions& options) {
  auto settings = std::make_shared<wal::LogSettings>();
  settings->segment_bytes = options.segment_bytes;
  // Only snapshots shorten it.
  settings->delete_old = false;
  settings->retention_ms = std::nullopt;
  return settings;
}

}  // namespace

Result<void> MetaLogStore::recover() {
  TRY_ASSIGN(log_,
             wal::PartitionLog::open(environment_, options_.directory, metadata_log_identity(),
                                     log_settings(options_), nullptr));
  group_.add(*log_);
  TRY_ASSIGN(const FoundSnapshots found, find_snapshots(environment_.disk, options_.directory));
  for (const std::string& path : found.unfinished) {
    if (Result<void> removed = environment_.disk.remove(path); !removed) {
      log_warn("an unfinished snapshot of the metadata stays",
               {{"file", path}, {"why", removed.error().message}});
    }
  }
  TRY(take_snapshot(found));
  TRY(check_reach());
  return replay();
}

Result<void> MetaLogStore::take_snapshot(const FoundSnapshots& found) {
  std::optional<Error> damage;
  for (const SnapshotName& name : found.snapshots) {
    if (snapshots_.size() == 2) {
      superfluous_.push_back(name.path);
      continue;
    }
    if (!snapshots_.empty()) {
      snapshots_.push_back(name);
      continue;
    }
    if (damage && name.offset < log_->log_start_offset()) break;
    Result<LoadedSnapshot> loaded = load_snapshot(environment_.disk, name.path);
    if (!loaded && loaded.error().code != Errc::corrupt) return std::move(loaded).error();
    if (!loaded) {
      log_error("a snapshot of the metadata is damaged; an older one may do",
                {{"why", loaded.error().message}});
      if (!damage) damage = std::move(loaded).error();
      recovery_.damaged_snapshot = name.path;
      superfluous_.push_back(name.path);
      snapshot_wanted_ = true;
      continue;
    }
    recovery_.snapshot = name.path;
    snapshot_file_bytes_ = loaded->info.file_bytes;
    state_ = MetadataStateMachine(loaded->image);
    snapshots_.push_back(name);
  }
  if (snapshots_.empty() && damage && log_->log_start_offset() > 0) {
    return with_way_out(std::move(*damage));
  }
  return {};
}

Result<void> MetaLogStore::check_reach() const {
  const std::string& directory = options_.directory;
  if (state_.applied_offset() > log_->end_offset() || state_.applied_index() > log_->last_index()) {
    return with_way_out(
        {Errc::corrupt,
         fmt::format("{}: the metadata log ends at offset {}, before its snapshot {}: entries that "
                     "were durable are missing",
                     directory, log_->end_offset(), recovery_.snapshot)});
  }
  if (state_.applied_offset() < log_->log_start_offset()) {
    return with_way_out(
        {Errc::corrupt,
         fmt::format("{}: the metadata log begins at offset {}, and no snapshot covers what came "
                     "before it",
                     directory, log_->log_start_offset())});
  }
  return {};
}

Result<void> MetaLogStore::replay() {
  while (state_.applied_index() < log_->last_index()) {
    TRY_ASSIGN(const wal::EntrySlice slice,
               log_->read_entries(state_.applied_index() + 1, replay_bytes));
    TRY_ASSIGN(const SharedBytes bytes, wal::gather(slice.bytes));
    ByteView rest = bytes.view();
    while (rest.size() >= protocol::batch_header_size) {
      const std::size_t size = protocol::read_batch_header(rest).size();
      if (size > rest.size()) break;
      TRY(replay_entry(rest.first(size)));
      rest = rest.subspan(size);
    }
    CHECK_MSG(state_.applied_index() + 1 == slice.next,
              fmt::format("applied {}, read up to {}", state_.applied_index(), slice.next));
    // Images between the slices are of no use to anybody, but bound what a builder collects.
    state_.publish();
  }
  return {};
}

Result<void> MetaLogStore::replay_entry(ByteView batch) {
  const Offset base = protocol::read_batch_header(batch).base_offset;
  if (base != state_.applied_offset()) {
    return with_way_out(
        {Errc::corrupt, fmt::format("{}: entry {} of the metadata log is at offset {}, not at {} "
                                    "as snapshot '{}' has it",
                                    options_.directory, state_.applied_index() + 1, base,
                                    state_.applied_offset(), recovery_.snapshot)});
  }
  Result<ApplyResults> applied = state_.apply(state_.applied_index() + 1, batch);
  if (!applied) {
    Error error{applied.error().code,
                fmt::format("{}: {}", options_.directory, applied.error().message)};
    return error.code == Errc::unsupported ? error : with_way_out(std::move(error));
  }
  ++recovery_.replayed_entries;
  recovery_.replayed_bytes += batch.size();
  log_bytes_since_ += batch.size();
  return {};
}

}  // namespace chronik::metadata
