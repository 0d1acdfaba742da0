// RecordLedger: which records were handed to producers and which of them a broker acknowledged, by
// partition, writer and sequence; and PartitionJudge, which compares a partition's content with it.
// A record says who wrote it, its place in that writer's sequence, and a checksum of itself, so the
// log of a partition can be judged without a client library's bookkeeping.
//
// The ledger may be used by any thread; a judge belongs to one, and nobody writes meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "integration/kill/load.h"

namespace chronik::integration {

struct RecordName {
  int writer = 0;
  std::int64_t sequence = 0;
  bool operator==(const RecordName&) const = default;
};

/// The whole content of that record.
std::string record_value(RecordName name);
/// Nothing when the checksum or the content is not that of any record.
std::optional<RecordName> read_record(std::string_view value);

/// What became of records. Everything but `acknowledged`, `refused` and `unacknowledged_there` is a
/// broken promise.
struct RecordCounts {
  std::int64_t acknowledged = 0;
  std::int64_t refused = 0;  // the client gave up, with an error
  std::int64_t lost = 0;
  std::int64_t doubled = 0;
  std::int64_t reordered = 0;
  std::int64_t foreign = 0;               // damaged, or nobody wrote it
  std::int64_t moved = 0;                 // not at the offset that was acknowledged
  std::int64_t unacknowledged_there = 0;  // handed out, not acknowledged (yet), and in the log

  RecordCounts& operator+=(const RecordCounts& other);
  std::string text() const;
};

class RecordLedger {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = std::chrono::microseconds;

  explicit RecordLedger(int partitions) : partitions_(static_cast<std::size_t>(partitions)) {}
  int partitions() const { return static_cast<int>(partitions_.size()); }

  int new_writer();
  /// The next record of `writer` for `partition`.
  RecordName hand_out(int writer, int partition);
  /// `offset` -1: the broker knew the record already, and where it lies is not said.
  void acknowledge(int partition, RecordName name, std::int64_t offset);
  void refuse(int partition, RecordName name);
  std::int64_t acknowledged() const;

  /// One behind the last record that was acknowledged with its offset.
  std::int64_t acknowledged_end(int partition) const;

  /// Waits until in every partition but `excepted` a record that was handed out from now on is
  /// acknowledged, while others hand out. The partitions where none was in time.
  std::vector<int> await_acks(std::chrono::milliseconds limit, const std::set<int>& excepted = {});
  /// The longest time within [from, to] in which some partition but `excepted` had no
  /// acknowledgement; it counts from the last one before `from`. Forgets the times before `from`.
  Duration longest_pause(Clock::time_point from, Clock::time_point to,
                         const std::set<int>& excepted = {});

 private:
  friend class PartitionJudge;
  static constexpr std::int64_t at_unknown_offset = -1;
  static constexpr std::int64_t handed_out = -2;
  static constexpr std::int64_t was_refused = -3;

  struct Partition {
    // By writer, by sequence: the offset, or one of the above.
    std::map<int, std::vector<std::int64_t>> records;
    std::map<int, std::int64_t> wanted;  // by writer: await_acks() waits for one of these or later
    bool wanted_came = false;
    std::int64_t end = 0;                  // of what was acknowledged
    std::vector<Clock::time_point> times;  // of acknowledgements
    RecordCounts counts;
  };
  Partition& at(int partition) { return partitions_[static_cast<std::size_t>(partition)]; }
  static Duration pause_of(Partition& partition, Clock::time_point from, Clock::time_point to);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Partition> partitions_;
  int writers_ = 0;
};

/// What readers got at which offset: it may never be another record, and never be gone. Any thread.
class ReadRecords {
 public:
  explicit ReadRecords(int partitions) : seen_(static_cast<std::size_t>(partitions)) {}

  /// False when somebody got another record there before.
  bool note(int partition, std::int64_t offset, std::string_view value);
  /// One behind the last offset that somebody got.
  std::int64_t end(int partition) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::vector<std::uint64_t>> seen_;  // by partition and offset; 0: nobody got it
};

/// Takes all records of one partition in the order of the log, from its begin on: what lay before
/// was deleted.
class PartitionJudge {
 public:
  PartitionJudge(RecordLedger& ledger, ReadRecords& readings, int partition, std::int64_t begin,
                 Problems& problems);

  void take(std::int64_t offset, std::string_view value);
  /// `end`: the partition's high watermark.
  RecordCounts finish(std::int64_t end);
  std::int64_t next_offset() const { return next_offset_; }

 private:
  void say(const std::string& what);
  void look_at(RecordName name, std::int64_t offset, std::int64_t state);
  bool may_be_gone(std::int64_t state) const;

  RecordLedger::Partition& ledger_;
  ReadRecords& readings_;
  const int partition_;
  Problems& problems_;
  std::map<int, std::vector<bool>> seen_;  // by writer, by sequence
  std::map<int, std::int64_t> next_;       // by writer: one behind the highest sequence so far
  const std::int64_t begin_;
  std::int64_t next_offset_;
  RecordCounts counts_;
};

}  // namespace chronik::integration
