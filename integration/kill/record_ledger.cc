#include "integration/kill/record_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace chronik::integration {

namespace {

constexpr std::size_t problems_max = 20;
constexpr std::size_t checksum_size = 8;
constexpr std::int64_t padding_max = 300;

std::uint32_t checksum(std::string_view text) {
  return crc32c(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || text.front() != ':') return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

// "<checksum of all behind it>:<writer>:<sequence>:<padding>"; the padding follows from the name.
std::string record_value(RecordName name) {
  std::string rest = fmt::format(":{}:{}:", name.writer, name.sequence);
  const std::int64_t mixed = name.sequence * 7919 + name.writer * std::int64_t{104729};
  rest.append(static_cast<std::size_t>(mixed % padding_max), static_cast<char>('a' + mixed % 26));
  return fmt::format("{:08x}{}", checksum(rest), rest);
}

std::optional<RecordName> read_record(std::string_view value) {
  if (value.size() < checksum_size + 1 || value[checksum_size] != ':') return std::nullopt;
  std::string_view rest = value.substr(checksum_size + 1);
  RecordName name;
  if (!take_number(rest, name.writer) || !take_number(rest, name.sequence)) return std::nullopt;
  if (name.writer < 0 || name.sequence < 0 || record_value(name) != value) return std::nullopt;
  return name;
}

RecordCounts& RecordCounts::operator+=(const RecordCounts& other) {
  acknowledged += other.acknowledged;
  refused += other.refused;
  lost += other.lost;
  doubled += other.doubled;
  reordered += other.reordered;
  foreign += other.foreign;
  moved += other.moved;
  unacknowledged_there += other.unacknowledged_there;
  return *this;
}

std::string RecordCounts::text() const {
  return fmt::format(
      "{} acknowledged, {} lost, {} doubled, {} reordered, {} foreign, {} not at their offset, "
      "{} not acknowledged that are there, {} refused",
      acknowledged, lost, doubled, reordered, foreign, moved, unacknowledged_there, refused);
}

int RecordLedger::new_writer() {
  const std::lock_guard lock(mutex_);
  return writers_++;
}

RecordName RecordLedger::hand_out(int writer, int partition) {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t>& records = at(partition).records[writer];
  records.push_back(handed_out);
  return {writer, static_cast<std::int64_t>(records.size()) - 1};
}

void RecordLedger::acknowledge(int partition, RecordName name, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  Partition& ledger = at(partition);
  ledger.records[name.writer][static_cast<std::size_t>(name.sequence)] =
      offset < 0 ? at_unknown_offset : offset;
  ++ledger.counts.acknowledged;
  ledger.end = std::max(ledger.end, offset + 1);
  ledger.times.push_back(Clock::now());
  const auto wanted = ledger.wanted.find(name.writer);
  const std::int64_t from = wanted == ledger.wanted.end() ? 0 : wanted->second;
  if (ledger.wanted_came || name.sequence < from) return;
  ledger.wanted_came = true;
  changed_.notify_all();
}

void RecordLedger::refuse(int partition, RecordName name) {
  const std::lock_guard lock(mutex_);
  at(partition).records[name.writer][static_cast<std::size_t>(name.sequence)] = was_refused;
  ++at(partition).counts.refused;
}

std::int64_t RecordLedger::acknowledged() const {
  const std::lock_guard lock(mutex_);
  std::int64_t count = 0;
  for (const Partition& partition : partitions_) count += partition.counts.acknowledged;
  return count;
}

std::int64_t RecordLedger::acknowledged_end(int partition) const {
  const std::lock_guard lock(mutex_);
  return partitions_[static_cast<std::size_t>(partition)].end;
}

std::vector<int> RecordLedger::await_acks(std::chrono::milliseconds limit,
                                          const std::set<int>& excepted) {
  std::unique_lock lock(mutex_);
  for (int p = 0; p < partitions(); ++p) {
    Partition& partition = at(p);
    partition.wanted_came = excepted.contains(p);
    for (const auto& [writer, records] : partition.records) {
      partition.wanted[writer] = static_cast<std::int64_t>(records.size());
    }
  }
  const auto came = [](const Partition& partition) { return partition.wanted_came; };
  changed_.wait_for(lock, limit,
                    [&] { return std::all_of(partitions_.begin(), partitions_.end(), came); });
  std::vector<int> silent;
  for (int p = 0; p < partitions(); ++p) {
    if (!at(p).wanted_came) silent.push_back(p);
  }
  return silent;
}

RecordLedger::Duration RecordLedger::longest_pause(Clock::time_point from, Clock::time_point to,
                                                   const std::set<int>& excepted) {
  const std::lock_guard lock(mutex_);
  Duration longest{};
  for (int p = 0; p < partitions(); ++p) {
    const Duration pause = pause_of(at(p), from, to);
    if (!excepted.contains(p)) longest = std::max(longest, pause);
  }
  return longest;
}

RecordLedger::Duration RecordLedger::pause_of(Partition& partition, Clock::time_point from,
                                              Clock::time_point to) {
  std::vector<Clock::time_point>& times = partition.times;
  const auto behind = std::upper_bound(times.begin(), times.end(), from);
  if (behind != times.begin()) times.erase(times.begin(), behind - 1);
  Clock::time_point last = times.empty() ? from : std::min(times.front(), from);
  Clock::duration longest{};
  for (const Clock::time_point time : times) {
    if (time > to) break;
    longest = std::max(longest, time - last);
    last = std::max(last, time);
  }
  return std::chrono::duration_cast<Duration>(std::max(longest, to - last));
}

bool ReadRecords::note(int partition, std::int64_t offset, std::string_view value) {
  const std::uint64_t is = std::uint64_t{checksum(value)} << 1 | 1;
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t>& seen = seen_[static_cast<std::size_t>(partition)];
  const auto at = static_cast<std::size_t>(offset);
  if (seen.size() <= at) seen.resize(at + 1);
  if (seen[at] != 0) return seen[at] == is;
  seen[at] = is;
  return true;
}

std::int64_t ReadRecords::end(int partition) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(seen_[static_cast<std::size_t>(partition)].size());
}

PartitionJudge::PartitionJudge(RecordLedger& ledger, ReadRecords& readings, int partition,
                               std::int64_t begin, Problems& problems)
    : ledger_(ledger.at(partition)),
      readings_(readings),
      partition_(partition),
      problems_(problems),
      begin_(begin),
      next_offset_(begin) {
  for (const auto& [writer, records] : ledger_.records) seen_[writer].resize(records.size());
}

void PartitionJudge::say(const std::string& what) {
  if (problems_.size() >= problems_max) return;
  problems_.push_back(fmt::format("partition {}: {}", partition_, what));
}

void PartitionJudge::take(std::int64_t offset, std::string_view value) {
  if (offset != next_offset_) {
    ++counts_.foreign;
    say(fmt::format("offset {} comes where {} comes next", offset, next_offset_));
  }
  next_offset_ = offset + 1;
  if (!readings_.note(partition_, offset, value)) {
    ++counts_.foreign;
    say(fmt::format("offset {}: a reader got another record there before", offset));
  }
  const std::optional<RecordName> name = read_record(value);
  const auto written = name ? ledger_.records.find(name->writer) : ledger_.records.end();
  if (written == ledger_.records.end() ||
      name->sequence >= static_cast<std::int64_t>(written->second.size())) {
    ++counts_.foreign;
    return say(fmt::format("offset {}: a record that is damaged, or that nobody wrote: '{:.40}'",
                           offset, value));
  }
  look_at(*name, offset, written->second[static_cast<std::size_t>(name->sequence)]);
}

void PartitionJudge::look_at(RecordName name, std::int64_t offset, std::int64_t state) {
  const std::string which = fmt::format("offset {}: {}:{}", offset, name.writer, name.sequence);
  std::vector<bool>::reference seen = seen_[name.writer][static_cast<std::size_t>(name.sequence)];
  if (seen) {
    ++counts_.doubled;
    return say(which + " is there twice");
  }
  seen = true;
  std::int64_t& next = next_[name.writer];
  if (name.sequence < next) {
    ++counts_.reordered;
    say(fmt::format("{} comes behind {}", which, next - 1));
  }
  next = std::max(next, name.sequence + 1);
  if (state < RecordLedger::at_unknown_offset) ++counts_.unacknowledged_there;
  if (state >= 0 && state != offset) {
    ++counts_.moved;
    say(fmt::format("{} was acknowledged at offset {}", which, state));
  }
}

/// Not acknowledged, or deleted.
bool PartitionJudge::may_be_gone(std::int64_t state) const {
  return state < (begin_ > 0 ? begin_ : RecordLedger::at_unknown_offset);
}

RecordCounts PartitionJudge::finish(std::int64_t end) {
  if (next_offset_ != end) {
    say(fmt::format("ends at {}, its high watermark is {}", next_offset_, end));
  }
  if (readings_.end(partition_) > end) {
    ++counts_.lost;
    say(fmt::format("ends at {}, and a reader got a record at {}", end,
                    readings_.end(partition_) - 1));
  }
  for (const auto& [writer, records] : ledger_.records) {
    for (std::size_t sequence = 0; sequence < records.size(); ++sequence) {
      if (may_be_gone(records[sequence]) || seen_[writer][sequence]) continue;
      ++counts_.lost;
      say(fmt::format("{}:{} was acknowledged at offset {} and is not there", writer, sequence,
                      records[sequence]));
    }
  }
  counts_.acknowledged = ledger_.counts.acknowledged;
  counts_.refused = ledger_.counts.refused;
  return counts_;
}

}  // namespace chronik::integration
