// Image: an immutable picture of all metadata at one point of the log. Copies share everything
// (metadata/persistent_table.h), so one per change is cheap. Made by ImageBuilder
// (metadata/apply.h), read by every shard without locks; pointers into it live as long as the image
// (or, where a shared_ptr is handed out, as long as that).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "base/uuid.h"
#include "metadata/config_map.h"
#include "metadata/events.h"
#include "metadata/persistent_table.h"

namespace chronik::metadata {

/// The last time that a partition went on with what one replica had (PartitionRecovered).
struct Recovery {
  std::int32_t number = 0;  // 0: never
  BrokerId survivor = -1;
  Uuid directory{};      // of the survivor's data
  LeaderEpoch term = 0;  // the survivor leads in later ones
  bool operator==(const Recovery&) const = default;
};

struct Partition {
  std::vector<BrokerId> replicas;  // the first is the preferred leader
  BrokerId leader = -1;            // with several: the one wanted first; who leads, the group says
  LeaderEpoch leader_epoch = 0;
  // Of the replicas that found the group, in their order; zero of those that come later, and of all
  // once a reassignment has ended elsewhere: then its log says who belongs to it. None where the
  // partition is created with one replica, which has no group until it is to get others: then that
  // one founds it.
  std::vector<Uuid> directories{};
  // While it is reassigned; both are among `replicas`.
  std::vector<BrokerId> adding{};
  std::vector<BrokerId> removing{};
  Recovery recovery{};

  /// Whether its log is that of a Raft group, which says who leads.
  bool has_group() const { return !directories.empty(); }
  /// Who founds the group with the log that it had before there was one; nothing once a
  /// reassignment has ended elsewhere, and where the group is as old as the partition.
  std::optional<BrokerId> lone_founder() const;
  bool is_reassigned() const { return !adding.empty() || !removing.empty(); }
  /// Those that are wanted: what the leader makes the group's voters.
  std::vector<BrokerId> target() const;
  /// A reassignment begins, becomes another one, or (nobody comes or goes any more) ends.
  void reassign(std::vector<BrokerId> to, std::vector<BrokerId> come, std::vector<BrokerId> go);
  bool operator==(const Partition&) const = default;
};

struct Topic {
  Uuid id;
  std::string name;
  bool internal = false;
  Timestamp created_ms = 0;
  std::vector<Partition> partitions;  // by partition index
  ConfigMap configs;                  // overrides only
  bool operator==(const Topic&) const = default;

  PartitionId partition_count() const { return static_cast<PartitionId>(partitions.size()); }
  bool has_partition(PartitionId index) const { return index >= 0 && index < partition_count(); }
};

/// A resource of ConfigChanged. For brokers the name is the id as text, or empty for the
/// cluster-wide default.
struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::broker;
  std::string name;
  bool operator==(const ConfigResource&) const = default;
};

struct CommittedOffset {
  Offset offset = 0;
  PartitionId partition = 0;
  LeaderEpoch leader_epoch = no_leader_epoch;
  Timestamp commit_time_ms = 0;
  Timestamp expire_time_ms = -1;  // -1: by offsets.retention.minutes
  std::string metadata;
  bool operator==(const CommittedOffset&) const = default;
};

namespace detail {
std::uint64_t hash_text(std::string_view text);
std::uint64_t hash_uuid(const Uuid& id);
/// Of a topic name with '.' read as '_': equal for names that collide.
std::uint64_t hash_collision_name(std::string_view name);
bool names_collide(std::string_view left, std::string_view right);
std::uint64_t mix(std::uint64_t value);
}  // namespace detail

/// Committed offsets of one group by (topic id, partition). Kept in chunks of neighbouring
/// partitions, since most commits name many partitions of few topics.
class OffsetTable {
 public:
  const CommittedOffset* find(const Uuid& topic_id, PartitionId partition) const;
  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  /// Whether a partition below `partition_count` of the topic has one.
  bool has_topic(const Uuid& topic_id, PartitionId partition_count) const;
  /// visit(const Uuid& topic_id, const CommittedOffset&), in no order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    chunks_.for_each([&](const Chunk& chunk) {
      for (const CommittedOffset& offset : chunk.offsets) visit(chunk.key.topic_id, offset);
    });
  }

  /// Goes over the offsets some at a time; the table outlives it unchanged.
  class Cursor;

  /// For ImageBuilder.
  void set(const Uuid& topic_id, CommittedOffset offset);
  bool erase(const Uuid& topic_id, PartitionId partition);
  std::size_t erase_topic(const Uuid& topic_id, PartitionId partition_count);

 private:
  static constexpr PartitionId partitions_per_chunk = 16;
  struct Key {
    Uuid topic_id;
    PartitionId chunk = 0;
    bool operator==(const Key&) const = default;
  };
  struct Chunk {
    Key key;
    std::vector<CommittedOffset> offsets;  // sorted by partition, never empty
  };
  struct Traits {
    using Key = const OffsetTable::Key&;
    static Key key(const Chunk& chunk) { return chunk.key; }
    static std::uint64_t hash(Key key) {
      return detail::mix(detail::hash_uuid(key.topic_id) ^ static_cast<std::uint32_t>(key.chunk));
    }
  };

  PersistentTable<Chunk, Traits> chunks_;
  std::size_t count_ = 0;
};

class OffsetTable::Cursor {
 public:
  explicit Cursor(const OffsetTable& table) : chunks_(table.chunks_) {}

  struct Neighbours {
    const Uuid* topic_id = nullptr;                         // null at the end
    const std::vector<CommittedOffset>* offsets = nullptr;  // of one topic, by partition
  };
  Neighbours next() {
    const Chunk* chunk = chunks_.next();
    return chunk != nullptr ? Neighbours{&chunk->key.topic_id, &chunk->offsets} : Neighbours{};
  }

 private:
  PersistentTable<Chunk, Traits>::Cursor chunks_;
};

/// A consumer group: there is one as soon as it has a state or a committed offset.
struct Group {
  std::string id;
  std::shared_ptr<const GroupUpdated> state;  // null: offsets only (a simple consumer)
  OffsetTable offsets;
};

class Image {
 public:
  /// Topics. Null where there is none.
  const Topic* topic(std::string_view name) const;
  const Topic* topic(const Uuid& id) const;
  std::shared_ptr<const Topic> shared_topic(std::string_view name) const;
  std::shared_ptr<const Topic> shared_topic(const Uuid& id) const;
  /// A topic whose name equals `name` once '.' is read as '_'.
  const Topic* colliding_topic(std::string_view name) const;
  std::size_t topic_count() const { return topics_by_id_.size(); }
  std::size_t partition_count() const { return partition_count_; }
  /// visit(const std::shared_ptr<const Topic>&), in no order.
  template <class Visit>
  void for_each_topic(Visit&& visit) const {
    topics_by_id_.for_each(visit);
  }

  /// Dynamic configs of a broker (its id as text, empty: the cluster-wide default), group, ...
  /// Topics carry theirs. Empty where none are set.
  const ConfigMap& configs(ConfigResourceType type, std::string_view name) const;
  /// visit(const ConfigResource&, const ConfigMap&), in no order.
  template <class Visit>
  void for_each_config(Visit&& visit) const {
    configs_.for_each([&](const ConfigSet& set) { visit(set.resource, set.configs); });
  }

  /// Groups. Null where there is none.
  const Group* group(std::string_view id) const { return groups_.find(id); }
  std::size_t group_count() const { return groups_.size(); }
  /// visit(const Group&), in no order.
  template <class Visit>
  void for_each_group(Visit&& visit) const {
    groups_.for_each(visit);
  }
  const CommittedOffset* committed(std::string_view group_id, const Uuid& topic_id,
                                   PartitionId partition) const;
  /// Committed offsets of all groups together.
  std::size_t offset_count() const { return offset_count_; }

  const BrokerRegistered* broker(BrokerId id) const;
  const std::map<BrokerId, std::shared_ptr<const BrokerRegistered>>& brokers() const;
  /// The leader has lost it (BrokerFenced).
  bool is_fenced(BrokerId id) const { return cluster_->fenced.contains(id); }

  /// 0 where the feature is not set.
  std::int16_t feature_level(std::string_view name) const;
  const std::map<std::string, std::int16_t, std::less<>>& features() const;
  /// Empty until ClusterCreated.
  const std::string& cluster_id() const;
  Timestamp cluster_created_ms() const;

  /// The first producer id that no block covers yet.
  ProducerId next_producer_id() const { return next_producer_id_; }

  /// The last log entry in this image; 0: none. The offset behind its last record.
  EntryIndex applied_index() const { return applied_index_; }
  Offset applied_offset() const { return applied_offset_; }

 private:
  friend class ImageBuilder;
  friend class ImageEvents;

  struct TopicById {
    using Key = const Uuid&;
    static Key key(const std::shared_ptr<const Topic>& topic) { return topic->id; }
    static std::uint64_t hash(Key id) { return detail::hash_uuid(id); }
  };
  struct TopicByName {
    using Key = std::string_view;
    static Key key(const std::shared_ptr<const Topic>& topic) { return topic->name; }
    static std::uint64_t hash(Key name) { return detail::hash_text(name); }
  };
  // A name as it counts for collisions.
  struct CollisionName {
    std::string_view name;
    bool operator==(const CollisionName& other) const {
      return detail::names_collide(name, other.name);
    }
  };
  struct TopicByCollision {
    using Key = CollisionName;
    static Key key(const std::shared_ptr<const Topic>& topic) { return {topic->name}; }
    static std::uint64_t hash(Key key) { return detail::hash_collision_name(key.name); }
  };
  struct ConfigSet {
    ConfigResource resource;
    ConfigMap configs;  // never empty
  };
  struct ConfigKey {
    ConfigResourceType type;
    std::string_view name;
    bool operator==(const ConfigKey&) const = default;
  };
  struct ConfigByResource {
    using Key = ConfigKey;
    static Key key(const ConfigSet& set) { return {set.resource.type, set.resource.name}; }
    static std::uint64_t hash(Key key) {
      return detail::mix(detail::hash_text(key.name) + static_cast<std::uint8_t>(key.type));
    }
  };
  struct GroupById {
    using Key = std::string_view;
    static Key key(const Group& group) { return group.id; }
    static std::uint64_t hash(Key id) { return detail::hash_text(id); }
  };
  // Few and seldom changed: copied whole when they do.
  struct Cluster {
    std::string id;
    Timestamp created_ms = 0;
    std::map<std::string, std::int16_t, std::less<>> features;
    std::map<BrokerId, std::shared_ptr<const BrokerRegistered>> brokers;
    std::set<BrokerId> fenced;  // of these
  };

  PersistentTable<std::shared_ptr<const Topic>, TopicById> topics_by_id_;
  PersistentTable<std::shared_ptr<const Topic>, TopicByName> topics_by_name_;
  // Those whose name has a '.' or '_'; no two of them collide.
  PersistentTable<std::shared_ptr<const Topic>, TopicByCollision> topics_by_collision_;
  PersistentTable<ConfigSet, ConfigByResource> configs_;
  PersistentTable<Group, GroupById> groups_;
  std::shared_ptr<const Cluster> cluster_ = std::make_shared<const Cluster>();
  std::size_t partition_count_ = 0;
  std::size_t offset_count_ = 0;
  ProducerId next_producer_id_ = 0;
  EntryIndex applied_index_ = 0;
  Offset applied_offset_ = 0;
};

}  // namespace chronik::metadata
