// Planted bugs: what the code under simulation could do wrong, made by the simulator from outside
// (frames are changed, a disk lies, an answer is told otherwise), so that each checker is seen to
// catch what it is for. None of them exists in the product.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/memory_disk.h"
#include "base/random.h"
#include "integration/sim/plan.h"
#include "integration/sim/verdict.h"
#include "raft/multi/raft_replica_manager.h"

namespace chronik::sim {

enum class PlantedBug {
  none,
  grants_every_vote,
  forgets_its_vote,
  alters_an_entry,
  boasts_of_its_log,
  acknowledges_too_early,
  disk_ignores_sync,
  commits_too_far,
  wiped_node_votes,
  image_of_its_own,
  snapshot_of_its_own,
  ready_too_early,
  answers_of_another,
  unknown_is_made,
  takes_any_term,
  retries_what_is_unknown,
  repeats_what_is_forwarded,
  unknown_is_refused,
  reads_without_asking,
  lease_by_a_slow_clock,
  loses_the_state_file,
  drops_votes,
  sleeps_on_without_a_leader,
  acknowledges_what_the_leader_has,
  high_watermark_of_the_leaders_disk,
  high_watermark_goes_back,
  start_knows_no_producers,
  new_leader_knows_no_producers,
  takes_any_sequence,
  keeps_a_divergent_tail,
  truncates_nothing,
  alters_a_stored_record,
  acknowledges_what_a_majority_has,
  takes_old_epochs,
  deletes_alone,
  sends_readers_to_who_knows_less,
  tells_beyond_its_disk,
  forgets_groups_it_left,
};

struct BugInfo {
  PlantedBug bug = PlantedBug::none;
  const char* name = "";
  const char* what = "";
  Promise promise = Promise::liveness;  // that is broken
};

/// Without `none`.
std::span<const BugInfo> planted_bugs();
std::optional<PlantedBug> bug_of(std::string_view name);

/// What makes the bug likely to show within few seeds.
void suit_plan(PlantedBug bug, Plan& plan);

/// What leaves a node in place of this frame; `groups`: its own.
std::vector<ByteChain> frames_of(PlantedBug bug, raft::RaftReplicaManager& groups, NodeId to,
                                 ByteChain frame, Random& random);

/// Those from here on are planted in replicated partitions, the others in the metadata.
constexpr bool is_of_partitions(PlantedBug bug) {
  return bug >= PlantedBug::acknowledges_what_the_leader_has;
}

/// What the bug makes of a disk between two lives of its node.
void alter_disk(PlantedBug bug, MemoryDisk& disk, const std::string& directory);
/// The same at rest, of the directory of a partition.
void alter_partitions_disk(PlantedBug bug, NodeId node, MemoryDisk& disk,
                           const std::string& directory);
/// The same of the data directory of a node that is up, after each event.
void forget_left(PlantedBug bug, MemoryDisk& disk, const std::string& root);

}  // namespace chronik::sim
