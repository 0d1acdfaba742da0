#include "wal/compaction_job.h"

#include <algorithm>

#include "base/log.h"
#include "wal/batch_scan.h"
#include "wal/compaction_work.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {

Result<std::shared_ptr<File>> make_file(Disk& disk, const std::string& path) {
  TRY_ASSIGN(auto file, disk.open(path, OpenMode::create));
  // Left from a run of a process before this one that could not be removed.
  TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size != 0) TRY(file->truncate(0));
  return file;
}

std::string path_of(const LogPlace& place, SegmentName segment, std::string_view suffix) {
  return place.directory + "/" + segment_file_name(segment, suffix);
}

}  // namespace

Result<void> CompactedSegmentWriter::open() {
  const SegmentName name = segment_.facts.name();
  TRY_ASSIGN(log_, make_file(*place_.disk, path_of(place_, name, log_suffix) + ending_));
  TRY_ASSIGN(index_, make_file(*place_.disk, path_of(place_, name, index_suffix) + ending_));
  return {};
}

Result<void> CompactedSegmentWriter::append(ByteView batch, const protocol::BatchHeader& header) {
  segment_.add(header, batch, next_index_++, index_interval_);
  buffer_.insert(buffer_.end(), batch.begin(), batch.end());
  return buffer_.size() >= limits_.io_buffer_bytes / 2 ? write_buffer() : Result<void>();
}

Result<void> CompactedSegmentWriter::write_buffer() {
  if (buffer_.empty()) return {};
  if (place_.space != nullptr) TRY(place_.space->admit(buffer_.size()));
  TRY(log_->write_at(written_, ByteView(buffer_)));
  log_->start_writeback(written_, buffer_.size());
  written_ += buffer_.size();
  buffer_.clear();
  if (written_ - written_back_ < limits_.in_flight_bytes_max) return {};
  const std::uint64_t oldest = (written_ - written_back_) / 2;
  TRY(log_->finish_writeback(written_back_, oldest));
  written_back_ += oldest;
  return {};
}

Result<void> CompactedSegmentWriter::write_index() {
  Bytes bytes = encode_index_header({place_.identity.topic_id, place_.identity.partition,
                                     segment_.facts.base_offset, segment_.facts.base_index});
  const std::size_t header = bytes.size();
  bytes.resize(header + segment_.index_tail.size() * index_entry_bytes);
  for (std::size_t i = 0; i < segment_.index_tail.size(); ++i) {
    encode_index_entry(segment_.index_tail[i],
                       MutableByteView(bytes).subspan(header + i * index_entry_bytes));
  }
  TRY(index_->write_at(0, ByteView(bytes)));
  return index_->sync_data();
}

Result<void> CompactedSegmentWriter::finish() {
  TRY(write_buffer());
  TRY(write_index());
  return log_->sync_data();
}

std::string CompactionWork::path(SegmentName segment, std::string_view suffix) const {
  return path_of(place, segment, suffix);
}

bool CompactionWork::step() {
  if (phase == Phase::done || error.has_value()) return false;
  if (cancelled.load(std::memory_order_relaxed)) {
    error = Error{Errc::closed, "given up"};
    return false;
  }
  if (const Result<void> did = slice(); !did) {
    error = did.error();
    if (fatal) (*place.on_fatal)(*error);
  }
  const bool more = phase != Phase::done && !error.has_value();
  if (!more) {
    stream_.reset();
    writer_.reset();
    map_.reset();
  }
  return more;
}

Result<void> CompactionWork::slice() {
  switch (phase) {
    case Phase::count:
      return prepare();
    case Phase::map:
      return map_slice();
    case Phase::copy:
      return copy_slice();
    case Phase::done:
      return {};
  }
  UNREACHABLE();
}

/// A failed write or sync ends the process, as everywhere; a full disk ends only this run, of which
/// nothing was acknowledged.
Result<void> CompactionWork::write_outcome(Result<void> written) {
  if (!written) {
    const Errc code = written.error().code;
    fatal = code != Errc::no_space && code != Errc::busy && code != Errc::not_found;
  }
  return written;
}

/// Counts the records that are dirty, by headers alone, so that the map takes no more memory than
/// they need.
Result<void> CompactionWork::prepare() {
  if (sync_first.has_value()) {
    TRY_ASSIGN(const auto file,
               place.disk->open(path(*sync_first, log_suffix), OpenMode::read_write));
    TRY(write_outcome(file->sync_data()));
  }
  while (source_ < sources.size() && sources[source_].end_offset <= first_dirty) ++source_;
  std::uint64_t keys = 0;
  for (std::size_t i = source_; i < sources.size(); ++i) {
    const SegmentFacts& facts = sources[i].facts;
    TRY_ASSIGN(const auto file, place.disk->open(path(facts.name(), log_suffix), OpenMode::read));
    HeaderWalk walk(*file, 0, facts.size_bytes);
    for (;;) {
      TRY_ASSIGN(const std::optional<EntryPlace> entry, walk.next());
      if (!entry.has_value() || cancelled.load(std::memory_order_relaxed)) break;
      if (entry->header.next_offset() > first_dirty && entry->header.record_count > 0) {
        keys += static_cast<std::uint64_t>(entry->header.record_count);
      }
    }
    if (keys * OffsetMap::slot_bytes > limits.map_bytes_max) break;
  }
  map_.emplace(keys, limits.map_bytes_max, limits.map_load_max, hash_seed);
  map_bytes = map_->memory_bytes();
  mapped_end = first_dirty;
  phase = Phase::map;
  return {};
}

Result<void> CompactionWork::open_stream(std::size_t source) {
  const std::string name = path(sources[source].facts.name(), log_suffix);
  TRY_ASSIGN(auto file, place.disk->open(name, OpenMode::read));
  stream_.emplace(std::move(file), name, sources[source], limits.io_buffer_bytes / 2);
  return {};
}

Result<void> CompactionWork::map_slice() {
  const std::uint64_t slice_end = read_bytes + limits.slice_bytes;
  while (read_bytes < slice_end) {
    if (source_ == sources.size()) {
      mapped_end = below;
      return begin_copy();
    }
    if (!stream_.has_value()) TRY(open_stream(source_));
    TRY_ASSIGN(const std::optional<BatchStream::Batch> batch, stream_->next());
    if (!batch.has_value()) {
      stream_.reset();
      mapped_end = std::max(mapped_end, sources[source_].end_offset);
      ++source_;
      continue;
    }
    read_bytes += batch->bytes.size();
    if (takes_no_offset(batch->header) || batch->header.next_offset() <= first_dirty) continue;
    TRY_ASSIGN(const bool all, map_keys(batch->bytes, first_dirty, *map_, mapped_end, scratch_));
    if (!all) return begin_copy();
  }
  return {};
}

Result<void> CompactionWork::begin_copy() {
  stream_.reset();
  groups_ = group_segments(plan, mapped_end, *settings);
  group_ = 0;
  phase = groups_.empty() ? Phase::done : Phase::copy;
  return groups_.empty() ? Result<void>() : begin_group();
}

Result<void> CompactionWork::begin_group() {
  source_ = groups_[group_].begin;
  SegmentFacts facts;
  facts.base_offset = sources[source_].facts.base_offset;
  facts.base_index = sources[source_].facts.base_index;
  facts.generation = generation;
  files.push_back(path(facts.name(), log_suffix));
  files.push_back(path(facts.name(), index_suffix));
  writer_ = std::make_unique<CompactedSegmentWriter>(place, std::move(facts),
                                                     settings->index_interval_bytes, limits);
  return write_outcome(writer_->open());
}

Result<void> CompactionWork::copy_slice() {
  const std::uint64_t slice_end = read_bytes + limits.slice_bytes;
  while (read_bytes < slice_end) {
    if (!stream_.has_value()) TRY(open_stream(source_));
    TRY_ASSIGN(const std::optional<BatchStream::Batch> batch, stream_->next());
    if (batch.has_value()) {
      read_bytes += batch->bytes.size();
      TRY(copy_batch(*batch));
      continue;
    }
    stream_->drop_cache();
    stream_.reset();
    if (++source_ < groups_[group_].end) continue;
    TRY(finish_group());
    // A sync is a slice of its own.
    return {};
  }
  return {};
}

Result<void> CompactionWork::copy_batch(const BatchStream::Batch& batch) {
  // Entries of Raft's own say nothing any more once the log begins behind them.
  if (takes_no_offset(batch.header)) return {};
  records_read += static_cast<std::uint64_t>(std::max(0, batch.header.record_count));
  const bool last_of_group =
      batch.header.next_offset() == sources[groups_[group_].end - 1].end_offset;
  const bool keep_empty =
      last_of_group || std::binary_search(batches_to_keep.begin(), batches_to_keep.end(),
                                          batch.header.last_offset());
  TRY_ASSIGN(const FilteredBatch kept,
             filter_batch(batch.bytes, *map_, {mapped_end, now, settings->delete_retention},
                          keep_empty, scratch_));
  records_kept += static_cast<std::uint64_t>(kept.records_kept);
  if (kept.outcome == FilteredBatch::Outcome::dropped) return {};
  const bool rewritten = kept.outcome == FilteredBatch::Outcome::rewritten;
  const ByteView bytes = rewritten ? kept.bytes.view() : batch.bytes;
  if (writer_->size() + bytes.size() > segment_bytes_limit) {
    return Error{Errc::too_large, fmt::format("{}: what compaction keeps does not fit into a "
                                              "segment: lower segment.bytes",
                                              files[files.size() - 2])};
  }
  written_bytes += bytes.size();
  return write_outcome(writer_->append(bytes, protocol::read_batch_header(bytes)));
}

Result<void> CompactionWork::finish_group() {
  TRY(write_outcome(writer_->finish()));
  SegmentFacts facts = writer_->facts();
  CHECK(facts.size_bytes != 0);
  if (facts.max_timestamp == no_timestamp) {
    // Only headers are left: the segment is as old as what they were of.
    facts.max_timestamp_batch = -1;
    for (std::size_t i = groups_[group_].begin; i < groups_[group_].end; ++i) {
      facts.max_timestamp = std::max(facts.max_timestamp, sources[i].facts.max_timestamp);
    }
  }
  writer_.reset();
  made.push_back({groups_[group_], std::move(facts)});
  if (++group_ < groups_.size()) return begin_group();
  TRY(write_outcome(place.disk->sync_directory(place.directory)));
  phase = Phase::done;
  return {};
}

CompactionJob::CompactionJob() = default;
CompactionJob::CompactionJob(std::unique_ptr<CompactionWork> work) : work_(std::move(work)) {}
CompactionJob::CompactionJob(CompactionJob&&) noexcept = default;
CompactionJob& CompactionJob::operator=(CompactionJob&&) noexcept = default;
CompactionJob::~CompactionJob() = default;

bool CompactionJob::step() { return work_->step(); }
void CompactionJob::cancel() { work_->cancelled.store(true, std::memory_order_relaxed); }
std::uint64_t CompactionJob::moved_bytes() const {
  return work_->read_bytes + work_->written_bytes;
}

}  // namespace chronik::wal
