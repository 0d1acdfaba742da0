#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "broker/group/group.h"

namespace chronik::broker {
namespace {

JoinResult join_error(ErrorCode error, std::string member_id) {
  JoinResult result;
  result.error = error;
  result.member_id = std::move(member_id);
  return result;
}

/// One entry a name, the first: the counts of protocols are counts of members.
void drop_repeated_names(std::vector<GroupProtocol>& protocols) {
  std::set<std::string_view> seen;
  std::vector<GroupProtocol> kept;
  kept.reserve(protocols.size());
  for (GroupProtocol& protocol : protocols) {
    if (seen.insert(protocol.name).second) kept.push_back(std::move(protocol));
  }
  protocols = std::move(kept);
}

std::string given_reason(const std::string& reason) {
  return reason.empty() ? "not provided" : reason;
}

}  // namespace

void Group::join(JoinRequest request, GroupToken token, GroupTime now, GroupEffects& effects) {
  const milliseconds session_timeout{request.session_timeout_ms};
  if (session_timeout < settings_->session_timeout_min ||
      session_timeout > settings_->session_timeout_max) {
    effects.push_back(
        JoinReply{token, join_error(ErrorCode::invalid_session_timeout, request.member_id)});
    return;
  }
  if (state_ == GroupState::dead) {
    effects.push_back(
        JoinReply{token, join_error(ErrorCode::coordinator_not_available, request.member_id)});
    return;
  }
  drop_repeated_names(request.protocols);

  if (!accepts(request.member_id)) {
    note(effects, fmt::format("refuses {}: group.max.size is {}",
                              request.member_id.empty() ? "a new member" : request.member_id,
                              settings_->members_max));
    pending_.erase(request.member_id);
    if (auto member = members_.find(request.member_id); member != members_.end()) {
      remove_member(member, effects);
    }
    effects.push_back(JoinReply{token, join_error(ErrorCode::group_max_size_reached, "")});
    maybe_complete_join(now, effects);
    return;
  }
  if (!supports(request)) {
    effects.push_back(
        JoinReply{token, join_error(ErrorCode::inconsistent_group_protocol, request.member_id)});
    return;
  }
  if (request.member_id.empty()) {
    join_unknown(std::move(request), token, now, effects);
  } else {
    join_known(std::move(request), token, now, effects);
  }
}

/// Is there room? While a rebalance is being prepared those count who have rejoined: the others
/// may not come, and if the limit was lowered the last to come are turned away.
bool Group::accepts(const std::string& member_id) const {
  const auto limit = static_cast<std::size_t>(std::max(settings_->members_max, 0));
  auto member = members_.find(member_id);
  switch (state_) {
    case GroupState::empty:
    case GroupState::dead:
      return true;
    case GroupState::preparing_rebalance:
      return (member != members_.end() && member->second.awaiting_join) || awaiting_join_ < limit;
    case GroupState::completing_rebalance:
    case GroupState::stable:
      return member != members_.end() || members_.size() < limit;
  }
  UNREACHABLE();
}

/// There must stay at least one protocol that all members offer. Counted over the members as they
/// are, so that a member which joins again may not replace what only it offered (as in Kafka).
bool Group::supports(const JoinRequest& request) const {
  if (state_ == GroupState::empty) {
    return !request.protocol_type.empty() && !request.protocols.empty();
  }
  if (request.protocol_type != protocol_type_) return false;
  return std::any_of(request.protocols.begin(), request.protocols.end(),
                     [this](const GroupProtocol& protocol) {
                       auto count = protocol_counts_.find(protocol.name);
                       return (count == protocol_counts_.end() ? 0 : count->second) ==
                              static_cast<int>(members_.size());
                     });
}

void Group::join_unknown(JoinRequest request, GroupToken token, GroupTime now,
                         GroupEffects& effects) {
  if (request.group_instance_id && static_members_.contains(*request.group_instance_id)) {
    replace_static_member(std::move(request), token, now, effects);
    return;
  }
  const std::string& prefix =
      request.group_instance_id ? *request.group_instance_id : request.client_id;
  std::string member_id = prefix + "-" + request.unique_suffix;
  if (request.two_step && !request.group_instance_id) {
    // KIP-394: the id goes out first, so that a client which gives up and comes again does not
    // leave a member behind that nobody speaks for.
    auto [pending, inserted] = pending_.try_emplace(member_id);
    CHECK(inserted && !members_.contains(member_id));
    set_deadline(pending->second, member_id, now.steady + milliseconds{request.session_timeout_ms});
    note(effects, fmt::format("announces {}, which is to join with this id", member_id));
    effects.push_back(JoinReply{token, join_error(ErrorCode::member_id_required, member_id)});
    return;
  }
  add_member(std::move(request), std::move(member_id), token, now, effects);
}

void Group::join_known(JoinRequest request, GroupToken token, GroupTime now,
                       GroupEffects& effects) {
  const std::string member_id = request.member_id;
  if (pending_.contains(member_id) && !request.group_instance_id) {
    add_member(std::move(request), member_id, token, now, effects);
    return;
  }
  if (ErrorCode error = validate(member_id, request.group_instance_id); error != ErrorCode::none) {
    effects.push_back(JoinReply{token, join_error(error, member_id)});
    return;
  }
  Member& member = members_.find(member_id)->second;
  const bool same_metadata = member.protocols == request.protocols;
  switch (state_) {
    case GroupState::preparing_rebalance:
      rejoin(member, request, "joins again", token, now, effects);
      return;
    case GroupState::completing_rebalance:
      // With unchanged metadata it may only have missed the answer to its join: it gets it again.
      if (same_metadata) break;
      rejoin(member, request, "has new metadata", token, now, effects);
      return;
    case GroupState::stable:
      // The leader asks for a rebalance by joining: only it knows that, say, a topic has grown.
      if (leader_ == member_id) {
        rejoin(member, request, "is the leader and joins again", token, now, effects);
        return;
      }
      if (same_metadata) break;
      rejoin(member, request, "has new metadata", token, now, effects);
      return;
    case GroupState::empty:
    case GroupState::dead:
      UNREACHABLE();  // an empty group has no members; a dead one is refused above
  }
  JoinResult result = current_generation_for(member_id);
  if (state_ == GroupState::stable) result.members.clear();
  effects.push_back(JoinReply{token, std::move(result)});
}

void Group::add_member(JoinRequest request, std::string member_id, GroupToken token, GroupTime now,
                       GroupEffects& effects) {
  if (state_ == GroupState::preparing_rebalance && initial_) member_added_ = true;
  if (members_.empty()) protocol_type_ = request.protocol_type;
  CHECK(protocol_type_ == request.protocol_type);

  Member& member = members_[member_id];
  member.joined = ++joined_count_;
  member.instance_id = request.group_instance_id;
  member.client_id = std::move(request.client_id);
  member.client_host = std::move(request.client_host);
  member.rebalance_timeout = milliseconds{std::max(request.rebalance_timeout_ms, 0)};
  member.session_timeout = milliseconds{request.session_timeout_ms};
  member.protocols = std::move(request.protocols);
  member.is_new = true;
  count_protocols(member, +1);
  if (member.instance_id) static_members_[*member.instance_id] = member_id;
  if (!leader_) leader_ = member_id;
  member.knows_id = member.instance_id.has_value();
  if (auto pending = pending_.find(member_id); pending != pending_.end()) {
    member.knows_id = true;
    member.session = pending->second;
    pending_.erase(pending);
  }
  await_join(member, token, effects);
  // A new member has no id to send heartbeats with until its join is answered. Should it have gone
  // away, it is dropped after this time instead, lest retries fill the group with ghosts.
  renew_session(member_id, member, settings_->new_member_join_timeout, now);
  rebalance_or_complete(
      fmt::format("{} joins; reason: {}", member_id, given_reason(request.reason)), now, effects);
}

void Group::update_member(Member& member, JoinRequest& request, GroupToken token,
                          GroupEffects& effects) {
  count_protocols(member, -1);
  member.protocols = std::move(request.protocols);
  count_protocols(member, +1);
  member.rebalance_timeout = milliseconds{std::max(request.rebalance_timeout_ms, 0)};
  member.session_timeout = milliseconds{request.session_timeout_ms};
  await_join(member, token, effects);
}

void Group::rejoin(Member& member, JoinRequest& request, std::string_view why, GroupToken token,
                   GroupTime now, GroupEffects& effects) {
  update_member(member, request, token, effects);
  rebalance_or_complete(
      fmt::format("{} {}; reason: {}", request.member_id, why, given_reason(request.reason)), now,
      effects);
}

/// KIP-345: who comes with a known instance id and no member id is the same member after a restart.
/// It takes the place of the old one, which is fenced. A stable group goes on without a rebalance
/// if its choice of protocol does not change.
void Group::replace_static_member(JoinRequest request, GroupToken token, GroupTime now,
                                  GroupEffects& effects) {
  const std::string instance_id = *request.group_instance_id;
  const std::string old_id = static_members_.at(instance_id);
  const std::string new_id = instance_id + "-" + request.unique_suffix;
  const std::optional<std::string> old_leader = leader_;
  const std::string reason = given_reason(request.reason);
  CHECK(!members_.contains(new_id));

  auto node = members_.extract(old_id);
  Member& member = node.mapped();
  answer_join(member, join_error(ErrorCode::fenced_instance_id, old_id), effects);
  answer_sync(member, SyncResult{ErrorCode::fenced_instance_id, {}, {}, {}}, effects);
  if (pending_sync_.erase(old_id) != 0) pending_sync_.insert(new_id);
  node.key() = new_id;
  members_.insert(std::move(node));
  static_members_[instance_id] = new_id;
  if (leader_ == old_id) leader_ = new_id;
  note(effects, fmt::format("{} takes the place of {}, which is fenced", new_id, old_id));

  member.session = {};
  member.is_new = false;
  update_member(member, request, token, effects);
  renew_session(new_id, member, member.session_timeout, now);

  switch (state_) {
    case GroupState::stable:
      if (choose_protocol() == protocol_name_) {
        Pending& pending = persist(PersistKind::static_member, record(nullptr), effects);
        pending.token = token;
        pending.old_member_id = old_id;
        pending.new_member_id = new_id;
        pending.old_leader = old_leader;
        pending.can_skip_assignment = request.can_skip_assignment;
        return;
      }
      rebalance_or_complete(
          fmt::format("{} changes the choice of protocol; reason: {}", new_id, reason), now,
          effects);
      return;
    case GroupState::completing_rebalance:
      // The leader may already be assigning to the old id.
      prepare_rebalance(fmt::format("{} replaced a member; reason: {}", new_id, reason), now,
                        effects);
      return;
    case GroupState::preparing_rebalance:
      maybe_complete_join(now, effects);
      return;
    case GroupState::empty:
    case GroupState::dead:
      UNREACHABLE();
  }
}

void Group::abandon(GroupToken token, GroupTime now, GroupEffects& effects) {
  auto member = std::find_if(members_.begin(), members_.end(), [token](const auto& entry) {
    return entry.second.awaiting_join == token && !entry.second.knows_id;
  });
  if (member == members_.end()) return;
  note(effects,
       fmt::format("removes {}: its connection was closed while it joined", member->first));
  remove_member(member, effects);
  maybe_complete_join(now, effects);
}

JoinResult Group::current_generation_for(const std::string& member_id) const {
  JoinResult result;
  result.generation = generation_;
  result.protocol_type = protocol_type_;
  result.protocol_name = protocol_name_;
  result.leader = leader_.value_or("");
  result.member_id = member_id;
  if (leader_ == member_id) {
    result.members.reserve(members_.size());
    for (const auto& [id, member] : members_) {
      auto chosen = std::find_if(member.protocols.begin(), member.protocols.end(),
                                 [this](const auto& p) { return p.name == protocol_name_; });
      CHECK(chosen != member.protocols.end());
      result.members.push_back({id, member.instance_id, chosen->metadata});
    }
  }
  return result;
}

}  // namespace chronik::broker
