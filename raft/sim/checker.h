// Checker: the promises of Raft, checked over all nodes of a simulated group after every event. It
// knows more than any node: every log that ever was, every vote that left, everything committed.
// The first broken promise stays in problem().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raft/core/memory_storage.h"
#include "raft/core/raft.h"

namespace chronik::raft::sim {

/// What a state machine comes to: the hash of all entries up to an index.
std::uint64_t extend_hash(std::uint64_t hash, const Entry& entry);

/// A node's log as its Readys gave it out, each entry with the hash of the whole log up to it.
class ShadowLog {
 public:
  void reset(Index base, std::uint64_t base_hash);
  Index base() const { return base_; }
  Index last() const { return base_ + static_cast<Index>(places_.size()); }
  void cut_from(Index index);
  void append(const Entry& entry);
  Term term(Index index) const { return at(index).term; }
  std::uint64_t hash(Index index) const { return index == base_ ? base_hash_ : at(index).hash; }

 private:
  struct Place {
    Term term = 0;
    std::uint64_t hash = 0;
  };
  const Place& at(Index index) const;

  Index base_ = 0;
  std::uint64_t base_hash_ = 0;
  std::vector<Place> places_;
};

/// What the checker remembers of one life of a node.
struct Watched {
  const Raft* raft = nullptr;  // null: down
  ShadowLog log;
  Index commit = 0;
  Index last_before = 0;  // of the log before the event that is checked
  bool behind = false;    // the log has more than the last Ready told
  Term led = 0;           // the last term it was seen to lead
};

class Checker {
 public:
  const std::string& problem() const { return problem_; }
  void fail(std::string what);

  /// The node begins a life with this disk.
  void on_start(NodeId id, const Raft& raft, const MemoryStorage& disk);
  void on_stop(NodeId id) { nodes_[id].raft = nullptr; }
  /// A Ready was taken.
  void on_ready(NodeId id, const Ready& ready);
  /// Something happened to the node; `disks` are those of all nodes, `damaged`: some lost what they
  /// acknowledged, so disks do not prove a commit.
  void after_event(NodeId id, const std::map<NodeId, const MemoryStorage*>& disks, bool damaged);
  /// A message leaves the node, whose disk is in this state.
  void on_send(const Message& message, const HardState& durable, const MemoryStorage& disk);
  /// The state machine of the node went from `hash` on by this entry.
  void on_apply(NodeId id, const Entry& entry, std::uint64_t hash);

  Index committed() const { return committed_.empty() ? 0 : committed_.rbegin()->first; }
  std::uint64_t committed_hash(Index index) const {
    return index == 0 ? 0 : committed_.at(index).hash;
  }
  std::size_t elections() const { return leaders_.size(); }

 private:
  struct Committed {
    Term term = 0;
    std::uint64_t hash = 0;
    Term in_term = 0;  // of who was first to know
  };
  void check_leader(NodeId id, Watched& node);
  void check_commit(NodeId id, Watched& node, const std::map<NodeId, const MemoryStorage*>& disks,
                    bool damaged);
  void check_durable_majority(NodeId id, const Watched& node, Index index,
                              const std::map<NodeId, const MemoryStorage*>& disks);
  void check_has_committed(NodeId id, const Watched& node);

  std::map<NodeId, Watched> nodes_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<Term, NodeId>, NodeId> votes_;             // (term, voter) -> candidate
  std::map<std::pair<Index, Term>, std::uint64_t> log_hashes_;  // whoever wrote it
  std::map<Index, Committed> committed_;
  std::string problem_;
};

}  // namespace chronik::raft::sim
