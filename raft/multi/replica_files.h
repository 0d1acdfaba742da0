// ReplicaFiles: what a replica finds in its directory when it starts: the state file, the log, and
// what is to be done when one of them is damaged (raft/multi/format.md, "Start"). Reads and writes
// here and now, on the thread that opens the group, before anything else runs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "raft/multi/log_store.h"
#include "raft/multi/recovery.h"
#include "raft/multi/state_file.h"
#include "wal/group_commit.h"
#include "wal/log_environment.h"
#include "wal/log_settings.h"

namespace chronik::raft {

/// A snapshot that another node sent, whole and durable here.
struct ReceivedSnapshot {
  Index index = 0;
  Term term = 0;
  Offset end_offset = 0;  // where the log goes on
};

/// What is kept of a replica that left its group (raft/multi/left_states.h).
struct LeftState {
  HardState hard;
  RecoveryNumber recovery = 0;
  bool operator==(const LeftState&) const = default;
};

struct ReplicaPlace {
  NodeId node = no_node;
  std::string directory;
  wal::LogIdentity identity;
  wal::SharedLogSettings settings;
  wal::DerivedState* derived = nullptr;
  /// Who belongs to the group when its log does not say: at the very first start. Ignored later.
  Membership bootstrap;
  /// The last one that was received and did not take its final name; nothing: there is none that is
  /// whole. Errors: io. May be empty.
  std::function<Result<std::optional<ReceivedSnapshot>>()> received{};
  /// Of a replica that was here before and left (LeftStates).
  std::optional<LeftState> left{};
  /// As the metadata say; the state on disk may know of a later one.
  Recovery recovery{};
  /// Whether the group may rest where the manager lets groups rest (raft/core/rest.h).
  bool rests = true;

  GroupId group() const { return {identity.topic_id, identity.partition, recovery.number}; }
};

struct ReplicaFiles {
  std::unique_ptr<StateFile> state_file;
  ReplicaState state;
  std::unique_ptr<LogStore> store;
  /// In force at the log's begin, then that of every membership entry of the log.
  std::vector<MembershipAt> memberships;
  /// Entries that may have been acknowledged are gone: the replica is withheld until it has caught
  /// up (raft/core/raft.h).
  bool log_damaged = false;
};

/// Nobody else has the entries of the group: `node` votes alone.
bool is_alone(const Membership& membership, NodeId node);

/// Makes the state file when the directory has none: then a log without entries of Raft's own (none
/// at all, or that of a node without a cluster) is taken over, and terms go on from its last epoch.
/// The installation of a received snapshot that was interrupted is completed: the log before it may
/// be gone in part. A damaged log is set aside (files that end in .damaged) where other voters have
/// its entries, and so is one of before a recovery, but the survivor's (raft/multi/recovery.h).
/// Errors: corrupt (a state file that is damaged, or older than the log, or missing beside a log of
/// a cluster; a damaged log of a group with one voter), and those of PartitionLog::open().
Result<ReplicaFiles> open_replica_files(wal::LogEnvironment& environment,
                                        wal::GroupCommit& group_commit, const ReplicaPlace& place);

/// The log and what is known of the time before it do not meet: its files are set aside, and it
/// begins anew with nothing. The replica counts as one that lost entries. It must not go on behind
/// a snapshot of its own: the changes of membership before that were entries of the log. Durable on
/// return. Errors: as open_replica_files().
Result<void> give_up_log(ReplicaFiles& files, wal::LogEnvironment& environment,
                         wal::GroupCommit& group_commit, const ReplicaPlace& place);

}  // namespace chronik::raft
