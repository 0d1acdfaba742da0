#include "broker/partition/producer_state.h"

#include <algorithm>
#include <limits>

#include "base/coding.h"
#include "base/log.h"

namespace chronik::broker {

namespace {

constexpr std::uint8_t saved_version = 1;

bool follows(Sequence last, Sequence next) {
  if (last == std::numeric_limits<Sequence>::max()) return next == 0;
  return next == last + 1;
}

}  // namespace

void ProducerState::Producer::remember(const ProducerBatch& batch) {
  if (count == remembered_batches) {
    std::move(batches.begin() + 1, batches.end(), batches.begin());
    --count;
  }
  batches[count++] = batch;
}

std::uint8_t ProducerState::Producer::count_below(Offset end) const {
  std::uint8_t below = 0;
  while (below < count && batches[below].last_offset < end) ++below;
  return below;
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
  if (follows(producer.last_sequence(), batch.base_sequence)) return {};
  return {
      protocol::ErrorCode::out_of_order_sequence_number,
      fmt::format(
          "Producer {} (epoch {}) sent sequence {} after {}: a batch before this one is missing.",
          batch.producer_id, batch.producer_epoch, batch.base_sequence, producer.last_sequence()),
      std::nullopt};
}

void ProducerState::apply(const protocol::BatchHeader& batch) {
  if (!batch.has_producer_id() || batch.is_control()) return;
  Producer& producer = producers_[batch.producer_id];
  if (producer.epoch != batch.producer_epoch) {
    producer.epoch = batch.producer_epoch;
    producer.count = 0;
  }
  producer.remember({batch.base_sequence, batch.last_sequence(), batch.base_offset,
                     batch.last_offset(), batch.max_timestamp});
}

Sequence ProducerState::last_sequence(ProducerId id, ProducerEpoch epoch) const {
  const auto found = producers_.find(id);
  if (found == producers_.end() || found->second.epoch != epoch) return no_sequence;
  return found->second.last_sequence();
}

std::optional<ProducerPlace> ProducerState::last(ProducerId id) const {
  const auto found = producers_.find(id);
  if (found == producers_.end()) return std::nullopt;
  return ProducerPlace{found->second.epoch, found->second.last_sequence()};
}

void ProducerState::expire(Timestamp now, milliseconds expiration) {
  std::erase_if(producers_, [&](const auto& entry) {
    return now - entry.second.last_timestamp() >= expiration.count();
  });
}

std::vector<ActiveProducer> ProducerState::active() const {
  std::vector<ActiveProducer> result;
  result.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) {
    result.push_back({id, producer.epoch, producer.last_sequence(), producer.last_timestamp()});
  }
  std::sort(result.begin(), result.end(),
            [](const ActiveProducer& a, const ActiveProducer& b) { return a.id < b.id; });
  return result;
}

std::vector<Offset> ProducerState::batches_to_keep() const {
  std::vector<Offset> offsets;
  offsets.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) {
    if (producer.count != 0) offsets.push_back(producer.batches[producer.count - 1u].last_offset);
  }
  return offsets;
}

// version u8, count u32, then per producer: id i64, epoch i16, batches u8, and per batch two
// sequences, two offsets and a timestamp. The log wraps it in a checksum.
Bytes ProducerState::save_below(Offset end) const {
  const auto is_known = [end](const Producer& producer) {
    return producer.count == 0 || producer.count_below(end) != 0;
  };
  const auto known =
      std::ranges::count_if(producers_, [&](const auto& at) { return is_known(at.second); });
  Writer writer;
  writer.reserve(5 + producers_.size() * 48);
  writer.u8(saved_version);
  writer.u32(static_cast<std::uint32_t>(known));
  for (const auto& [id, producer] : producers_) {
    if (!is_known(producer)) continue;
    const std::uint8_t count = producer.count_below(end);
    writer.i64(id);
    writer.i16(producer.epoch);
    writer.u8(count);
    for (std::size_t i = 0; i < count; ++i) {
      const ProducerBatch& batch = producer.batches[i];
      writer.i32(batch.base_sequence);
      writer.i32(batch.last_sequence);
      writer.i64(batch.base_offset);
      writer.i64(batch.last_offset);
      writer.i64(batch.timestamp);
    }
  }
  return writer.take_bytes();
}

bool ProducerState::forget_beyond(Offset end) {
  const auto is_gone = [end](const Producer& producer) {
    return producer.count != 0 && producer.count_below(end) == 0;
  };
  const auto hides_others = [&](const auto& at) {
    const Producer& producer = at.second;
    return is_gone(producer) && (producer.epoch != 0 || producer.batches[0].base_sequence != 0);
  };
  if (std::ranges::any_of(producers_, hides_others)) return false;
  std::erase_if(producers_, [&](const auto& at) { return is_gone(at.second); });
  for (auto& [id, producer] : producers_) producer.count = producer.count_below(end);
  return true;
}

Result<void> ProducerState::restore(ByteView saved) {
  producers_.clear();
  Reader reader(saved);
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != saved_version) {
    return Error{
        Errc::unsupported,
        fmt::format("producer state has version {}, this build reads {}", version, saved_version)};
  }
  const std::uint32_t count = reader.u32();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const ProducerId id = reader.i64();
    Producer producer;
    producer.epoch = reader.i16();
    const std::uint8_t batches = reader.u8();
    if (batches > remembered_batches) reader.fail();
    for (std::uint8_t b = 0; b < batches && reader.ok(); ++b) {
      ProducerBatch batch;
      batch.base_sequence = reader.i32();
      batch.last_sequence = reader.i32();
      batch.base_offset = reader.i64();
      batch.last_offset = reader.i64();
      batch.timestamp = reader.i64();
      producer.remember(batch);
    }
    producers_[id] = producer;
  }
  if (reader.finished()) return {};
  producers_.clear();
  return Error{Errc::corrupt, "producer state does not decode"};
}

}  // namespace chronik::broker
