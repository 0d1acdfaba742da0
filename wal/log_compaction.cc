#include "wal/log_compaction.h"

#include <algorithm>

#include "base/log.h"
#include "wal/compaction_work.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {

Error cut_meanwhile() { return {Errc::closed, "the log was cut meanwhile"}; }

}  // namespace

/// Takes no more entries, and all it has is synced.
bool LogCompaction::settled(std::size_t number) const {
  const Segment& segment = *log_.segments_[number];
  const bool last = number + 1 == log_.segments_.size();
  const bool closed = !last || segment.sealed || segment.facts.compacted();
  return closed && segment.file_made && log_.is_durable(number) && !log_.truncate_.has_value() &&
         log_.segment_end_index(number) - 1 <= committed_ &&
         log_.unsynced_segment_ != segment.facts.base_offset &&
         log_.segment_end_offset(number) > segment.facts.base_offset;
}

std::vector<CompactionSegment> LogCompaction::plan() const {
  std::vector<CompactionSegment> plan;
  plan.reserve(log_.segments_.size());
  for (std::size_t i = 0; i < log_.segments_.size(); ++i) {
    const SegmentFacts& facts = log_.segments_[i]->facts;
    plan.push_back({facts.base_offset, log_.segment_end_offset(i), facts.size_bytes,
                    facts.index_entries, facts.first_timestamp, facts.max_timestamp, settled(i)});
  }
  return plan;
}

Cleanable LogCompaction::cleanable(Timestamp now) {
  const CompactionState& state = log_.compaction_;
  if (!log_.settings_->compact || state.in_flight || !state.refused.empty() || log_.poisoned_) {
    return {};
  }
  if (log_.unsynced_segment_.has_value() && !log_.segments_.empty() &&
      log_.segments_.back()->sealed) {
    log_.checkpoint_wanted_ = true;  // it syncs
  }
  return find_cleanable(plan(), log_.first_dirty_offset(), *log_.settings_, now);
}

CompactionJob LogCompaction::begin(const CompactionLimits& limits, Timestamp now,
                                   std::uint64_t seed) {
  const Cleanable cleanable = this->cleanable(now);
  CHECK(cleanable.dirty_bytes != 0);
  CompactionState& state = log_.compaction_;
  state.in_flight = true;
  auto work = std::make_unique<CompactionWork>();
  work->place = log_.place();
  work->settings = log_.settings_;
  work->limits = limits;
  work->first_dirty = cleanable.first_dirty;
  work->below = cleanable.below;
  work->now = now;
  work->generation = state.next_generation++;
  work->hash_seed = seed;
  for (const CompactionSegment& segment : plan()) {
    if (segment.base_offset >= cleanable.below) break;
    const Segment& source = *log_.segments_[work->sources.size()];
    work->sources.push_back({source.facts, segment.end_offset});
    work->plan.push_back(segment);
    if (log_.recovered_segment_ == segment.base_offset) work->sync_first = source.facts.name();
  }
  if (log_.derived_ != nullptr) work->batches_to_keep = log_.derived_->batches_to_keep();
  std::sort(work->batches_to_keep.begin(), work->batches_to_keep.end());
  return CompactionJob(std::move(work));
}

/// Whether the first `count` segments that the run was to read are still what they were. Retention
/// and DeleteRecords wait for the run, so only a truncation or a restart can have met them.
bool LogCompaction::still_there(const CompactionWork& work, std::size_t count) const {
  if (count > log_.segments_.size()) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const SegmentFacts& facts = log_.segments_[i]->facts;
    const SegmentFacts& seen = work.sources[i].facts;
    if (facts.name() != seen.name() || facts.size_bytes != seen.size_bytes ||
        facts.chain != seen.chain || log_.segment_end_offset(i) != work.sources[i].end_offset) {
      return false;
    }
  }
  return true;
}

void LogCompaction::remove_files(std::vector<std::string> files) {
  for (std::string& file : files) log_.removals_done_.push_back(std::move(file));
  // With what comes after it they are removed.
  log_.checkpoint_wanted_ = !log_.removals_done_.empty() || log_.checkpoint_wanted_;
}

void LogCompaction::swap_in(const CompactedSegment& made) {
  auto& segments = log_.segments_;
  for (std::size_t i = made.sources.begin; i < made.sources.end; ++i) {
    const Segment& old = *segments[i];
    log_.removals_.push_back(log_.path(old, log_suffix));
    if (old.facts.index_entries != 0) log_.removals_.push_back(log_.path(old, index_suffix));
    if (log_.recovered_segment_ == old.facts.base_offset) log_.recovered_segment_.reset();
  }
  const auto at = segments.begin() + static_cast<std::ptrdiff_t>(made.sources.begin);
  *at = written_segment(made.facts);
  segments.erase(at + 1, segments.begin() + static_cast<std::ptrdiff_t>(made.sources.end));
}

Result<CompactionReport> LogCompaction::end(CompactionJob job) {
  CHECK(job && log_.compaction_.in_flight);
  CompactionWork& work = *job.work_;
  CompactionState& state = log_.compaction_;
  state.in_flight = false;
  if (work.error.has_value() || work.phase != CompactionWork::Phase::done) {
    Error error = work.error.value_or(Error{Errc::closed, "given up"});
    if (work.fatal) log_.poisoned_ = true;
    // It has met what was no longer its business.
    if (!work.fatal && !still_there(work, work.sources.size())) error = cut_meanwhile();
    if (error.code == Errc::corrupt || error.code == Errc::unsupported ||
        error.code == Errc::too_large) {
      state.refused = error.message;
    }
    remove_files(std::move(work.files));
    return error;
  }
  if (!still_there(work, work.made.empty() ? 0 : work.made.back().sources.end)) {
    remove_files(std::move(work.files));
    return cut_meanwhile();
  }
  CompactionReport report;
  // From behind, so that the numbers of those before stay.
  for (auto made = work.made.rbegin(); made != work.made.rend(); ++made) {
    for (std::size_t i = made->sources.begin; i < made->sources.end; ++i) {
      report.bytes_before += work.sources[i].facts.size_bytes;
    }
    report.segments_before += made->sources.end - made->sources.begin;
    report.segments_after += 1;
    report.bytes_after += made->facts.size_bytes;
    swap_in(*made);
  }
  state.first_dirty_offset = std::max(state.first_dirty_offset, work.mapped_end);
  // What jobs in flight know of positions and indexes is no longer so.
  ++log_.generation_;
  log_.hints_ = {};
  log_.checkpoint_wanted_ = true;
  LogCounters& counters = log_.environment_.counters;
  ++counters.compactions;
  counters.compacted_bytes_before += report.bytes_before;
  counters.compacted_bytes_after += report.bytes_after;
  report.first_dirty_offset = state.first_dirty_offset;
  report.records_read = work.records_read;
  report.records_kept = work.records_kept;
  report.map_bytes = work.map_bytes;
  return report;
}

}  // namespace chronik::wal
