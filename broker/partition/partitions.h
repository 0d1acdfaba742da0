// Partitions: the partitions of one shard, with what their logs share: the open files, the group
// commit and its disk thread. Opens what is on disk at the start, follows the metadata image, and
// runs retention. A new partition without other replicas is made when it is first touched (without
// I/O); one with others as soon as the image has it, since it takes part in a group.
//
// One per shard, used on that shard only. A caller takes the topic from an image it has just read
// on this shard; one kept across a co_await may name a topic that is gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "broker/partition/partition.h"
#include "broker/partition/shard_storage.h"
#include "broker/runtime/shard.h"
#include "broker/runtime/timer.h"
#include "metadata/image.h"
#include "metadata/metadata_store.h"
#include "raft/multi/left_states.h"
#include "wal/log_directory.h"
#include "wal/retention.h"

namespace chronik::broker {

/// Where the log of a partition begins, as its leader says.
struct LogBeginning {
  wal::LogIdentity log;
  Offset begin = 0;
};

/// This node's part in partitions that have several replicas; of one shard, which all of it is of.
struct ClusterSeat {
  raft::RaftReplicaManager* groups = nullptr;  // outlives the Partitions' use
  std::uint32_t shard_count = 1;
  BrokerId node = 0;
  Uuid directory;
  milliseconds lag_max{30'000};  // replica.lag.time.max.ms
  /// The image as this shard has it.
  std::function<std::shared_ptr<const metadata::Image>()> image;
  /// Told of each partition that another node, or this one, leads now.
  std::function<void(const Partition&)> on_led;
  /// Told of each partition whose replica here has gone; on_led was told of it for the last time.
  std::function<void(const Uuid& topic_id, PartitionId)> on_left;
  /// Told by the leader when the group of a partition is what its reassignment wants; again and
  /// again, until the image says so.
  std::function<void(const metadata::Topic&, PartitionId)> on_reassigned;
  /// Has a follower move the begins of its logs forward; `done`, on this shard, with where each is
  /// then, durably, in the order of `begins`; nothing: not known.
  using Told = std::function<void(std::vector<std::optional<Offset>>)>;
  std::function<void(BrokerId follower, std::vector<LogBeginning> begins, Told done)> tell_begins;
};

/// The shard that a partition lives on: partitions of one topic go round the shards.
std::uint32_t shard_of(const Uuid& topic_id, PartitionId partition, std::uint32_t shard_count);

class Partitions {
 public:
  /// What a topic's settings mean now; called on this shard.
  using SettingsOf =
      std::function<std::shared_ptr<const PartitionSettings>(const metadata::Topic&)>;

  /// All arguments outlive the object. `retention_interval` = log.retention.check.interval.ms.
  Partitions(Shard& shard, ShardStorage& storage, wal::LogDirectory& directory,
             SettingsOf settings_of, milliseconds retention_interval);
  ~Partitions();
  Partitions(const Partitions&) = delete;
  Partitions& operator=(const Partitions&) = delete;

  /// Before anything is opened, on a node of a cluster.
  void join_cluster(ClusterSeat seat);
  /// At the start: all partitions of this shard that have other replicas than this node.
  Result<void> open_seats();

  /// At the start, before anything is served: recovery of one partition that has a directory, and
  /// no other replicas.
  Result<void> open_existing(const metadata::Topic& topic, PartitionId partition);

  /// The partition, made now when nobody touched it before. Null: it has other replicas, and is not
  /// open (yet). Precondition: the topic has it, and it belongs here.
  Partition* get(const metadata::Topic& topic, PartitionId partition);
  /// Null when nobody touched it since the start and it has nothing on disk.
  Partition* find(const Uuid& topic_id, PartitionId partition);

  /// Follows one change of a topic: settings are replaced, partitions of a deleted topic removed.
  void on_topic_change(const metadata::TopicChange& change);
  /// Broker-wide defaults changed: works every topic's settings out again.
  void refresh_settings(const metadata::Image& image);

  /// Followers learn where the logs of partitions that this node leads begin now.
  void tell_begins(std::span<Partition* const> partitions);

  /// Tells of all partitions that this node leads, once more.
  void tell_led();

  /// Waits of partitions (Partition::reached) that are limited to `limit` end then.
  void limit_waits(SteadyTime limit);

  /// visit(Partition&), in no order.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& [key, partition] : partitions_) visit(*partition);
  }
  std::size_t size() const { return partitions_.size(); }
  /// The time that retention and compaction go by.
  Timestamp retention_now();

  /// Removes in the background what an earlier run left of deleted topics.
  void remove_directory(std::string path) { storage_.group().remove_directory(std::move(path)); }
  /// No more retention passes; ShardStorage::stop() comes next.
  void stop() {
    retention_.cancel();
    tend_.cancel();
    place_.cancel();
    wait_limit_.cancel();
  }

 private:
  struct Key {
    Uuid topic_id;
    PartitionId partition;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<Uuid>{}(key.topic_id) ^
             (static_cast<std::size_t>(key.partition) * 0x9e3779b97f4a7c15ULL);
    }
  };

  std::shared_ptr<const PartitionSettings> settings_for(const metadata::Topic& topic);
  Result<Partition*> open(const metadata::Topic& topic, PartitionId partition, bool known_new);
  ReplicaSeat seat_in(const metadata::Partition& members);
  void follow_replica(Partition& partition);
  Result<std::unique_ptr<Partition>> open_one(const metadata::Topic& topic, PartitionId partition,
                                              bool known_new);
  bool is_seat(const metadata::Topic& topic, PartitionId partition) const;
  void open_new_seats(const std::shared_ptr<const metadata::Topic>& topic, PartitionId from);
  void follow_reassignment(const metadata::Topic& before,
                           const std::shared_ptr<const metadata::Topic>& after);
  void open_seat(const std::shared_ptr<const metadata::Topic>& topic, PartitionId index);
  Result<bool> found_group(const metadata::Topic& topic, PartitionId index, Partition& alone);
  Result<bool> is_place_taken(const metadata::Topic& topic, PartitionId index) const;
  void try_again();
  void tend();
  void tend_one(const Key& key, const metadata::Image& image, std::vector<Partition*>& led);
  void tend_topic(const metadata::Topic& topic);
  void remove(const metadata::Topic& topic);
  void remove_one(const Uuid& topic_id, PartitionId index);
  void leave(const Uuid& topic_id, PartitionId index);
  void forget_left(const Uuid& topic_id, PartitionId count);
  /// Its group does not count this node any more, which must remember what it promised.
  struct Leaver {
    Key key;
    raft::GroupId group;
    raft::HardState last;
    std::shared_ptr<Partition> partition;
    std::unique_ptr<wal::PartitionLog> log;
  };
  void let_go(Leaver leaver);
  /// To be opened anew, once nothing of it is on its way to the disk.
  struct Reopening {
    Leaver was;
    std::shared_ptr<bool> is_written;
  };
  void follow_recoveries(const metadata::Topic& before, const metadata::Topic& after);
  void recover(const Uuid& topic_id, PartitionId index);
  std::vector<std::shared_ptr<Partition>> close_to_reopen();
  void destroy(const Key& key, std::shared_ptr<Partition> partition,
               std::unique_ptr<wal::PartitionLog> log);
  void later(std::function<void()> work);
  void run_retention();
  void end_waits();

  Shard& shard_;
  ShardStorage& storage_;
  protocol::RecordScratch scratch_;
  wal::LogDirectory& directory_;
  SettingsOf settings_of_;
  milliseconds retention_interval_;
  wal::RetentionClock retention_clock_;
  std::optional<ClusterSeat> seat_;
  std::optional<raft::LeftStates> left_;                        // in a cluster
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // false inside once it is gone
  std::unordered_map<Key, std::unique_ptr<Partition>, KeyHash> partitions_;
  // By topic, so that its partitions share one.
  std::unordered_map<Uuid, std::shared_ptr<const PartitionSettings>> settings_;
  Timer retention_;
  Timer tend_;                         // of leaders in a cluster
  std::uint64_t tended_presence_ = 0;  // of nodes, as all leaders were tended
  std::uint64_t tend_rounds_ = 0;
  // Not awake, maybe, but not tended to the end when they were.
  std::unordered_set<Key, KeyHash> to_tend_;
  // New partitions whose places are still taken, or that found no space, and those that found none
  // to leave, and when to try again.
  std::vector<std::pair<std::shared_ptr<const metadata::Topic>, PartitionId>> waiting_seats_;
  std::vector<Leaver> waiting_leavers_;
  std::vector<Reopening> reopening_;
  // Whose directories have not left their place yet.
  std::unordered_set<Key, KeyHash> leaving_;
  Timer place_;
  // At the first limit of a wait that was there when it was armed, which may be over long before:
  // arming and cancelling it for each produce request would cost more than looking now and then.
  Timer wait_limit_;
};

}  // namespace chronik::broker
