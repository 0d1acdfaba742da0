#include "raft/sim/checker.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace chronik::raft::sim {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 29);
}

}  // namespace

std::uint64_t extend_hash(std::uint64_t hash, const Entry& entry) {
  hash = mix(hash, static_cast<std::uint64_t>(entry.index));
  hash = mix(hash, static_cast<std::uint64_t>(entry.term));
  hash = mix(hash, static_cast<std::uint64_t>(entry.kind));
  for (std::uint8_t byte : entry.payload.view()) hash = mix(hash, byte);
  return hash;
}

void ShadowLog::reset(Index base, std::uint64_t base_hash) {
  base_ = base;
  base_hash_ = base_hash;
  places_.clear();
}

void ShadowLog::cut_from(Index index) {
  CHECK(index > base_);
  if (index <= last()) places_.resize(static_cast<std::size_t>(index - base_ - 1));
}

void ShadowLog::append(const Entry& entry) {
  CHECK(entry.index == last() + 1);
  places_.push_back({entry.term, extend_hash(hash(last()), entry)});
}

const ShadowLog::Place& ShadowLog::at(Index index) const {
  CHECK(index > base_ && index <= last());
  return places_[static_cast<std::size_t>(index - base_ - 1)];
}

void Checker::fail(std::string what) {
  if (problem_.empty()) problem_ = std::move(what);
}

void Checker::on_start(NodeId id, const Raft& raft, const MemoryStorage& disk) {
  Watched& node = nodes_[id];
  node = Watched{};
  node.raft = &raft;
  const Index base = disk.first_index() - 1;
  node.log.reset(base, committed_hash(base));
  if (disk.last_index() >= disk.first_index()) {
    for (const Entry& entry :
         disk.read(disk.first_index(), disk.last_index() + 1, std::uint64_t(-1))) {
      node.log.append(entry);
    }
  }
  node.commit = raft.log().commit();
  node.last_before = node.log.last();
}

void Checker::on_ready(NodeId id, const Ready& ready) {
  Watched& node = nodes_[id];
  if (ready.install) {
    const Index index = ready.install->index;
    if (!committed_.contains(index)) fail(fmt::format("{} installs what nobody committed", id));
    if (!problem_.empty()) return;
    node.log.reset(index, committed_hash(index));
  }
  if (ready.entries.empty()) return;
  const Index from = ready.entries.front().index;
  if (from <= node.log.last()) {
    if (node.led == node.raft->term() && node.raft->role() == Role::leader) {
      return fail(fmt::format("leader {} of term {} rewrites its log at {}", id, node.led, from));
    }
    node.log.cut_from(from);
  }
  for (const Entry& entry : ready.entries) {
    node.log.append(entry);
    const std::uint64_t hash = node.log.hash(entry.index);
    const auto [known, fresh] = log_hashes_.try_emplace({entry.index, entry.term}, hash);
    if (!fresh && known->second != hash) {
      return fail(fmt::format("the logs differ before {}@{}, which node {} has as well",
                              entry.index, entry.term, id));
    }
  }
}

void Checker::after_event(NodeId id, const std::map<NodeId, const MemoryStorage*>& disks,
                          bool damaged) {
  Watched& node = nodes_[id];
  if (node.raft == nullptr || !problem_.empty()) return;
  if (node.raft->log().has_unwritten()) {
    node.behind = true;  // the shadow is; the next Ready tells what was written
    return;
  }
  check_leader(id, node);
  if (problem_.empty()) check_commit(id, node, disks, damaged);
  node.last_before = node.log.last();
  node.behind = false;
}

void Checker::check_leader(NodeId id, Watched& node) {
  if (node.raft->role() != Role::leader || node.led == node.raft->term()) return;
  node.led = node.raft->term();
  const auto [leader, first] = leaders_.try_emplace(node.led, id);
  if (!first && leader->second != id) {
    return fail(fmt::format("term {} has two leaders: {} and {}", node.led, leader->second, id));
  }
  check_has_committed(id, node);
}

void Checker::check_has_committed(NodeId id, const Watched& node) {
  // An election may be won late: what later terms have committed by then is not asked for.
  auto known = committed_.rbegin();
  while (known != committed_.rend() && known->second.in_term >= node.raft->term()) ++known;
  const Index last = known == committed_.rend() ? 0 : known->first;
  if (last <= node.log.base()) return;
  if (node.log.last() < last || node.log.hash(last) != committed_hash(last)) {
    fail(fmt::format("leader {} of term {} lacks the committed entry {}", id, node.raft->term(),
                     last));
  }
}

void Checker::check_commit(NodeId id, Watched& node,
                           const std::map<NodeId, const MemoryStorage*>& disks, bool damaged) {
  const Index commit = node.raft->log().commit();
  if (commit < node.commit) return fail(fmt::format("the commit index of {} falls", id));
  if (commit == node.commit) return;
  const Index before = std::max(node.commit, node.log.base());
  node.commit = commit;
  const bool leads = node.raft->role() == Role::leader;
  if (leads && node.log.last() >= commit && node.log.term(commit) != node.raft->term()) {
    return fail(fmt::format("leader {} of term {} commits {}, an entry of term {}", id,
                            node.raft->term(), commit, node.log.term(commit)));
  }
  for (Index index = before + 1; index <= std::min(commit, node.log.last()); ++index) {
    const Committed mine{node.log.term(index), node.log.hash(index), node.raft->term()};
    const auto [known, first] = committed_.try_emplace(index, mine);
    if (known->second.hash != mine.hash) {
      return fail(fmt::format("two entries are committed at {}: {}@{} and, at node {}, {}@{}",
                              index, index, known->second.term, id, index, mine.term));
    }
    if (first && leads && !damaged && !node.behind) check_durable_majority(id, node, index, disks);
  }
  for (const auto& [other, leader] : nodes_) {
    if (leader.raft == nullptr || leader.raft->role() != Role::leader) continue;
    if (leader.led != leader.raft->term()) continue;  // not seen as such yet
    if (leader.raft->term() > node.raft->term()) check_has_committed(other, leader);
  }
}

// The membership that counted is that of the log's end before the event; what the event appended
// (the end of a joint change) was not there yet.
void Checker::check_durable_majority(NodeId id, const Watched& node, Index index,
                                     const std::map<NodeId, const MemoryStorage*>& disks) {
  const Membership& membership = node.raft->log().membership_at(node.last_before);
  const Term term = node.log.term(index);
  const std::int64_t held = quorum_value(membership, [&](NodeId voter) -> std::int64_t {
    const auto disk = disks.find(voter);
    if (disk == disks.end() || disk->second->last_index() < index) return 0;
    if (index < disk->second->first_index()) return 1;
    return disk->second->term(index) == term ? 1 : 0;
  });
  if (held == 0) {
    fail(fmt::format("{}@{} is committed by {} and durable on no majority of {}", index, term, id,
                     to_string(membership)));
  }
}

void Checker::on_send(const Message& message, const HardState& durable, const MemoryStorage& disk) {
  // Once a later term is durable the node cannot go back on what it said in an earlier one.
  const auto promises = [&](const char* what, bool kept) {
    if (!kept && durable.term <= message.term) {
      fail(fmt::format(
          "node {} sends {} in term {} before it is durable (term {}, vote {}, log to "
          "{})",
          message.from, what, message.term, durable.term, durable.vote, disk.last_index()));
    }
  };
  const auto vote_is = [&](NodeId candidate) {
    const auto [known, first] = votes_.try_emplace({message.term, message.from}, candidate);
    if (known->second != candidate) {
      fail(fmt::format("node {} votes for {} and {} in term {}", message.from, known->second,
                       candidate, message.term));
    }
    return durable.term == message.term && durable.vote == candidate;
  };
  if (const auto* vote = std::get_if<Vote>(&message.body); vote != nullptr && !vote->pre) {
    // Who gave up meanwhile may have a shorter log by now, and cannot win any more.
    const Raft* raft = nodes_[message.from].raft;
    const bool stands = raft != nullptr && raft->role() == Role::candidate;
    promises("a request for votes",
             vote_is(message.from) && (!stands || vote->last.index <= disk.last_index()));
  } else if (const auto* answer = std::get_if<VoteAnswer>(&message.body)) {
    if (answer->granted && !answer->pre) promises("its vote", vote_is(message.to));
  } else if (const auto* append = std::get_if<AppendAnswer>(&message.body)) {
    if (append->accepted) promises("that it has entries", append->index <= disk.last_index());
  } else if (const auto* beat = std::get_if<HeartbeatAnswer>(&message.body)) {
    promises("that it has entries", beat->durable == 0 || (beat->durable <= disk.last_index() &&
                                                           durable.term >= message.term));
  } else if (const auto* snapshot = std::get_if<SnapshotAnswer>(&message.body)) {
    if (snapshot->installed) {
      promises("that it has a snapshot", snapshot->index <= disk.last_index());
    }
  } else if (message.is<Append>() || message.is<Heartbeat>()) {
    promises("as a leader", durable.term >= message.term);
  }
}

void Checker::on_apply(NodeId id, const Entry& entry, std::uint64_t hash) {
  const auto known = committed_.find(entry.index);
  if (known == committed_.end()) {
    return fail(fmt::format("node {} applies {}, which is not committed", id, entry.index));
  }
  if (known->second.hash != hash) {
    fail(fmt::format("the state machine of node {} differs at {}", id, entry.index));
  }
}

}  // namespace chronik::raft::sim
