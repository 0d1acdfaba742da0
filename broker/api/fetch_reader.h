// FetchReader: reads the partitions of one fetch request, wherever their shards are, and waits for
// news when there is too little (KIP-227's sessions and the answer itself are in fetch.cc).
//
// Lives in the frame of the fetch handler, on the connection's shard.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "broker/api/context.h"
#include "broker/partition/fetch_session.h"
#include "broker/partition/partition.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/task.h"

namespace chronik::broker {

class FetchReader {
 public:
  /// Who speaks an older one reads from leaders only (KIP-392).
  static constexpr std::int16_t first_version_with_rack = 11;

  FetchReader(RequestContext& context,
              const std::vector<std::shared_ptr<FetchPartition>>& partitions,
              std::uint64_t bytes_max);
  FetchReader(const FetchReader&) = delete;
  FetchReader& operator=(const FetchReader&) = delete;

  /// Reads all partitions in the order of the request: at most bytes_max in all, but one whole
  /// batch in any case.
  Task<void> read();
  /// Until a partition has news since read(), `deadline`, or nobody waits for the answer any more.
  Task<void> wait(SteadyTime deadline);

  /// In the order of the partitions.
  std::vector<ReadResult>& results() { return results_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  /// Something that the client should hear of at once: an error of a known partition, a diverged
  /// log.
  bool urgent() const { return urgent_; }
  /// Whether any partition is known here, so that there is something to wait for.
  bool anything_known() const;

 private:
  struct Place {
    bool known = false;
    Uuid topic_id;
    std::uint32_t shard = 0;
  };
  struct RemoteWait;

  void locate();
  void read_on(ShardData& data);
  Task<void> read_on_shard(std::uint32_t shard);
  bool join_wait(ShardData& data, FetchWait& wait);

  RequestContext& context_;
  const std::vector<std::shared_ptr<FetchPartition>>& partitions_;
  const std::uint64_t bytes_max_;
  const bool reads_from_followers_;
  std::vector<Place> places_;
  std::vector<ReadResult> results_;
  std::uint64_t bytes_read_ = 0;
  bool urgent_ = false;
};

}  // namespace chronik::broker
