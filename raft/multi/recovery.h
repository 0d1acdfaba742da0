// Recovery: how a replica takes part in a partition that has lost the majority of its replicas for
// good, and goes on with what one of them has, by an administrator's word (metadata
// PartitionRecovered). Each recovery is a group of its own, with the number in its GroupId:
//
//   the survivor     keeps its log, all of which counts as committed, and appends the membership
//                    that has only its own vote, in a term behind all that were heard of; the other
//                    members become learners, which get their votes back once they hold the log
//   all the others   set their log aside and begin anew with nothing; they neither vote nor
//                    campaign before they hold a committed entry of that term or a later one, which
//                    stands behind that membership
//
// So a replica is of one history only, the messages of the other do not reach it, and nobody who
// counts by a membership of before can vote in the new one. What was acknowledged by the others and
// is not in the survivor's log is lost. Part of open_replica_files(), on its thread.
#pragma once

#include <optional>

#include "base/result.h"
#include "raft/core/types.h"
#include "raft/multi/group_id.h"

namespace chronik::raft {

struct ReplicaFiles;
struct ReplicaPlace;
struct ReplicaState;

/// The last one of a partition, as this node takes part in it.
struct Recovery {
  RecoveryNumber number = 0;  // 0: there was none
  Term term = 0;
  bool survives = false;  // this node, with this directory
  Uuid directory{};       // of this node's data, by which it votes
};

/// Whether what a replica has on disk is of a history that the partition has left.
bool begins_anew(const ReplicaState& state, const ReplicaPlace& place);
/// A state of before becomes that of a replica that begins anew, whose log is to be set aside: it
/// says that the log is damaged until that is done. Durable on return. Errors: those of StateFile.
Result<void> begin_anew(ReplicaFiles& files, const ReplicaPlace& place);

/// What an open replica of before has becomes the begin of the new group, if this node is the
/// survivor; also where that was interrupted. Durable on return. The memberships of `files` are to
/// be read again when true. Errors: those of StateFile and of PartitionLog::flush().
Result<bool> survive(ReplicaFiles& files, const ReplicaPlace& place);

}  // namespace chronik::raft
