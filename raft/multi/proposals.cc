#include "raft/multi/proposals.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace chronik::raft {

namespace {

constexpr std::size_t count_max = 100'000;

Error unknown_outcome(const char* why) {
  return {
      Errc::timeout,
      fmt::format("{}: whether the change was made is not known; look, and try again if not", why)};
}

Error lost_place(Position position, Term now) {
  return {
      Errc::not_leader,
      fmt::format("the leader changed (term {} to {}) before the change was committed: it was not "
                  "made; try again",
                  position.term, now)};
}

}  // namespace

Result<void> Proposals::admit(std::size_t bytes) const {
  const bool full = all_.size() >= count_max || bytes_ + bytes > bytes_max_;
  if (!full || all_.empty()) return {};
  return Error{Errc::busy, fmt::format("{} changes of {} bytes wait to be committed; retry later",
                                       all_.size(), bytes_)};
}

std::uint64_t Proposals::add(SharedBytes payload, bool idempotent, std::int64_t deadline,
                             ProposeDone done) {
  Proposal proposal;
  proposal.id = ++last_id_;
  proposal.payload = std::move(payload);
  proposal.idempotent = idempotent;
  proposal.deadline = deadline;
  proposal.done = std::move(done);
  bytes_ += proposal.payload.size();
  queue_.push_back(proposal.id);
  all_.emplace(proposal.id, std::move(proposal));
  return last_id_;
}

void Proposals::add_placed(Position position, std::int64_t deadline, ProposeDone done) {
  const std::uint64_t id = add({}, false, deadline, std::move(done));
  queue_.pop_back();
  placed(id, position);
}

const Proposals::Proposal* Proposals::next() const {
  return queue_.empty() ? nullptr : find(queue_.front());
}

const Proposals::Proposal* Proposals::find(std::uint64_t id) const {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

void Proposals::release_payload(Proposal& proposal) {
  bytes_ -= proposal.payload.size();
  proposal.payload = {};
}

void Proposals::placed(std::uint64_t id, Position position) {
  Proposal& proposal = all_.at(id);
  CHECK(proposal.position.index == 0 && position.index > 0);
  std::erase(queue_, id);
  proposal.position = position;
  forget_request(proposal);
  if (!proposal.idempotent) release_payload(proposal);
  placed_.emplace(position.index, id);
}

std::uint64_t Proposals::asked(std::uint64_t id, NodeId leader) {
  std::erase(queue_, id);
  Proposal& proposal = all_.at(id);
  proposal.asked = leader;
  proposal.request = ++last_request_;
  asked_.emplace(proposal.request, id);
  return proposal.request;
}

const Proposals::Proposal* Proposals::find_asked(NodeId leader, std::uint64_t request) const {
  const auto found = asked_.find(request);
  const Proposal* proposal = found == asked_.end() ? nullptr : find(found->second);
  return proposal != nullptr && proposal->asked == leader ? proposal : nullptr;
}

void Proposals::forget_request(Proposal& proposal) {
  proposal.asked = no_node;
  asked_.erase(proposal.request);
}

void Proposals::again(std::uint64_t id) {
  Proposal& proposal = all_.at(id);
  CHECK(proposal.position.index == 0);
  forget_request(proposal);
  // In the order in which they were made, as far as that is still possible.
  queue_.insert(std::ranges::upper_bound(queue_, id), id);
}

std::optional<Proposals::Proposal> Proposals::take(std::uint64_t id) {
  const auto found = all_.find(id);
  if (found == all_.end()) return std::nullopt;
  Proposal proposal = std::move(found->second);
  all_.erase(found);
  bytes_ -= proposal.payload.size();
  asked_.erase(proposal.request);
  std::erase(queue_, id);
  const auto [begin, end] = placed_.equal_range(proposal.position.index);
  for (auto at = begin; at != end; ++at) {
    if (at->second != id) continue;
    placed_.erase(at);
    break;
  }
  return proposal;
}

void Proposals::finish(std::uint64_t id, Result<Position> outcome) {
  std::optional<Proposal> proposal = take(id);
  if (!proposal) return;
  if (!outcome && proposal->unsure && outcome.error().code != Errc::timeout) {
    outcome = unknown_outcome(outcome.error().message.c_str());
  }
  proposal->done(std::move(outcome));
}

void Proposals::on_applied(std::span<const Entry> entries) {
  for (const Entry& entry : entries) settle({entry.term, entry.index});
  if (!placed_.empty()) give_up_behind({entries.back().term, entries.back().index});
}

void Proposals::on_committed(Index last, const std::function<Term(Index)>& term_of) {
  while (!placed_.empty() && placed_.begin()->first <= last) {
    const Index index = placed_.begin()->first;
    settle({term_of(index), index});
  }
  if (!placed_.empty()) give_up_behind({term_of(last), last});
}

/// The entry that stands at `here` for good.
void Proposals::settle(Position here) {
  while (!placed_.empty() && placed_.begin()->first <= here.index) {
    const std::uint64_t id = placed_.begin()->second;
    Proposal& proposal = all_.at(id);
    const Position position = proposal.position;
    if (position == here) {
      finish(id, position);
    } else if (position.index < here.index) {
      finish(id, unknown_outcome("the answer of the leader came too late"));
    } else {
      lose_place(id, here.term);
    }
  }
}

/// Terms never fall along a log: what an earlier leader placed behind this entry is not in it, even
/// if nothing is ever written there.
void Proposals::give_up_behind(Position committed) {
  std::vector<std::uint64_t> lost;
  for (const auto& [index, id] : placed_) {
    if (all_.at(id).position.term < committed.term) lost.push_back(id);
  }
  for (const std::uint64_t id : lost) {
    if (all_.contains(id)) lose_place(id, committed.term);
  }
}

void Proposals::lose_place(std::uint64_t id, Term now) {
  Proposal& proposal = all_.at(id);
  const Position position = proposal.position;
  if (!proposal.idempotent) return finish(id, lost_place(position, now));
  std::erase_if(placed_, [id](const auto& at) { return at.second == id; });
  proposal.position = {};
  again(id);
}

void Proposals::on_restored(Index index) {
  while (!placed_.empty() && placed_.begin()->first <= index) {
    finish(placed_.begin()->second, unknown_outcome("this node was far behind"));
  }
}

void Proposals::on_node_down(NodeId node) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, proposal] : all_) {
    if (proposal.asked == node) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) {
    const auto found = all_.find(id);
    if (found == all_.end() || found->second.asked != node) continue;
    if (found->second.idempotent) {
      found->second.unsure = true;
      again(id);
    } else {
      finish(id, unknown_outcome("the leader was lost"));
    }
  }
}

void Proposals::on_leader(NodeId leader, std::int64_t deadline) {
  for (auto& [id, proposal] : all_) {
    if (proposal.asked == no_node || proposal.asked == leader) continue;
    proposal.deadline = std::min(proposal.deadline, deadline);
  }
}

void Proposals::on_tick(std::int64_t now) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, proposal] : all_) {
    if (proposal.deadline <= now) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) {
    const Proposal* proposal = find(id);
    if (proposal == nullptr) continue;
    finish(id, may_be_made(*proposal)
                   ? unknown_outcome("it was not committed in time")
                   : Error{Errc::timeout,
                           "no leader was elected in time: the change was not made; a majority of "
                           "the cluster's nodes must be up and reach each other"});
  }
}

void Proposals::close() {
  while (!all_.empty()) {
    const auto& [id, proposal] = *all_.begin();
    finish(id, may_be_made(proposal) ? unknown_outcome("the broker is stopping")
                                     : Error{Errc::closed, "the broker is stopping"});
  }
}

}  // namespace chronik::raft
