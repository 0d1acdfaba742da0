#include "metadata/meta_log_store.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace chronik::metadata {

// Shared with the I/O thread; `store` is null once the store has gone.
struct MetaLogStore::SnapshotTask {
  SnapshotTask(MetaLogStore* owner, Disk& disk, const std::string& directory,
               std::shared_ptr<const Image> image, LeaderEpoch epoch)
      : store(owner), writer(disk, directory, std::move(image), epoch) {}

  MetaLogStore* store;
  SnapshotWriter writer;
  std::optional<Result<bool>> finished;  // of the last step
  std::uint64_t log_bytes = 0;           // log_bytes_since_ of the image it writes
};

wal::LogIdentity metadata_log_identity() {
  Uuid id;
  id.bytes.back() = 1;
  return {"__meta", 0, id};
}

MetaLogStore::MetaLogStore(wal::LogEnvironment& environment, wal::GroupCommit& group,
                           wal::IoExecutor& executor, MetaLogOptions options)
    : environment_(environment), group_(group), executor_(executor), options_(std::move(options)) {}

MetaLogStore::~MetaLogStore() {
  if (snapshot_ != nullptr) snapshot_->store = nullptr;
  if (log_ != nullptr) log_->set_listener(nullptr);
  for (Pending& pending : std::exchange(pending_, {})) {
    pending.done(Error{Errc::closed, "the broker is stopping"});
  }
}

Result<std::unique_ptr<MetaLogStore>> MetaLogStore::open(wal::LogEnvironment& environment,
                                                         wal::GroupCommit& group,
                                                         wal::IoExecutor& executor,
                                                         MetaLogOptions options) {
  std::unique_ptr<MetaLogStore> store(
      new MetaLogStore(environment, group, executor, std::move(options)));
  TRY(store->recover());
  store->log_->set_listener(store.get());
  store->maybe_snapshot();
  return store;
}

void MetaLogStore::propose(std::vector<MetadataEvent> events, ProposeDone done) {
  if (closed_) return done(Error{Errc::closed, "the broker is stopping"});
  Result<SharedBytes> entry = write_entry(events, options_.now());
  if (!entry) return done(std::move(entry).error());
  SharedBytes batch = std::move(*entry);
  if (pending_bytes_ + batch.size() > options_.pending_bytes_max && !pending_.empty()) {
    return done(
        Error{Errc::busy, fmt::format("{} bytes of metadata changes wait for the disk; retry later",
                                      pending_bytes_)});
  }
  const Offset base = log_->end_offset();
  protocol::set_base_offset(batch.mutable_view(), base);
  // Without a cluster there is one epoch; a log that comes from a cluster keeps its last.
  protocol::set_leader_epoch(batch.mutable_view(), std::max(log_->last_epoch(), LeaderEpoch{0}));
  Pending pending;
  pending.next_offset = base + static_cast<Offset>(events.size());
  pending.bytes = batch.size();
  pending.events = std::move(events);
  pending.done = std::move(done);
  log_->append(std::move(batch));
  pending.index = log_->last_index();
  CHECK(log_->end_offset() == pending.next_offset);
  pending_bytes_ += pending.bytes;
  pending_.push_back(std::move(pending));
  group_.mark_dirty(*log_);
}

void MetaLogStore::on_durable(wal::PartitionLog& log) {
  std::vector<std::pair<ProposeDone, ApplyResults>> finished;
  while (!pending_.empty() && pending_.front().next_offset <= log.durable_end_offset()) {
    Pending pending = std::move(pending_.front());
    pending_.pop_front();
    pending_bytes_ -= pending.bytes;
    log_bytes_since_ += pending.bytes;
    finished.emplace_back(std::move(pending.done),
                          state_.apply(pending.index, pending.next_offset, pending.events));
  }
  state_.publish();
  for (auto& [done, results] : finished) done(std::move(results));
  maybe_snapshot();
}

void MetaLogStore::maybe_snapshot() {
  const std::uint64_t due =
      std::max<std::uint64_t>(options_.snapshot_log_bytes_min, 2 * snapshot_file_bytes_);
  if (closed_ || snapshot_ != nullptr || (log_bytes_since_ < due && !snapshot_wanted_)) return;
  snapshot_wanted_ = false;
  snapshot_ = std::make_shared<SnapshotTask>(this, environment_.disk, options_.directory, image(),
                                             log_->last_epoch());
  snapshot_->log_bytes = log_bytes_since_;
  step_snapshot();
}

void MetaLogStore::step_snapshot() {
  const std::shared_ptr<SnapshotTask> task = snapshot_;
  wal::LogEnvironment& environment = environment_;
  executor_.run(
      [task, &environment] {
        task->finished = task->writer.step();
        // A full disk and a lack of descriptors may pass; after any other failure nothing that the
        // disk says can be trusted.
        const Result<bool>& finished = *task->finished;
        if (!finished && finished.error().code != Errc::no_space &&
            finished.error().code != Errc::busy) {
          environment.on_fatal(finished.error());
        }
      },
      [task] {
        if (task->store != nullptr) task->store->on_snapshot_step();
      });
}

void MetaLogStore::on_snapshot_step() {
  const std::shared_ptr<SnapshotTask> task = snapshot_;
  const Result<bool>& finished = *task->finished;
  if (finished && !*finished && !closed_) return step_snapshot();
  snapshot_ = nullptr;
  if (!finished) {
    // The log keeps growing meanwhile; the next try comes after as much again.
    log_warn("no snapshot of the metadata could be written", {{"why", finished.error().message}});
    log_bytes_since_ -= task->log_bytes;
    return;
  }
  if (!*finished) return;
  log_bytes_since_ -= task->log_bytes;
  retire_snapshots(task->writer.info());
}

void MetaLogStore::retire_snapshots(const SnapshotInfo& written) {
  snapshot_file_bytes_ = written.file_bytes;
  std::erase(superfluous_, written.path);
  std::erase_if(snapshots_,
                [&](const SnapshotName& name) { return name.offset == written.offset; });
  snapshots_.insert(snapshots_.begin(), {written.path, written.offset});
  while (snapshots_.size() > 2) {
    superfluous_.push_back(std::move(snapshots_.back().path));
    snapshots_.pop_back();
  }
  remove_files(std::exchange(superfluous_, {}));
  if (snapshots_.size() < 2 || snapshots_[1].offset <= log_->log_start_offset()) return;
  // The older one must stay of use should the newer one be damaged.
  const Result<void> cut = log_->delete_before(snapshots_[1].offset);
  CHECK_MSG(cut.has_value(), cut.error().message);
  group_.mark_dirty(*log_);
}

void MetaLogStore::remove_files(std::vector<std::string> paths) {
  if (paths.empty()) return;
  Disk& disk = environment_.disk;
  executor_.run(
      [paths = std::move(paths), &disk] {
        for (const std::string& path : paths) {
          if (Result<void> removed = disk.remove(path); !removed) {
            log_warn("an old snapshot of the metadata stays",
                     {{"file", path}, {"why", removed.error().message}});
          }
        }
      },
      [] {});
}

}  // namespace chronik::metadata
