#include "raft/multi/recovery.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "raft/core/membership.h"
#include "raft/multi/log_entry.h"
#include "raft/multi/replica_files.h"

namespace chronik::raft {

namespace {

/// Only `node` votes; those who did before get their votes back when they hold the log (Newcomers).
Membership alone(const Membership& before, NodeId node, const Uuid& directory) {
  Membership to;
  to.voters = {node};
  for (const NodeId other : before.members()) {
    if (other == node) continue;
    to.learners.push_back(other);
    const bool had_vote =
        before.is_voter(other) || std::ranges::binary_search(before.returning, other);
    if (had_vote) to.returning.push_back(other);
    const Uuid known = before.directory_of(other);
    if (!known.is_zero()) to.directories.push_back({other, known});
  }
  if (!directory.is_zero()) to.directories.push_back({node, directory});
  std::ranges::sort(to.directories, {}, &MemberDirectory::node);
  return to;
}

}  // namespace

bool begins_anew(const ReplicaState& state, const ReplicaPlace& place) {
  if (state.recovery >= place.recovery.number) return false;
  return !place.recovery.survives || state.log_damaged;
}

Result<void> begin_anew(ReplicaFiles& files, const ReplicaPlace& place) {
  const Recovery& recovery = place.recovery;
  log_warn("a partition went on with what another replica had: the log of before is set aside",
           {{"directory", place.directory}, {"recovery", recovery.number}});
  ReplicaState anew;
  anew.recovery = recovery.number;
  anew.hard.term = std::max(files.state.hard.term, recovery.term);
  anew.hard.withheld_until = recovery.term;
  anew.log_damaged = true;
  files.state = std::move(anew);
  return files.state_file->save(files.state);
}

Result<bool> survive(ReplicaFiles& files, const ReplicaPlace& place) {
  ReplicaState& state = files.state;
  wal::PartitionLog& log = files.store->log();
  if (state.recovery < place.recovery.number) {
    CHECK(place.recovery.survives && !files.log_damaged);
    state.recovery = place.recovery.number;
    // What it was behind on, it holds back no more: there is nobody left to catch up with.
    state.hard = {std::max(place.recovery.term, state.hard.term + 1), no_node, 0};
    state.commit = log.last_index();
    state.recovered_at = log.last_index() + 1;
    TRY(files.state_file->save(state));
  }
  if (state.recovered_at == 0) return false;
  // The term is this node's alone, and until this is done it neither speaks nor listens.
  if (log.last_index() < state.recovered_at) {
    const Membership& before = files.memberships.back().membership;
    Entry entry{state.hard.term, state.recovered_at, EntryKind::membership, {}};
    entry.payload = encode_membership(alone(before, place.node, place.recovery.directory));
    log.append(own_entry_batch(entry, log.end_offset()));
    TRY(log.flush());
  }
  log_warn("a replica goes on alone: what only the others had is lost",
           {{"directory", place.directory},
            {"recovery", state.recovery},
            {"term", state.hard.term},
            {"end_offset", log.end_offset()}});
  state.commit = state.recovered_at;
  state.recovered_at = 0;
  TRY(files.state_file->save(state));
  return true;
}

}  // namespace chronik::raft
