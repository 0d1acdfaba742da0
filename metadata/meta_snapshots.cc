#include "metadata/meta_snapshots.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "wal/format.h"

namespace chronik::metadata {

// Shared with the I/O thread; `owner` is null once it has gone.
struct MetaSnapshots::Task {
  Task(MetaSnapshots* snapshots, Disk& disk, const std::string& directory,
       const std::shared_ptr<const Image>& image, LeaderEpoch epoch)
      : owner(snapshots), writer(disk, directory, image, epoch) {}

  MetaSnapshots* owner;
  SnapshotWriter writer;
  std::optional<Result<bool>> finished;  // of the last step
  std::uint64_t log_bytes = 0;           // log_bytes_since_ of the image it writes
};

MetaSnapshots::MetaSnapshots(wal::LogEnvironment& environment, wal::IoExecutor& executor,
                             std::string directory, std::uint64_t log_bytes_min,
                             OnWritten on_written)
    : environment_(environment),
      executor_(executor),
      directory_(std::move(directory)),
      log_bytes_min_(log_bytes_min),
      on_written_(std::move(on_written)) {}

MetaSnapshots::~MetaSnapshots() {
  if (task_ != nullptr) task_->owner = nullptr;
}

Result<MetaSnapshots::Loaded> MetaSnapshots::load(Offset log_start) {
  TRY_ASSIGN(const FoundSnapshots found, find_snapshots(environment_.disk, directory_));
  for (const std::string& path : found.unfinished) {
    if (Result<void> removed = environment_.disk.remove(path); !removed) {
      log_warn("an unfinished snapshot of the metadata stays",
               {{"file", path}, {"why", removed.error().message}});
    }
  }
  Loaded result;
  for (const SnapshotName& name : found.snapshots) {
    if (names_.size() == 2) {
      superfluous_.push_back(name.path);
      continue;
    }
    if (!names_.empty()) {
      names_.push_back(name);
      continue;
    }
    if (result.damage && name.offset < log_start) break;
    Result<LoadedSnapshot> loaded = load_snapshot(environment_.disk, name.path);
    if (!loaded && loaded.error().code != Errc::corrupt) return std::move(loaded).error();
    if (!loaded) {
      log_error("a snapshot of the metadata is damaged; an older one may do",
                {{"why", loaded.error().message}});
      if (!result.damage) result.damage = std::move(loaded).error();
      result.damaged = name.path;
      superfluous_.push_back(name.path);
      wanted_ = true;
      continue;
    }
    result.info = loaded->info;
    result.image = std::move(loaded->image);
    file_bytes_ = result.info.file_bytes;
    newest_index_ = result.info.index;
    names_.push_back(name);
  }
  return result;
}

Result<void> MetaSnapshots::set_aside() {
  Disk& disk = environment_.disk;
  TRY_ASSIGN(const FoundSnapshots found, find_snapshots(disk, directory_));
  for (const SnapshotName& name : found.snapshots) {
    std::string aside;
    for (int n = 0;; ++n) {
      aside = fmt::format("{}.{}{}", name.path, n, wal::damaged_suffix);
      TRY_ASSIGN(const bool taken, disk.exists(aside));
      if (!taken) break;
    }
    TRY(disk.rename(name.path, aside));
  }
  names_.clear();
  superfluous_.clear();
  newest_index_ = 0;
  file_bytes_ = 0;
  wanted_ = false;
  return disk.sync_directory(directory_);
}

void MetaSnapshots::maybe_write(const std::shared_ptr<const Image>& image, LeaderEpoch epoch) {
  const std::uint64_t due = std::max<std::uint64_t>(log_bytes_min_, 2 * file_bytes_);
  if (stopped_ || task_ != nullptr || (log_bytes_since_ < due && !wanted_)) return;
  wanted_ = false;
  task_ = std::make_shared<Task>(this, environment_.disk, directory_, image, epoch);
  task_->log_bytes = log_bytes_since_;
  step();
}

void MetaSnapshots::step() {
  const std::shared_ptr<Task> task = task_;
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
        if (task->owner != nullptr) task->owner->on_step();
      });
}

void MetaSnapshots::on_step() {
  const std::shared_ptr<Task> task = task_;
  const Result<bool>& finished = *task->finished;
  if (finished && !*finished && !stopped_) return step();
  task_ = nullptr;
  if (!finished) {
    // The log keeps growing meanwhile; the next try comes after as much again.
    log_warn("no snapshot of the metadata could be written", {{"why", finished.error().message}});
    log_bytes_since_ -= task->log_bytes;
    return;
  }
  if (!*finished) return;
  log_bytes_since_ -= task->log_bytes;
  // One that was received meanwhile may be newer.
  if (task->writer.info().index < newest_index_) {
    return remove_files({task->writer.info().path});
  }
  retire(task->writer.info());
  on_written_(task->writer.info());
}

void MetaSnapshots::retire(const SnapshotInfo& written) {
  file_bytes_ = written.file_bytes;
  newest_index_ = written.index;
  std::erase(superfluous_, written.path);
  std::erase_if(names_, [&](const SnapshotName& name) { return name.offset == written.offset; });
  names_.insert(names_.begin(), {written.path, written.offset});
  while (names_.size() > 2) {
    superfluous_.push_back(std::move(names_.back().path));
    names_.pop_back();
  }
  remove_files(std::exchange(superfluous_, {}));
}

void MetaSnapshots::adopt(const SnapshotInfo& received) {
  // What was before it has no log any more that would reach it.
  for (SnapshotName& name : names_) superfluous_.push_back(std::move(name.path));
  names_.clear();
  log_bytes_since_ = 0;
  if (task_ != nullptr) task_->log_bytes = 0;
  retire(received);
}

std::optional<Offset> MetaSnapshots::log_needed_from() const {
  if (names_.size() < 2) return std::nullopt;
  return names_[1].offset;
}

void MetaSnapshots::remove_files(std::vector<std::string> paths) {
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
