// LogChecker: what Raft promises of terms, votes, logs and commits, checked over all nodes of a
// simulated cluster after every event. It knows more than any node: every log that ever was, every
// vote that left, everything committed. Owned by the Simulation.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "integration/sim/verdict.h"
#include "raft/multi/replica.h"
#include "raft/sim/checker.h"

namespace chronik::sim {

using raft::Index;
using raft::NodeId;
using raft::Term;

class LogChecker {
 public:
  /// Sees each entry once, in order, when the first node knows that it is committed.
  using OnCommit = std::function<void(const raft::Entry& entry)>;

  LogChecker(Verdict& verdict, OnCommit on_commit)
      : verdict_(verdict), on_commit_(std::move(on_commit)) {}

  /// The node begins a life. `keeps`: its disk had no damage and was not wiped.
  void on_start(NodeId id, raft::Replica& replica, bool keeps);
  /// What was durable is remembered for the next start.
  void on_end(NodeId id);
  void on_wipe(NodeId id);
  /// The node has no replica any more, nor a log. Its votes are not forgotten here.
  void on_leave(NodeId id);
  /// Disks do not prove a commit any more: one of them lost what it had acknowledged.
  void on_damage() { damaged_ = true; }
  /// A message leaves the node.
  void on_send(const raft::Message& message);
  /// Something happened to the node.
  void after_event(NodeId id);

  Index committed() const { return static_cast<Index>(committed_.size()); }
  Term term_at(Index index) const { return at(index).term; }
  /// The last entry that was known to be committed in a term before `term`.
  Index committed_before(Term term) const;
  /// Who belongs to the cluster, as of the last membership that is committed.
  const raft::Membership& membership() const { return membership_; }
  void found(const raft::Membership& founders) {
    membership_ = founders;
    memberships_ = {{0, founders}};
  }
  /// Whether every log that there is, up or down, ends with that membership.
  bool membership_is_settled() const;

  std::size_t elections() const { return leaders_.size(); }
  std::uint64_t snapshots_installed() const { return installed_; }

 private:
  struct Committed {
    Term term = 0;
    std::uint64_t hash = 0;  // of the log up to here
    Term in_term = 0;        // of who was first to know
  };
  struct Known {
    std::uint64_t hash = 0;
    raft::Entry entry;
  };
  // What is remembered of a node; the log is that of its process, or of the last one it had.
  struct Watched {
    raft::Replica* replica = nullptr;  // null: down
    raft::sim::ShadowLog log;
    Index commit = 0;
    Index last_before = 0;   // of the log before the event that is checked
    Index durable_last = 0;  // when it went down
    Term led = 0;            // the last term it was seen to lead
    Term promised = 0;       // a vote in this term has left the node
    raft::Membership membership;
  };

  const Committed& at(Index index) const { return committed_[static_cast<std::size_t>(index - 1)]; }
  std::uint64_t committed_hash(Index index) const { return index == 0 ? 0 : at(index).hash; }
  bool read_log(NodeId id, Watched& node);
  std::optional<std::vector<raft::Entry>> entries(raft::LogStore& store, Index begin, Index end);
  Result<raft::Entry> entry_on_disk(raft::LogStore& store, Index index);
  void learn(NodeId id, Watched& node, const raft::Entry& entry);
  void check_leader(NodeId id, Watched& node);
  void check_has_committed(NodeId id, const Watched& node);
  void check_membership(NodeId id, const Watched& node);
  void check_commit(NodeId id, Watched& node);
  void commit(NodeId id, Watched& node, Index index);
  void check_durable_majority(NodeId id, const Watched& node, Index index);
  void check_kept(NodeId id, const Watched& before, const Watched& now);

  Verdict& verdict_;
  const OnCommit on_commit_;
  std::map<NodeId, Watched> nodes_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<Term, NodeId>, NodeId> votes_;  // (term, voter) -> candidate
  std::map<std::pair<Index, Term>, Known> known_;    // whoever wrote it
  std::vector<Committed> committed_;                 // the first one is of index 1
  raft::Membership membership_;
  std::vector<raft::MembershipAt> memberships_;  // all that were committed
  bool damaged_ = false;
  std::uint64_t installed_ = 0;
};

}  // namespace chronik::sim
