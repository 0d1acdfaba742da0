// Idempotent producers with acks=all on a few partitions. Every record says who wrote it and its
// place in that producer's sequence, so the log of a partition can be judged by itself: what was
// acknowledged is at its offset, nothing is twice, nothing is out of order, and nothing is there
// that nobody wrote.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/kafka_client.h"
#include "integration/kill/load.h"

namespace chronik::integration {

class RecordLoad : public Load {
 public:
  static constexpr int partitions = 6;

  /// The topic must exist with `partitions` partitions and belong to this load alone.
  RecordLoad(std::string bootstrap, std::string topic, std::uint64_t seed);

  void step() override;
  void check(bool all, Problems& problems) override;
  void finish() override;
  std::string counts() const override;

 private:
  struct Entry {
    std::int64_t writer = -1;  // -1: nothing known of this offset
    std::int64_t sequence = 0;
    bool operator==(const Entry&) const = default;
  };
  struct PartitionLedger {
    std::vector<Entry> acknowledged;               // by offset
    std::map<std::int64_t, std::int64_t> written;  // by writer: sequences handed to the client
    std::map<std::int64_t, std::int64_t> read;     // by writer: the next sequence a check expects
    std::int64_t checked = 0;                      // offsets below are compared
  };

  std::string value_of(std::int64_t writer, std::int64_t sequence) const;
  void new_producer();
  void take_deliveries();
  bool check_record(PartitionLedger& ledger, const Message& record, Problems& problems) const;

  const std::string bootstrap_;
  const std::string topic_;
  Random random_;
  std::int64_t writer_ = -1;  // of the present producer
  std::unique_ptr<Producer> producer_;
  std::vector<PartitionLedger> ledgers_;
  std::int64_t count_ = 0;
  Problems failures_;
};

}  // namespace chronik::integration
