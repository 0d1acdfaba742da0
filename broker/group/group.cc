#include "broker/group/group.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace chronik::broker {

std::string_view to_string(GroupState state) {
  switch (state) {
    case GroupState::empty:
      return "Empty";
    case GroupState::preparing_rebalance:
      return "PreparingRebalance";
    case GroupState::completing_rebalance:
      return "CompletingRebalance";
    case GroupState::stable:
      return "Stable";
    case GroupState::dead:
      return "Dead";
  }
  UNREACHABLE();
}

Group::Group(std::string id, const GroupSettings& settings, GroupTime now)
    : id_(std::move(id)), settings_(&settings), state_since_ms_(now.wall_ms) {}

Group Group::restore(std::string id, const GroupSettings& settings, const GroupRecord& record,
                     GroupTime now, GroupEffects& effects) {
  Group group(std::move(id), settings, now);
  group.persisted_ = true;
  group.protocol_type_ = record.protocol_type;
  group.protocol_name_ = record.protocol_name;
  group.generation_ = record.generation;
  group.state_since_ms_ = record.state_timestamp_ms;
  for (const GroupRecord::Member& from : record.members) {
    Member& member = group.members_[from.member_id];
    member.joined = ++group.joined_count_;
    member.instance_id = from.group_instance_id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.session_timeout = milliseconds{from.session_timeout_ms};
    member.rebalance_timeout = from.rebalance_timeout_ms < 0
                                   ? member.session_timeout
                                   : milliseconds{from.rebalance_timeout_ms};
    member.protocols = from.protocols;
    member.knows_id = true;
    member.assignment = from.assignment;
    group.count_protocols(member, +1);
    if (member.instance_id) group.static_members_[*member.instance_id] = from.member_id;
    group.renew_session(from.member_id, member, member.session_timeout, now);
  }
  if (!group.members_.empty()) {
    group.state_ = GroupState::stable;
    group.leader_ = record.leader;
    if (!group.leader_ || !group.members_.contains(*group.leader_)) {
      group.leader_ = record.members.front().member_id;
    }
  }
  group.subscribed_ = group.subscribed_topics();
  if (group.members_.size() > static_cast<std::size_t>(std::max(settings.members_max, 0))) {
    group.prepare_rebalance(fmt::format("{} members are more than group.max.size, {}",
                                        group.members_.size(), settings.members_max),
                            now, effects);
  }
  return group;
}

ErrorCode Group::validate(const std::string& member_id,
                          const std::optional<std::string>& group_instance_id) const {
  // librdkafka forgets its id once its session must be over, and may send heartbeats all the same
  // until the application polls. Told that it is fenced (Kafka does), such a client ends for good;
  // told that it is unknown, it joins again. Nobody else ever had an empty id.
  if (member_id.empty()) return ErrorCode::unknown_member_id;
  if (group_instance_id) {
    auto current = static_members_.find(*group_instance_id);
    if (current == static_members_.end()) return ErrorCode::unknown_member_id;
    if (current->second != member_id) return ErrorCode::fenced_instance_id;
  }
  return members_.contains(member_id) ? ErrorCode::none : ErrorCode::unknown_member_id;
}

ErrorCode Group::validate_sync(const SyncRequest& request) const {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  if (state_ == GroupState::empty) return ErrorCode::unknown_member_id;
  if (ErrorCode error = validate(request.member_id, request.group_instance_id);
      error != ErrorCode::none) {
    return error;
  }
  if (request.generation != generation_) return ErrorCode::illegal_generation;
  if (request.protocol_type && *request.protocol_type != protocol_type_) {
    return ErrorCode::inconsistent_group_protocol;
  }
  if (request.protocol_name && protocol_name_ && *request.protocol_name != *protocol_name_) {
    return ErrorCode::inconsistent_group_protocol;
  }
  if (state_ == GroupState::preparing_rebalance) return ErrorCode::rebalance_in_progress;
  return ErrorCode::none;
}

void Group::sync(const SyncRequest& request, GroupToken token, GroupTime, GroupEffects& effects) {
  if (ErrorCode error = validate_sync(request); error != ErrorCode::none) {
    effects.push_back(SyncReply{token, SyncResult{error, {}, {}, {}}});
    return;
  }
  Member& member = members_.find(request.member_id)->second;
  pending_sync_.erase(request.member_id);
  if (pending_sync_.empty()) sync_deadline_.reset();
  if (state_ == GroupState::stable) {
    effects.push_back(SyncReply{
        token, SyncResult{ErrorCode::none, protocol_type_, protocol_name_, member.assignment}});
    return;
  }
  CHECK(state_ == GroupState::completing_rebalance);
  // Kafka forgets the earlier request of a member that asks twice; here it is answered.
  answer_sync(member, SyncResult{ErrorCode::rebalance_in_progress, {}, {}, {}}, effects);
  member.awaiting_sync = token;
  if (leader_ == request.member_id) accept_assignment(request, effects);
}

void Group::accept_assignment(const SyncRequest& request, GroupEffects& effects) {
  // When the leader asks again before the first assignment is durable, the first one stands.
  const bool under_way =
      std::any_of(persisting_.begin(), persisting_.end(), [this](const Pending& pending) {
        return pending.kind == PersistKind::assignment && pending.generation == generation_;
      });
  if (under_way) return;
  std::map<std::string, Bytes> assignments;
  for (const SyncRequest::Assignment& assigned : request.assignments) {
    if (members_.contains(assigned.member_id)) {
      assignments[assigned.member_id] = assigned.assignment;
    }
  }
  note(effects, fmt::format("{} assigns generation {} to {} of {} members", request.member_id,
                            generation_, assignments.size(), members_.size()));
  Pending& pending = persist(PersistKind::assignment, record(&assignments), effects);
  pending.assignments = std::move(assignments);
}

ErrorCode Group::heartbeat(const std::string& member_id,
                           const std::optional<std::string>& group_instance_id,
                           std::int32_t generation, GroupTime now) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  if (ErrorCode error = validate(member_id, group_instance_id); error != ErrorCode::none) {
    return error;
  }
  if (generation != generation_) return ErrorCode::illegal_generation;
  Member& member = members_.find(member_id)->second;
  renew_session(member_id, member, member.session_timeout, now);
  return state_ == GroupState::preparing_rebalance ? ErrorCode::rebalance_in_progress
                                                   : ErrorCode::none;
}

void Group::leave(const std::vector<LeavingMember>& leaving, GroupToken token, GroupTime now,
                  GroupEffects& effects) {
  LeaveReply reply{token, {}};
  if (state_ == GroupState::dead) {
    reply.result.error = ErrorCode::coordinator_not_available;
    effects.push_back(std::move(reply));
    return;
  }
  const std::size_t members_before = members_.size();
  for (const LeavingMember& one : leaving) {
    reply.result.members.push_back({one.member_id, one.group_instance_id, leave_one(one, effects)});
  }
  const std::uint64_t before = next_sequence_;
  if (state_ == GroupState::preparing_rebalance) {
    maybe_complete_join(now, effects);
  } else if (members_.size() != members_before) {
    prepare_rebalance("members leave", now, effects);
  }
  if (next_sequence_ != before && persisting_.back().kind == PersistKind::empty_group) {
    persisting_.back().replies.push_back(std::move(reply));
  } else {
    effects.push_back(std::move(reply));
  }
}

ErrorCode Group::leave_one(const LeavingMember& leaving, GroupEffects& effects) {
  std::string member_id = leaving.member_id;
  if (member_id.empty()) {
    auto current = leaving.group_instance_id ? static_members_.find(*leaving.group_instance_id)
                                             : static_members_.end();
    if (current == static_members_.end()) return ErrorCode::unknown_member_id;
    member_id = current->second;
  } else if (pending_.erase(member_id) != 0) {
    note(effects, fmt::format("{} leaves before it has joined", member_id));
    return ErrorCode::none;
  } else if (ErrorCode error = validate(member_id, leaving.group_instance_id);
             error != ErrorCode::none) {
    return error;
  }
  auto member = members_.find(member_id);
  CHECK(member != members_.end());
  note(effects, fmt::format("{} leaves; reason: {}", member_id,
                            leaving.reason.empty() ? "not provided" : leaving.reason));
  remove_member(member, effects);
  return ErrorCode::none;
}

ErrorCode Group::check_commit(const CommitIdentity& who, GroupTime now) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  if (who.generation < 0 && state_ == GroupState::empty) return ErrorCode::none;
  const bool names_member =
      who.generation >= 0 || !who.member_id.empty() || who.group_instance_id.has_value();
  if (names_member) {
    if (ErrorCode error = validate(who.member_id, who.group_instance_id);
        error != ErrorCode::none) {
      return error;
    }
    if (who.generation != generation_) return ErrorCode::illegal_generation;
  } else if (!who.transactional && state_ != GroupState::empty) {
    // Offsets of a group with members belong to its members.
    return ErrorCode::unknown_member_id;
  }
  // A member that knows this generation but has no assignment yet has nothing to commit for it.
  if (!who.transactional && state_ == GroupState::completing_rebalance) {
    return ErrorCode::rebalance_in_progress;
  }
  auto member = members_.find(who.member_id);
  if (!who.transactional && member != members_.end()) {
    renew_session(member->first, member->second, member->second.session_timeout, now);
  }
  return ErrorCode::none;
}

ErrorCode Group::check_offset_delete() const {
  if (state_ == GroupState::dead) return ErrorCode::group_id_not_found;
  // Of a group with members it takes knowing the subscriptions to tell which offsets are in use.
  if (state_ != GroupState::empty && protocol_type_ != "consumer") {
    return ErrorCode::non_empty_group;
  }
  return ErrorCode::none;
}

ErrorCode Group::check_delete() const {
  if (state_ == GroupState::dead) return ErrorCode::group_id_not_found;
  return state_ == GroupState::empty ? ErrorCode::none : ErrorCode::non_empty_group;
}

void Group::begin_delete() {
  CHECK(state_ == GroupState::empty);
  state_ = GroupState::dead;
}

void Group::end_delete(bool deleted) {
  CHECK(state_ == GroupState::dead);
  if (!deleted) state_ = GroupState::empty;
}

void Group::unload(ErrorCode error, GroupEffects& effects) {
  JoinResult join;
  join.error = error;
  for (auto& [id, member] : members_) {
    join.member_id = id;
    answer_join(member, join, effects);
    answer_sync(member, SyncResult{error, {}, {}, {}}, effects);
  }
  for (Pending& pending : persisting_) {
    for (LeaveReply& reply : pending.replies) {
      reply.result.error = error;
      reply.result.members.clear();
      effects.emplace_back(std::move(reply));
    }
  }
  persisting_.clear();
  pending_.clear();
  join_deadline_.reset();
  sync_deadline_.reset();
  sessions_.clear();
  state_ = GroupState::dead;
}

bool Group::is_forgettable() const {
  return !persisted_ && state_ == GroupState::empty && members_.empty() && pending_.empty();
}

GroupDescription Group::describe() const {
  GroupDescription description;
  description.state = state_;
  description.protocol_type = protocol_type_;
  const bool stable = state_ == GroupState::stable;
  if (stable) description.protocol_name = protocol_name_.value_or("");
  description.members.reserve(members_.size());
  for (const auto& [id, member] : members_) {
    Bytes metadata;
    if (stable) {
      for (const GroupProtocol& protocol : member.protocols) {
        if (protocol.name == protocol_name_) metadata = protocol.metadata;
      }
    }
    description.members.push_back({id, member.instance_id, member.client_id, member.client_host,
                                   std::move(metadata), member.assignment});
  }
  return description;
}

bool Group::subscribes_to(const std::string& topic) const {
  if (subscribed_) return subscribed_->contains(topic);
  return protocol_type_ == "consumer";
}

bool Group::offset_expired(const std::string& topic, Timestamp commit_ms, Timestamp expire_ms,
                           Timestamp now_ms, milliseconds retention) const {
  Timestamp since = commit_ms;
  if (!protocol_type_.empty()) {
    if (state_ == GroupState::empty) {
      since = state_since_ms_;
    } else if (state_ != GroupState::stable || protocol_type_ != "consumer" || !subscribed_) {
      return false;
    }
  }
  if (subscribes_to(topic)) return false;
  if (expire_ms >= 0) return now_ms >= expire_ms;
  return now_ms - since >= retention.count();
}

void Group::count_protocols(const Member& member, int step) {
  for (const GroupProtocol& protocol : member.protocols) {
    auto count = protocol_counts_.try_emplace(protocol.name, 0).first;
    count->second += step;
    if (count->second == 0) protocol_counts_.erase(count);
  }
}

/// Whoever still waits on its behalf is told to come back as a new member.
void Group::remove_member(Members::iterator member, GroupEffects& effects) {
  JoinResult gone;
  gone.error = ErrorCode::unknown_member_id;
  answer_join(member->second, gone, effects);
  answer_sync(member->second, SyncResult{ErrorCode::unknown_member_id, {}, {}, {}}, effects);
  count_protocols(member->second, -1);
  if (member->second.instance_id) static_members_.erase(*member->second.instance_id);
  const std::string id = member->first;
  members_.erase(member);
  pending_sync_.erase(id);
  if (leader_ != id) return;
  auto oldest = std::min_element(members_.begin(), members_.end(), [](auto& a, auto& b) {
    return a.second.joined < b.second.joined;
  });
  leader_ = oldest == members_.end() ? std::nullopt : std::optional(oldest->first);
}

void Group::answer_join(Member& member, JoinResult result, GroupEffects& effects) {
  if (!member.awaiting_join) return;
  effects.push_back(JoinReply{*member.awaiting_join, std::move(result)});
  member.awaiting_join.reset();
  --awaiting_join_;
}

void Group::answer_sync(Member& member, SyncResult result, GroupEffects& effects) {
  if (!member.awaiting_sync) return;
  effects.push_back(SyncReply{*member.awaiting_sync, std::move(result)});
  member.awaiting_sync.reset();
}

void Group::await_join(Member& member, GroupToken token, GroupEffects& effects) {
  // Kafka forgets the earlier request of a member that asks twice; here it is answered.
  JoinResult superseded;
  superseded.error = ErrorCode::rebalance_in_progress;
  answer_join(member, superseded, effects);
  member.awaiting_join = token;
  ++awaiting_join_;
}

void Group::renew_session(const std::string& member_id, Member& member, milliseconds timeout,
                          GroupTime now) {
  set_deadline(member.session, member_id, now.steady + timeout);
}

void Group::set_deadline(Session& session, const std::string& member_id, SteadyTime deadline) {
  session.deadline = deadline;
  if (deadline < session.queued) {
    session.queued = deadline;
    push_session(deadline, member_id);
  }
}

void Group::push_session(SteadyTime at, std::string member_id) {
  // Entries of members that left, or whose deadline came nearer, stay until they come up. When they
  // are the most, they are weeded out.
  if (sessions_.size() > 2 * (members_.size() + pending_.size()) + 64) {
    std::erase_if(sessions_, [this](const SessionEntry& entry) {
      const Session* session = find_session(entry.member_id);
      return session == nullptr || session->queued != entry.at;
    });
    std::make_heap(sessions_.begin(), sessions_.end(), std::greater<>());
  }
  sessions_.push_back({at, std::move(member_id)});
  std::push_heap(sessions_.begin(), sessions_.end(), std::greater<>());
}

Group::Session* Group::find_session(const std::string& member_id) {
  if (auto member = members_.find(member_id); member != members_.end()) {
    return &member->second.session;
  }
  auto pending = pending_.find(member_id);
  return pending == pending_.end() ? nullptr : &pending->second;
}

void Group::become(GroupState state, GroupTime now) {
  state_ = state;
  state_since_ms_ = now.wall_ms;
}

void Group::note(GroupEffects& effects, std::string text) const {
  effects.push_back(GroupNote{std::move(text)});
}

Group::Pending& Group::persist(PersistKind kind, GroupRecord record, GroupEffects& effects) {
  Pending& pending = persisting_.emplace_back();
  pending.sequence = next_sequence_++;
  pending.kind = kind;
  pending.generation = generation_;
  persisted_ = true;
  effects.push_back(PersistDemand{pending.sequence, std::move(record)});
  return pending;
}

/// The group as it is to be stored, with these assignments or, without, those it has.
GroupRecord Group::record(const std::map<std::string, Bytes>* assignments) const {
  GroupRecord record;
  record.group_id = id_;
  record.protocol_type = protocol_type_;
  record.generation = generation_;
  record.protocol_name = protocol_name_;
  record.leader = leader_;
  record.state_timestamp_ms = state_since_ms_;
  record.members.reserve(members_.size());
  for (const auto& [id, member] : members_) {
    GroupRecord::Member& to = record.members.emplace_back();
    to.member_id = id;
    to.group_instance_id = member.instance_id;
    to.client_id = member.client_id;
    to.client_host = member.client_host;
    to.rebalance_timeout_ms = static_cast<std::int32_t>(member.rebalance_timeout.count());
    to.session_timeout_ms = static_cast<std::int32_t>(member.session_timeout.count());
    to.protocols = member.protocols;
    if (assignments == nullptr) {
      to.assignment = member.assignment;
    } else if (auto found = assignments->find(id); found != assignments->end()) {
      to.assignment = found->second;
    }
  }
  return record;
}

}  // namespace chronik::broker
