#include "metadata/raft_meta_log.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/log.h"
#include "protocol/record_batch.h"

namespace chronik::metadata {

// One that is sent. Opened on the I/O thread by the first read.
class RaftMetaLog::Reader final : public raft::SnapshotReader {
 public:
  Reader(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  Result<std::uint64_t> size() override {
    TRY(open());
    return file_->size();
  }
  Result<std::size_t> read(std::uint64_t position, MutableByteView out) override {
    TRY(open());
    return file_->read_at(position, out);
  }

 private:
  Result<void> open() {
    if (file_ != nullptr) return {};
    TRY_ASSIGN(file_, disk_.open(path_, OpenMode::read));
    return {};
  }
  Disk& disk_;
  const std::string path_;
  std::shared_ptr<File> file_;
};

// One that comes in: under a name of its own until the log begins behind it, so that a start never
// takes it for a snapshot of this node's log.
class RaftMetaLog::Receiver final : public raft::SnapshotReceiver {
 public:
  Receiver(Disk& disk, std::string directory, std::string path, raft::SnapshotMeta meta)
      : disk_(disk),
        directory_(std::move(directory)),
        path_(std::move(path)),
        meta_(std::move(meta)) {}

  Result<void> write(std::uint64_t position, ByteView bytes) override {
    if (file_ == nullptr || position == 0) {
      TRY_ASSIGN(file_, disk_.open(path_, OpenMode::create));
      TRY(file_->truncate(0));
    }
    return file_->write_at(position, bytes);
  }
  Result<void> finish() override {
    TRY(file_->sync_data());
    TRY(disk_.sync_directory(directory_));
    TRY_ASSIGN(loaded, load_snapshot(disk_, path_));
    if (loaded.info.index != meta_.index || loaded.info.epoch != meta_.term) {
      return Error{
          Errc::corrupt,
          fmt::format("{}: it ends with entry {} of term {}, the leader had said {} of {}", path_,
                      loaded.info.index, loaded.info.epoch, meta_.index, meta_.term)};
    }
    return {};
  }
  wal::Checkpoint log_begin() const override {
    return wal::nothing_before(loaded.info.offset, meta_.index, meta_.term);
  }
  Result<void> publish() override {
    loaded.info.path = snapshot_path(directory_, loaded.info.offset);
    TRY(disk_.rename(path_, loaded.info.path));
    return disk_.sync_directory(directory_);
  }

  LoadedSnapshot loaded;

 private:
  Disk& disk_;
  const std::string directory_;
  const std::string path_;
  const raft::SnapshotMeta meta_;
  std::shared_ptr<File> file_;
};

RaftMetaLog::RaftMetaLog(wal::LogEnvironment& environment, wal::IoExecutor& executor,
                         RaftMetaLogOptions options)
    : environment_(environment),
      options_(std::move(options)),
      snapshots_(environment, executor, options_.log.directory, options_.log.snapshot_log_bytes_min,
                 [this](const SnapshotInfo& written) { on_snapshot_written(written); }) {}

RaftMetaLog::~RaftMetaLog() = default;

Result<std::unique_ptr<RaftMetaLog>> RaftMetaLog::open(wal::LogEnvironment& environment,
                                                       wal::GroupCommit& group_commit,
                                                       wal::IoExecutor& executor,
                                                       raft::RaftReplicaManager& manager,
                                                       RaftMetaLogOptions options) {
  std::unique_ptr<RaftMetaLog> store(new RaftMetaLog(environment, executor, std::move(options)));
  TRY(store->start(group_commit, manager));
  return store;
}

Result<void> RaftMetaLog::start(wal::GroupCommit& group_commit, raft::RaftReplicaManager& manager) {
  raft::ReplicaPlace place{manager.node(),
                           options_.log.directory,
                           metadata_log_identity(),
                           metadata_log_settings(options_.log),
                           nullptr,
                           options_.voters,
                           [this] { return received(); }};
  place.rests = options_.rests;
  TRY_ASSIGN(raft::ReplicaFiles files, raft::open_replica_files(environment_, group_commit, place));
  TRY(settle_received(files.store->log()));
  TRY_ASSIGN(MetaSnapshots::Loaded loaded, snapshots_.load(files.store->log().log_start_offset()));
  recovery_.snapshot = loaded.info.path;
  recovery_.damaged_snapshot = loaded.damaged;
  if (loaded.image != nullptr) {
    state_ = MetadataStateMachine(std::move(loaded.image));
    applied_epoch_ = loaded.info.epoch;
  }
  TRY(settle_log(files, place, group_commit, loaded.info));
  recovery_.log_lost = files.log_damaged;
  if (recovery_.log_lost) {
    log_warn("this node copies the metadata from the others; it does not vote until it has it",
             {{"directory", options_.log.directory}, {"from_entry", state_.applied_index() + 1}});
  }
  replica_ = &manager.add(std::move(place), std::move(files), *this, state_.applied_index());
  on_leadership(replica_->leadership());
  snapshots_.maybe_write(image(), applied_epoch_);
  return {};
}

std::string RaftMetaLog::received_path() const {
  return options_.log.directory + "/received.snapshot.part";
}

Result<std::optional<raft::ReceivedSnapshot>> RaftMetaLog::received() const {
  std::optional<raft::ReceivedSnapshot> found;
  TRY_ASSIGN(const bool there, environment_.disk.exists(received_path()));
  if (!there) return found;
  const Result<LoadedSnapshot> loaded = load_snapshot(environment_.disk, received_path());
  if (loaded) {
    found = {loaded->info.index, loaded->info.epoch, loaded->info.offset};
  } else if (loaded.error().code == Errc::io) {
    return loaded.error();
  }
  return found;
}

/// A process before this one may have died between the log's new begin and the snapshot's name.
Result<void> RaftMetaLog::settle_received(const wal::PartitionLog& log) {
  Disk& disk = environment_.disk;
  TRY_ASSIGN(const bool there, disk.exists(received_path()));
  if (!there) return {};
  const Result<LoadedSnapshot> loaded = load_snapshot(disk, received_path());
  const bool begins_behind = loaded && log.start_index() == loaded->info.index + 1 &&
                             log.log_start_offset() == loaded->info.offset;
  if (!loaded && loaded.error().code == Errc::io) return loaded.error();
  if (begins_behind) {
    TRY(disk.rename(received_path(), snapshot_path(options_.log.directory, loaded->info.offset)));
  } else {
    TRY(disk.remove(received_path()));
  }
  return disk.sync_directory(options_.log.directory);
}

/// The log and the snapshot must meet; where they do not, what is missing is with the others.
Result<void> RaftMetaLog::settle_log(raft::ReplicaFiles& files, const raft::ReplicaPlace& place,
                                     wal::GroupCommit& group_commit, const SnapshotInfo& snapshot) {
  const std::string& directory = options_.log.directory;
  const wal::PartitionLog& log = files.store->log();
  const EntryIndex applied = state_.applied_index();
  const bool ends_before = applied > log.last_index();
  const bool begins_behind =
      applied < log.start_index() - 1 || state_.applied_offset() < log.log_start_offset();
  const bool differs =
      !ends_before && !begins_behind && applied > 0 && log.epoch_at(applied) != snapshot.epoch;
  if (!ends_before && !begins_behind && !differs) return {};
  Error error{
      Errc::corrupt,
      fmt::format("{}: the metadata log has entries {} to {}, and snapshot '{}' ends with {}: "
                  "entries that were durable are missing",
                  directory, log.start_index(), log.last_index(), snapshot.path, applied)};
  const std::vector<raft::NodeId>& voters = files.state.base.membership.voters;
  if (voters.size() == 1 && voters.front() == place.node) return with_way_out(std::move(error));
  log_error("the metadata log is damaged: it is copied from the other nodes again",
            {{"why", error.message}});
  // Not even from the snapshot on: who belonged to the cluster at its end, the log has said.
  TRY(raft::give_up_log(files, environment_, group_commit, place));
  TRY(snapshots_.set_aside());
  state_ = MetadataStateMachine();
  applied_epoch_ = no_leader_epoch;
  recovery_.snapshot.clear();
  return {};
}

void RaftMetaLog::propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
                          ProposeDone done) {
  if (closed_) return done(Error{Errc::closed, "the broker is stopping"});
  Result<SharedBytes> entry = write_entry(events, options_.log.now());
  if (!entry) return done(std::move(entry).error());
  raft::ProposeOptions how;
  how.only_in_term = options.only_in_term;
  how.idempotent = options.idempotent;
  how.timeout = milliseconds(options_.propose_timeout_ms);
  replica_->propose(std::move(*entry), how,
                    [this, done = std::move(done)](Result<raft::Position> position) {
                      if (!position) return done(std::move(position).error());
                      if (failed_) return done(Error{Errc::closed, "this node has failed"});
                      // Its entry is among those that apply() has just had.
                      const auto at = static_cast<std::size_t>(position->index - results_begin_);
                      CHECK(position->index >= results_begin_ && at < results_.size());
                      done(std::move(results_[at]));
                    });
}

void RaftMetaLog::read_barrier(std::function<void(Result<void>)> done) {
  replica_->read(milliseconds(options_.propose_timeout_ms),
                 [done = std::move(done)](Result<raft::Index> index) {
                   done(index ? Result<void>() : Result<void>(std::move(index).error()));
                 });
}

void RaftMetaLog::close() {
  closed_ = true;
  snapshots_.stop();
}

void RaftMetaLog::apply(std::span<const raft::Entry> entries) {
  results_.clear();
  results_begin_ = entries.front().index;
  if (failed_) return;
  for (const raft::Entry& entry : entries) {
    if (entry.kind != raft::EntryKind::data) {
      results_.push_back(state_.apply(entry.index, state_.applied_offset(), {}));
    } else {
      Result<ApplyResults> applied = state_.apply(entry.index, entry.payload.view());
      if (!applied) {
        // Going on without it would make this node's image another one than everybody else's.
        failed_ = true;
        return environment_.on_fatal(
            {applied.error().code, fmt::format("{}: entry {}: {}", options_.log.directory,
                                               entry.index, applied.error().message)});
      }
      results_.push_back(std::move(*applied));
    }
    applied_epoch_ = entry.term;
    snapshots_.add_log_bytes(entry.bytes());
  }
  state_.publish();
  snapshots_.maybe_write(image(), applied_epoch_);
}

void RaftMetaLog::on_leadership(const raft::Leadership& now) {
  const Leadership told{now.leader, now.term, now.ready};
  if (told == leadership_) return;
  leadership_ = told;
  state_.tell_leadership(leadership_);
}

void RaftMetaLog::on_snapshot_written(const SnapshotInfo& written) {
  if (!replica_->on_snapshot_written(written.index)) return;
  if (const std::optional<Offset> needed = snapshots_.log_needed_from()) replica_->compact(*needed);
}

std::shared_ptr<raft::SnapshotReader> RaftMetaLog::open_snapshot(raft::Index index) {
  if (snapshots_.names().empty() || snapshots_.newest_index() != index) return nullptr;
  return std::make_shared<Reader>(environment_.disk, snapshots_.names().front().path);
}

std::shared_ptr<raft::SnapshotReceiver> RaftMetaLog::receive_snapshot(
    const raft::SnapshotMeta& meta) {
  return std::make_shared<Receiver>(environment_.disk, options_.log.directory, received_path(),
                                    meta);
}

void RaftMetaLog::restore(const raft::SnapshotMeta&, raft::SnapshotReceiver& received) {
  LoadedSnapshot& loaded = static_cast<Receiver&>(received).loaded;
  snapshots_.adopt(loaded.info);
  applied_epoch_ = loaded.info.epoch;
  results_.clear();
  state_.restore(std::move(loaded.image));
}

}  // namespace chronik::metadata
