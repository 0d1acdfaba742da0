// The way of a group from one generation to the next, and what time does to it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "broker/group/group.h"

namespace chronik::broker {
namespace {

/// With a delay of 0, too, Kafka ends the first rebalance by way of its timer, whose tick this is:
/// who asks to join before that is in the first generation, and is waited for anew in his turn.
/// Answered in the same turn, consumers that start together would need a second rebalance.
constexpr milliseconds timer_tick{1};

milliseconds initial_delay(const GroupSettings& settings) {
  return std::max(settings.initial_rebalance_delay, timer_tick);
}

/// The topics of a consumer's subscription, of any version: all begin with version and topics.
std::optional<std::vector<std::string>> topics_of_subscription(ByteView metadata) {
  Reader reader(metadata);
  reader.i16();
  const std::int32_t count = reader.i32();
  std::vector<std::string> topics;
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    const std::int16_t length = reader.i16();
    if (length < 0) return std::nullopt;
    topics.emplace_back(reader.text(static_cast<std::size_t>(length)));
  }
  if (!reader.ok() || count < 0) return std::nullopt;
  return topics;
}

}  // namespace

void Group::rebalance_or_complete(const std::string& reason, GroupTime now, GroupEffects& effects) {
  if (state_ == GroupState::preparing_rebalance) {
    maybe_complete_join(now, effects);
  } else {
    prepare_rebalance(reason, now, effects);
  }
}

void Group::prepare_rebalance(const std::string& reason, GroupTime now, GroupEffects& effects) {
  CHECK(state_ != GroupState::dead && state_ != GroupState::preparing_rebalance);
  if (state_ == GroupState::completing_rebalance) {
    for (auto& [id, member] : members_) {
      member.assignment.clear();
      if (!member.awaiting_sync) continue;
      answer_sync(member, SyncResult{ErrorCode::rebalance_in_progress, {}, {}, {}}, effects);
      renew_session(id, member, member.session_timeout, now);
    }
  }
  pending_sync_.clear();
  sync_deadline_.reset();
  initial_ = state_ == GroupState::empty;
  become(GroupState::preparing_rebalance, now);
  note(effects, fmt::format("prepares to rebalance after generation {}: {}", generation_, reason));
  if (initial_) {
    // The first member of several that start together waits for the others, lest each of them costs
    // a rebalance.
    member_added_ = false;
    initial_delay_ = initial_delay(*settings_);
    initial_remaining_ = std::max(rebalance_timeout() - initial_delay_, milliseconds{0});
    join_deadline_ = now.steady + initial_delay_;
  } else if (all_joined()) {
    complete_join(now, effects);
  } else {
    join_deadline_ = now.steady + rebalance_timeout();
  }
}

void Group::maybe_complete_join(GroupTime now, GroupEffects& effects) {
  if (state_ == GroupState::preparing_rebalance && !initial_ && all_joined()) {
    complete_join(now, effects);
  }
}

void Group::complete_join(GroupTime now, GroupEffects& effects) {
  CHECK(state_ == GroupState::preparing_rebalance);
  join_deadline_.reset();
  initial_ = false;
  remove_absent_members(effects);
  if (!elect_joined_leader(effects) && !members_.empty()) {
    // Only static members are left and none of them is here: wait until one comes, or until their
    // sessions end.
    note(effects, "cannot rebalance yet: no member has joined again");
    join_deadline_ = now.steady + std::max(rebalance_timeout(), milliseconds{1});
    return;
  }
  start_next_generation(now);
  if (state_ == GroupState::empty) {
    note(effects, fmt::format("is empty in generation {}", generation_));
    persist(PersistKind::empty_group, record(nullptr), effects);
    return;
  }
  note(effects, fmt::format("generation {}: members {}, protocol {}, leader {}", generation_,
                            members_.size(), *protocol_name_, *leader_));
  answer_joins(now, effects);
}

/// Dynamic members that have not come back are gone. Static ones keep their place until their
/// session ends: that is what they are for.
void Group::remove_absent_members(GroupEffects& effects) {
  std::vector<std::string> absent;
  for (const auto& [id, member] : members_) {
    if (!member.awaiting_join && !member.instance_id) absent.push_back(id);
  }
  if (absent.empty()) return;
  note(effects, fmt::format("removes who did not join again: {}", fmt::join(absent, ", ")));
  for (const std::string& id : absent) remove_member(members_.find(id), effects);
}

bool Group::elect_joined_leader(GroupEffects& effects) {
  if (!leader_) return false;
  if (members_.at(*leader_).awaiting_join) return true;
  const Member* oldest = nullptr;
  const std::string* chosen = nullptr;
  for (const auto& [id, member] : members_) {
    if (member.awaiting_join && (oldest == nullptr || member.joined < oldest->joined)) {
      oldest = &member;
      chosen = &id;
    }
  }
  if (chosen == nullptr) return false;
  note(effects, fmt::format("leader {} did not join again, {} leads", *leader_, *chosen));
  leader_ = *chosen;
  return true;
}

void Group::start_next_generation(GroupTime now) {
  generation_ = generation_ == std::numeric_limits<std::int32_t>::max() ? 1 : generation_ + 1;
  pending_sync_.clear();
  if (members_.empty()) {
    protocol_name_.reset();
    become(GroupState::empty, now);
  } else {
    protocol_name_ = choose_protocol();
    become(GroupState::completing_rebalance, now);
  }
  subscribed_ = subscribed_topics();
}

void Group::answer_joins(GroupTime now, GroupEffects& effects) {
  for (auto& [id, member] : members_) {
    if (member.awaiting_join) answer_join(member, current_generation_for(id), effects);
    renew_session(id, member, member.session_timeout, now);
    member.is_new = false;
    member.knows_id = true;
    pending_sync_.insert(id);
  }
  sync_deadline_ = now.steady + rebalance_timeout();
}

void Group::on_persisted(std::uint64_t sequence, ErrorCode error, GroupTime now,
                         GroupEffects& effects) {
  if (persisting_.empty()) {
    CHECK(state_ == GroupState::dead);  // unload() answered in its place
    return;
  }
  CHECK(persisting_.front().sequence == sequence);
  Pending pending = std::move(persisting_.front());
  persisting_.pop_front();
  switch (pending.kind) {
    case PersistKind::empty_group:
      for (LeaveReply& reply : pending.replies) {
        reply.result.error = error;
        if (error != ErrorCode::none) reply.result.members.clear();
        effects.emplace_back(std::move(reply));
      }
      return;
    case PersistKind::assignment:
      // Meanwhile another rebalance may have begun; then it has told the members.
      if (state_ != GroupState::completing_rebalance || generation_ != pending.generation) return;
      if (error == ErrorCode::none) {
        become_stable(pending, now, effects);
        return;
      }
      for (auto& [id, member] : members_) {
        if (!member.awaiting_sync) continue;
        answer_sync(member, SyncResult{error, {}, {}, {}}, effects);
        renew_session(id, member, member.session_timeout, now);
      }
      prepare_rebalance("the assignment could not be stored", now, effects);
      return;
    case PersistKind::static_member:
      finish_static_member(pending, error, now, effects);
      return;
  }
}

void Group::become_stable(Pending& assignment, GroupTime now, GroupEffects& effects) {
  become(GroupState::stable, now);
  note(effects, fmt::format("is stable in generation {}", generation_));
  for (auto& [id, member] : members_) {
    auto assigned = assignment.assignments.find(id);
    member.assignment =
        assigned == assignment.assignments.end() ? Bytes{} : std::move(assigned->second);
    if (!member.awaiting_sync) continue;
    answer_sync(member,
                SyncResult{ErrorCode::none, protocol_type_, protocol_name_, member.assignment},
                effects);
    // Its session did not run while it waited.
    renew_session(id, member, member.session_timeout, now);
  }
}

void Group::finish_static_member(Pending& pending, ErrorCode error, GroupTime now,
                                 GroupEffects& effects) {
  auto found = members_.find(pending.new_member_id);
  if (state_ != GroupState::stable || found == members_.end() ||
      found->second.awaiting_join != pending.token) {
    return;  // removed, replaced in its turn, or part of a new rebalance: answered there
  }
  if (error != ErrorCode::none) {
    // The replacement is not known to the store: the old id is valid again.
    JoinResult failed;
    failed.error = error;
    answer_join(found->second, failed, effects);
    auto node = members_.extract(found);
    node.key() = pending.old_member_id;
    Member& member = node.mapped();
    members_.insert(std::move(node));
    static_members_[*member.instance_id] = pending.old_member_id;
    if (leader_ == pending.new_member_id) leader_ = pending.old_member_id;
    if (pending_sync_.erase(pending.new_member_id) != 0) {
      pending_sync_.insert(pending.old_member_id);
    }
    member.session = {};
    renew_session(pending.old_member_id, member, member.session_timeout, now);
    return;
  }
  JoinResult result = current_generation_for(pending.new_member_id);
  if (pending.can_skip_assignment) {
    result.skip_assignment = leader_ == pending.new_member_id;
  } else {
    // Clients before v9 must not compute an assignment that a stable group would ignore: the old
    // leader's id keeps them from taking themselves for the leader.
    result.leader = pending.old_leader.value_or("");
    result.members.clear();
  }
  answer_join(found->second, std::move(result), effects);
  renew_session(found->first, found->second, found->second.session_timeout, now);
}

std::optional<SteadyTime> Group::next_deadline() const {
  std::optional<SteadyTime> next = join_deadline_;
  if (sync_deadline_ && (!next || *sync_deadline_ < *next)) next = sync_deadline_;
  if (!sessions_.empty() && (!next || sessions_.front().at < *next)) next = sessions_.front().at;
  return next;
}

void Group::on_time(GroupTime now, GroupEffects& effects) {
  for (;;) {
    const std::optional<SteadyTime> next = next_deadline();
    if (!next || *next > now.steady) return;
    if (join_deadline_ == next) {
      on_join_deadline(now, effects);
    } else if (sync_deadline_ == next) {
      on_sync_deadline(now, effects);
    } else {
      on_session_entry(now, effects);
    }
  }
}

void Group::on_join_deadline(GroupTime now, GroupEffects& effects) {
  join_deadline_.reset();
  if (initial_ && member_added_ && initial_remaining_ > milliseconds{0}) {
    member_added_ = false;
    const milliseconds passed = initial_delay_;
    initial_delay_ = std::min(initial_delay(*settings_), initial_remaining_);
    initial_remaining_ = std::max(initial_remaining_ - passed, milliseconds{0});
    join_deadline_ = now.steady + initial_delay_;
    return;
  }
  complete_join(now, effects);
}

void Group::on_sync_deadline(GroupTime now, GroupEffects& effects) {
  sync_deadline_.reset();
  if (pending_sync_.empty()) return;
  const std::set<std::string> silent = std::exchange(pending_sync_, {});
  note(effects, fmt::format("removes who did not sync: {}", fmt::join(silent, ", ")));
  for (const std::string& id : silent) remove_member(members_.find(id), effects);
  prepare_rebalance("members did not sync", now, effects);
}

void Group::on_session_entry(GroupTime now, GroupEffects& effects) {
  std::pop_heap(sessions_.begin(), sessions_.end(), std::greater<>());
  const SessionEntry entry = std::move(sessions_.back());
  sessions_.pop_back();
  Session* session = find_session(entry.member_id);
  if (session == nullptr || session->queued != entry.at) return;  // gone, or queued anew
  session->queued = SteadyTime::max();
  if (session->deadline > now.steady) {
    set_deadline(*session, entry.member_id, session->deadline);
    return;
  }
  expire_member(entry.member_id, now, effects);
}

void Group::expire_member(const std::string& member_id, GroupTime now, GroupEffects& effects) {
  if (pending_.erase(member_id) != 0) {
    note(effects, fmt::format("forgets {}, which never joined", member_id));
    maybe_complete_join(now, effects);
    return;
  }
  auto member = members_.find(member_id);
  CHECK(member != members_.end());
  // Who waits for an answer is not late; its session starts again with the answer.
  const bool waits = member->second.awaiting_join || member->second.awaiting_sync;
  if (waits && !member->second.is_new) return;
  note(effects, fmt::format("removes {}: no sign of life for its session timeout", member_id));
  remove_member(member, effects);
  rebalance_or_complete(fmt::format("{} failed", member_id), now, effects);
}

milliseconds Group::rebalance_timeout() const {
  milliseconds longest{0};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

/// Each member votes for the first in its list that all offer; at a tie the leader's order decides.
std::string Group::choose_protocol() const {
  CHECK(leader_);
  const auto offered_by_all = [this](const std::string& name) {
    auto count = protocol_counts_.find(name);
    return count != protocol_counts_.end() && count->second == static_cast<int>(members_.size());
  };
  std::unordered_map<std::string_view, int> votes;
  for (const auto& [id, member] : members_) {
    for (const GroupProtocol& protocol : member.protocols) {
      if (!offered_by_all(protocol.name)) continue;
      ++votes[protocol.name];
      break;
    }
  }
  const GroupProtocol* chosen = nullptr;
  int most = 0;
  for (const GroupProtocol& protocol : members_.at(*leader_).protocols) {
    auto count = votes.find(protocol.name);
    if (count != votes.end() && count->second > most) {
      most = count->second;
      chosen = &protocol;
    }
  }
  CHECK(chosen != nullptr);  // supports() lets nobody in who would leave nothing in common
  return chosen->name;
}

/// Nothing when the subscriptions cannot be known: another kind of group, or unreadable bytes.
std::optional<std::set<std::string>> Group::subscribed_topics() const {
  if (protocol_type_ != "consumer") return std::nullopt;
  std::set<std::string> all;
  for (const auto& [id, member] : members_) {
    for (const GroupProtocol& protocol : member.protocols) {
      if (protocol.name != protocol_name_) continue;
      std::optional<std::vector<std::string>> topics = topics_of_subscription(protocol.metadata);
      if (!topics) return std::nullopt;
      for (std::string& topic : *topics) all.insert(std::move(topic));
    }
  }
  return all;
}

}  // namespace chronik::broker
