// Ledger: what clients of a simulated cluster asked, what they were told, and what became of it.
// Every proposal carries a mark of its own, by which it is found in the log again. Owned by the
// Simulation.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "integration/sim/image_checker.h"
#include "integration/sim/log_checker.h"
#include "integration/sim/verdict.h"
#include "metadata/metadata_store.h"

namespace chronik::sim {

using ProposalId = std::uint64_t;

class Ledger {
 public:
  Ledger(Verdict& verdict, const ImageChecker& images) : verdict_(verdict), images_(images) {}

  /// An event that changes next to nothing and says which proposal it belongs to.
  static metadata::MetadataEvent mark(ProposalId id);

  /// A client proposes. `topic`: the name of one that it creates, which nobody deletes.
  ProposalId propose(const metadata::ProposeOptions& options, std::optional<std::string> topic);
  /// It is told the outcome by a node whose image is at `applied`.
  void answer(ProposalId id, Result<metadata::ApplyResults> outcome, EntryIndex applied);
  /// The node that was asked has died without an answer.
  void forget(ProposalId id) { open_.erase(id); }
  bool is_open(ProposalId id) const { return open_.contains(id); }
  /// How many proposals there were; the id of the next one.
  ProposalId proposed() const { return proposals_.size(); }
  bool was_made(ProposalId id) const { return proposals_.at(id).told == Told::made; }

  void on_commit(const raft::Entry& entry);
  /// Answers that were given since the last event are compared with what is committed now.
  void after_event();

  /// A read that began when `floor` was committed and `topics` topics were acknowledged is answered
  /// with this image.
  void check_read(NodeId id, Index floor, std::size_t topics, const metadata::Image& image);
  /// How many topics were acknowledged so far.
  std::size_t topics() const { return topics_.size(); }

  struct Counts {
    std::uint64_t proposals = 0;
    std::uint64_t made = 0;
    std::uint64_t not_made = 0;
    std::uint64_t unknown = 0;
    std::uint64_t reads = 0;  // that were answered
  };
  const Counts& counts() const { return counts_; }

 private:
  enum class Told { nothing, made, not_made, unknown };
  struct Proposal {
    metadata::ProposeOptions options;
    std::optional<std::string> topic;
    Told told = Told::nothing;
    std::string words;          // of the error
    std::vector<Index> places;  // where it is committed
  };
  struct Answer {
    ProposalId id = 0;
    Result<metadata::ApplyResults> outcome;
    EntryIndex applied = 0;
  };

  static Told told_by(const Error& error);
  void check_made(ProposalId id, Proposal& proposal, const Answer& answer);
  void check_refused(ProposalId id, const Proposal& proposal);

  Verdict& verdict_;
  const ImageChecker& images_;
  std::vector<Proposal> proposals_;  // by id
  std::set<ProposalId> open_;
  std::vector<Answer> answers_;
  std::vector<std::string> topics_;  // acknowledged, oldest first
  Counts counts_;
};

}  // namespace chronik::sim
