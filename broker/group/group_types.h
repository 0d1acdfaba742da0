// What goes into a Group (group.h) and what comes out: requests without wire formats, results,
// effects. Plain values; no clock, no network.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "metadata/events.h"
#include "protocol/errors.h"

namespace chronik::broker {

using protocol::ErrorCode;

/// Names one blocked request. The owner picks it, unique among the open requests of a group; the
/// group hands it back exactly once with the answer.
using GroupToken = std::uint64_t;

/// Both clocks at one instant: timeouts count in `steady`, what is stored and shown is `wall_ms`.
struct GroupTime {
  SteadyTime steady;
  Timestamp wall_ms = 0;
};

/// The broker settings that a group obeys (Kafka's group.*).
struct GroupSettings {
  milliseconds session_timeout_min{6'000};        // group.min.session.timeout.ms
  milliseconds session_timeout_max{1'800'000};    // group.max.session.timeout.ms
  milliseconds initial_rebalance_delay{3'000};    // group.initial.rebalance.delay.ms; 0 is one tick
  milliseconds new_member_join_timeout{300'000};  // fixed in Kafka
  std::int32_t members_max = std::numeric_limits<std::int32_t>::max();  // group.max.size
};

enum class GroupState { empty, preparing_rebalance, completing_rebalance, stable, dead };
/// Kafka's spelling, as DescribeGroups and ListGroups show it: "PreparingRebalance".
std::string_view to_string(GroupState state);

/// One way of assigning that a member offers, with what it tells the leader for it.
using GroupProtocol = metadata::GroupUpdated::Protocol;

struct JoinRequest {
  std::string member_id;  // empty: not known yet
  std::optional<std::string> group_instance_id;
  std::string client_id;
  std::string client_host;
  std::string protocol_type;
  std::vector<GroupProtocol> protocols;  // in order of preference
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  std::string reason;
  bool two_step = true;              // v4 and later: a new member first gets its id (KIP-394)
  bool can_skip_assignment = false;  // v9 and later: a returning static leader is told so (KIP-814)
  std::string unique_suffix;         // a fresh UUID; a new member's id is <client or instance>-<it>
};

struct JoinResult {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;
  };
  ErrorCode error = ErrorCode::none;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  std::string member_id;
  bool skip_assignment = false;
  std::vector<Member> members;  // only for the leader
};

struct SyncRequest {
  struct Assignment {
    std::string member_id;
    Bytes assignment;
  };
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;  // checked when present
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;  // only from the leader
};

struct SyncResult {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Bytes assignment;
};

struct LeavingMember {
  std::string member_id;  // empty: by instance id alone (an administrator's removal)
  std::optional<std::string> group_instance_id;
  std::string reason;
};

struct LeaveResult {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    ErrorCode error = ErrorCode::none;
  };
  ErrorCode error = ErrorCode::none;
  std::vector<Member> members;
};

/// Who commits offsets. A consumer that manages its partitions itself, and the admin client, send
/// no member and generation -1.
struct CommitIdentity {
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::int32_t generation = -1;
  bool transactional = false;
};

/// The durable part of a group: what survives a restart.
using GroupRecord = metadata::GroupUpdated;

struct GroupDescription {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    Bytes metadata;
    Bytes assignment;
  };
  GroupState state = GroupState::dead;
  std::string protocol_type;
  std::string protocol_name;  // only while stable, as the members' metadata
  std::vector<Member> members;
};

struct JoinReply {
  GroupToken token;
  JoinResult result;
};
struct SyncReply {
  GroupToken token;
  SyncResult result;
};
struct LeaveReply {
  GroupToken token;
  LeaveResult result;
};
/// Make `record` durable, then call Group::on_persisted(sequence). Demands of one group are to be
/// written in the order in which they come.
struct PersistDemand {
  std::uint64_t sequence;
  GroupRecord record;
};
/// A line for the log.
struct GroupNote {
  std::string text;
};

using GroupEffect = std::variant<JoinReply, SyncReply, LeaveReply, PersistDemand, GroupNote>;
/// In the order in which they came to be.
using GroupEffects = std::vector<GroupEffect>;

}  // namespace chronik::broker
