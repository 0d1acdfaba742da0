#include "raft/multi/log_store.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "protocol/record_batch.h"
#include "raft/multi/log_entry.h"

namespace chronik::raft {

LogStore::LogStore(std::unique_ptr<wal::PartitionLog> log, wal::GroupCommit& group_commit)
    : log_(std::move(log)), group_commit_(group_commit) {}

LogStore::~LogStore() { forget_recent(); }

Term LogStore::term(Index index) const {
  CHECK(index >= first_index() - 1 && index <= last_index());
  // A log that a node without a cluster has begun has no term in front of its first entry.
  return std::max<Term>(log_->epoch_at(index).value_or(0), 0);
}

std::optional<std::vector<Entry>> LogStore::entries(Index begin, Index end,
                                                    std::uint64_t bytes_max) const {
  if (recent_.empty() || begin < recent_.front().index) return std::nullopt;
  std::vector<Entry> found;
  std::uint64_t bytes = 0;
  for (Index index = begin; index < end; ++index) {
    const Entry& entry = recent_[static_cast<std::size_t>(index - recent_.front().index)];
    bytes += entry.bytes();
    if (!found.empty() && bytes > bytes_max) break;
    found.push_back(entry);
  }
  return found;
}

void LogStore::forget_recent() {
  if (recent_.empty()) return;
  recent_.clear();
  recent_budget_->drop(std::exchange(recent_bytes_, 0));
  recent_budget_->leave();
}

void LogStore::remember(const Entry& entry) {
  if (recent_budget_ == nullptr) return;
  if (recent_.empty()) recent_budget_->enter();
  recent_bytes_ += entry.bytes();
  recent_budget_->add(entry.bytes());
  recent_.push_back(entry);
  const std::uint64_t share = recent_budget_->share();
  while (recent_bytes_ > share && recent_.size() > 1) drop_oldest();
  // The last one is too much where all together have more than is for them.
  if (recent_bytes_ > share && recent_budget_->is_exceeded()) forget_recent();
}

void LogStore::drop_oldest() {
  const std::uint64_t bytes = recent_.front().bytes();
  recent_bytes_ -= bytes;
  recent_budget_->drop(bytes);
  recent_.pop_front();
}

Result<Index> LogStore::append(const std::vector<Entry>& entries, CommitOffsets* offsets) {
  if (entries.empty()) return Index{0};
  const Index begin = entries.front().index;
  CHECK_MSG(begin <= last_index() + 1,
            fmt::format("{}: entry {} behind {}", log_->directory(), begin, last_index()));
  const bool cut = begin <= last_index();
  if (cut) {
    if (!recent_.empty() && recent_.front().index >= begin) forget_recent();
    while (!recent_.empty() && recent_.back().index >= begin) {
      const std::uint64_t bytes = recent_.back().bytes();
      recent_bytes_ -= bytes;
      recent_budget_->drop(bytes);
      recent_.pop_back();
    }
    ++cuts_;
    TRY(log_->truncate_after(begin - 1));
  }
  for (const Entry& entry : entries) {
    CHECK(entry.index == last_index() + 1);
    SharedBytes batch = entry.payload;
    if (entry.kind == EntryKind::data) {
      protocol::set_base_offset(batch.mutable_view(), log_->end_offset());
      protocol::set_leader_epoch(batch.mutable_view(), entry.term);
    } else {
      batch = own_entry_batch(entry, log_->end_offset());
    }
    const Offset begin = log_->end_offset();
    log_->append(std::move(batch));
    if (offsets != nullptr) offsets->append(entry.index, begin, log_->end_offset());
    remember(entry);
  }
  group_commit_.mark_dirty(*log_);
  return cut ? begin : Index{0};
}

void LogStore::restart(const SnapshotMeta& meta, wal::Checkpoint begin) {
  CHECK(begin.last_index == meta.index);
  forget_recent();
  hidden_ = 0;
  ++cuts_;
  log_->restart_at(std::move(begin));
  snapshot_ = meta;
  group_commit_.mark_dirty(*log_);
}

Result<wal::EntrySlice> LogStore::slice(Index begin, std::uint64_t bytes_max) {
  return log_->read_entries(begin, bytes_max);
}

Result<std::vector<Entry>> LogStore::parse(const SharedBytes& bytes, Index begin, Index end) const {
  const auto damaged = [&](Index index, const Error& error) {
    return Error{error.code,
                 fmt::format("{}: entry {}: {}; `chronik log verify {}` shows all damage",
                             log_->directory(), index, error.message, log_->directory())};
  };
  std::vector<Entry> entries;
  std::size_t position = 0;
  for (Index index = begin; index < end && position < bytes.size(); ++index) {
    const ByteView rest = bytes.view().subspan(position);
    const std::size_t size = rest.size() < protocol::batch_header_size
                                 ? rest.size() + 1
                                 : protocol::read_batch_header(rest).size();
    if (size > rest.size()) return damaged(index, {Errc::corrupt, "it is cut off"});
    Result<Entry> entry = entry_of_batch(bytes.slice(position, size), index);
    if (!entry) return damaged(index, entry.error());
    // Outside of the checksum, and told to others.
    if (index >= first_index() && index <= last_index() && entry->term != term(index)) {
      return damaged(index, {Errc::corrupt, fmt::format("it is of leader epoch {}, where the log "
                                                        "says {}",
                                                        entry->term, term(index))});
    }
    entries.push_back(std::move(*entry));
    position += size;
  }
  return entries;
}

Result<std::vector<MembershipAt>> LogStore::memberships(MembershipAt base) {
  std::vector<MembershipAt> found;
  const Index behind = base.index;
  found.push_back(std::move(base));
  TRY_ASSIGN(const std::vector<wal::OwnEntry> own, log_->own_entries());
  for (const wal::OwnEntry& at : own) {
    if (at.index <= behind) continue;
    TRY_ASSIGN(const Entry entry, entry_of_batch(at.bytes, at.index));
    if (entry.kind != EntryKind::membership) continue;
    TRY_ASSIGN(Membership membership, decode_membership(entry.payload));
    found.push_back({at.index, std::move(membership)});
  }
  return found;
}

}  // namespace chronik::raft
