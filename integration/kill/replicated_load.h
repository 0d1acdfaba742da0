// An idempotent producer with acks=all that writes to all partitions of a replicated topic at an
// even pace, so that a pause of one partition shows in the times of its acknowledgements. What it
// wrote and what was acknowledged is in a RecordLedger, which several of them share.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/kafka_client.h"
#include "integration/kill/record_ledger.h"

namespace chronik::integration {

class ReplicatedLoad : public Load {
 public:
  /// The topic must exist with the ledger's partitions and belong to this ledger alone.
  ReplicatedLoad(std::string bootstrap, std::string topic, int records_per_second,
                 RecordLedger& ledger, std::uint64_t seed);

  void step() override;
  /// The ledger is judged elsewhere; here only what the client itself complains of.
  void check(bool all, Problems& problems) override;
  void finish() override;
  std::string counts() const override;

 private:
  using Clock = std::chrono::steady_clock;

  enum class End { all_answered, astray, open };

  void new_producer();
  void produce(int partition);
  void poll(Producer& producer, std::chrono::milliseconds limit);
  void take_deliveries(Producer& producer);
  /// Up to two minutes.
  End flush(Producer& producer);

  const std::string bootstrap_;
  const std::string topic_;
  const std::chrono::duration<double> interval_;  // between two records
  RecordLedger& ledger_;
  Random random_;
  int writer_ = -1;  // of the present producer
  std::unique_ptr<Producer> producer_;
  std::vector<std::unique_ptr<Producer>> former_;  // with records under way
  Clock::time_point due_;                          // of the next record
  Clock::time_point replaced_;
  int next_partition_ = 0;
  int producers_ = 0;
  int broken_ = 0;                       // by a mistake of librdkafka's
  int astray_ = 0;                       // the same
  std::map<std::string, int> refusals_;  // by the client's error
  Problems failures_;
};

}  // namespace chronik::integration
