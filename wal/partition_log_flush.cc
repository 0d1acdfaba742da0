// The part of PartitionLog that makes entries durable.
#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/partition_log.h"

namespace chronik::wal {

bool PartitionLog::flush_wanted() const {
  return (tail_ != nullptr && !tail_->entries.empty()) || truncate_.has_value();
}

bool PartitionLog::dirty() const { return flush_wanted() || checkpoint_wanted_; }

Result<std::shared_ptr<File>> PartitionLog::log_file(Segment& segment) {
  return environment_.files.get(environment_.disk, segment.log_file, path(segment, log_suffix),
                                OpenMode::read_write);
}

FlushJob PartitionLog::begin_flush(bool force_sync) {
  CHECK(!flush_in_flight_);
  flush_in_flight_ = true;
  ++flushes_begun_;
  auto work = std::make_unique<FlushWork>();
  work->place = place();
  work->outcome.failed = poisoned_;
  work->sync_data = force_sync || settings_->flush_mode == FlushMode::sync_before_ack;
  work->truncate = std::exchange(truncate_, std::nullopt);
  cut_in_flight_ = work->truncate.has_value();
  if (tail_ != nullptr && !tail_->entries.empty()) {
    work->tail = in_flight_ = std::exchange(tail_, nullptr);
  }
  work->end_offset = end_offset_;
  work->last_index = last_index_;
  work->generation = generation_;

  const auto add_write = [&](Offset base_offset, std::size_t begin) {
    Segment* segment = segment_at(base_offset);
    CHECK(segment != nullptr);
    SegmentWrite write;
    write.base_offset = base_offset;
    write.begin = write.end = begin;
    write.made = !segment->file_made;
    if (segment->file_made) {
      // When no descriptor is free here, the job tries again.
      Result<std::shared_ptr<File>> file = log_file(*segment);
      if (file) write.file = std::move(*file);
    }
    work->writes.push_back(std::move(write));
  };
  const std::size_t count = in_flight_ == nullptr ? 0 : in_flight_->entries.size();
  in_flight_visible_ = count;
  if (count != 0) work->make_directory = !directory_made_;
  const bool catches_up = unsynced_segment_.has_value() && (work->sync_data || count != 0);
  if (catches_up && (count == 0 || in_flight_->entries[0].segment_base != *unsynced_segment_)) {
    add_write(*unsynced_segment_, 0);
  }
  if (count != 0) {
    // A process before this one may have cut its tail and died before that was durable: as every
    // segment it is synced before it has a successor.
    const std::optional<Offset> recovered = std::exchange(recovered_segment_, std::nullopt);
    if (recovered.has_value() && work->writes.empty() && segment_at(*recovered) != nullptr &&
        in_flight_->entries[0].segment_base != *recovered) {
      add_write(*recovered, 0);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const TailEntry& entry = in_flight_->entries[i];
    if (work->writes.empty() || work->writes.back().base_offset != entry.segment_base) {
      add_write(entry.segment_base, i);
    }
    work->writes.back().end = i + 1;
    work->bytes += entry.bytes.size();
  }
  work->begins_log = count != 0 && in_flight_->entries[0].index == 1;
  // All else keeps its order of writes (wal/format.md).
  work->journalable = environment_.journal != nullptr && !force_sync && work->sync_data &&
                      !poisoned_ && !work->truncate && !work->make_directory &&
                      work->writes.size() == 1 && !work->writes[0].made && count != 0;
  return FlushJob(std::move(work));
}

void PartitionLog::end_flush(FlushJob job) {
  CHECK(flush_in_flight_ && job.work_ != nullptr);
  FlushWork& work = *job.work_;
  flush_in_flight_ = false;
  if (work.outcome.failed || work.outcome.starved) {
    poisoned_ = true;
    return;
  }
  cut_in_flight_ = false;
  for (SegmentWrite& write : work.writes) {
    Segment* segment = segment_at(write.base_offset);
    const std::size_t end = std::min(write.end, in_flight_visible_);
    const bool visible = write.begin < end;
    // Truncated away meanwhile: the next flush removes the file, and a segment of the same name may
    // begin anew.
    if (segment == nullptr || (work.generation != generation_ && !visible)) continue;
    segment->file_made = true;
    environment_.files.put(segment->log_file, std::move(write.file));
    if (visible) {
      const TailEntry& last = in_flight_->entries[end - 1];
      segment->written_bytes = last.position + last.bytes.size();
    }
  }
  if (in_flight_ != nullptr) {
    directory_made_ = true;
    if (in_flight_visible_ != 0) {
      const TailEntry& last = in_flight_->entries[in_flight_visible_ - 1];
      durable_end_offset_ = last.next_offset;
      durable_last_index_ = last.index;
    }
    in_flight_visible_ = 0;
    work.tail.reset();
    environment_.give_tail(std::exchange(in_flight_, nullptr));
  }
  if (work.sync_data) {
    unsynced_segment_.reset();
  } else if (!work.writes.empty() && segment_at(work.writes.back().base_offset) != nullptr) {
    unsynced_segment_ = work.writes.back().base_offset;
  }
  ++environment_.counters.flushed_logs;
}

std::optional<UnsyncedFile> PartitionLog::unsynced_file() const {
  const Segment* segment = unsynced_segment_.has_value() ? segment_at(*unsynced_segment_) : nullptr;
  if (segment == nullptr) return std::nullopt;
  // What a flush under way writes may come too late for the sync.
  return UnsyncedFile{path(*segment, log_suffix), flush_in_flight_ ? 0 : flushes_begun_,
                      generation_};
}

void PartitionLog::end_sync(const UnsyncedFile& file) {
  if (file.flushes_begun == flushes_begun_ && file.generation == generation_) {
    unsynced_segment_.reset();
  }
}

bool PartitionLog::checkpoint_due() const { return checkpoint_wanted_ && directory_made_; }

Checkpoint PartitionLog::state() const {
  Checkpoint state;
  state.identity = identity_;
  state.start_offset = start_offset_;
  state.end_offset = end_offset_;
  state.last_index = last_index_;
  state.first_dirty_offset = compaction_.first_dirty_offset;
  state.segments.reserve(segments_.size());
  for (const auto& segment : segments_) state.segments.push_back(segment->facts);
  state.epochs = epochs_.starts();
  // An epoch that no entry carries yet is not the log's; who leads says so again.
  while (!state.epochs.empty() && state.epochs.back().start_index > last_index_) {
    state.epochs.pop_back();
  }
  if (derived_ != nullptr) {
    state.has_derived = true;
    state.derived = derived_->save();
  }
  return state;
}

CheckpointJob PartitionLog::begin_checkpoint(CheckpointKind kind) {
  CHECK(!checkpoint_in_flight_ && (tail_ == nullptr || tail_->entries.empty()));
  const bool synced = kind == CheckpointKind::synced;
  checkpoint_in_flight_ = true;
  if (synced) checkpoint_wanted_ = false;
  auto work = std::make_unique<CheckpointWork>();
  work->place = place();
  work->outcome.failed = poisoned_;
  work->generation = generation_;
  work->flushes_begun = flushes_begun_;
  work->start_offset = synced ? start_offset_ : durable_start_offset_;
  work->unsaved_bytes = unsaved_bytes_;
  if (synced) work->removals = std::exchange(removals_, {});
  for (const auto& segment : segments_) {
    if (segment->index_tail.empty()) continue;
    IndexWrite write;
    write.owner = index_owner(*segment);
    write.generation = segment->facts.generation;
    write.first = segment->index_file_entries;
    write.count = static_cast<std::uint32_t>(segment->index_tail.size());
    write.bytes.resize(write.count * index_entry_bytes);
    for (std::size_t i = 0; i < write.count; ++i) {
      encode_index_entry(segment->index_tail[i],
                         MutableByteView(write.bytes).subspan(i * index_entry_bytes));
    }
    work->indexes.push_back(std::move(write));
  }
  // In page-cache mode the flush before this one did not sync; sealed segments are synced always.
  const bool unsynced =
      settings_->flush_mode == FlushMode::page_cache || unsynced_segment_.has_value();
  if (synced && unsynced && !segments_.empty() && segments_.back()->facts.size_bytes != 0 &&
      !segments_.back()->facts.compacted()) {
    work->unsynced_base = segments_.back()->facts.base_offset;
  }
  work->checkpoint = encode_checkpoint(state());
  return CheckpointJob(std::move(work));
}

void PartitionLog::end_checkpoint(CheckpointJob job) {
  CHECK(checkpoint_in_flight_ && job.work_ != nullptr);
  CheckpointWork& work = *job.work_;
  checkpoint_in_flight_ = false;
  if (work.outcome.failed || work.outcome.starved) {
    poisoned_ = true;
    return;
  }
  durable_start_offset_ = std::max(durable_start_offset_, work.start_offset);
  removals_done_.insert(removals_done_.end(), work.removals.begin(), work.removals.end());
  ++environment_.counters.checkpoints;
  // A truncation or a rebuilt index meanwhile: what the job wrote is not what the log counts on.
  if (work.generation != generation_) return;
  unsaved_bytes_ -= std::min(unsaved_bytes_, work.unsaved_bytes);
  if (work.flushes_begun == flushes_begun_ && work.unsynced_base.has_value()) {
    unsynced_segment_.reset();
  }
  for (const IndexWrite& write : work.indexes) {
    Segment* segment = segment_at(write.owner.base_offset);
    if (segment == nullptr) continue;
    segment->index_file_entries += write.count;
    auto& tail = segment->index_tail;
    tail.erase(tail.begin(), tail.begin() + write.count);
    if (tail.empty()) tail.shrink_to_fit();
  }
}

void PartitionLog::give_up_checkpoint(CheckpointJob job) {
  CHECK(checkpoint_in_flight_ && job.work_ != nullptr);
  checkpoint_in_flight_ = false;
  checkpoint_wanted_ = true;
  std::vector<std::string>& kept = job.work_->removals;
  removals_.insert(removals_.begin(), std::make_move_iterator(kept.begin()),
                   std::make_move_iterator(kept.end()));
}

void PartitionLog::drop_checkpoint(CheckpointJob job) {
  CHECK(checkpoint_in_flight_ && job.work_ != nullptr);
  checkpoint_in_flight_ = false;
}

bool PartitionLog::is_current(const CheckpointJob& job) const {
  return job.work_->generation == generation_ && !cut_pending();
}

std::vector<std::string> PartitionLog::take_removals() { return std::exchange(removals_done_, {}); }

Result<void> PartitionLog::flush() {
  CHECK(!flush_in_flight_);
  FlushJob job = begin_flush();
  job.run();
  const Errc code = job.disk_full() ? Errc::no_space : job.starved() ? Errc::busy : Errc::io;
  end_flush(std::move(job));
  if (poisoned_) {
    return Error{code, fmt::format("{}: the log could not be written", directory_)};
  }
  return {};
}

Result<void> PartitionLog::close() {
  CHECK(!flush_in_flight_ && !checkpoint_in_flight_);
  if (dirty() || has_unsynced()) TRY(flush());
  if (directory_made_ && (checkpoint_wanted_ || unsaved_bytes_ != 0)) {
    CheckpointJob job = begin_checkpoint();
    job.run();
    end_checkpoint(std::move(job));
    if (poisoned_) {
      return Error{Errc::io, fmt::format("{}: the checkpoint could not be written", directory_)};
    }
    for (const std::string& file : take_removals()) {
      if (const Result<void> removed = environment_.disk.remove(file);
          !removed && removed.error().code != Errc::not_found) {
        log_warn("a file that is no longer needed stays", {{"why", removed.error().message}});
      }
    }
  }
  closed_ = true;
  return {};
}

}  // namespace chronik::wal
