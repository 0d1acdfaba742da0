#include "raft/core/log.h"

#include <algorithm>

namespace chronik::raft {

Log::Log(const Storage& storage, Index commit, Index applied, std::vector<MembershipAt> memberships)
    : storage_(&storage),
      stored_(storage.last_index()),
      written_(stored_),
      last_(stored_),
      // The advisory commit may be older than what was applied, or speak of what a damage took
      // away.
      commit_(std::clamp(commit, applied, std::max(applied, last_))),
      applying_(applied),
      applied_(applied),
      memberships_(std::move(memberships)) {
  CHECK(!memberships_.empty());
  CHECK(storage.first_index() >= 1 && applied <= last_);
  // Else the entries between would never be applied.
  CHECK(applied >= storage.first_index() - 1);
  for (std::size_t i = 1; i < memberships_.size(); ++i) {
    CHECK(memberships_[i - 1].index < memberships_[i].index);
  }
  CHECK(memberships_.back().index <= last_);
}

Index Log::first_index() const { return install_ ? install_->index + 1 : storage_->first_index(); }

std::optional<Term> Log::term(Index index) const {
  if (index > last_) return std::nullopt;
  if (index > stored_) return tail_[static_cast<std::size_t>(index - stored_ - 1)].term;
  if (install_) {
    return index == install_->index ? std::optional(install_->term) : std::nullopt;
  }
  if (index < storage_->first_index() - 1) return std::nullopt;
  return storage_->term(index);
}

bool Log::is_covered_by(Position other) const {
  const Position mine = last();
  return other.term > mine.term || (other.term == mine.term && other.index >= mine.index);
}

Position Log::last_at_most(Position most) const {
  Index index = std::min(most.index, last_);
  std::optional<Term> found = term(index);
  while (found && *found > most.term) found = term(--index);
  // Before the log's begin there is nothing to compare any more; the begin itself is committed.
  return found ? Position{*found, index} : Position{0, std::max<Index>(index, 0)};
}

void Log::commit_to(Index index) {
  CHECK(index >= commit_ && index <= last_);
  commit_ = index;
}

void Log::applying_to(Index index) {
  CHECK(index >= applying_ && index <= may_apply_to());
  applying_ = index;
}

void Log::applied_to(Index index) {
  CHECK(index >= applied_ && index <= applying_);
  applied_ = index;
}

void Log::append(Entry entry) {
  CHECK(entry.index == last_ + 1 && entry.term >= last().term);
  if (entry.kind == EntryKind::membership) note_membership(entry);
  last_ = entry.index;
  tail_.push_back(std::move(entry));
}

Index Log::merge(std::span<const Entry> entries) {
  std::size_t known = 0;
  while (known < entries.size() && holds({entries[known].term, entries[known].index})) ++known;
  if (known == entries.size()) return 0;
  const Index begin = entries[known].index;
  const bool cut = begin <= last_;
  if (cut) cut_from(begin);
  for (const Entry& entry : entries.subspan(known)) append(entry);
  return cut ? begin : 0;
}

void Log::cut_from(Index index) {
  CHECK(index > commit_ && index > applying_);
  while (!tail_.empty() && tail_.back().index >= index) tail_.pop_back();
  stored_ = std::min(stored_, index - 1);
  written_ = std::min(written_, index - 1);
  last_ = index - 1;
  while (memberships_.back().index >= index) {
    CHECK(memberships_.size() > 1);
    memberships_.pop_back();
  }
}

void Log::restore(const SnapshotMeta& meta) {
  CHECK(meta.index > commit_);
  tail_.clear();
  stored_ = written_ = last_ = meta.index;
  commit_ = applying_ = applied_ = meta.index;
  install_ = meta;
  install_unwritten_ = true;
  memberships_.assign(1, MembershipAt{meta.index, meta.membership});
}

std::optional<SnapshotMeta> Log::take_install() {
  if (!install_unwritten_) return std::nullopt;
  install_unwritten_ = false;
  return install_;
}

std::vector<Entry> Log::take_unwritten() {
  const auto from = static_cast<std::ptrdiff_t>(written_ - stored_);
  std::vector<Entry> entries(tail_.begin() + from, tail_.end());
  written_ = last_;
  return entries;
}

void Log::persisted(Index index, bool installed) {
  if (installed) install_.reset();
  while (!tail_.empty() && tail_.front().index <= index) {
    stored_ = tail_.front().index;
    tail_.pop_front();
  }
  CHECK(stored_ <= written_);
}

std::optional<std::vector<Entry>> Log::entries(Index begin, Index end,
                                               std::uint64_t bytes_max) const {
  CHECK(begin >= first_index() && begin < end && end <= last_ + 1);
  if (begin <= stored_) {
    auto found = storage_->entries(begin, std::min(end, stored_ + 1), bytes_max);
    if (found) CHECK(!found->empty() && found->front().index == begin);
    return found;
  }
  std::vector<Entry> result;
  std::uint64_t bytes = 0;
  for (Index index = begin; index < end; ++index) {
    const Entry& entry = tail_[static_cast<std::size_t>(index - stored_ - 1)];
    bytes += entry.bytes();
    if (!result.empty() && bytes > bytes_max) break;
    result.push_back(entry);
  }
  return result;
}

void Log::note_membership(const Entry& entry) {
  memberships_.push_back({entry.index, decode_membership(entry.payload).value()});
}

const Membership& Log::membership_at(Index index) const {
  auto after = std::upper_bound(memberships_.begin(), memberships_.end(), index,
                                [](Index at, const MembershipAt& m) { return at < m.index; });
  CHECK(after != memberships_.begin());
  return std::prev(after)->membership;
}

const Membership* Log::first_committed_membership() const {
  for (const MembershipAt& at : memberships_) {
    if (at.index > commit_) break;
    if (!at.membership.voters.empty()) return &at.membership;
  }
  return nullptr;
}

void Log::forget_old_memberships() {
  // The one in force at the begin stays, and so do all that are not committed.
  const Index begin = std::min(first_index() - 1, commit_);
  std::size_t old = 0;
  while (old + 1 < memberships_.size() && memberships_[old + 1].index <= begin) ++old;
  memberships_.erase(memberships_.begin(), memberships_.begin() + static_cast<std::ptrdiff_t>(old));
}

}  // namespace chronik::raft
