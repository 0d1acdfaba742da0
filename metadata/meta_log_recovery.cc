#include <spdlog/fmt/fmt.h>

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "metadata/meta_log_store.h"
#include "protocol/record_batch.h"
#include "raft/multi/state_file.h"

namespace chronik::metadata {

namespace {

constexpr std::uint64_t replay_bytes = 1 << 20;

constexpr const char* ways_out =
    "put back a copy of this directory from a backup; or, if other nodes of a cluster have the "
    "metadata, remove it, and this node copies it from them";

}  // namespace

Error with_way_out(Error error) {
  error.message += fmt::format("; {}", ways_out);
  return error;
}

Result<void> MetaLogStore::recover() {
  const std::string state_file = options_.directory + "/" + raft::state_file_name;
  TRY_ASSIGN(const bool of_a_cluster, environment_.disk.exists(state_file));
  if (of_a_cluster) {
    return Error{Errc::invalid_argument,
                 fmt::format("{} is the metadata of a node of a cluster, and no cluster.nodes is "
                             "set: alone, it would drop what the others know. Set cluster.nodes as "
                             "it was, or start with another data directory",
                             options_.directory)};
  }
  TRY_ASSIGN(log_, wal::PartitionLog::open(environment_, options_.directory,
                                           metadata_log_identity(), metadata_log_settings(options_),
                                           nullptr, environment_.sync_of(options_.directory)));
  group_.add(*log_);
  TRY_ASSIGN(MetaSnapshots::Loaded loaded, snapshots_.load(log_->log_start_offset()));
  recovery_.damaged_snapshot = std::move(loaded.damaged);
  if (loaded.image != nullptr) {
    recovery_.snapshot = loaded.info.path;
    state_ = MetadataStateMachine(std::move(loaded.image));
  } else if (loaded.damage && log_->log_start_offset() > 0) {
    return with_way_out(std::move(*loaded.damage));
  }
  TRY(check_reach());
  return replay();
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
  snapshots_.add_log_bytes(batch.size());
  return {};
}

}  // namespace chronik::metadata
