#include "integration/sim/partition_checker.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raft/core/describe.h"
#include "raft/core/quorum.h"
#include "raft/multi/left_states.h"
#include "wal/log_slice.h"
#include "wal/segment.h"

namespace chronik::sim {

PartitionChecker::PartitionChecker(Verdict& verdict, const PlacedPartition& placed,
                                   const broker::PartitionSettings& settings)
    : verdict_(verdict),
      placed_(placed),
      compacts_(settings.log->compact),
      min_insync_replicas_(settings.min_insync_replicas),
      log_(raft_verdict_, [this](const raft::Entry& entry) { on_commit(entry); }) {
  log_.found(founders_of(placed));
}

std::string PartitionChecker::where(NodeId id) const {
  return fmt::format("partition {} at node {}", placed_.identity.partition, id);
}

void PartitionChecker::tell() {
  if (raft_verdict_.good()) return;
  verdict_.fail(raft_verdict_.promise(), fmt::format("partition {}: {}", placed_.identity.partition,
                                                     raft_verdict_.problem()));
}

raft::Replica* PartitionChecker::replica(Node& node) const {
  return node.manager().find({placed_.identity.topic_id, placed_.identity.partition});
}

void PartitionChecker::on_start(Node& node) {
  raft::Replica* started = replica(node);
  if (started == nullptr) return on_leave(node.id());
  // It was away in between, if only in a start that the power ended.
  const raft::GroupId group{placed_.identity.topic_id, placed_.identity.partition};
  const auto left = raft::LeftStates(node.disk, Node::root).find(group);
  const bool knows_nothing = started->store().last_index() == 0;
  if (knows_nothing && left && *left && (*left)->hard.term == started->raft().term()) {
    on_leave(node.id());
  }
  replicas_[node.id()] = started;
  log_.on_start(node.id(), *started, true);
  high_watermarks_[node.id()] = 0;
  tell();
}

void PartitionChecker::on_end(NodeId id) {
  if (replicas_.erase(id) > 0) log_.on_end(id);
}

/// Its log is gone with its place.
void PartitionChecker::on_leave(NodeId id) {
  replicas_.erase(id);
  log_.on_leave(id);
  begins_.erase(id);
}

void PartitionChecker::on_wipe(NodeId id) {
  log_.on_wipe(id);
  begins_.erase(id);
}

void PartitionChecker::on_send(const raft::GroupMessage& message) {
  const raft::GroupId group{placed_.identity.topic_id, placed_.identity.partition};
  if (message.group == group) log_.on_send(message.message);
  tell();
}

broker::Partition* PartitionChecker::after_event(Node& node) {
  broker::Partition* partition = node.partitions().find(placed_.identity.partition);
  const auto known = replicas_.find(node.id());
  if (partition == nullptr) {
    if (known != replicas_.end()) on_leave(node.id());
    return nullptr;
  }
  if (known == replicas_.end()) on_start(node);
  log_.after_event(node.id());
  tell();
  if (!verdict_.good()) return nullptr;
  const bool is_new = check_leadership(node.id(), *partition);
  const Offset told = partition->high_watermark();
  Offset& before = high_watermarks_[node.id()];
  if (told < before || told > committed_end()) {
    verdict_.fail(Promise::readers,
                  fmt::format("the high watermark of {} goes from {} to {}, and {} is committed",
                              where(node.id()), before, told, committed_end()));
  }
  before = told;
  Offset& held = held_[node.id()];
  held = std::max(held, partition->log().durable_end_offset());
  check_begin(node.id(), *partition);
  return is_new ? partition : nullptr;
}

/// What was deleted there never comes back there.
void PartitionChecker::check_begin(NodeId id, broker::Partition& partition) {
  Offset& before = begins_[id];
  // The power went while a leader gave it another log: it has none of the old one, nor of the new.
  if (partition.log().end_offset() < before) before = 0;
  if (partition.log_start_offset() < before) {
    verdict_.fail(Promise::deleted,
                  fmt::format("the log of {} begins at {}, having begun at {} on its disk",
                              where(id), partition.log_start_offset(), before));
  }
  // What a start found is on the disk without being known to be.
  before = std::max(before, partition.log().durable_log_start_offset());
  deleted_at_[id] = std::max(deleted_at_[id], before);
}

void PartitionChecker::check_deleted(NodeId id, Offset offset) {
  deleted_ = std::max(deleted_, offset);
  if (!log_.membership_is_settled()) return;
  const Offset held = raft::quorum_value(log_.membership(), [&](NodeId voter) {
    const auto begin = deleted_at_.find(voter);
    return begin == deleted_at_.end() ? Offset{0} : begin->second;
  });
  if (held >= offset) return;
  verdict_.fail(Promise::deleted,
                fmt::format("{} acknowledges that it begins at {}, and a majority has deleted up "
                            "to {} only",
                            where(id), offset, held));
}

/// A node that serves is the only one of its epoch, and knows all that was acknowledged before.
bool PartitionChecker::check_leadership(NodeId id, const broker::Partition& partition) {
  if (!partition.leads()) return false;
  const LeaderEpoch epoch = partition.leader_epoch();
  const auto [leader, first] = leaders_.try_emplace(epoch, id);
  if (leader->second != id) {
    verdict_.fail(Promise::one_leader,
                  fmt::format("partition {} is led in epoch {} by {} and by {}",
                              placed_.identity.partition, epoch, leader->second, id));
  }
  if (!first) return false;
  const Index decided = log_.committed_before(epoch);
  const Offset end = decided == 0 ? 0 : ends_[static_cast<std::size_t>(decided - 1)];
  if (partition.high_watermark() < end) {
    verdict_.fail(Promise::ready_leader,
                  fmt::format("{} is ready to lead in epoch {} with a high watermark of {}, and {} "
                              "was committed before",
                              where(id), epoch, partition.high_watermark(), end));
  }
  return true;
}

void PartitionChecker::on_made(BatchName name, const SharedBytes& batch, bool idempotent) {
  made_[name] = {protocol::read_batch_header(batch.view()).crc, idempotent};
}

void PartitionChecker::on_commit(const raft::Entry& entry) {
  if (entry.kind != raft::EntryKind::data) {
    ends_.push_back(committed_end());
    return;
  }
  const protocol::BatchHeader batch = protocol::read_batch_header(entry.payload.view());
  const std::optional<BatchName> name = name_of(batch);
  const auto made = name ? made_.find(*name) : made_.end();
  if (made == made_.end() || made->second.crc != batch.crc ||
      batch.base_offset != committed_end() || batch.leader_epoch != entry.term) {
    verdict_.fail(Promise::acknowledged,
                  fmt::format("partition {} has a batch at {} (after {}) that no producer made",
                              placed_.identity.partition, batch.base_offset, committed_end()));
    ends_.push_back(batch.next_offset());
    return;
  }
  if (made->second.idempotent) {
    check_order(*name, batch.base_offset);
    last_sequences_[batch.producer_id] = batch.last_sequence();
  }
  committed_[batch.base_offset] = {batch.next_offset(), batch.crc, *name, batch.leader_epoch};
  places_[*name].push_back(batch.base_offset);
  if (is_superseded_by_the_next(*name)) superseding_[name->producer] = batch.base_offset;
  ends_.push_back(batch.next_offset());
}

void PartitionChecker::check_order(BatchName name, Offset base) {
  int& next = next_number_[name.producer];
  if (name.number == next) {
    ++next;
    return;
  }
  if (name.number < next && places_[name].empty()) {
    return verdict_.fail(
        Promise::producer_order,
        fmt::format("partition {} has batch {} of producer {}, which was given up, "
                    "at {}, behind its batch {}",
                    placed_.identity.partition, name.number, name.producer, base, next - 1));
  }
  if (name.number < next) {
    return verdict_.fail(Promise::exactly_once,
                         fmt::format("partition {} has batch {} of producer {} at {} and at {}",
                                     placed_.identity.partition, name.number, name.producer,
                                     places_[name].front(), base));
  }
  int missing = next;
  while (missing < name.number && made_.at({name.producer, missing}).given_up) ++missing;
  if (missing == name.number) {
    next = name.number + 1;
    return;
  }
  verdict_.fail(Promise::producer_order,
                fmt::format("partition {} has batch {} of producer {} at {}, and not yet its batch "
                            "{}",
                            placed_.identity.partition, name.number, name.producer, base, missing));
}

void PartitionChecker::check_acknowledged(NodeId id, BatchName name, Offset base_offset) {
  const auto found = committed_.find(base_offset);
  if (found != committed_.end() && found->second.name == name) {
    const auto have = std::ranges::count_if(
        held_, [end = found->second.end](const auto& node) { return node.second >= end; });
    if (have >= min_insync_replicas_) return;
    return verdict_.fail(
        Promise::acknowledged,
        fmt::format("{} acknowledges batch {} of producer {} at {}, which {} nodes have had on "
                    "disk, and min.insync.replicas is {}",
                    where(id), name.number, name.producer, base_offset, have,
                    min_insync_replicas_));
  }
  verdict_.fail(Promise::acknowledged,
                fmt::format("{} acknowledges batch {} of producer {} at {}, where {} is committed",
                            where(id), name.number, name.producer, base_offset,
                            found == committed_.end()
                                ? std::string("nothing")
                                : fmt::format("batch {} of producer {}", found->second.name.number,
                                              found->second.name.producer)));
}

void PartitionChecker::check_read(NodeId id, Offset from, const broker::ReadResult& answer,
                                  ByteView records) {
  if (answer.high_watermark > committed_end()) {
    return verdict_.fail(
        Promise::readers,
        fmt::format("{} tells a reader a high watermark of {}, and {} is committed", where(id),
                    answer.high_watermark, committed_end()));
  }
  const auto [end, problem] = look_at(from, records);
  const auto fail = [&](const std::string& how) {
    verdict_.fail(Promise::readers, fmt::format("{} shows a reader at {} {}, with a high watermark "
                                                "of {}",
                                                where(id), from, how, answer.high_watermark));
  };
  if (!problem.empty()) return fail(problem);
  if (end > answer.high_watermark) return fail(fmt::format("records up to {}", end));
  if (end == from && from < answer.high_watermark) fail("nothing");
}

/// Compaction may have taken it: all its records have keys that came again.
bool PartitionChecker::may_be_gone(Offset base, const Committed& batch) const {
  if (!compacts_) return false;
  if (places_.at(batch.name).back() > base) return true;
  return is_superseded_by_the_next(batch.name) && superseding_.at(batch.name.producer) > base;
}

bool PartitionChecker::may_be_gone(Offset from, Offset end) const {
  auto at = committed_.upper_bound(from);
  if (at == committed_.begin()) return false;
  for (--at; at != committed_.end() && at->first < end; ++at) {
    if (!may_be_gone(at->first, at->second)) return false;
  }
  return true;
}

PartitionChecker::Shown PartitionChecker::look_at(Offset from, ByteView records) const {
  Offset at = from;
  while (!records.empty()) {
    const protocol::BatchHeader batch = protocol::read_batch_header(records);
    const ByteView bytes = records.first(batch.size());
    records = records.subspan(batch.size());
    if (wal::takes_no_offset(batch)) continue;  // Raft's own
    const auto found = committed_.find(batch.base_offset);
    const bool known = found != committed_.end() && found->second.end == batch.next_offset() &&
                       found->second.epoch == batch.leader_epoch &&
                       protocol::compute_batch_crc(bytes) == batch.crc;
    const bool same =
        known && (wal::is_empty_batch(batch) ? may_be_gone(batch.base_offset, found->second)
                                             : found->second.crc == batch.crc);
    const bool holds = at == from && batch.base_offset <= at && batch.next_offset() > at;
    const bool follows = holds || batch.base_offset == at ||
                         (batch.base_offset > at && may_be_gone(at, batch.base_offset));
    if (!same || !follows) {
      return {at, fmt::format("a batch from {} to {} of epoch {} that {}", batch.base_offset,
                              batch.next_offset(), batch.leader_epoch,
                              same ? "leaves a gap" : "is not committed")};
    }
    at = batch.next_offset();
  }
  return {at, ""};
}

void PartitionChecker::check_whole(Node& node) {
  broker::Partition* partition = node.partitions().find(placed_.identity.partition);
  if (partition == nullptr) return;
  wal::PartitionLog& log = partition->log();
  const auto differs = [&](const std::string& how) {
    verdict_.fail(Promise::equal_replicas, fmt::format("{} at rest: {}", where(node.id()), how));
  };
  if (log.end_offset() != committed_end()) {
    return differs(
        fmt::format("it ends at {}, and {} is committed", log.end_offset(), committed_end()));
  }
  constexpr std::uint64_t much = 1u << 20;
  for (Offset at = log.log_start_offset(); at < committed_end();) {
    const Result<wal::LogSlice> slice = log.read(at, much, committed_end(), true);
    if (!slice) return differs(fmt::format("offset {}: {}", at, slice.error().message));
    const Result<SharedBytes> bytes = wal::gather(slice->bytes);
    if (!bytes) return differs(fmt::format("offset {}: {}", at, bytes.error().message));
    const auto [next, problem] = look_at(at, bytes->view());
    if (!problem.empty()) return differs(problem);
    if (next == at) return differs(fmt::format("there is nothing at {}", at));
    at = next;
  }
  for (const auto& [id, last] : last_sequences_) {
    const auto known = partition->producers().last(id);
    if (!known || known->sequence != last) {
      return differs(fmt::format("it knows the sequence {} of producer {}, which has come to {}",
                                 known ? known->sequence : no_sequence, id, last));
    }
  }
}

std::string PartitionChecker::describe() const {
  return fmt::format("partition {}: {} entries are committed, up to offset {}, {}",
                     placed_.identity.partition, log_.committed(), committed_end(),
                     raft::to_string(log_.membership()));
}

std::string PartitionChecker::describe(Node& node) const {
  broker::Partition* partition = node.partitions().find(placed_.identity.partition);
  if (partition == nullptr) return fmt::format("{}: no place", node.id());
  return fmt::format("{}, log from {} to {}, high watermark {}{}",
                     raft::describe(replica(node)->raft()), partition->log_start_offset(),
                     partition->log().end_offset(), partition->high_watermark(),
                     partition->leads() ? ", ready" : "");
}

bool PartitionChecker::is_whole() const {
  const raft::Membership& membership = log_.membership();
  return !placed_.members.is_reassigned() && !membership.is_joint() &&
         membership.learners.empty() &&
         membership.voters.size() == placed_.members.replicas.size() &&
         log_.membership_is_settled();
}

}  // namespace chronik::sim
