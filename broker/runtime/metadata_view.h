// MetadataView: metadata as every shard sees it. The store lives on the first shard; each new image
// is handed to the others as a message, so reading is a pointer of one's own and no lock. Who
// proposed a change finds it in his shard's image when propose() returns.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/runtime/future.h"
#include "broker/runtime/shard.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

/// Who leads a partition, as far as is known; -1: nobody is known to.
struct PartitionLeader {
  BrokerId leader = -1;
  LeaderEpoch epoch = 0;
  std::vector<BrokerId> in_sync{};  // empty: it has not said
  bool operator==(const PartitionLeader&) const = default;
};

class MetadataView final : public metadata::MetadataObserver {
 public:
  /// Made and destroyed on the first shard; both must outlive it.
  MetadataView(Shards& shards, metadata::MetadataStore& store);
  MetadataView(const MetadataView&) = delete;
  MetadataView& operator=(const MetadataView&) = delete;
  ~MetadataView() override;

  /// The image as of now on the calling shard; never null.
  const std::shared_ptr<const metadata::Image>& image() const;

  /// Who decides, as the calling shard knows it.
  metadata::Leadership leadership() const;

  /// Brokers that cannot be reached from this one at the moment: they get no new partition by it,
  /// also before the leader has fenced them, or where there is none yet. On the first shard.
  void set_absent(std::vector<BrokerId> brokers);
  bool is_absent(BrokerId broker) const;
  /// Fenced for so short a time that clients may still be on their way from it to another one.
  bool was_just_fenced(BrokerId broker) const;
  /// Whether a leader was lost so lately that another one may just be about to lead in its place.
  bool has_lost_leader_lately() const;

  /// Of a partition that the topic has, as the calling shard knows it. Where it has several
  /// replicas that is no metadata: their group decides.
  PartitionLeader leader_of(const metadata::Topic& topic, PartitionId partition) const;
  /// What a leader announces; any shard. One of an older epoch is dropped.
  void tell_leader(const Uuid& topic_id, PartitionId partition, const PartitionLeader& leader);
  /// The same, as the replica of this node knows it.
  void tell_leader_by_replica(const Uuid& topic_id, PartitionId partition,
                              const PartitionLeader& leader);
  /// This node has no replica any more: what it said last (a group that it does not belong to has
  /// no leader for it) counts no more, and what leaders announced does.
  void forget_replica(const Uuid& topic_id, PartitionId partition);

  /// Until something is told of a leader, on the calling shard, or `limit`.
  Task<void> leader_news(SteadyTime limit);

  /// MetadataStore::read_barrier, from any shard: image() is as new here too on return. For
  /// requests that Kafka has its controller answer: what one node has acknowledged, the next one
  /// that is asked must know.
  Task<Result<void>> catch_up();

  /// MetadataStore::propose, from any shard: durable and applied, here too, on return.
  Task<Result<metadata::ApplyResults>> propose(std::vector<metadata::MetadataEvent> events);

 private:
  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;
  void on_leadership(const metadata::Leadership& leadership) override;

  struct Key {
    Uuid topic_id;
    PartitionId partition = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<Uuid>{}(key.topic_id) * 31 + static_cast<std::size_t>(key.partition);
    }
  };

  struct Known {
    PartitionLeader leader;
    PartitionLeader announced;  // by itself
  };
  // One cache line each, so that a shard's reads do not meet another's writes.
  struct alignas(64) Seen {
    std::shared_ptr<const metadata::Image> image;
    metadata::Leadership leadership;
    std::vector<BrokerId> absent;
    std::map<BrokerId, SteadyTime> fenced_at;  // of those that are, as far as this node saw it
    std::optional<SteadyTime> lost_at;         // a broker, or the leader of a partition, last
    std::unordered_map<Key, Known, KeyHash> leaders;      // of those with several replicas
    std::vector<std::shared_ptr<Promise<void>>> waiting;  // for news of one
  };
  static std::shared_ptr<const std::vector<Key>> deleted(const metadata::MetadataDelta& delta);
  static void take_fenced(Seen& seen, const std::vector<BrokerId>& changed, SteadyTime now);
  static void take_absent(Seen& seen, std::vector<BrokerId> brokers, SteadyTime now);
  static void take_leader(Seen& seen, const Key& key, const PartitionLeader& leader);
  static void take_announced(Seen& seen, const Key& key, const PartitionLeader& leader);
  static void take_forgotten(Seen& seen, const Key& key);
  /// On every shard.
  template <class Take>
  void tell(const Uuid& topic_id, PartitionId partition, Take take);

  Shards& shards_;
  metadata::MetadataStore& store_;
  // Shared with the messages under way.
  std::shared_ptr<std::vector<Seen>> seen_;
};

}  // namespace chronik::broker
