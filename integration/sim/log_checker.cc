#include "integration/sim/log_checker.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raft/core/quorum.h"
#include "wal/log_slice.h"

namespace chronik::sim {

void LogChecker::on_start(NodeId id, raft::Replica& replica, bool keeps) {
  Watched& node = nodes_[id];
  const Watched before = std::move(node);
  node = Watched{};
  node.replica = &replica;
  node.promised = before.promised;
  raft::LogStore& store = replica.store();
  const Index base = store.first_index() - 1;
  if (base > committed()) {
    return verdict_.fail(
        Promise::committed_stays,
        fmt::format("the log of node {} begins behind {}, which nobody committed", id, base));
  }
  node.log.reset(base, committed_hash(base));
  node.commit = base;
  if (!read_log(id, node)) return;
  if (keeps) check_kept(id, before, node);
  check_commit(id, node);
  node.last_before = node.log.last();
}

/// What was on the disk before is there now.
void LogChecker::check_kept(NodeId id, const Watched& before, const Watched& now) {
  const Term term = now.replica->raft().term();
  if (term < before.promised) {
    verdict_.fail(Promise::committed_stays,
                  fmt::format("node {} comes back in term {}, having voted in term {}", id, term,
                              before.promised));
  }
  const Index index = std::min(before.durable_last, committed());
  if (index <= before.log.base() || index <= now.log.base()) return;
  if (before.log.hash(index) != committed_hash(index)) return;
  if (now.log.last() >= index && now.log.hash(index) == committed_hash(index)) return;
  verdict_.fail(Promise::committed_stays,
                fmt::format("node {} had the committed entry {} on its disk, and comes back "
                            "without it (its log ends with {})",
                            id, index, now.log.last()));
}

void LogChecker::on_end(NodeId id) {
  Watched& node = nodes_[id];
  if (node.replica == nullptr) return;
  node.durable_last = std::min(node.replica->store().log().durable_last_index(), node.log.last());
  node.replica = nullptr;
}

void LogChecker::on_wipe(NodeId id) {
  CHECK(nodes_[id].replica == nullptr);
  nodes_[id] = Watched{};
  // It knows no vote of before; that this does no harm is for the other checks to say.
  std::erase_if(votes_, [&](const auto& vote) { return vote.first.second == id; });
  on_damage();
}

/// It knows what it promised.
void LogChecker::on_leave(NodeId id) {
  const Term promised = nodes_[id].promised;
  nodes_[id] = Watched{};
  nodes_[id].promised = promised;
}

bool LogChecker::membership_is_settled() const {
  return std::ranges::all_of(nodes_, [&](const auto& each) {
    const Watched& node = each.second;
    return node.membership.voters.empty() || node.membership == membership_;
  });
}

Result<raft::Entry> LogChecker::entry_on_disk(raft::LogStore& store, Index index) {
  TRY_ASSIGN(const wal::EntrySlice slice, store.slice(index, 1));
  TRY_ASSIGN(const SharedBytes bytes, wal::gather(slice.bytes));
  TRY_ASSIGN(std::vector<raft::Entry> parsed, store.parse(bytes, index, index + 1));
  if (parsed.empty()) return Error{Errc::corrupt, fmt::format("no entry {}", index)};
  return std::move(parsed.front());
}

std::optional<std::vector<raft::Entry>> LogChecker::entries(raft::LogStore& store, Index begin,
                                                            Index end) {
  constexpr std::uint64_t all = std::uint64_t{1} << 40;
  if (auto recent = store.entries(begin, end, all)) return std::move(*recent);
  std::vector<raft::Entry> found;
  for (Index index = begin; index < end; ++index) {
    Result<raft::Entry> entry = entry_on_disk(store, index);
    if (entry) {
      found.push_back(std::move(*entry));
      continue;
    }
    // Also where a bit of it has flipped, and the node has not seen that yet.
    const auto known = known_.find({index, store.term(index)});
    const bool power_is_off = entry.error().code == Errc::io;
    if ((power_is_off || damaged_) && known != known_.end()) {
      found.push_back(known->second.entry);
      continue;
    }
    if (power_is_off) return std::nullopt;
    verdict_.fail(Promise::committed_stays,
                  fmt::format("entry {} cannot be read: {}", index, entry.error().message));
    return std::nullopt;
  }
  return found;
}

/// The shadow of the node's log becomes what the log is now. False: it is not known what that is.
bool LogChecker::read_log(NodeId id, Watched& node) {
  raft::LogStore& store = node.replica->store();
  const Index base = store.first_index() - 1;
  const Index last = store.last_index();
  raft::sim::ShadowLog& log = node.log;
  const auto same = [&](Index index) {
    return index == log.base() || log.term(index) == store.term(index);
  };
  if (last == log.last() && base <= log.last() && (last == log.base() || same(last))) {
    return true;
  }
  Index keep = std::min(last, log.last());
  while (keep > std::max(base, log.base()) && !same(keep)) --keep;
  if (keep < std::max(base, log.base()) || !same(keep)) {
    // A snapshot took the place of the log.
    if (base > committed()) {
      verdict_.fail(Promise::committed_stays,
                    fmt::format("node {} installs a snapshot of {}, and {} are committed", id, base,
                                committed()));
      return false;
    }
    log.reset(base, committed_hash(base));
    keep = base;
    ++installed_;
  }
  if (keep < log.last()) {
    if (node.replica->raft().role() == raft::Role::leader &&
        node.led == node.replica->raft().term()) {
      verdict_.fail(Promise::log_matching,
                    fmt::format("leader {} of term {} cuts its log behind {}", id, node.led, keep));
      return false;
    }
    log.cut_from(keep + 1);
  }
  if (keep == last) return true;
  const std::optional<std::vector<raft::Entry>> added = entries(store, keep + 1, last + 1);
  if (!added) return false;
  for (const raft::Entry& entry : *added) learn(id, node, entry);
  return true;
}

void LogChecker::learn(NodeId id, Watched& node, const raft::Entry& entry) {
  node.log.append(entry);
  const std::uint64_t hash = node.log.hash(entry.index);
  const auto known = known_.find({entry.index, entry.term});
  if (known == known_.end()) {
    raft::Entry copy = entry;
    copy.payload = SharedBytes::copy_of(entry.payload.view());
    known_.emplace(std::pair(entry.index, entry.term), Known{hash, std::move(copy)});
  } else if (known->second.hash != hash) {
    verdict_.fail(Promise::log_matching,
                  fmt::format("the logs differ at or before {}@{}, which node {} has as well",
                              entry.index, entry.term, id));
  }
}

void LogChecker::after_event(NodeId id) {
  Watched& node = nodes_[id];
  // What a broken one takes itself for, nobody hears.
  if (node.replica == nullptr || node.replica->broken() || !verdict_.good()) return;
  if (!read_log(id, node) || !verdict_.good()) return;
  check_leader(id, node);
  check_commit(id, node);
  node.last_before = node.log.last();
  if (node.membership != node.replica->raft().membership()) {
    node.membership = node.replica->raft().membership();
  }
}

void LogChecker::check_leader(NodeId id, Watched& node) {
  const raft::Raft& raft = node.replica->raft();
  if (raft.role() != raft::Role::leader || node.led == raft.term()) return;
  node.led = raft.term();
  const auto [leader, first] = leaders_.try_emplace(node.led, id);
  if (!first && leader->second != id) {
    return verdict_.fail(Promise::one_leader, fmt::format("term {} has two leaders: {} and {}",
                                                          node.led, leader->second, id));
  }
  check_has_committed(id, node);
  check_membership(id, node);
}

/// A leader counts by the membership that is committed, or by a later one.
void LogChecker::check_membership(NodeId id, const Watched& node) {
  const raft::Log& log = node.replica->raft().log();
  const Index commit = std::max(committed_before(node.led), node.log.base());
  auto right = memberships_.rbegin();
  while (right->index > commit) ++right;
  if (log.membership_at(commit) == right->membership) return;
  verdict_.fail(Promise::leader_completeness,
                fmt::format("leader {} of term {} takes {} for the membership at entry {}, which "
                            "is {}",
                            id, node.led, raft::to_string(log.membership_at(commit)), commit,
                            raft::to_string(right->membership)));
}

Index LogChecker::committed_before(Term term) const {
  Index index = committed();
  while (index > 0 && at(index).in_term >= term) --index;
  return index;
}

void LogChecker::check_has_committed(NodeId id, const Watched& node) {
  const Term term = node.replica->raft().term();
  const Index last = committed_before(term);
  if (last <= node.log.base()) return;
  if (node.log.last() < last || node.log.hash(last) != committed_hash(last)) {
    verdict_.fail(Promise::leader_completeness,
                  fmt::format("leader {} of term {} lacks the committed entry {}", id, term, last));
  }
}

void LogChecker::check_commit(NodeId id, Watched& node) {
  const Index commit_now = node.replica->raft().log().commit();
  if (commit_now < node.commit) {
    return verdict_.fail(Promise::committed_stays,
                         fmt::format("the commit index of node {} falls", id));
  }
  const Index before = std::max(node.commit, node.log.base());
  node.commit = commit_now;
  const Index end = std::min(commit_now, node.log.last());
  for (Index index = before + 1; index <= end && verdict_.good(); ++index) commit(id, node, index);
  if (end <= before) return;
  for (const auto& [other, leader] : nodes_) {
    if (leader.replica == nullptr || leader.replica->raft().role() != raft::Role::leader) continue;
    const Term term = leader.replica->raft().term();
    if (leader.led == term && term > node.replica->raft().term())
      check_has_committed(other, leader);
  }
}

void LogChecker::commit(NodeId id, Watched& node, Index index) {
  const raft::Raft& raft = node.replica->raft();
  const Committed mine{node.log.term(index), node.log.hash(index), raft.term()};
  if (index <= committed()) {
    const Committed& known = at(index);
    if (known.hash == mine.hash) return;
    return verdict_.fail(Promise::committed_stays,
                         fmt::format("two entries are committed at {}: one of term {} and, at node "
                                     "{}, one of term {}",
                                     index, known.term, id, mine.term));
  }
  if (index != committed() + 1) {
    return verdict_.fail(Promise::committed_stays,
                         fmt::format("node {} commits {} behind {}", id, index, committed()));
  }
  if (!damaged_) check_durable_majority(id, node, index);
  committed_.push_back(mine);
  const raft::Entry& entry = known_.at({index, mine.term}).entry;
  if (entry.kind == raft::EntryKind::membership) {
    membership_ = raft::decode_membership(entry.payload).value();
    memberships_.push_back({index, membership_});
  }
  on_commit_(entry);
}

// The membership that counted is that of the log's end before the event; what the event appended
// (the end of a joint change) was not there yet.
void LogChecker::check_durable_majority(NodeId id, const Watched& node, Index index) {
  const raft::Membership& membership =
      node.replica->raft().log().membership_at(std::min(node.last_before, node.log.last()));
  if (membership.voters.empty()) return;
  const Term term = node.log.term(index);
  const std::int64_t held = raft::quorum_value(membership, [&](NodeId voter) -> std::int64_t {
    const Watched& its = nodes_[voter];
    if (index <= its.log.base()) return 1;
    const Index durable =
        its.replica == nullptr ? its.durable_last : its.replica->store().log().durable_last_index();
    if (durable < index || its.log.last() < index) return 0;
    return its.log.term(index) == term ? 1 : 0;
  });
  if (held != 0) return;
  verdict_.fail(Promise::durable_majority,
                fmt::format("{}@{} is committed at node {} and durable on no majority of {}", index,
                            term, id, raft::to_string(membership)));
}

void LogChecker::on_send(const raft::Message& message) {
  NodeId candidate = raft::no_node;
  if (const auto* vote = std::get_if<raft::Vote>(&message.body); vote != nullptr && !vote->pre) {
    candidate = message.from;
  } else if (const auto* answer = std::get_if<raft::VoteAnswer>(&message.body);
             answer != nullptr && answer->granted && !answer->pre) {
    candidate = message.to;
  }
  if (candidate == raft::no_node) return;
  Watched& node = nodes_[message.from];
  node.promised = std::max(node.promised, message.term);
  const auto [known, first] = votes_.try_emplace({message.term, message.from}, candidate);
  if (known->second != candidate) {
    verdict_.fail(Promise::one_leader,
                  fmt::format("node {} votes for {} and {} in term {}", message.from, known->second,
                              candidate, message.term));
  }
}

}  // namespace chronik::sim
