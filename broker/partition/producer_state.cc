#include "broker/partition/producer_state.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "base/coding.h"
#include "base/log.h"

namespace chronik::broker {

namespace {

constexpr std::uint8_t saved_version = 2;
constexpr std::uint8_t without_earlier = 1;  // is read too

bool follows(Sequence last, Sequence next) {
  if (last == std::numeric_limits<Sequence>::max()) return next == 0;
  return next == last + 1;
}

void write(Writer& writer, const ProducerBatch& batch) {
  writer.i32(batch.base_sequence);
  writer.i32(batch.last_sequence);
  writer.i64(batch.base_offset);
  writer.i64(batch.last_offset);
  writer.i64(batch.timestamp);
}

ProducerBatch read_batch(Reader& reader) {
  ProducerBatch batch;
  batch.base_sequence = reader.i32();
  batch.last_sequence = reader.i32();
  batch.base_offset = reader.i64();
  batch.last_offset = reader.i64();
  batch.timestamp = reader.i64();
  return batch;
}

}  // namespace

void ProducerState::Producer::remember(ProducerEpoch of_batch, const ProducerBatch& batch) {
  if (count != 0 && of_batch != epoch) {
    earlier_epoch = epoch;
    earlier = last();
    count = 0;
  } else if (count == remembered_batches) {
    earlier_epoch = epoch;
    earlier = batches.front();
    std::move(batches.begin() + 1, batches.end(), batches.begin());
    --count;
  }
  epoch = of_batch;
  batches[count++] = batch;
}

bool ProducerState::Producer::began_below(Offset end) const {
  const bool has_earlier = earlier_epoch != no_producer_epoch;
  return (has_earlier ? earlier : batches.front()).last_offset < end;
}

std::optional<ProducerState::Producer> ProducerState::Producer::below(Offset end) const {
  if (!began_below(end)) return std::nullopt;
  Producer result = *this;
  while (result.count != 0 && result.last().last_offset >= end) --result.count;
  if (result.count != 0) return result;
  result = Producer{};
  result.remember(earlier_epoch, earlier);
  return result;
}

bool ProducerState::Producer::is_whole() const {
  return earlier_epoch == no_producer_epoch && epoch == 0 && batches.front().base_sequence == 0;
}

ProducerVerdict ProducerState::check(const protocol::BatchHeader& batch) const {
  if (!batch.has_producer_id()) return {};
  const auto found = producers_.find(batch.producer_id);
  // An unknown producer may start anywhere: its earlier batches may have been deleted by retention.
  if (found == producers_.end()) return {};
  const Producer& producer = found->second;

  if (batch.producer_epoch < producer.epoch) {
    return {protocol::ErrorCode::invalid_producer_epoch,
            fmt::format("Producer {} writes with epoch {}, but epoch {} was seen: a newer instance "
                        "of the producer "
                        "has taken over.",
                        batch.producer_id, batch.producer_epoch, producer.epoch),
            std::nullopt};
  }
  if (batch.producer_epoch > producer.epoch) {
    if (batch.base_sequence == 0) return {};
    return {
        protocol::ErrorCode::out_of_order_sequence_number,
        fmt::format("Producer {} starts its new epoch {} (after {}) with sequence {} instead of 0.",
                    batch.producer_id, batch.producer_epoch, producer.epoch, batch.base_sequence),
        std::nullopt};
  }
  for (std::size_t i = 0; i < producer.count; ++i) {
    const ProducerBatch& known = producer.batches[i];
    if (known.base_sequence == batch.base_sequence &&
        known.last_sequence == batch.last_sequence()) {
      return {protocol::ErrorCode::none, {}, known};
    }
  }
  const Sequence last = producer.last().last_sequence;
  if (follows(last, batch.base_sequence)) return {};
  return {
      protocol::ErrorCode::out_of_order_sequence_number,
      fmt::format(
          "Producer {} (epoch {}) sent sequence {} after {}: a batch before this one is missing.",
          batch.producer_id, batch.producer_epoch, batch.base_sequence, last),
      std::nullopt};
}

void ProducerState::apply(const protocol::BatchHeader& batch) {
  if (!batch.has_producer_id() || batch.is_control()) return;
  producers_[batch.producer_id].remember(
      batch.producer_epoch, {batch.base_sequence, batch.last_sequence(), batch.base_offset,
                             batch.last_offset(), batch.max_timestamp});
}

Sequence ProducerState::last_sequence(ProducerId id, ProducerEpoch epoch) const {
  const auto found = producers_.find(id);
  if (found == producers_.end() || found->second.epoch != epoch) return no_sequence;
  return found->second.last().last_sequence;
}

std::optional<ProducerPlace> ProducerState::last(ProducerId id) const {
  const auto found = producers_.find(id);
  if (found == producers_.end()) return std::nullopt;
  return ProducerPlace{found->second.epoch, found->second.last().last_sequence};
}

void ProducerState::expire(Timestamp now, milliseconds expiration) {
  std::erase_if(producers_, [&](const auto& entry) {
    return now - entry.second.last().timestamp >= expiration.count();
  });
}

std::vector<ActiveProducer> ProducerState::active() const {
  std::vector<ActiveProducer> result;
  result.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) {
    const ProducerBatch& last = producer.last();
    result.push_back({id, producer.epoch, last.last_sequence, last.timestamp});
  }
  std::sort(result.begin(), result.end(),
            [](const ActiveProducer& a, const ActiveProducer& b) { return a.id < b.id; });
  return result;
}

std::vector<Offset> ProducerState::batches_to_keep() const {
  std::vector<Offset> offsets;
  offsets.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) {
    offsets.push_back(producer.last().last_offset);
  }
  return offsets;
}

// version u8, count u32, then per producer: id i64, epoch i16, batches u8, these, and the epoch i16
// of the earlier one, with that batch unless it is -1. A batch is two sequences, two offsets and a
// timestamp. The log wraps it in a checksum.
Bytes ProducerState::save_below(Offset end) const {
  const auto known =
      std::ranges::count_if(producers_, [&](const auto& at) { return at.second.began_below(end); });
  Writer writer;
  writer.reserve(5 + static_cast<std::size_t>(known) * 48);
  writer.u8(saved_version);
  writer.u32(static_cast<std::uint32_t>(known));
  for (const auto& [id, producer] : producers_) {
    const std::optional<Producer> then = producer.below(end);
    if (!then) continue;
    writer.i64(id);
    writer.i16(then->epoch);
    writer.u8(then->count);
    for (std::size_t i = 0; i < then->count; ++i) write(writer, then->batches[i]);
    writer.i16(then->earlier_epoch);
    if (then->earlier_epoch != no_producer_epoch) write(writer, then->earlier);
  }
  return writer.take_bytes();
}

bool ProducerState::forget_beyond(Offset end) {
  const auto hides_others = [&](const auto& at) {
    return !at.second.is_whole() && !at.second.began_below(end);
  };
  if (std::ranges::any_of(producers_, hides_others)) return false;
  for (auto at = producers_.begin(); at != producers_.end();) {
    const std::optional<Producer> then = at->second.below(end);
    if (then) at->second = *then;
    at = then ? std::next(at) : producers_.erase(at);
  }
  return true;
}

Result<void> ProducerState::restore(ByteView saved) {
  producers_.clear();
  Reader reader(saved);
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != saved_version && version != without_earlier) {
    return Error{
        Errc::unsupported,
        fmt::format("producer state has version {}, this build reads {}", version, saved_version)};
  }
  const std::uint32_t count = reader.u32();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const ProducerId id = reader.i64();
    Producer producer;
    const ProducerEpoch epoch = reader.i16();
    const std::uint8_t batches = reader.u8();
    if (batches == 0 || batches > remembered_batches) reader.fail();
    for (std::uint8_t b = 0; b < batches && reader.ok(); ++b) {
      producer.remember(epoch, read_batch(reader));
    }
    if (version != without_earlier) producer.earlier_epoch = reader.i16();
    if (producer.earlier_epoch != no_producer_epoch) producer.earlier = read_batch(reader);
    if (reader.ok()) producers_[id] = producer;
  }
  if (reader.finished()) return {};
  producers_.clear();
  return Error{Errc::corrupt, "producer state does not decode"};
}

}  // namespace chronik::broker
