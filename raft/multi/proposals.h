// Proposals: those of this node that wait for their outcome. A proposal is queued (nobody is known
// to lead), asked (the leader was sent it), or placed (it stands in the leader's log at a
// position), until the entry at that position is applied here. Owned by one Replica; pure
// bookkeeping: it sees neither Raft nor network, time is a number of ticks.
//
// done is called once, never from add(). It may add proposals.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "raft/core/types.h"

namespace chronik::raft {

/// Where the entry stands whose apply() has just returned; or why it was not, or may not have been,
/// taken. Errors: timeout (the outcome is unknown, or nobody led for so long: see the message),
/// not_leader (surely not applied: another leader's entry took its place, or only_in_term), busy,
/// too_large, no_space, closed, invalid_argument: surely not applied.
using ProposeDone = std::function<void(Result<Position>)>;

class Proposals {
 public:
  struct Proposal {
    std::uint64_t id = 0;
    SharedBytes payload;  // empty once it is placed and need not be sent again
    bool idempotent = false;
    bool unsure = false;  // idempotent: an earlier try may have been appended
    std::int64_t deadline = 0;
    ProposeDone done;
    NodeId asked = no_node;
    std::uint64_t request = 0;  // by which it was asked
    Position position;          // index 0: not placed
  };

  explicit Proposals(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Whether there is room for another one of this size. Errors: busy.
  Result<void> admit(std::size_t bytes) const;
  /// Queued, at the end. Returns its id.
  std::uint64_t add(SharedBytes payload, bool idempotent, std::int64_t deadline, ProposeDone done);
  /// Placed from the start (a membership change).
  void add_placed(Position position, std::int64_t deadline, ProposeDone done);

  /// The first one that is queued; null: none. Valid until the next change.
  const Proposal* next() const;
  void placed(std::uint64_t id, Position position);
  /// Returns the number of the request, which no other one had or will have.
  std::uint64_t asked(std::uint64_t id, NodeId leader);
  /// To the queue again: it was surely not appended.
  void again(std::uint64_t id);
  const Proposal* find(std::uint64_t id) const;
  /// The one that was asked by this request, if it is still waiting for the answer.
  const Proposal* find_asked(NodeId leader, std::uint64_t request) const;
  /// An error of one that may have been appended becomes `timeout`: its outcome is unknown.
  void finish(std::uint64_t id, Result<Position> outcome);

  /// These entries, at least one, were applied, in order.
  void on_applied(std::span<const Entry> entries);
  /// All entries up to `last` were committed. `term_of`: of the entry at an index.
  void on_committed(Index last, const std::function<Term(Index)>& term_of);
  /// A snapshot took the place of everything up to `index`: what became of those is not known.
  void on_restored(Index index);
  /// Its answers will not come any more.
  void on_node_down(NodeId node);
  /// `leader` leads now: the answers of those asked before are worth no longer wait than this.
  void on_leader(NodeId leader, std::int64_t deadline);
  void on_tick(std::int64_t now);
  /// All get `closed`, but for those that may have been appended.
  void close();

  std::size_t count() const { return all_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void settle(Position here);
  void give_up_behind(Position committed);
  void lose_place(std::uint64_t id, Term now);
  std::optional<Proposal> take(std::uint64_t id);
  void release_payload(Proposal& proposal);
  void forget_request(Proposal& proposal);
  static bool may_be_made(const Proposal& proposal) {
    return proposal.unsure || proposal.asked != no_node || proposal.position.index != 0;
  }

  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_request_ = 0;
  std::map<std::uint64_t, Proposal> all_;
  std::vector<std::uint64_t> queue_;
  std::map<std::uint64_t, std::uint64_t> asked_;  // request, id
  std::multimap<Index, std::uint64_t> placed_;
};

}  // namespace chronik::raft
