#include "wal/partition_log.h"

#include <algorithm>
#include <limits>

#include "base/log.h"
#include "wal/format.h"
#include "wal/group_commit.h"
#include "wal/recovery.h"

namespace chronik::wal {

PartitionLog::PartitionLog(LogEnvironment& environment, std::string directory, LogIdentity identity,
                           SharedLogSettings settings, DerivedState* derived)
    : environment_(environment),
      directory_(std::move(directory)),
      identity_(std::move(identity)),
      settings_(std::move(settings)),
      derived_(derived) {
  CHECK(settings_ != nullptr);
}

PartitionLog::~PartitionLog() {
  if (group_.group != nullptr) group_.group->remove(*this);
}

std::unique_ptr<PartitionLog> PartitionLog::create(LogEnvironment& environment,
                                                   std::string directory, LogIdentity identity,
                                                   SharedLogSettings settings,
                                                   DerivedState* derived) {
  if (derived != nullptr) derived->reset();
  return std::unique_ptr<PartitionLog>(new PartitionLog(
      environment, std::move(directory), std::move(identity), std::move(settings), derived));
}

Result<std::unique_ptr<PartitionLog>> PartitionLog::open(
    LogEnvironment& environment, std::string directory, LogIdentity identity,
    SharedLogSettings settings, DerivedState* derived, DirectorySync sync) {
  std::unique_ptr<PartitionLog> log(new PartitionLog(
      environment, std::move(directory), std::move(identity), std::move(settings), derived));
  TRY_ASSIGN(RecoveredLog recovered, recover_log(environment.disk, log->directory_, log->identity_,
                                                 *log->settings_, derived, sync));
  log->directory_made_ = recovered.directory_made;
  log->start_offset_ = recovered.start_offset;
  log->end_offset_ = log->durable_end_offset_ = recovered.end_offset;
  log->last_index_ = log->durable_last_index_ = recovered.last_index;
  log->epochs_ = std::move(recovered.epochs);
  log->segments_ = std::move(recovered.segments);
  log->compaction_.first_dirty_offset = recovered.first_dirty_offset;
  log->compaction_.next_generation = recovered.next_generation;
  if (!log->segments_.empty() && !log->segments_.back()->facts.compacted()) {
    log->recovered_segment_ = log->segments_.back()->facts.base_offset;
  }
  log->recovery_ = std::move(recovered.report);
  log->unsaved_bytes_ = log->recovery_.scanned_bytes - log->recovery_.torn_bytes;
  LogCounters& counters = environment.counters;
  counters.recovered_bytes += log->recovery_.scanned_bytes;
  if (log->recovery_.torn_bytes != 0) {
    ++counters.torn_tails;
    counters.torn_bytes += log->recovery_.torn_bytes;
  }
  return log;
}

LogPlace PartitionLog::place() const {
  return {&environment_.disk, environment_.space, &environment_.on_fatal,
          directory_,         identity_,          environment_.journal};
}

std::string PartitionLog::path(const Segment& segment, std::string_view suffix) const {
  return directory_ + "/" + segment_file_name(segment.facts.name(), suffix);
}

IndexOwner PartitionLog::index_owner(const Segment& segment) const {
  return {identity_.topic_id, identity_.partition, segment.facts.base_offset,
          segment.facts.base_index};
}

Error PartitionLog::damaged(const Segment& segment, const std::string& what) const {
  return {Errc::corrupt, fmt::format("{}: {}; `chronik log verify {}` shows all damage",
                                     path(segment, log_suffix), what, directory_)};
}

void PartitionLog::set_settings(SharedLogSettings settings) {
  CHECK(settings != nullptr);
  settings_ = std::move(settings);
}

EntryIndex PartitionLog::start_index() const {
  const auto first = std::find_if(segments_.begin(), segments_.end(),
                                  [](const auto& segment) { return !segment->facts.compacted(); });
  return first == segments_.end() ? last_index_ + 1 : (*first)->facts.base_index;
}

/// Of the first segment, compacted or not.
EntryIndex PartitionLog::first_index() const {
  return segments_.empty() ? last_index_ + 1 : segments_.front()->facts.base_index;
}

Offset PartitionLog::first_dirty_offset() const {
  return std::clamp(compaction_.first_dirty_offset, start_offset_, end_offset_);
}

std::uint64_t PartitionLog::size_bytes() const {
  std::uint64_t size = 0;
  for (const auto& segment : segments_) size += segment->facts.size_bytes;
  return size;
}

std::vector<SegmentInfo> PartitionLog::segments() const {
  std::vector<SegmentInfo> infos;
  infos.reserve(segments_.size());
  for (const auto& segment : segments_) {
    infos.push_back({segment->facts.base_offset, segment->facts.size_bytes,
                     segment->facts.max_timestamp, segment == segments_.back()});
  }
  return infos;
}

Result<void> PartitionLog::admit(std::uint64_t bytes) {
  return environment_.space == nullptr ? Result<void>() : environment_.space->admit(bytes);
}

bool PartitionLog::must_roll(const Segment& active, const protocol::BatchHeader& header) const {
  const SegmentFacts& facts = active.facts;
  // A segment is named by its base offset: one in which no offset was taken has no successor.
  if (facts.size_bytes == 0 || header.base_offset == facts.base_offset) return false;
  if (active.sealed || facts.compacted()) return true;
  const std::uint64_t size_max = std::min(settings_->segment_bytes, segment_bytes_limit);
  if (facts.size_bytes + header.size() > size_max) return true;
  constexpr Offset delta_max = std::numeric_limits<std::int32_t>::max();
  if (header.next_offset() - facts.base_offset > delta_max) return true;
  if ((std::uint64_t{facts.index_entries} + 1) * index_entry_bytes >
      settings_->segment_index_bytes) {
    return true;
  }
  if (facts.first_timestamp == no_timestamp || header.max_timestamp < facts.first_timestamp) {
    return false;
  }
  return header.max_timestamp - facts.first_timestamp > settings_->roll_age().count();
}

Segment& PartitionLog::start_segment() {
  SegmentFacts facts;
  facts.base_offset = end_offset_;
  facts.base_index = last_index_ + 1;
  if (!segments_.empty()) ++environment_.counters.segments_rolled;
  segments_.push_back(std::make_unique<Segment>(std::move(facts)));
  return *segments_.back();
}

void PartitionLog::append(SharedBytes batch) {
  CHECK(!closed_);
  CHECK(batch.size() >= protocol::batch_header_size);
  const protocol::BatchHeader header = protocol::read_batch_header(batch.view());
  CHECK_MSG(header.magic == 2 && header.length > 0 && header.size() == batch.size(),
            fmt::format("{}: magic {}, length {}, {} bytes", directory_, header.magic,
                        header.length, batch.size()));
  CHECK_MSG(header.base_offset == end_offset_ && header.last_offset_delta >= -1,
            fmt::format("{}: base offset {}, last offset delta {}, log end {}", directory_,
                        header.base_offset, header.last_offset_delta, end_offset_));
  CHECK_MSG(header.last_offset_delta >= 0 || header.is_control(), directory_);
  CHECK_MSG(header.leader_epoch >= last_epoch(),
            fmt::format("{}: epoch {} after {}", directory_, header.leader_epoch, last_epoch()));

  const bool roll = segments_.empty() || must_roll(*segments_.back(), header);
  Segment& segment = roll ? start_segment() : *segments_.back();
  ++last_index_;
  const std::uint64_t position = segment.facts.size_bytes;
  segment.add(header, batch.view(), last_index_, settings_->index_interval_bytes);
  if (header.leader_epoch >= 0) {
    epochs_.assign(header.leader_epoch, header.base_offset, last_index_);
  }
  end_offset_ = header.next_offset();
  unsaved_bytes_ += batch.size();
  ++environment_.counters.appends;
  environment_.counters.appended_bytes += batch.size();
  if (derived_ != nullptr && !takes_no_offset(header)) derived_->apply(header);

  if (tail_ == nullptr) tail_ = environment_.take_tail();
  tail_->entries.push_back({std::move(batch), header.base_offset, end_offset_,
                            segment.facts.base_offset, last_index_, position});
}

std::optional<EpochEnd> PartitionLog::end_offset_for_epoch(LeaderEpoch epoch) const {
  return epochs_.end_of(epoch, start_offset_, end_offset_);
}

void PartitionLog::start_epoch(LeaderEpoch epoch) {
  CHECK(epoch >= last_epoch());
  epochs_.assign(epoch, end_offset_, last_index_ + 1);
}

std::optional<LeaderEpoch> PartitionLog::epoch_at(EntryIndex index) const {
  if (index < start_index() - 1 || index > last_index_) return std::nullopt;
  return epochs_.epoch_at(index);
}

}  // namespace chronik::wal
