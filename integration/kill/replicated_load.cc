#include "integration/kill/replicated_load.h"

#include <fmt/format.h>

#include <algorithm>

namespace chronik::integration {

namespace {

constexpr std::chrono::milliseconds poll_time{2};
constexpr std::chrono::seconds producer_life{10};
// What is behind the pace by more than this is not made up for.
constexpr std::chrono::milliseconds backlog_max{50};

// Older ones end with OUT_OF_ORDER_SEQUENCE_NUMBER when one request timed out and the next one was
// refused for that: librdkafka's issue 4438.
constexpr int mended = 0x020300ff;
// Older ones may ask a former leader for ever: client_statistics.h.
constexpr int follows_leaders = 0x020400ff;

/// A request to a node that does not answer is given up after a second and goes to the new leader.
ClientConfig impatient(Random& random) {
  static constexpr const char* codecs[] = {"none", "none", "none", "lz4", "zstd", "snappy", "gzip"};
  return {{"enable.idempotence", "true"},
          {"acks", "all"},
          {"linger.ms", std::to_string(random.below(6))},
          {"batch.num.messages", std::to_string(1 + random.below(200))},
          {"compression.type", codecs[random.below(std::size(codecs))]},
          {"queue.buffering.max.messages", "100000"},
          {"message.timeout.ms", "600000"},
          {"statistics.interval.ms", "5000"},
          {"request.timeout.ms", "1000"},
          {"socket.timeout.ms", "1500"},
          {"topic.metadata.refresh.interval.ms", "200"},
          {"retry.backoff.ms", "20"}};
}

}  // namespace

ReplicatedLoad::ReplicatedLoad(std::string bootstrap, std::string topic, int records_per_second,
                               RecordLedger& ledger, std::uint64_t seed)
    : bootstrap_(std::move(bootstrap)),
      topic_(std::move(topic)),
      interval_(1.0 / records_per_second),
      ledger_(ledger),
      random_(seed),
      due_(Clock::now()) {
  new_producer();
}

void ReplicatedLoad::new_producer() {
  if (producer_ != nullptr) former_.push_back(std::move(producer_));
  writer_ = ledger_.new_writer();
  producer_ = std::make_unique<Producer>(bootstrap_, impatient(random_));
  replaced_ = Clock::now();
  ++producers_;
}

void ReplicatedLoad::step() {
  const Clock::time_point now = Clock::now();
  if (now - replaced_ > producer_life) new_producer();
  due_ = std::max(due_, now - backlog_max);
  for (; due_ <= now; due_ += std::chrono::duration_cast<Clock::duration>(interval_)) {
    produce(next_partition_);
    next_partition_ = (next_partition_ + 1) % ledger_.partitions();
  }
  poll(*producer_, poll_time);
  for (const auto& producer : former_) poll(*producer, std::chrono::milliseconds(0));
  std::erase_if(former_, [](const auto& one) { return rd_kafka_outq_len(one->get()) == 0; });
}

void ReplicatedLoad::produce(int partition) {
  const RecordName name = ledger_.hand_out(writer_, partition);
  const rd_kafka_resp_err_t error = producer_->produce(topic_, partition, record_value(name));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  ledger_.refuse(partition, name);
  ++refusals_[rd_kafka_err2name(error)];
}

void ReplicatedLoad::poll(Producer& producer, std::chrono::milliseconds limit) {
  producer.poll(limit);
  take_deliveries(producer);
  char text[512];
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(producer.get(), text, sizeof(text));
  if (fatal == RD_KAFKA_RESP_ERR_NO_ERROR || &producer != producer_.get()) return;
  if (fatal == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER && rd_kafka_version() < mended) {
    ++broken_;
  } else {
    failures_.push_back(
        fmt::format("a producer cannot go on: {}: {}", rd_kafka_err2name(fatal), text));
  }
  new_producer();
}

void ReplicatedLoad::take_deliveries(Producer& producer) {
  for (const Message& message : producer.take_deliveries()) {
    const std::optional<RecordName> name = read_record(*message.value);
    if (!name) {
      failures_.push_back("a delivery report of a record that nobody wrote");
    } else if (message.error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ledger_.acknowledge(message.partition, *name, message.offset);
    } else {
      ledger_.refuse(message.partition, *name);
      ++refusals_[rd_kafka_err2name(message.error)];
    }
  }
}

void ReplicatedLoad::check(bool, Problems& problems) {
  problems.insert(problems.end(), failures_.begin(), failures_.end());
  failures_.clear();
}

void ReplicatedLoad::finish() {
  former_.push_back(std::move(producer_));
  for (const auto& producer : former_) {
    switch (flush(*producer)) {
      case End::all_answered:
        break;
      case End::astray:
        ++astray_;
        break;
      case End::open:
        failures_.push_back(
            fmt::format("records are neither acknowledged nor refused after two minutes: {}",
                        producer->describe_open()));
    }
    take_deliveries(*producer);
  }
  former_.clear();
  new_producer();
}

ReplicatedLoad::End ReplicatedLoad::flush(Producer& producer) {
  constexpr std::chrono::seconds look_each{20};
  for (int look = 0; look < 6; ++look) {
    if (producer.flush(look_each)) return End::all_answered;
    if (rd_kafka_version() < follows_leaders && producer.asks_another_than_the_leader()) {
      return End::astray;
    }
  }
  return End::open;
}

std::string ReplicatedLoad::counts() const {
  std::string text = fmt::format("{} idempotent producers", producers_);
  if (broken_ > 0) text += fmt::format(", {} of them ended by librdkafka's issue 4438", broken_);
  if (astray_ > 0) text += fmt::format(", {} that went on to ask a former leader", astray_);
  for (const auto& [error, count] : refusals_) text += fmt::format(", {} x {}", count, error);
  return text;
}

}  // namespace chronik::integration
