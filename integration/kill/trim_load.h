// DeleteRecords of a topic that another load writes to and whose replicas move. It knows what was
// asked for and what was answered, so it knows between which offsets the log of each partition may
// begin: what was deleted once never comes back, whoever leads. Its own thread calls step(); the
// rest any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/kill/cluster_view.h"
#include "integration/kill/record_ledger.h"

namespace chronik::integration {

class TrimLoad : public Load {
 public:
  /// `ledger`: of what is written to the topic, and acknowledged.
  TrimLoad(ClusterProcesses& cluster, const std::string& topic, const RecordLedger& ledger,
           std::uint64_t seed);

  void step() override;
  /// The leaders are asked where their logs begin.
  void check(bool all, Problems& problems) override;
  void finish() override {}
  std::string counts() const override;
  /// Where they begin, by partition, as their leaders say. Problems: one does not answer, or is
  /// wrong. Precondition: all partitions have leaders.
  std::vector<std::int64_t> begins(Problems& problems);

 private:
  struct Trimmed {
    std::int64_t asked = 0;  // the highest offset
    std::int64_t told = 0;   // that was answered
  };

  void trim(int partition, int leader, std::int64_t offset);
  std::int64_t begin_at(int leader, int partition) const;

  ClusterProcesses& cluster_;
  const std::string topic_;
  const RecordLedger& ledger_;
  ClusterView view_;
  Random random_;
  mutable std::mutex mutex_;      // of the rest; not held while a node is asked
  std::condition_variable pace_;  // nobody ends the wait
  std::vector<Trimmed> trimmed_;  // by partition
  int deletions_ = 0;
  int unanswered_ = 0;
  std::map<int, int> refusals_;  // by error code
  Problems failures_;
};

}  // namespace chronik::integration
