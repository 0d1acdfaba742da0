#include "integration/sim/ledger.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "metadata/event_source.h"

namespace chronik::sim {

namespace {

constexpr const char* mark_group = "marks";
constexpr std::uint64_t mark_topic = 1;

std::optional<ProposalId> mark_of(const metadata::MetadataEvent& event) {
  const auto* commit = std::get_if<metadata::OffsetsCommitted>(&event);
  if (commit == nullptr || commit->group_id != mark_group) return std::nullopt;
  return static_cast<ProposalId>(commit->topics[0].partitions[0].committed_offset);
}

}  // namespace

metadata::MetadataEvent Ledger::mark(ProposalId id) {
  return metadata::offset_committed(mark_group, mark_topic, 0, static_cast<Offset>(id));
}

ProposalId Ledger::propose(const metadata::ProposeOptions& options,
                           std::optional<std::string> topic) {
  const ProposalId id = proposals_.size();
  proposals_.push_back({options, std::move(topic), Told::nothing, {}, {}});
  open_.insert(id);
  ++counts_.proposals;
  return id;
}

void Ledger::answer(ProposalId id, Result<metadata::ApplyResults> outcome, EntryIndex applied) {
  if (open_.erase(id) == 0) {
    return verdict_.fail(Promise::answers, fmt::format("proposal {} is answered twice", id));
  }
  answers_.push_back({id, std::move(outcome), applied});
}

/// Which errors leave open what became of the proposal: metadata/metadata_store.h.
Ledger::Told Ledger::told_by(const Error& error) {
  if (error.code != Errc::timeout) return Told::not_made;
  const bool sure = error.message.find("was not made") != std::string::npos;
  return sure ? Told::not_made : Told::unknown;
}

void Ledger::on_commit(const raft::Entry& entry) {
  if (entry.kind != raft::EntryKind::data) return;
  const auto events = metadata::read_entry(entry.payload.view());
  if (!events) return;  // the images say more
  std::optional<ProposalId> id;
  for (const metadata::MetadataEvent& event : *events) {
    if (const auto found = mark_of(event)) id = found;
  }
  if (!id || *id >= proposals_.size()) {
    return verdict_.fail(Promise::answers,
                         fmt::format("entry {} was proposed by nobody", entry.index));
  }
  Proposal& proposal = proposals_[*id];
  proposal.places.push_back(entry.index);
  if (proposal.places.size() > 1 && !proposal.options.idempotent) {
    return verdict_.fail(Promise::at_most_once,
                         fmt::format("proposal {} is committed at {} and at {}", *id,
                                     proposal.places[0], entry.index));
  }
  const auto term = proposal.options.only_in_term;
  if (term && entry.term != *term) {
    return verdict_.fail(Promise::answers,
                         fmt::format("proposal {} is of term {} only, and is committed in {}", *id,
                                     *term, entry.term));
  }
  if (proposal.told == Told::not_made) check_refused(*id, proposal);
}

void Ledger::check_refused(ProposalId id, const Proposal& proposal) {
  if (proposal.places.empty()) return;
  verdict_.fail(Promise::refused_is_not_made,
                fmt::format("proposal {} was refused ('{}') and is committed at {}", id,
                            proposal.words, proposal.places[0]));
}

void Ledger::after_event() {
  for (const Answer& answer : std::exchange(answers_, {})) {
    Proposal& proposal = proposals_[answer.id];
    if (answer.outcome) {
      ++counts_.made;
      check_made(answer.id, proposal, answer);
      continue;
    }
    proposal.told = told_by(answer.outcome.error());
    proposal.words = answer.outcome.error().message;
    ++(proposal.told == Told::unknown ? counts_.unknown : counts_.not_made);
    if (proposal.told == Told::not_made) check_refused(answer.id, proposal);
  }
}

void Ledger::check_made(ProposalId id, Proposal& proposal, const Answer& answer) {
  proposal.told = Told::made;
  const bool seen =
      std::ranges::any_of(proposal.places, [&](Index place) { return place <= answer.applied; });
  if (!seen) {
    return verdict_.fail(Promise::answers,
                         fmt::format("proposal {} is acknowledged at entry {} and not committed by "
                                     "then",
                                     id, answer.applied));
  }
  const bool right = std::ranges::any_of(
      proposal.places, [&](Index place) { return images_.results(place) == *answer.outcome; });
  if (!right) {
    return verdict_.fail(Promise::answers,
                         fmt::format("proposal {} is answered with other results than those of "
                                     "entry {}",
                                     id, proposal.places[0]));
  }
  if (proposal.topic && (*answer.outcome)[0].ok()) topics_.push_back(*proposal.topic);
}

void Ledger::check_read(NodeId id, Index floor, std::size_t topics, const metadata::Image& image) {
  ++counts_.reads;
  if (image.applied_index() < floor) {
    return verdict_.fail(
        Promise::reads, fmt::format("a read of node {} sees entry {}, and {} was committed when it "
                                    "began",
                                    id, image.applied_index(), floor));
  }
  for (std::size_t i = topics > 3 ? topics - 3 : 0; i < topics; ++i) {
    if (image.topic(topics_[i]) != nullptr) continue;
    return verdict_.fail(Promise::reads, fmt::format("a read of node {} does not see topic {}, "
                                                     "which was acknowledged before",
                                                     id, topics_[i]));
  }
}

}  // namespace chronik::sim
