#include "broker/partition/partition.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.h"
#include "protocol/record_batch.h"

namespace chronik::broker {

namespace {

// Producers with a refused batch that are remembered, per partition.
constexpr std::size_t refused_max = 1000;

AppendResult refuse(protocol::ErrorCode error, std::string message) {
  AppendResult result;
  result.error = error;
  result.message = std::move(message);
  return result;
}

/// Of an append that was not made; all of them pass, and the client tries again.
protocol::ErrorCode error_of(const Error& error) {
  switch (error.code) {
    case Errc::not_leader:
    case Errc::closed:
      return protocol::ErrorCode::not_leader_or_follower;
    case Errc::busy:
      // More is not committed than a leader may have: its followers do not keep up.
      return protocol::ErrorCode::not_enough_replicas;
    case Errc::too_large:
      return protocol::ErrorCode::message_too_large;
    default:
      return protocol::ErrorCode::kafka_storage_error;
  }
}

// Clients give a request up after this, if not sooner (socket.timeout.ms of librdkafka is 60 s; the
// Java client's request.timeout.ms 30 s).
constexpr milliseconds request_patience{65'000};

}  // namespace

Partition::Partition(PartitionContext context, std::shared_ptr<const PartitionSettings> settings)
    : context_(context), settings_(std::move(settings)) {}

Result<std::unique_ptr<Partition>> Partition::open(
    PartitionContext context, std::string directory, wal::LogIdentity identity,
    std::shared_ptr<const PartitionSettings> settings, bool known_new) {
  std::unique_ptr<Partition> partition(new Partition(context, std::move(settings)));
  std::unique_ptr<wal::PartitionLog>& log = partition->own_log_;
  if (known_new) {
    log = wal::PartitionLog::create(context.environment, std::move(directory), std::move(identity),
                                    partition->settings_->log, &partition->producers_);
  } else {
    const wal::DirectorySync sync = context.environment.sync_of(directory);
    TRY_ASSIGN(
        log, wal::PartitionLog::open(context.environment, std::move(directory), std::move(identity),
                                     partition->settings_->log, &partition->producers_, sync));
    // A tail that was scanned is saved, so that the next start need not.
    context.group.add(*log);
  }
  partition->log_ = log.get();
  log->set_listener(partition.get());
  partition->leader_epoch_ = std::max(LeaderEpoch{0}, log->last_epoch());
  partition->announced_high_watermark_ = log->durable_end_offset();
  return partition;
}

Partition::~Partition() { end_all(WaitEnd::deleted); }

void Partition::set_settings(std::shared_ptr<const PartitionSettings> settings) {
  settings_ = std::move(settings);
  if (log_) log_->set_settings(settings_->log);
  end_acknowledged();
  renew_catch_up_terms();
}

protocol::ErrorCode Partition::check_leader_epoch(LeaderEpoch of_client) const {
  if (of_client == no_leader_epoch || of_client == leader_epoch()) return protocol::ErrorCode::none;
  return of_client < leader_epoch() ? protocol::ErrorCode::fenced_leader_epoch
                                    : protocol::ErrorCode::unknown_leader_epoch;
}

AppendResult Partition::append(SharedBytes records, const AppendTerms& terms) {
  if (!leads() || is_handing_over()) {
    AppendResult refused = refuse(protocol::ErrorCode::not_leader_or_follower, {});
    if (records.size() >= protocol::batch_header_size) {
      note_refusal(protocol::read_batch_header(records.view()), refused);
    }
    return refused;
  }
  const protocol::ProduceTarget target{identity().topic, identity().partition,
                                       terms.produce_version, terms.now};
  protocol::ProduceOutcome outcome =
      protocol::validate_produce(std::move(records), settings_->produce, target, context_.scratch);
  if (auto* rejected = std::get_if<protocol::RejectedBatch>(&outcome)) {
    AppendResult result = refuse(rejected->code, std::move(rejected->message));
    result.record_errors = std::move(rejected->record_errors);
    if (!result.record_errors.empty()) result.log_start_offset = log_->log_start_offset();
    return result;
  }
  protocol::AcceptedBatch& batch = std::get<protocol::AcceptedBatch>(outcome);
  const protocol::BatchHeader header = batch.header;
  if (header.is_transactional()) {
    return refuse(protocol::ErrorCode::invalid_txn_state,
                  "This broker does not serve transactions: the batch belongs to one.");
  }
  const ProducerVerdict verdict = producers_.check(header);
  AppendResult result;
  if (const Refused* before = refused_before(header)) {
    result = refuse(before->error, before->message);
    result.log_start_offset = log_->log_start_offset();
    note_refusal(header, result);
    return result;
  }
  if (may_lack_earlier(header, verdict, terms.at)) {
    result = refuse(protocol::ErrorCode::not_enough_replicas,
                    "What the producer sent before this batch was lost with the former leader, or "
                    "is still on its way: the batch was not appended.");
    result.log_start_offset = log_->log_start_offset();
    // When the earlier ones come before this one is sent again, those behind it are still ahead.
    note_refusal(header, result);
    return result;
  }
  if (verdict.error != protocol::ErrorCode::none) {
    result = refuse(verdict.error, verdict.message);
    result.log_start_offset = log_->log_start_offset();
    return result;
  }
  result.log_start_offset = log_->log_start_offset();
  if (verdict.duplicate) {
    result.base_offset = verdict.duplicate->base_offset;
    result.acknowledged_at = verdict.duplicate->last_offset + 1;
    // Where it stands is not known by index: it is held with the last entry.
    if (replica_ != nullptr) result.acknowledged_index = replica_->store().last_index();
    if (header.timestamp_type() == protocol::TimestampType::log_append_time) {
      result.log_append_time = verdict.duplicate->timestamp;
    }
    return result;
  }
  result = append_accepted(std::move(batch), terms.acks);
  note_refusal(header, result);
  return result;
}

/// A batch that passes later was refused; those that its producer had sent behind it come now. To
/// say that they are out of order would make librdkafka count its batches anew, and those of other
/// partitions whose fate it does not know would be written twice. To take them, where nothing was
/// known of the producer, would tell it that the first one is there too. When the first one has
/// come again, its producer may not have heard yet that the second one was refused.
const Partition::Refused* Partition::refused_before(const protocol::BatchHeader& batch) const {
  const auto found = refused_.find(batch.producer_id);
  if (found == refused_.end() || found->second.epoch != batch.producer_epoch) return nullptr;
  const Refused& refused = found->second;
  // They have come again, to this node or to another leader.
  const Sequence there = producers_.last_sequence(batch.producer_id, refused.epoch);
  if (there >= refused.last) return nullptr;
  return std::max(refused.sequence, there + 1) < batch.base_sequence ? &refused : nullptr;
}

/// Requests that a producer had under way to a former leader come to this one when it has given
/// them up, and later ones may be faster, also those behind a few that have come to this one: a
/// client is refused one after the other, and asks the new leader from the first refusal on. As in
/// refused_before(), to answer that they are out of order, or to take the first that comes of an
/// unknown producer, would make clients write twice or lose.
bool Partition::may_lack_earlier(const protocol::BatchHeader& batch, const ProducerVerdict& verdict,
                                 SteadyTime at) {
  if (replica_ == nullptr) return false;
  // Before the first term nobody led, unless there was a log before the group.
  if (leadership_.term <= 1 && !seat_->takes_on) return false;
  if (!led_since_) led_since_ = at;
  if (!batch.has_producer_id() || at - *led_since_ > request_patience) return false;
  const std::optional<ProducerPlace> last = producers_.last(batch.producer_id);
  if (!last) return batch.base_sequence != 0;
  const bool ahead = batch.producer_epoch > last->epoch || batch.base_sequence > last->sequence;
  return verdict.error == protocol::ErrorCode::out_of_order_sequence_number && ahead;
}

void Partition::note_refusal(const protocol::BatchHeader& batch, const AppendResult& result) {
  if (!batch.has_producer_id()) return;
  const auto found = refused_.find(batch.producer_id);
  // What comes late of an epoch that the producer has left says nothing of the next one.
  if (found != refused_.end() && batch.producer_epoch < found->second.epoch) return;
  if (result.error == protocol::ErrorCode::none) {
    if (found == refused_.end()) return;
    const Refused& refused = found->second;
    const bool some_are_left =
        refused.epoch == batch.producer_epoch && batch.last_sequence() < refused.last;
    if (!some_are_left) refused_.erase(found);
    return;
  }
  const bool is_first = refused_before(batch) == nullptr;
  if (is_first && refused_.size() >= refused_max) refused_.clear();
  Refused& refused = refused_[batch.producer_id];
  const bool others = refused.epoch == batch.producer_epoch;
  const Sequence last = others ? std::max(refused.last, batch.base_sequence) : batch.base_sequence;
  if (is_first) {
    refused = {batch.producer_epoch, batch.base_sequence, last, result.error, result.message};
  } else {
    refused.last = last;
  }
}

/// Nothing when there are enough.
std::optional<AppendResult> Partition::too_few_in_sync(std::int16_t acks) const {
  if (acks != -1 || replica_ == nullptr) return std::nullopt;
  const std::size_t in_sync = in_sync_replicas().size();
  if (in_sync >= static_cast<std::size_t>(settings_->min_insync_replicas)) return std::nullopt;
  return refuse(
      protocol::ErrorCode::not_enough_replicas,
      fmt::format("{} replica(s) of {}-{} are in sync, min.insync.replicas asks for {}: "
                  "the batch was not appended.",
                  in_sync, identity().topic, identity().partition, settings_->min_insync_replicas));
}

AppendResult Partition::append_accepted(protocol::AcceptedBatch batch, std::int16_t acks) {
  if (std::optional<AppendResult> refused = too_few_in_sync(acks)) return *std::move(refused);
  AppendResult result;
  result.log_start_offset = log_->log_start_offset();
  result.base_offset = log_->end_offset();
  result.log_append_time = batch.log_append_time;
  if (replica_ != nullptr) {
    const Result<raft::Position> appended = replica_->append(std::move(batch.bytes));
    if (!appended) {
      const bool hands_over = replica_->raft().transfer_target() != raft::no_node;
      return refuse(
          hands_over ? protocol::ErrorCode::not_leader_or_follower : error_of(appended.error()),
          appended.error().message);
    }
    result.acknowledged_index = appended->index;
  } else {
    if (const Result<void> room = log_->admit(batch.bytes.size()); !room) {
      return refuse(error_of(room.error()), room.error().message);
    }
    protocol::set_base_offset(batch.bytes.mutable_view(), log_->end_offset());
    protocol::set_leader_epoch(batch.bytes.mutable_view(), leader_epoch_);
    log_->append(std::move(batch.bytes));
    context_.group.mark_dirty(*log_);
  }
  result.acknowledged_at = log_->end_offset();
  return result;
}

Future<WaitEnd> Partition::wait_in(std::vector<Waiting>& queue, Offset until, SteadyTime limit,
                                   raft::Index index) {
  Promise<WaitEnd> promise;
  Future<WaitEnd> future = promise.future();
  queue.push_back({until, limit, std::move(promise), index});
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

Future<WaitEnd> Partition::acknowledged(const AppendResult& appended, SteadyTime limit) {
  Future<WaitEnd> end =
      wait_in(for_acknowledgement_, appended.acknowledged_at, limit, appended.acknowledged_index);
  if (high_watermark() >= appended.acknowledged_at) end_acknowledged();
  return end;
}

Future<WaitEnd> Partition::stored(Offset end) {
  if (log_->durable_end_offset() < end) return wait_in(for_storage_, end, SteadyTime::max());
  return there_already();
}

Future<WaitEnd> Partition::leader_known(SteadyTime limit) {
  if (is_between_leaders() || is_handing_over()) return wait_in(for_leader_, 0, limit);
  return there_already();
}

Future<WaitEnd> Partition::log_start_reached(Offset offset, SteadyTime limit) {
  if (safe_log_start() < offset) return wait_in(for_log_start_, offset, limit);
  return there_already();
}

SteadyTime Partition::end_waits(SteadyTime now) {
  SteadyTime next = SteadyTime::max();
  for (std::vector<Waiting>* queue :
       {&for_high_watermark_, &for_acknowledgement_, &for_log_start_, &for_leader_}) {
    end(*queue, WaitEnd::timed_out, [now](const Waiting& w) { return w.limit <= now; });
    for (const Waiting& waiting : *queue) next = std::min(next, waiting.limit);
  }
  return next;
}

void Partition::end_acknowledgements(WaitEnd how) {
  for (std::vector<Waiting>* queue : {&for_high_watermark_, &for_acknowledgement_, &for_storage_}) {
    end(*queue, how, [](const Waiting&) { return true; });
  }
}

void Partition::end_log_start_waits(WaitEnd how) {
  end(for_log_start_, how, [](const Waiting&) { return true; });
}

void Partition::end_leader_waits() {
  end(for_leader_, WaitEnd::reached, [](const Waiting&) { return true; });
}

void Partition::end_all(WaitEnd how) {
  end_acknowledgements(how);
  end_log_start_waits(how);
  end(for_leader_, how, [](const Waiting&) { return true; });
}

/// As Kafka: with too few in sync, who waits is told so once the batch is committed.
void Partition::end_acknowledged() {
  if (for_acknowledgement_.empty()) return;
  const auto asked = static_cast<std::size_t>(settings_->min_insync_replicas);
  raft::Index held = std::numeric_limits<raft::Index>::max();
  WaitEnd how = WaitEnd::reached;
  if (replica_ != nullptr && asked > 1) {
    // Nobody is in sync with one that just lost the leadership; the waits end with it.
    if (replica_->raft().role() != raft::Role::leader) return;
    const std::vector<BrokerId> in_sync = in_sync_replicas();
    if (in_sync.size() < asked) {
      how = WaitEnd::too_few_in_sync;
    } else {
      held = held_by(asked, in_sync);
    }
  }
  end(for_acknowledgement_, how, [committed = high_watermark(), held](const Waiting& waiting) {
    return waiting.until <= committed && waiting.index <= held;
  });
}

/// Ends the waits for what is there now.
void Partition::end_reached() {
  const auto end_those_up_to = [](std::vector<Waiting>& queue, Offset offset) {
    end(queue, WaitEnd::reached, [offset](const Waiting& w) { return w.until <= offset; });
  };
  end_those_up_to(for_high_watermark_, high_watermark());
  end_acknowledged();
  end_those_up_to(for_storage_, log_->durable_end_offset());
  if (!for_log_start_.empty()) end_those_up_to(for_log_start_, safe_log_start());
  if (high_watermark() == announced_high_watermark_) return;
  announced_high_watermark_ = high_watermark();
  waiters_.wake_all();
}

void Partition::on_durable(wal::PartitionLog&) {
  end_reached();
  if (on_flushed) on_flushed();
}

ReadResult Partition::read(const ReadRequest& request) {
  ReadResult result;
  const bool follows = !leads() && request.from_follower && may_be_read_as_follower();
  result.error = leads() || follows ? check_leader_epoch(request.current_leader_epoch)
                                    : protocol::ErrorCode::not_leader_or_follower;
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
  if (follows && request.from > high_watermark()) {
    // The leader has told it more, which will come; where not, the leader knows better.
    result.ahead = true;
    result.high_watermark = high_watermark();
    result.log_start_offset = log_start_offset();
    return result;
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

namespace {

/// Up to here no entry is cut any more.
EntryIndex last_applied(const raft::Replica* replica) {
  return replica == nullptr ? wal::every_entry : replica->raft().log().applied();
}

}  // namespace

Result<void> Partition::delete_before(Offset offset) {
  if (replica_ != nullptr && offset > high_watermark()) {
    return Error{Errc::out_of_range, fmt::format("offset {} is beyond the high watermark {}",
                                                 offset, high_watermark())};
  }
  TRY(log_->delete_before(offset, last_applied(replica_)));
  if (replica_ != nullptr) replica_->on_log_begin_moved();
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return {};
}

bool Partition::apply_retention(Timestamp retention_now) {
  producers_.expire(retention_now, settings_->producer_expiration);
  const std::size_t dropped =
      log_->apply_retention(retention_now, high_watermark(), last_applied(replica_));
  if (dropped != 0 && replica_ != nullptr) replica_->on_log_begin_moved();
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return dropped != 0;
}

wal::LogCompaction Partition::compaction() const {
  return replica_ == nullptr ? wal::LogCompaction(*log_)
                             : wal::LogCompaction(*log_, may_compact_to());
}

wal::Cleanable Partition::cleanable(Timestamp retention_now) {
  if (!settings_->log->compact || joins_ || log_->cut_pending()) return {};
  log_->seal_if_due(retention_now);
  const wal::Cleanable cleanable = compaction().cleanable(retention_now);
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return cleanable;
}

wal::CompactionJob Partition::begin_compaction(const wal::CompactionLimits& limits,
                                               Timestamp retention_now, std::uint64_t seed) {
  compacting_ = true;
  return compaction().begin(limits, retention_now, seed);
}

Result<wal::CompactionReport> Partition::end_compaction(wal::CompactionJob job) {
  Result<wal::CompactionReport> report = compaction().end(std::move(job));
  compacting_ = false;
  if (report && replica_ != nullptr) replica_->on_log_begin_moved();
  if (log_->dirty()) context_.group.mark_dirty(*log_);
  return report;
}

std::unique_ptr<wal::PartitionLog> Partition::retire(WaitEnd how) {
  end_all(how);
  waiters_.wake_all();
  log_->set_listener(nullptr);
  if (replica_ == nullptr) return std::move(own_log_);
  return seat_->groups->remove(std::exchange(replica_, nullptr)->group());
}

}  // namespace chronik::broker
