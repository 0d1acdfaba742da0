#include "integration/sim/planted_bugs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/coding.h"
#include "metadata/apply.h"
#include "metadata/event_source.h"
#include "metadata/meta_log_store.h"
#include "metadata/snapshot_file.h"
#include "protocol/record_batch.h"
#include "raft/multi/state_file.h"
#include "raft/multi/wire.h"
#include "wal/log_slice.h"

namespace chronik::sim {

namespace {

using raft::Message;

constexpr auto bugs = std::to_array<BugInfo>({
    {PlantedBug::grants_every_vote, "grants_every_vote", "a node votes for all who ask",
     Promise::one_leader},
    {PlantedBug::forgets_its_vote, "forgets_its_vote", "a vote is gone after a restart",
     Promise::one_leader},
    {PlantedBug::alters_an_entry, "alters_an_entry", "an entry is another one on node 2",
     Promise::log_matching},
    {PlantedBug::boasts_of_its_log, "boasts_of_its_log",
     "a candidate says its log is longer than it is", Promise::leader_completeness},
    {PlantedBug::acknowledges_too_early, "acknowledges_too_early",
     "a follower says it has what it refused", Promise::durable_majority},
    {PlantedBug::disk_ignores_sync, "disk_ignores_sync", "synced bytes are lost with the power",
     Promise::committed_stays},
    {PlantedBug::commits_too_far, "commits_too_far",
     "a leader tells followers to commit all that it sends", Promise::durable_majority},
    {PlantedBug::wiped_node_votes, "wiped_node_votes",
     "a node with an empty directory votes as if it had its old one", Promise::leader_completeness},
    {PlantedBug::image_of_its_own, "image_of_its_own", "node 2 applies an event that is in no log",
     Promise::equal_images},
    {PlantedBug::snapshot_of_its_own, "snapshot_of_its_own",
     "a snapshot is of another state than the log before it", Promise::equal_images},
    {PlantedBug::ready_too_early, "ready_too_early", "a leader is ready as soon as it is elected",
     Promise::ready_leader},
    {PlantedBug::answers_of_another, "answers_of_another", "a proposal gets results of another one",
     Promise::answers},
    {PlantedBug::unknown_is_made, "unknown_is_made", "an unknown outcome is told as success",
     Promise::answers},
    {PlantedBug::takes_any_term, "takes_any_term", "what is of one term only is sent to any leader",
     Promise::answers},
    {PlantedBug::retries_what_is_unknown, "retries_what_is_unknown",
     "a proposal of unknown outcome is made again", Promise::at_most_once},
    {PlantedBug::repeats_what_is_forwarded, "repeats_what_is_forwarded",
     "a node asks the leader twice", Promise::at_most_once},
    {PlantedBug::unknown_is_refused, "unknown_is_refused", "an unknown outcome is told as refused",
     Promise::refused_is_not_made},
    {PlantedBug::reads_without_asking, "reads_without_asking", "a read asks no leader",
     Promise::reads},
    {PlantedBug::lease_by_a_slow_clock, "lease_by_a_slow_clock",
     "leases are on, and clocks differ by more than they allow", Promise::reads},
    {PlantedBug::loses_the_state_file, "loses_the_state_file", "the state file is gone",
     Promise::starts},
    {PlantedBug::drops_votes, "drops_votes",
     "once all is well no answer to a vote arrives any more", Promise::liveness},
    {PlantedBug::sleeps_on_without_a_leader, "sleeps_on_without_a_leader",
     "groups that rest are not told that a node is lost", Promise::liveness},
    {PlantedBug::acknowledges_what_the_leader_has, "acknowledges_what_the_leader_has",
     "acks=all waits for the leader's disk alone", Promise::acknowledged},
    {PlantedBug::high_watermark_of_the_leaders_disk, "high_watermark_of_the_leaders_disk",
     "readers are told what the leader has on its disk", Promise::readers},
    {PlantedBug::high_watermark_goes_back, "high_watermark_goes_back",
     "readers are told a high watermark of before", Promise::readers},
    {PlantedBug::start_knows_no_producers, "start_knows_no_producers",
     "a start does not restore what is known of producers", Promise::exactly_once},
    {PlantedBug::new_leader_knows_no_producers, "new_leader_knows_no_producers",
     "what is known of producers stays with the old leader", Promise::exactly_once},
    {PlantedBug::takes_any_sequence, "takes_any_sequence",
     "a batch is taken whose predecessor was not", Promise::producer_order},
    {PlantedBug::keeps_a_divergent_tail, "keeps_a_divergent_tail",
     "a follower whose log differs says that it took what it refused", Promise::durable_majority},
    {PlantedBug::truncates_nothing, "truncates_nothing",
     "a disk says that it cut a partition's file, and keeps its end", Promise::committed_stays},
    {PlantedBug::alters_a_stored_record, "alters_a_stored_record",
     "a record of node 2 is another one on its disk", Promise::equal_replicas},
    {PlantedBug::acknowledges_what_a_majority_has, "acknowledges_what_a_majority_has",
     "acks=all does not wait for as many as min.insync.replicas asks for", Promise::acknowledged},
    {PlantedBug::takes_old_epochs, "takes_old_epochs",
     "a batch is taken of an epoch that its producer has left", Promise::producer_order},
    {PlantedBug::deletes_alone, "deletes_alone",
     "a deletion of records is acknowledged that only the leader has made", Promise::deleted},
    {PlantedBug::sends_readers_to_who_knows_less, "sends_readers_to_who_knows_less",
     "a reader is sent to a follower that has not said what it knows", Promise::readers},
    {PlantedBug::tells_beyond_its_disk, "tells_beyond_its_disk",
     "a leader tells followers of commits that its own disk is behind", Promise::readers},
    {PlantedBug::forgets_groups_it_left, "forgets_groups_it_left",
     "a replica that comes back knows nothing of what it promised", Promise::committed_stays},
});

ByteChain encode(const raft::GroupMessage& message) {
  const bool beat =
      message.message.is<raft::Heartbeat>() || message.message.is<raft::HeartbeatAnswer>();
  return beat ? raft::encode_beats(std::span(&message, 1))
              : raft::encode_message(message.group, message.message);
}

void alter_entry(raft::Entry& entry) {
  if (entry.kind != raft::EntryKind::data) return;
  Bytes batch = to_bytes(entry.payload.view());
  protocol::BatchHeader header = protocol::read_batch_header(batch);
  ++header.max_timestamp;
  protocol::write_batch_header(header, batch);
  header.crc = protocol::compute_batch_crc(batch);
  protocol::write_batch_header(header, batch);
  entry.payload = SharedBytes::adopt(std::move(batch));
}

void alter(PlantedBug bug, NodeId to, Message& message) {
  auto* append = std::get_if<raft::Append>(&message.body);
  if (auto* vote = std::get_if<raft::VoteAnswer>(&message.body);
      vote != nullptr && bug == PlantedBug::grants_every_vote) {
    vote->granted = true;
  } else if (auto* asks = std::get_if<raft::Vote>(&message.body);
             asks != nullptr && bug == PlantedBug::boasts_of_its_log) {
    asks->last.index += 1'000;
    asks->last.term = message.term;
  } else if (auto* answer = std::get_if<raft::AppendAnswer>(&message.body);
             answer != nullptr && (bug == PlantedBug::acknowledges_too_early ||
                                   bug == PlantedBug::keeps_a_divergent_tail)) {
    answer->accepted = true;
  } else if (append != nullptr && bug == PlantedBug::commits_too_far) {
    append->commit = append->prev.index + static_cast<raft::Index>(append->entries.size());
  } else if (append != nullptr && bug == PlantedBug::alters_an_entry && to == 2) {
    for (raft::Entry& entry : append->entries) alter_entry(entry);
  }
}

/// As if it told all that a majority has.
void tell_all(raft::RaftReplicaManager& groups, raft::GroupMessage& message) {
  const raft::Replica* replica = groups.find(message.group);
  if (replica == nullptr) return;
  const raft::Index commit = replica->raft().log().commit();
  if (auto* append = std::get_if<raft::Append>(&message.message.body)) append->commit = commit;
  if (auto* beat = std::get_if<raft::Heartbeat>(&message.message.body)) beat->commit = commit;
}

void suit_partitions(PlantedBug bug, Plan& plan) {
  plan.replicated = 2;
  plan.producers = 2;
  plan.consumers = 1;
  plan.produce_interval = milliseconds(60);
  if (bug == PlantedBug::start_knows_no_producers ||
      bug == PlantedBug::new_leader_knows_no_producers) {
    plan.client_loses_one_in = 20;
    plan.request_timeout = milliseconds(400);
  }
  if (bug == PlantedBug::truncates_nothing) plan.network.delay_max = milliseconds(100);
  if (bug == PlantedBug::alters_a_stored_record) {
    plan.retention_bytes = 0;
    plan.deletions = false;
  }
  if (bug == PlantedBug::takes_old_epochs) {
    plan.new_epochs = true;
    plan.network.delay_max = milliseconds(200);
  }
  if (bug == PlantedBug::deletes_alone) plan.deletions = true;
  if (bug == PlantedBug::sends_readers_to_who_knows_less) {
    plan.consumers = 4;
    plan.network.delay_min = milliseconds(5);
    plan.network.delay_max = milliseconds(60);
    plan.produce_interval = milliseconds(5);
  }
  if (bug == PlantedBug::tells_beyond_its_disk) plan.stalls = true;
  if (bug == PlantedBug::forgets_groups_it_left) plan.moves = true;
}

}  // namespace

std::span<const BugInfo> planted_bugs() { return bugs; }

std::optional<PlantedBug> bug_of(std::string_view name) {
  for (const BugInfo& info : bugs) {
    if (name == info.name) return info.bug;
  }
  return std::nullopt;
}

void suit_plan(PlantedBug bug, Plan& plan) {
  if (bug == PlantedBug::none) return;
  plan.kills = plan.partitions = plan.resets = true;
  plan.trouble_interval = milliseconds(250);
  plan.propose_timeout = milliseconds(1'000);
  if (is_of_partitions(bug)) {
    suit_partitions(bug, plan);
  } else {
    plan.replicated = 0;
  }
  if (bug == PlantedBug::acknowledges_what_a_majority_has) plan.min_insync_replicas = 3;
  if (bug == PlantedBug::disk_ignores_sync) plan.power_cuts = true;
  if (bug == PlantedBug::forgets_its_vote) plan.network.delay_max = milliseconds(600);
  if (bug == PlantedBug::wiped_node_votes) {
    plan.wipes = true;
    plan.flips = false;
  }
  if (bug == PlantedBug::snapshot_of_its_own) {
    plan.segment_bytes = 2'000;
    plan.snapshot_log_bytes_min = 1'500;
  }
  if (bug == PlantedBug::lease_by_a_slow_clock) plan.skew = false;
  if (bug == PlantedBug::sleeps_on_without_a_leader) plan.rests = true;
}

std::vector<ByteChain> frames_of(PlantedBug bug, raft::RaftReplicaManager& groups, NodeId to,
                                 ByteChain frame, Random& random) {
  if (bug == PlantedBug::none) return {std::move(frame)};
  Result<raft::Frame> decoded = raft::decode_frame(
      groups.node(), to, SharedBytes::copy_of(wal::gather(frame).value().view()));
  CHECK(decoded);
  if (auto* proposal = std::get_if<raft::ForwardedProposal>(&*decoded);
      proposal != nullptr && bug == PlantedBug::repeats_what_is_forwarded && random.one_in(20)) {
    raft::ForwardedProposal again = *proposal;
    again.request += 1;
    return {std::move(frame), raft::encode(again)};
  }
  auto* messages = std::get_if<std::vector<raft::GroupMessage>>(&*decoded);
  if (messages == nullptr) return {std::move(frame)};
  std::vector<ByteChain> frames;
  for (raft::GroupMessage& message : *messages) {
    alter(bug, to, message.message);
    if (bug == PlantedBug::tells_beyond_its_disk) tell_all(groups, message);
    frames.push_back(encode(message));
  }
  return frames;
}

void alter_partitions_disk(PlantedBug bug, NodeId node, MemoryDisk& disk,
                           const std::string& directory) {
  if (bug != PlantedBug::alters_a_stored_record || node != 2) return;
  constexpr std::uint64_t in_first_record = protocol::batch_header_size + 8;
  std::vector<std::string> files = disk.files(directory);
  std::erase_if(files, [](const std::string& file) { return !file.ends_with(wal::log_suffix); });
  if (files.empty() || disk.content(files.front()).size() <= in_first_record) return;
  disk.flip_bit(files.front(), in_first_record, 0);
}

void forget_left(PlantedBug bug, MemoryDisk& disk, const std::string& root) {
  if (bug != PlantedBug::forgets_groups_it_left) return;
  for (const std::string& file : disk.files(root)) {
    if (file.find("/chronik.left/") != std::string::npos) CHECK(disk.remove(file));
  }
}

void alter_disk(PlantedBug bug, MemoryDisk& disk, const std::string& directory) {
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  const std::string state_path = directory + "/" + raft::state_file_name;
  if (bug == PlantedBug::loses_the_state_file && *disk.exists(state_path)) {
    CHECK(disk.remove(state_path));
  }
  if (bug == PlantedBug::forgets_its_vote && *disk.exists(state_path)) {
    raft::StateFile file(disk, directory, {identity.topic_id, identity.partition});
    Result<std::optional<raft::ReplicaState>> state = file.load();
    if (!state || !*state) return;
    (*state)->hard.vote = raft::no_node;
    CHECK(file.save(**state));
  }
  if (bug != PlantedBug::snapshot_of_its_own) return;
  const Result<metadata::FoundSnapshots> found = metadata::find_snapshots(disk, directory);
  if (!found || found->snapshots.empty()) return;
  const Result<metadata::LoadedSnapshot> loaded =
      metadata::load_snapshot(disk, found->snapshots[0].path);
  if (!loaded) return;
  metadata::ImageBuilder builder(loaded->image);
  builder.apply(metadata::topic_created(std::uint64_t{1} << 60, "from-nowhere"));
  builder.set_applied(loaded->info.index, loaded->info.offset);
  metadata::SnapshotWriter writer(disk, directory, builder.finish().image, loaded->info.epoch);
  while (!writer.step().value()) {
  }
}

}  // namespace chronik::sim
