#include "integration/sim/partition_service.h"

#include <algorithm>
#include <utility>

#include "wal/log_slice.h"
#include "wal/segment.h"

namespace chronik::sim {

using broker::WaitEnd;
using protocol::ErrorCode;

namespace {

/// For bugs only: a partition shows it to be read.
broker::ProducerState& producers_of(broker::Partition& partition) {
  return const_cast<broker::ProducerState&>(partition.producers());
}

}  // namespace

void PartitionService::produce(Node& node, const ProduceRequest& request, Done done) {
  broker::Partition* partition = node.partitions().find(request.partition);
  if (partition == nullptr) return done({ErrorCode::not_leader_or_follower, "no replica"});
  if (loses(*partition, request)) return;
  revive(*partition, request);
  const Offset end_before = partition->log().end_offset();
  const broker::AppendTerms terms{13, request.acks, node.wall(), node.local()};
  const broker::AppendResult result =
      partition->append(SharedBytes::copy_of(request.batch.view()), terms);
  count(result.error);
  if (result.error != ErrorCode::none) return done({result.error, result.message});
  if (partition->log().end_offset() == end_before) ++counts_.duplicates_answered;
  const bool stored = request.acks == 1 || bug_ == PlantedBug::acknowledges_what_the_leader_has;
  const SteadyTime limit = node.local() + request.timeout;
  broker::Future<WaitEnd> end = stored ? partition->stored(result.acknowledged_at)
                                : bug_ == PlantedBug::acknowledges_what_a_majority_has
                                    ? partition->reached(result.acknowledged_at, limit)
                                    : partition->acknowledged(result, limit);
  waiting_[node.id()].push_back({request, result.base_offset, std::move(end), std::move(done)});
}

/// The request is lost, and one that comes without its predecessor is taken as if that had come.
bool PartitionService::loses(broker::Partition& partition, const ProduceRequest& request) {
  if (bug_ != PlantedBug::takes_any_sequence) return false;
  if (random_.one_in(30)) return true;
  protocol::BatchHeader batch = protocol::read_batch_header(request.batch.view());
  const ErrorCode error = partition.producers().check(batch).error;
  if (error != ErrorCode::out_of_order_sequence_number) return false;
  batch.base_offset = partition.log().end_offset() - 1;
  batch.last_offset_delta = 0;
  --batch.base_sequence;
  producers_of(partition).apply(batch);
  return false;
}

/// As if the epoch of the batch were still that of its producer.
void PartitionService::revive(broker::Partition& partition, const ProduceRequest& request) {
  if (bug_ != PlantedBug::takes_old_epochs) return;
  protocol::BatchHeader batch = protocol::read_batch_header(request.batch.view());
  const auto known = partition.producers().last(batch.producer_id);
  if (!known || known->epoch <= batch.producer_epoch) return;
  batch.base_offset = partition.log().end_offset() - 1;
  batch.last_offset_delta = 0;
  --batch.base_sequence;
  producers_of(partition).apply(batch);
}

void PartitionService::delete_before(Node& node, int index, Offset offset, milliseconds timeout,
                                     Done done) {
  broker::Partition* partition = node.partitions().find(index);
  if (partition == nullptr || !partition->leads()) {
    return done({ErrorCode::not_leader_or_follower, {}});
  }
  checkers_.at(static_cast<std::size_t>(index))->on_delete(offset);
  if (!partition->delete_before(offset)) return done({ErrorCode::offset_out_of_range, {}});
  if (bug_ == PlantedBug::deletes_alone) {
    checkers_.at(static_cast<std::size_t>(index))->check_deleted(node.id(), offset);
  }
  deleting_[node.id()].push_back({index, offset,
                                  partition->log_start_reached(offset, node.local() + timeout),
                                  std::move(done)});
}

void PartitionService::acknowledge(NodeId id, const Deleting& deleting, WaitEnd end) {
  if (end == WaitEnd::deleted) return;  // the process ends
  if (end != WaitEnd::reached) {
    ++counts_.deletions_refused;
    return deleting.done({ErrorCode::request_timed_out, {}});
  }
  ++counts_.deletions;
  checkers_.at(static_cast<std::size_t>(deleting.partition))->check_deleted(id, deleting.offset);
  deleting.done({});
}

void PartitionService::on_start(Node& node) {
  if (bug_ != PlantedBug::start_knows_no_producers) return;
  for (const auto& [index, partition] : node.partitions().all()) producers_of(*partition).reset();
}

void PartitionService::on_ready(broker::Partition& partition) {
  const auto index = static_cast<std::size_t>(partition.identity().partition);
  if (checkers_.at(index)->lacks_deletion(partition)) ++counts_.deletions_unknown;
  if (bug_ == PlantedBug::new_leader_knows_no_producers) producers_of(partition).reset();
}

void PartitionService::count(ErrorCode error) {
  switch (error) {
    case ErrorCode::none:
      break;
    case ErrorCode::not_leader_or_follower:
      ++counts_.refused_not_leader;
      break;
    case ErrorCode::not_enough_replicas:
      ++counts_.refused_few_in_sync;
      break;
    case ErrorCode::out_of_order_sequence_number:
      ++counts_.refused_order;
      break;
    default:
      ++counts_.refused_other;
  }
}

void PartitionService::after_event(Node& node) {
  const auto answer = [&](auto& waiting) {
    const auto found = waiting.find(node.id());
    if (found == waiting.end()) return;
    for (auto at = found->second.begin(); at != found->second.end();) {
      if (!at->end.ready()) {
        ++at;
        continue;
      }
      auto over = std::move(*at);
      at = found->second.erase(at);
      acknowledge(node.id(), over, over.end.await_resume());
    }
  };
  answer(waiting_);
  answer(deleting_);
}

void PartitionService::acknowledge(NodeId id, const Waiting& waiting, WaitEnd end) {
  switch (end) {
    case WaitEnd::reached:
      if (waiting.request.acks == -1) {
        checkers_.at(static_cast<std::size_t>(waiting.request.partition))
            ->check_acknowledged(id, waiting.request.name, waiting.base_offset);
      }
      return waiting.done({});
    case WaitEnd::timed_out:
      return waiting.done({ErrorCode::request_timed_out, {}});
    case WaitEnd::too_few_in_sync:
      return waiting.done({ErrorCode::not_enough_replicas_after_append, {}});
    case WaitEnd::not_leader:
      ++counts_.leaders_lost;
      return waiting.done({ErrorCode::not_leader_or_follower, "its fate is not known"});
    case WaitEnd::deleted:
      return;  // the process ends
  }
}

FetchAnswer PartitionService::fetch(Node& node, int index, Offset from, LeaderEpoch epoch) {
  broker::Partition* partition = node.partitions().find(index);
  if (partition == nullptr) return {ErrorCode::not_leader_or_follower};
  broker::ReadRequest request;
  request.from = from;
  request.bytes_max = 300 + random_.below(3'000);
  request.at_least_one = true;
  request.current_leader_epoch = epoch;
  request.from_follower = true;
  broker::ReadResult read = partition->read(request);
  // The power is off, of which the machine has not heard yet.
  if (read.error == ErrorCode::kafka_storage_error && node.disk.struck()) {
    read.error = ErrorCode::not_leader_or_follower;
  }
  if (read.ahead) read.error = ErrorCode::offset_not_available;
  FetchAnswer answer{read.error, read.high_watermark, partition->log_start_offset(), from};
  if (read.error != ErrorCode::none) {
    ++counts_.partition_reads_refused;
    return answer;
  }
  ++counts_.partition_reads;
  if (!partition->leads()) ++counts_.follower_reads;
  if (bug_ == PlantedBug::high_watermark_of_the_leaders_disk) {
    read.high_watermark = answer.high_watermark = partition->log().durable_end_offset();
  }
  if (bug_ == PlantedBug::high_watermark_goes_back && random_.one_in(20)) {
    answer.high_watermark = old_high_watermark_;
  }
  if (random_.one_in(10)) old_high_watermark_ = answer.high_watermark;
  const Result<SharedBytes> records = wal::gather(read.records);
  if (!records) {
    answer.error =
        node.disk.struck() ? ErrorCode::not_leader_or_follower : ErrorCode::kafka_storage_error;
    return answer;
  }
  checkers_.at(static_cast<std::size_t>(index))->check_read(node.id(), from, read, records->view());
  for (ByteView left = records->view(); !left.empty();) {
    const protocol::BatchHeader batch = protocol::read_batch_header(left);
    left = left.subspan(std::min(batch.size(), left.size()));
    if (!wal::takes_no_offset(batch)) answer.next = batch.next_offset();
  }
  return answer;
}

bool PartitionService::is_fit_to_be_read(Node& replica, int index, const FetchAnswer& told,
                                         LeaderEpoch epoch) {
  broker::Partition* partition = replica.serves() ? replica.partitions().find(index) : nullptr;
  if (partition == nullptr || !partition->may_be_read_as_follower()) return false;
  if (partition->check_leader_epoch(epoch) != ErrorCode::none) return false;
  if (bug_ == PlantedBug::sends_readers_to_who_knows_less) return true;
  return partition->high_watermark() >= told.high_watermark &&
         partition->log_start_offset() <= told.next;
}

KnownLeader PartitionService::leader(Node& node, int index) {
  const broker::Partition* partition = node.partitions().find(index);
  if (partition == nullptr || partition->leadership().leader == raft::no_node) return {};
  return {partition->leadership().leader, partition->leadership().term};
}

}  // namespace chronik::sim
