// Fetch sessions (KIP-227): a consumer of many partitions names them once, then only what changed;
// the answer likewise holds only partitions with news. FetchSessions is the bounded cache of them.
//
// Owned by a shard, for the connections of that shard. A session id that another shard made is
// simply not found here, and the client starts a new session, as the protocol foresees.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/types.h"
#include "base/uuid.h"
#include "protocol/errors.h"

namespace chronik::broker {

/// A partition that somebody reads, as the request named it, and what the session's last answer
/// said of it.
struct FetchPartition {
  std::string topic;  // empty while the topic id is unknown here
  Uuid topic_id;      // zero in versions that name topics
  PartitionId partition = 0;
  LeaderEpoch current_leader_epoch = no_leader_epoch;
  Offset fetch_offset = 0;
  LeaderEpoch last_fetched_epoch = no_leader_epoch;
  std::int32_t max_bytes = 0;

  Offset answered_high_watermark = -1;
  Offset answered_log_start_offset = -1;
};

/// A topic and partition that an incremental request drops.
struct ForgottenPartition {
  std::string topic;
  Uuid topic_id;
  PartitionId partition = 0;
};

/// What one request has to read.
struct FetchPlan {
  protocol::ErrorCode error = protocol::ErrorCode::none;  // set: answer only this
  std::int32_t session_id = 0;                            // for the answer; 0 without a session
  bool incremental = false;                               // answer only partitions with news
  std::vector<std::shared_ptr<FetchPartition>> partitions;
};

class FetchSessions {
 public:
  /// A session unused for this long may be evicted for a new one.
  static constexpr milliseconds min_eviction_age{120'000};

  /// `slots` = max.incremental.fetch.session.cache.slots.
  FetchSessions(std::size_t slots, Random& random) : slots_(slots), random_(random) {}

  /// Opens, continues or ends the session that the request names by (session_id, epoch), both as on
  /// the wire. `by_id`: the request names topics by id (version 13 on). Errors:
  /// fetch_session_id_not_found, invalid_fetch_session_epoch, fetch_session_topic_id_error.
  FetchPlan plan(std::int32_t session_id, std::int32_t epoch, bool by_id,
                 std::vector<FetchPartition> named,
                 const std::vector<ForgottenPartition>& forgotten, SteadyTime now);

  /// A partition that was answered with records goes to the end of its session's order, so that one
  /// busy partition does not starve the others under max_bytes.
  void move_to_end(std::int32_t session_id, const FetchPartition& partition);

  std::size_t size() const { return sessions_.size(); }

 private:
  struct Key {
    std::string topic;
    Uuid topic_id;
    PartitionId partition;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  using Order = std::list<std::shared_ptr<FetchPartition>>;
  struct Session {
    std::int32_t next_epoch = 1;
    bool by_id = false;
    SteadyTime last_used;
    Order order;
    std::unordered_map<Key, Order::iterator, KeyHash> index;

    void put(FetchPartition named);
    void drop(const ForgottenPartition& forgotten);
  };

  static Key key_of(bool by_id, const std::string& topic, const Uuid& id, PartitionId partition);
  FetchPlan plan_full(bool keep, bool by_id, std::vector<FetchPartition> named, SteadyTime now);
  bool make_room(SteadyTime now);

  std::size_t slots_;
  Random& random_;
  std::unordered_map<std::int32_t, Session> sessions_;
};

}  // namespace chronik::broker
