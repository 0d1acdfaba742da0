// Log: the log as Raft sees it, the storage below and what is not durable yet on top of it, with
// its marks. Owned by one Raft.
//
//     first ...... applied ... applying ... commit ...... last
//     |<- storage ------------ stored ->|<- tail: here ---->|
//                                           written ^ (handed to the driver up to here)
//
// Invariants: applied <= applying <= commit <= last; applying <= durable; the tail begins right
// behind `stored`; nothing at or before `commit` is ever cut; the memberships of all entries that
// are still there, and the one in force before them, are known.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/fifo.h"
#include "raft/core/storage.h"

namespace chronik::raft {

class Log {
 public:
  /// `memberships`: in force at the log's begin (the snapshot's), then of each membership entry.
  Log(const Storage& storage, Index commit, Index applied, std::vector<MembershipAt> memberships);

  Index first_index() const;
  Index last_index() const { return last_; }
  Position last() const { return {*term(last_), last_}; }
  /// nullopt: before the log's begin, or behind its end.
  std::optional<Term> term(Index index) const;
  bool holds(Position position) const { return term(position.index) == position.term; }
  /// Whether a log that ends at `other` has at least what this one has (thesis 3.6.1).
  bool is_covered_by(Position other) const;
  /// The last place at or before `most.index` that is of `most.term` at most: where logs may part.
  Position last_at_most(Position most) const;

  Index commit() const { return commit_; }
  void commit_to(Index index);
  Index applying() const { return applying_; }
  Index applied() const { return applied_; }
  /// What reads may see: nothing while a snapshot that was restored here is not installed yet.
  Index readable() const { return install_ ? 0 : applied_; }
  /// What may be handed out for applying: committed, and durable here.
  Index may_apply_to() const { return std::min(commit_, durable()); }
  void applying_to(Index index);
  void applied_to(Index index);

  /// Durable on this node without a gap; of a log that is being replaced by a snapshot nothing.
  Index durable() const { return install_ ? 0 : stored_; }

  /// Behind the last one: its index and term must say so.
  void append(Entry entry);
  /// A leader's entries behind one that matches. What is there already stays, whatever follows it:
  /// the log is cut only where an entry contradicts. Returns the first index that was cut or 0.
  /// Entries of membership must be decodable (Raft::step checks).
  Index merge(std::span<const Entry> entries);
  /// Replaces the whole log. Behind it: commit, applying and applied are the snapshot's index.
  void restore(const SnapshotMeta& meta);

  /// Until it is persisted; only one at a time.
  bool installing() const { return install_.has_value(); }

  bool has_unwritten() const { return install_unwritten_ || written_ < last_; }
  /// What was not handed out for persisting yet; the caller sees to it that it is persisted.
  std::optional<SnapshotMeta> take_install();
  std::vector<Entry> take_unwritten();
  Index written() const { return written_; }
  /// The storage shows everything up to `index` (and the snapshot, when `installed`).
  void persisted(Index index, bool installed);

  /// Entries of [begin, end), at least one, at most about `bytes_max`; nullopt: not in memory.
  std::optional<std::vector<Entry>> entries(Index begin, Index end, std::uint64_t bytes_max) const;

  /// What a follower is offered that needs more than is left.
  SnapshotMeta snapshot() const { return install_ ? *install_ : storage_->snapshot(); }

  /// The one in force: of the last membership entry, committed or not.
  const MembershipAt& membership() const { return memberships_.back(); }
  /// In force at `index`, which must be neither before the log's begin nor before the first
  /// membership known.
  const Membership& membership_at(Index index) const;
  /// The first one that is known and committed; null: none is. At the log's begin it may be
  /// unknown: to a node that came without knowing anything, and got the entries from the first one
  /// on.
  const Membership* first_committed_membership() const;
  Index memberships_begin() const { return memberships_.front().index; }
  /// The storage may have let go of its begin: forgets the memberships before it.
  void forget_old_memberships();

 private:
  void cut_from(Index index);
  void note_membership(const Entry& entry);

  const Storage* storage_;
  Fifo<Entry> tail_;
  Index stored_;   // storage is asked up to here
  Index written_;  // handed out for persisting up to here
  Index last_;
  Index commit_;
  Index applying_;
  Index applied_;
  std::optional<SnapshotMeta> install_;  // not durable yet; storage is not to be asked
  bool install_unwritten_ = false;
  std::vector<MembershipAt> memberships_;
};

}  // namespace chronik::raft
