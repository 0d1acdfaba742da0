#include "integration/kill/record_load.h"

#include <fmt/format.h>

#include <charconv>

namespace chronik::integration {

namespace {

constexpr int records_per_step = 100;
constexpr std::size_t problems_max = 20;

// "<writer>:<sequence>:<padding>"
std::pair<std::int64_t, std::int64_t> parse(const std::string& value) {
  std::pair<std::int64_t, std::int64_t> result{-1, -1};
  const char* end = value.data() + value.size();
  const auto writer = std::from_chars(value.data(), end, result.first);
  if (writer.ec != std::errc() || writer.ptr == end) return {-1, -1};
  std::from_chars(writer.ptr + 1, end, result.second);
  return result;
}

}  // namespace

RecordLoad::RecordLoad(std::string bootstrap, std::string topic, std::uint64_t seed)
    : bootstrap_(std::move(bootstrap)),
      topic_(std::move(topic)),
      random_(seed),
      ledgers_(partitions) {
  new_producer();
}

// The content follows from the name, so it is known without being kept.
std::string RecordLoad::value_of(std::int64_t writer, std::int64_t sequence) const {
  std::string value = fmt::format("{}:{}:", writer, sequence);
  const std::int64_t mixed = sequence * 7919 + writer * 104729;
  value.append(static_cast<std::size_t>(mixed % 1500), static_cast<char>('a' + mixed % 26));
  return value;
}

void RecordLoad::new_producer() {
  static constexpr const char* codecs[] = {"none", "none", "lz4", "zstd", "snappy", "gzip"};
  if (producer_ != nullptr) RecordLoad::finish();
  ++writer_;
  producer_ = std::make_unique<Producer>(
      bootstrap_, ClientConfig{{"enable.idempotence", "true"},
                               {"acks", "all"},
                               {"linger.ms", "1"},
                               {"batch.num.messages", std::to_string(1 + random_.below(100))},
                               {"compression.type", codecs[random_.below(std::size(codecs))]},
                               {"queue.buffering.max.messages", "2000"},
                               {"message.timeout.ms", "600000"},
                               {"statistics.interval.ms", "5000"},
                               {"retry.backoff.ms", "20"}});
}

void RecordLoad::step() {
  if (random_.below(400) == 0) new_producer();
  for (int i = 0; i < records_per_step; ++i) {
    const auto partition = static_cast<std::int32_t>(random_.below(partitions));
    std::int64_t& next = ledgers_[static_cast<std::size_t>(partition)].written[writer_];
    if (producer_->produce(topic_, partition, value_of(writer_, next)) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      break;
    }
    ++next;
  }
  producer_->poll(std::chrono::milliseconds(5));
  take_deliveries();
}

void RecordLoad::take_deliveries() {
  for (const Message& m : producer_->take_deliveries()) {
    const auto [writer, sequence] = parse(*m.value);
    if (m.error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      failures_.push_back(fmt::format("record {}:{} of partition {} failed: {}", writer, sequence,
                                      m.partition, rd_kafka_err2name(m.error)));
      continue;
    }
    ++count_;
    // The answer to a repeated batch may not know where the first one went.
    if (m.offset < 0) continue;
    std::vector<Entry>& log = ledgers_[static_cast<std::size_t>(m.partition)].acknowledged;
    const auto at = static_cast<std::size_t>(m.offset);
    if (log.size() <= at) log.resize(at + 1);
    if (log[at].writer >= 0) {
      failures_.push_back(
          fmt::format("offset {} of partition {} was acknowledged twice", m.offset, m.partition));
    }
    log[at] = {writer, sequence};
  }
}

void RecordLoad::finish() {
  if (!producer_->flush(std::chrono::minutes(2))) {
    failures_.push_back(
        fmt::format("records are neither acknowledged nor refused after two minutes: {}",
                    producer_->describe_open()));
  }
  take_deliveries();
}

bool RecordLoad::check_record(PartitionLedger& ledger, const Message& record,
                              Problems& problems) const {
  const auto say = [&](const std::string& what) {
    problems.push_back(
        fmt::format("partition {} offset {}: {}", record.partition, record.offset, what));
    return false;
  };
  if (record.offset != ledger.checked) {
    return say(fmt::format("offset {} was expected", ledger.checked));
  }
  ++ledger.checked;
  const auto [writer, sequence] = parse(record.value.value_or(""));
  const auto written = ledger.written.find(writer);
  if (written == ledger.written.end() || sequence >= written->second) {
    return say("a record that nobody wrote");
  }
  if (record.value != value_of(writer, sequence)) return say("the content is damaged");
  std::int64_t& expected = ledger.read[writer];
  if (sequence < expected) return say(fmt::format("{}:{} doubled", writer, sequence));
  if (sequence > expected) {
    return say(
        fmt::format("{}:{} where {} comes next: lost or reordered", writer, sequence, expected));
  }
  ++expected;
  const auto at = static_cast<std::size_t>(record.offset);
  if (at < ledger.acknowledged.size() && ledger.acknowledged[at].writer >= 0 &&
      ledger.acknowledged[at] != Entry{writer, sequence}) {
    return say(fmt::format("{}:{} stands where {}:{} was acknowledged", writer, sequence,
                           ledger.acknowledged[at].writer, ledger.acknowledged[at].sequence));
  }
  return true;
}

void RecordLoad::check(bool all, Problems& problems) {
  producer_->poll(std::chrono::milliseconds(0));
  take_deliveries();
  problems.insert(problems.end(), failures_.begin(), failures_.end());
  failures_.clear();
  Consumer consumer(bootstrap_, "");
  std::vector<PartitionOffset> wanted;
  std::int64_t missing = 0;
  for (int p = 0; p < partitions; ++p) {
    PartitionLedger& ledger = ledgers_[static_cast<std::size_t>(p)];
    if (all) ledger.checked = 0, ledger.read.clear();
    const auto end = static_cast<std::int64_t>(ledger.acknowledged.size());
    if (ledger.checked >= end) continue;
    wanted.push_back({topic_, p, ledger.checked});
    missing += end - ledger.checked;
  }
  consumer.assign(wanted);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (missing > 0 && problems.size() < problems_max) {
    if (std::chrono::steady_clock::now() > deadline) {
      problems.push_back(fmt::format("{} acknowledged records do not come", missing));
      return;
    }
    const std::optional<Message> record = consumer.poll(std::chrono::milliseconds(200));
    if (!record || record->error != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    PartitionLedger& ledger = ledgers_[static_cast<std::size_t>(record->partition)];
    if (record->offset < static_cast<std::int64_t>(ledger.acknowledged.size())) --missing;
    check_record(ledger, *record, problems);
  }
  if (!all) return;
  for (int p = 0; p < partitions; ++p) {
    const PartitionLedger& ledger = ledgers_[static_cast<std::size_t>(p)];
    if (consumer.watermarks(topic_, p).second != ledger.checked) {
      problems.push_back(fmt::format("partition {} does not end at {}", p, ledger.checked));
    }
  }
}

std::string RecordLoad::counts() const {
  return fmt::format("{} records acknowledged to {} idempotent producers", count_, writer_ + 1);
}

}  // namespace chronik::integration
