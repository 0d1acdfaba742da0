#include "wal/flush_job.h"

#include <algorithm>

#include "base/log.h"
#include "wal/file_removal.h"
#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/journal.h"
#include "wal/recovery.h"

namespace chronik::wal {

namespace {

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Bytes LogPlace::marked(Bytes checkpoint) const {
  return journal == nullptr ? checkpoint
                            : with_journal_mark(std::move(checkpoint), journal->mark());
}

void JobOutcome::meet(const Error& error, const LogPlace& place) {
  if (error.code == Errc::busy || error.code == Errc::no_space) {
    starved = true;
    disk_full = error.code == Errc::no_space;
    return;
  }
  failed = true;
  (*place.on_fatal)(error);
}

void FlushWork::write() {
  if (outcome.failed) return;
  outcome.begin_attempt();
  if (const Result<void> result = write_all(); !result) outcome.meet(result.error(), place);
}

Result<void> FlushWork::write_all() {
  if (make_directory) {
    TRY(prepare_directory());
    make_directory = false;
    names_changed = true;
    parent_synced = false;
  }
  if (!first_checkpoint.empty()) {
    TRY(replace_checkpoint(*place.disk, place.directory, place.marked(first_checkpoint)));
    first_checkpoint.clear();
  }
  if (truncate.has_value()) {
    TRY(run_truncate());
    truncate.reset();
  }
  for (SegmentWrite& write : writes) {
    if (write.done) continue;
    TRY(write_segment(write));
    write.done = true;
  }
  return {};
}

/// Makes the directory and the name that says whose it is. A directory that is already there is
/// left from a deleted topic of the same name, or was never finished: it goes aside.
Result<void> FlushWork::prepare_directory() {
  TRY_ASSIGN(const PartitionFiles files, list_partition_files(*place.disk, place.directory));
  const std::string name = topic_file_name(place.identity.topic_id);
  if (files.exists) {
    const bool ours = std::find(files.topic_ids.begin(), files.topic_ids.end(),
                                place.identity.topic_id) != files.topic_ids.end();
    // A compaction of a deleted log of this name may have come too late.
    const bool empty = files.logs.empty() && !files.has_checkpoint && files.indexes.empty();
    // A starved attempt before this one may have made the directory and the name.
    if (ours && empty) return {};
    if (ours) {
      return Error{Errc::already_exists,
                   fmt::format("{}: a partition that should be new has a log", place.directory)};
    }
    if (!empty || !files.topic_ids.empty() || !files.others.empty()) TRY(set_aside(files));
  }
  TRY(place.disk->make_directory(place.directory));
  TRY(place.disk->open(place.directory + "/" + name, OpenMode::create));
  return {};
}

Result<void> FlushWork::set_aside(const PartitionFiles& files) {
  const std::string parent = parent_of(place.directory);
  const Uuid owner = files.topic_ids.empty() ? Uuid{} : files.topic_ids.front();
  TRY_ASSIGN(const std::string aside,
             unused_aside(*place.disk, parent, owner, place.identity.partition));
  log_warn("the directory of a new partition was there already: set aside",
           {{"directory", place.directory}, {"to", aside}});
  return place.disk->rename(place.directory, aside);
}

Result<void> FlushWork::run_truncate() {
  Disk& disk = *place.disk;
  TruncateWork& work = *truncate;
  if (work.at_once) {
    if (!work.checkpoint_done) {
      // Compacted segments without one are damage. It says nothing of the journal: until the other
      // one is there the log is the old one, which may need it.
      TRY_ASSIGN(const bool had_one,
                 disk.exists(place.directory + "/" + std::string(checkpoint_file)));
      if (!had_one) TRY(replace_checkpoint(disk, place.directory, work.checkpoint));
      TRY(take_received());
      TRY(replace_checkpoint(disk, place.directory, place.marked(work.checkpoint_after)));
      work.checkpoint_done = true;
    }
    return remove_segments();
  }
  std::shared_ptr<File> cut_file;
  if (work.cut_segment.has_value()) {
    TRY_ASSIGN(cut_file,
               disk.open(place.directory + "/" + segment_file_name({*work.cut_segment}, log_suffix),
                         OpenMode::read_write));
  }
  if (!work.checkpoint_done) {
    // In page-cache mode what stays may not be synced yet.
    if (cut_file != nullptr) TRY(cut_file->sync_data());
    TRY(replace_checkpoint(disk, place.directory, place.marked(work.checkpoint)));
    work.checkpoint_done = true;
  }
  TRY(remove_segments());
  if (cut_file != nullptr) {
    TRY(cut_file->truncate(work.cut_position));
    TRY(cut_file->sync_data());
  }
  // Not before nothing is left that could be taken for what follows this place.
  if (!work.checkpoint_after.empty()) {
    TRY(take_received());
    TRY(replace_checkpoint(disk, place.directory, place.marked(work.checkpoint_after)));
  }
  return {};
}

Result<void> FlushWork::remove_segments() {
  Disk& disk = *place.disk;
  std::vector<SegmentName>& segments = truncate->removed_segments;
  while (!segments.empty()) {
    for (const std::string_view suffix : {log_suffix, index_suffix}) {
      const std::string path = place.directory + "/" + segment_file_name(segments.front(), suffix);
      if (const Result<void> removed = disk.remove(path);
          !removed && removed.error().code != Errc::not_found) {
        return removed.error();
      }
    }
    // Each is gone before the next goes: never a gap.
    TRY(disk.sync_directory(place.directory));
    segments.erase(segments.begin());
  }
  return {};
}

/// Their content is durable. A starved attempt before this one may have come half the way.
Result<void> FlushWork::take_received() {
  Disk& disk = *place.disk;
  if (truncate->received.empty()) return {};
  for (const SegmentName& segment : truncate->received) {
    for (const std::string_view suffix : {log_suffix, index_suffix}) {
      const std::string to = place.directory + "/" + segment_file_name(segment, suffix);
      TRY_ASSIGN(const bool taken, disk.exists(to));
      if (!taken) TRY(disk.rename(received_path(place.directory, segment, suffix), to));
    }
  }
  return disk.sync_directory(place.directory);
}

Result<void> FlushWork::write_segment(SegmentWrite& write) {
  if (write.file == nullptr) {
    TRY_ASSIGN(write.file, place.disk->open(place.directory + "/" +
                                                segment_file_name({write.base_offset}, log_suffix),
                                            OpenMode::create));
  }
  if (write.made) names_changed = true;
  if (write.begin != write.end) {
    std::vector<ByteView> parts;
    parts.reserve(write.end - write.begin);
    for (std::size_t i = write.begin; i < write.end; ++i) {
      parts.push_back(tail->entries[i].bytes.view());
    }
    const std::uint64_t position = tail->entries[write.begin].position;
    Result<void> written = write.file->write_at(position, std::span<const ByteView>(parts));
    if (!written && written.error().code == Errc::no_space && place.space != nullptr &&
        place.space->release_reserve()) {
      // The page cache took nothing that it could lose: the same bytes may be written again.
      written = write.file->write_at(position, std::span<const ByteView>(parts));
    }
    TRY(written);
  }
  // A segment is durable, its name too, before its successor's file is made; in both flush modes.
  if (&write != &writes.back()) {
    TRY(write.file->sync_data());
    if (write.made) TRY(place.disk->sync_directory(place.directory));
  }
  return {};
}

void FlushWork::release_files() {
  for (SegmentWrite& write : writes) {
    write.file.reset();
    write.done = false;
  }
}

void FlushWork::add_to(JournalFrameBuilder& frame) const {
  if (!outcome.running() || !journaled) return;
  const SegmentWrite& write = writes.back();
  std::vector<ByteView> parts;
  parts.reserve(write.end - write.begin);
  for (std::size_t i = write.begin; i < write.end; ++i) {
    parts.push_back(tail->entries[i].bytes.view());
  }
  const std::string_view directory = std::string_view(place.directory);
  frame.add(place.identity, directory.substr(directory.find_last_of('/') + 1), write.base_offset,
            tail->entries[write.begin].position, parts);
}

void FlushWork::add_syncs(SyncBatch& batch) const {
  if (!outcome.running()) return;
  if (sync_data && !writes.empty()) batch.files.push_back(writes.back().file);
  if (names_changed && !names_synced) batch.directories.push_back(place.directory);
  if (!parent_synced) batch.directories.push_back(parent_of(place.directory));
}

void FlushWork::synced(const Result<void>& result) {
  if (!outcome.running()) return;
  if (!result) return outcome.meet(result.error(), place);
  names_synced = true;
  parent_synced = true;
}

Result<void> replace_checkpoint(Disk& disk, const std::string& directory, ByteView bytes) {
  const std::string made = directory + "/" + std::string(new_checkpoint_file);
  TRY_ASSIGN(const auto file, disk.open(made, OpenMode::create));
  TRY(file->write_at(0, bytes));
  TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size != bytes.size()) TRY(file->truncate(bytes.size()));
  TRY(file->sync_data());
  TRY(disk.rename(made, directory + "/" + std::string(checkpoint_file)));
  return disk.sync_directory(directory);
}

void CheckpointWork::write() {
  if (outcome.failed) return;
  outcome.begin_attempt();
  if (const Result<void> result = write_all(); !result) outcome.meet(result.error(), place);
}

Result<void> CheckpointWork::write_all() {
  if (step > 0) return {};
  Disk& disk = *place.disk;
  checkpoint = place.marked(std::move(checkpoint));
  if (unsynced_base.has_value() && unsynced_log == nullptr) {
    TRY_ASSIGN(unsynced_log,
               disk.open(place.directory + "/" + segment_file_name({*unsynced_base}, log_suffix),
                         OpenMode::read_write));
  }
  for (IndexWrite& index : indexes) {
    if (index.file == nullptr) {
      const SegmentName segment{index.owner.base_offset, index.generation};
      TRY_ASSIGN(index.file,
                 disk.open(place.directory + "/" + segment_file_name(segment, index_suffix),
                           OpenMode::create));
    }
    if (index.first == 0) TRY(index.file->write_at(0, encode_index_header(index.owner)));
    TRY(index.file->write_at(index_header_bytes + index.first * index_entry_bytes,
                             ByteView(index.bytes)));
  }
  if (file == nullptr) {
    TRY_ASSIGN(file, disk.open(place.directory + "/" + std::string(new_checkpoint_file),
                               OpenMode::create));
  }
  TRY(file->write_at(0, ByteView(checkpoint)));
  TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size != checkpoint.size()) TRY(file->truncate(checkpoint.size()));
  step = 1;
  return {};
}

void CheckpointWork::publish() {
  if (!outcome.running() || step != 2) return;
  const Result<void> renamed =
      place.disk->rename(place.directory + "/" + std::string(new_checkpoint_file),
                         place.directory + "/" + std::string(checkpoint_file));
  if (!renamed) return outcome.meet(renamed.error(), place);
  step = 3;
}

void CheckpointWork::close_files() {
  unsynced_log.reset();
  file.reset();
  for (IndexWrite& index : indexes) index.file.reset();
}

void CheckpointWork::add_syncs(SyncBatch& batch) const {
  if (!outcome.running()) return;
  if (step == 1) {
    if (unsynced_log != nullptr) batch.files.push_back(unsynced_log);
    for (const IndexWrite& index : indexes) batch.files.push_back(index.file);
    batch.files.push_back(file);
  } else if (step == 3) {
    batch.directories.push_back(place.directory);
  }
}

void CheckpointWork::synced(const Result<void>& result) {
  if (!outcome.running()) return;
  if (!result) return outcome.meet(result.error(), place);
  if (step == 1 || step == 3) ++step;
}

namespace {

void sync_alone(auto& work) {
  SyncBatch batch;
  work.add_syncs(batch);
  work.synced(work.place.disk->sync_all(batch));
}

}  // namespace

FlushJob::FlushJob() = default;
FlushJob::FlushJob(std::unique_ptr<FlushWork> work) : work_(std::move(work)) {}
FlushJob::FlushJob(FlushJob&&) noexcept = default;
FlushJob& FlushJob::operator=(FlushJob&&) noexcept = default;
FlushJob::~FlushJob() = default;

void FlushJob::write() { work_->write(); }
void FlushJob::start_writeback() {
  if (!work_->outcome.running() || !work_->sync_data || work_->writes.empty()) return;
  const SegmentWrite& last = work_->writes.back();
  if (last.begin == last.end) return;
  const TailEntry& first = work_->tail->entries[last.begin];
  const TailEntry& end = work_->tail->entries[last.end - 1];
  last.file->start_writeback(first.position, end.position + end.bytes.size() - first.position);
}
void FlushJob::add_syncs(SyncBatch& batch) const { work_->add_syncs(batch); }
void FlushJob::synced(const Result<void>& result) { work_->synced(result); }
void FlushJob::run() {
  write();
  sync_alone(*work_);
}
bool FlushJob::failed() const { return work_->outcome.failed; }
bool FlushJob::starved() const { return work_->outcome.starved; }
bool FlushJob::disk_full() const { return work_->outcome.disk_full; }
void FlushJob::release_files() { work_->release_files(); }
std::uint64_t FlushJob::bytes() const { return work_->bytes; }
bool FlushJob::journalable() const { return work_->journalable; }
void FlushJob::set_journaled(bool journaled) {
  if (!work_->journalable) return;
  work_->journaled = journaled;
  work_->sync_data = !journaled;
}
bool FlushJob::journaled() const { return work_->journaled; }
const std::string& FlushJob::directory() const { return work_->place.directory; }
bool FlushJob::begins_log() const { return work_->begins_log; }
void FlushJob::begin_with_mark() {
  Checkpoint nothing = nothing_before(0, 0, no_leader_epoch);
  nothing.identity = work_->place.identity;
  work_->first_checkpoint = encode_checkpoint(nothing);
}
void FlushJob::add_to(JournalFrameBuilder& frame) const { work_->add_to(frame); }

CheckpointJob::CheckpointJob() = default;
CheckpointJob::CheckpointJob(std::unique_ptr<CheckpointWork> work) : work_(std::move(work)) {}
CheckpointJob::CheckpointJob(CheckpointJob&&) noexcept = default;
CheckpointJob& CheckpointJob::operator=(CheckpointJob&&) noexcept = default;
CheckpointJob::~CheckpointJob() = default;

void CheckpointJob::write() { work_->write(); }
void CheckpointJob::publish() { work_->publish(); }
void CheckpointJob::add_syncs(SyncBatch& batch) const { work_->add_syncs(batch); }
void CheckpointJob::synced(const Result<void>& result) { work_->synced(result); }
void CheckpointJob::run() {
  write();
  sync_alone(*work_);
  publish();
  sync_alone(*work_);
}
void CheckpointJob::write_unsynced() {
  write();
  work_->close_files();
}
void CheckpointJob::publish_unsynced() {
  work_->synced({});
  publish();
}
bool CheckpointJob::failed() const { return work_->outcome.failed; }
bool CheckpointJob::starved() const { return work_->outcome.starved; }
bool CheckpointJob::disk_full() const { return work_->outcome.disk_full; }

}  // namespace chronik::wal
