#include "broker/partition/partition.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "protocol/record_batch.h"

namespace chronik::broker {

namespace {

AppendResult refuse(protocol::ErrorCode error, std::string message) {
  AppendResult result;
  result.error = error;
  result.message = std::move(message);
  return result;
}

}  // namespace

Partition::Partition(PartitionContext context, std::shared_ptr<const PartitionSettings> settings)
    : context_(context), settings_(std::move(settings)) {}

Result<std::unique_ptr<Partition>> Partition::open(
    PartitionContext context, std::string directory, wal::LogIdentity identity,
    std::shared_ptr<const PartitionSettings> settings, bool known_new) {
  std::unique_ptr<Partition> partition(new Partition(context, std::move(settings)));
  if (known_new) {
    partition->log_ =
        wal::PartitionLog::create(context.environment, std::move(directory), std::move(identity),
                                  partition->settings_->log, &partition->producers_);
  } else {
    TRY_ASSIGN(partition->log_, wal::PartitionLog::open(
                                    context.environment, std::move(directory), std::move(identity),
                                    partition->settings_->log, &partition->producers_));
    // A tail that was scanned is saved, so that the next start need not.
    context.group.add(*partition->log_);
  }
  partition->log_->set_listener(partition.get());
  partition->leader_epoch_ = std::max(LeaderEpoch{0}, partition->log_->last_epoch());
  partition->announced_high_watermark_ = partition->log_->durable_end_offset();
  return partition;
}

Partition::~Partition() {
  for (std::vector<Waiting>* queue : {&for_high_watermark_, &for_log_start_}) {
    end(*queue, WaitEnd::deleted, [](const Waiting&) { return true; });
  }
}

void Partition::set_settings(std::shared_ptr<const PartitionSettings> settings) {
  settings_ = std::move(settings);
  if (log_) log_->set_settings(settings_->log);
}

protocol::ErrorCode Partition::check_leader_epoch(LeaderEpoch of_client) const {
  if (of_client == no_leader_epoch || of_client == leader_epoch_) return protocol::ErrorCode::none;
  return of_client < leader_epoch_ ? protocol::ErrorCode::fenced_leader_epoch
                                   : protocol::ErrorCode::unknown_leader_epoch;
}

AppendResult Partition::append(SharedBytes records, std::int16_t produce_version, Timestamp now) {
  const protocol::ProduceTarget target{identity().topic, identity().partition, produce_version,
                                       now};
  protocol::ProduceOutcome outcome =
      protocol::validate_produce(std::move(records), settings_->produce, target, context_.scratch);
  if (auto* rejected = std::get_if<protocol::RejectedBatch>(&outcome)) {
    AppendResult result = refuse(rejected->code, std::move(rejected->message));
    result.record_errors = std::move(rejected->record_errors);
    if (!result.record_errors.empty()) result.log_start_offset = log_->log_start_offset();
    return result;
  }
  protocol::AcceptedBatch& batch = std::get<protocol::AcceptedBatch>(outcome);
  const protocol::BatchHeader& header = batch.header;
  if (header.is_transactional()) {
    return refuse(protocol::ErrorCode::invalid_txn_state,
                  "This broker does not serve transactions: the batch belongs to one.");
  }
  const ProducerVerdict verdict = producers_.check(header);
  AppendResult result;
  if (verdict.error != protocol::ErrorCode::none) {
    result = refuse(verdict.error, verdict.message);
    result.log_start_offset = log_->log_start_offset();
    return result;
  }
  result.log_start_offset = log_->log_start_offset();
  if (verdict.duplicate) {
    result.base_offset = verdict.duplicate->base_offset;
    result.acknowledged_at = verdict.duplicate->last_offset + 1;
    if (header.timestamp_type() == protocol::TimestampType::log_append_time) {
      result.log_append_time = verdict.duplicate->timestamp;
    }
    return result;
  }
  if (const Result<void> room = log_->admit(batch.bytes.size()); !room) {
    return refuse(protocol::ErrorCode::kafka_storage_error, room.error().message);
  }
  protocol::set_base_offset(batch.bytes.mutable_view(), log_->end_offset());
  protocol::set_leader_epoch(batch.bytes.mutable_view(), leader_epoch_);
  result.base_offset = log_->end_offset();
  result.log_append_time = batch.log_append_time;
  log_->append(std::move(batch.bytes));
  result.acknowledged_at = log_->end_offset();
  context_.group.mark_dirty(*log_);
  return result;
}

Future<WaitEnd> Partition::wait_in(std::vector<Waiting>& queue, Offset until, SteadyTime limit) {
  Promise<WaitEnd> promise;
  Future<WaitEnd> future = promise.future();
  queue.push_back({until, limit, std::move(promise)});
  return future;
}

template <class Over>
void Partition::end(std::vector<Waiting>& queue, WaitEnd how, Over over) {
  auto keep = queue.begin();
  for (Waiting& waiting : queue) {
    if (over(waiting)) {
      waiting.promise.set(how);
    } else {
      if (&*keep != &waiting) *keep = std::move(waiting);
      ++keep;
    }
  }
  queue.erase(keep, queue.end());
}

namespace {

Future<WaitEnd> there_already() {
  Promise<WaitEnd> there;
  Future<WaitEnd> future = there.future();
  there.set(WaitEnd::reached);
  return future;
}

}  // namespace

Future<WaitEnd> Partition::reached(Offset end, SteadyTime limit) {
  if (high_watermark() < end) return wait_in(for_high_watermark_, end, limit);
  return there_already();
}

Future<WaitEnd> Partition::log_start_reached(Offset offset, SteadyTime limit) {
  if (log_->durable_log_start_offset() < offset) return wait_in(for_log_start_, offset, limit);
  return there_already();
}

SteadyTime Partition::end_waits(SteadyTime now) {
  SteadyTime next = SteadyTime::max();
  for (std::vector<Waiting>* queue : {&for_high_watermark_, &for_log_start_}) {
    end(*queue, WaitEnd::timed_out, [now](const Waiting& w) { return w.limit <= now; });
    for (const Waiting& waiting : *queue) next = std::min(next, waiting.limit);
  }
  return next;
}

void Partition::on_durable(wal::PartitionLog& log) {
  const auto end_those_up_to = [](std::vector<Waiting>& queue, Offset offset) {
    end(queue, WaitEnd::reached, [offset](const Waiting& w) { return w.until <= offset; });
  };
  end_those_up_to(for_high_watermark_, log.durable_end_offset());
  end_those_up_to(for_log_start_, log.durable_log_start_offset());
  if (log.durable_end_offset() != announced_high_watermark_) {
    announced_high_watermark_ = log.durable_end_offset();
    waiters_.wake_all();
  }
  if (on_flushed) on_flushed();
}

ReadResult Partition::read(const ReadRequest& request) {
  ReadResult result;
  result.error = check_leader_epoch(request.current_leader_epoch);
  if (result.error != protocol::ErrorCode::none) return result;

  if (request.last_fetched_epoch != no_leader_epoch) {
    const std::optional<wal::EpochEnd> end = log_->end_offset_for_epoch(request.last_fetched_epoch);
    if (!end) {
      result.error = protocol::ErrorCode::offset_out_of_range;
      return result;
    }
    if (end->epoch < request.last_fetched_epoch || end->end_offset < request.from) {
      result.diverging = end;
      result.high_watermark = high_watermark();
      result.log_start_offset = log_start_offset();
      return result;
    }
  }
  Result<wal::LogSlice> slice =
      log_->read(request.from, request.bytes_max, high_watermark(), request.at_least_one);
  if (!slice) {
    if (slice.error().code == Errc::out_of_range) {
      result.error = protocol::ErrorCode::offset_out_of_range;
    } else {
      log_error("a read failed", {{"topic", identity().topic},
                                  {"partition", identity().partition},
                                  {"offset", request.from},
                                  {"error", slice.error().message}});
      result.error = slice.error().code == Errc::corrupt ? protocol::ErrorCode::corrupt_message
                                                         : protocol::ErrorCode::kafka_storage_error;
    }
    return result;
  }
  result.high_watermark = high_watermark();
  result.log_start_offset = log_start_offset();
  result.records = std::move(slice->bytes);
  return result;
}

Result<void> Partition::delete_before(Offset offset) {
  TRY(log_->delete_before(offset));
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return {};
}

bool Partition::apply_retention(Timestamp retention_now) {
  producers_.expire(retention_now, settings_->producer_expiration);
  const std::size_t dropped = log_->apply_retention(retention_now);
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return dropped != 0;
}

wal::Cleanable Partition::cleanable(Timestamp retention_now) {
  if (!settings_->log->compact) return {};
  log_->seal_if_due(retention_now);
  const wal::Cleanable cleanable = wal::LogCompaction(*log_).cleanable(retention_now);
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return cleanable;
}

wal::CompactionJob Partition::begin_compaction(const wal::CompactionLimits& limits,
                                               Timestamp retention_now, std::uint64_t seed) {
  return wal::LogCompaction(*log_).begin(limits, retention_now, seed);
}

Result<wal::CompactionReport> Partition::end_compaction(wal::CompactionJob job) {
  Result<wal::CompactionReport> report = wal::LogCompaction(*log_).end(std::move(job));
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return report;
}

std::unique_ptr<wal::PartitionLog> Partition::retire() {
  for (std::vector<Waiting>* queue : {&for_high_watermark_, &for_log_start_}) {
    end(*queue, WaitEnd::deleted, [](const Waiting&) { return true; });
  }
  waiters_.wake_all();
  log_->set_listener(nullptr);
  return std::move(log_);
}

}  // namespace chronik::broker
