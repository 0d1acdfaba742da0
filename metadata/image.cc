#include "metadata/image.h"

#include <xxhash.h>

#include <algorithm>

namespace chronik::metadata {

namespace detail {

namespace {
char collision_char(char c) { return c == '.' ? '_' : c; }
}  // namespace

std::uint64_t hash_text(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

std::uint64_t hash_uuid(const Uuid& id) { return XXH3_64bits(id.bytes.data(), id.bytes.size()); }

std::uint64_t hash_collision_name(std::string_view name) {
  std::string folded(name);
  std::replace(folded.begin(), folded.end(), '.', '_');
  return hash_text(folded);
}

bool names_collide(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return collision_char(a) == collision_char(b); });
}

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace detail

namespace {
bool partition_below(const CommittedOffset& offset, PartitionId partition) {
  return offset.partition < partition;
}
}  // namespace

const CommittedOffset* OffsetTable::find(const Uuid& topic_id, PartitionId partition) const {
  const Chunk* chunk = chunks_.find(Key{topic_id, partition / partitions_per_chunk});
  if (chunk == nullptr) return nullptr;
  const auto at =
      std::lower_bound(chunk->offsets.begin(), chunk->offsets.end(), partition, partition_below);
  return at != chunk->offsets.end() && at->partition == partition ? &*at : nullptr;
}

bool OffsetTable::has_topic(const Uuid& topic_id, PartitionId partition_count) const {
  for (PartitionId first = 0; first < partition_count; first += partitions_per_chunk) {
    if (chunks_.contains(Key{topic_id, first / partitions_per_chunk})) return true;
  }
  return false;
}

void OffsetTable::set(const Uuid& topic_id, CommittedOffset offset) {
  const Key key{topic_id, offset.partition / partitions_per_chunk};
  Chunk* chunk = chunks_.find_mutable(key);
  if (chunk == nullptr) {
    Chunk fresh{key, {}};
    fresh.offsets.push_back(std::move(offset));
    chunks_.put(std::move(fresh));
    ++count_;
    return;
  }
  const auto at = std::lower_bound(chunk->offsets.begin(), chunk->offsets.end(), offset.partition,
                                   partition_below);
  if (at != chunk->offsets.end() && at->partition == offset.partition) {
    *at = std::move(offset);
  } else {
    chunk->offsets.insert(at, std::move(offset));
    ++count_;
  }
}

bool OffsetTable::erase(const Uuid& topic_id, PartitionId partition) {
  if (find(topic_id, partition) == nullptr) return false;
  const Key key{topic_id, partition / partitions_per_chunk};
  Chunk* chunk = chunks_.find_mutable(key);
  const auto at =
      std::lower_bound(chunk->offsets.begin(), chunk->offsets.end(), partition, partition_below);
  chunk->offsets.erase(at);
  if (chunk->offsets.empty()) chunks_.erase(key);
  --count_;
  return true;
}

std::size_t OffsetTable::erase_topic(const Uuid& topic_id, PartitionId partition_count) {
  std::size_t erased = 0;
  for (PartitionId first = 0; first < partition_count; first += partitions_per_chunk) {
    const Key key{topic_id, first / partitions_per_chunk};
    if (const Chunk* chunk = chunks_.find(key)) {
      erased += chunk->offsets.size();
      chunks_.erase(key);
    }
  }
  count_ -= erased;
  return erased;
}

std::vector<BrokerId> Partition::target() const {
  std::vector<BrokerId> target = replicas;
  std::erase_if(target, [this](BrokerId id) {
    return std::find(removing.begin(), removing.end(), id) != removing.end();
  });
  return target;
}

void Partition::reassign(std::vector<BrokerId> to, std::vector<BrokerId> come,
                         std::vector<BrokerId> go) {
  const auto founds = [this](BrokerId id) {
    const auto at = static_cast<std::size_t>(std::ranges::find(replicas, id) - replicas.begin());
    return at < directories.size() && !directories[at].is_zero();
  };
  // A founder may not have begun to yet, and its log may never say who belongs to the group where
  // all come back to what they were.
  const bool ends_elsewhere =
      come.empty() && go.empty() &&
      !(std::ranges::all_of(to, founds) && std::ranges::all_of(replicas, [&](BrokerId id) {
          return !founds(id) || std::ranges::find(to, id) != to.end();
        }));
  std::vector<Uuid> founders(to.size());
  for (std::size_t i = 0; i < to.size() && !ends_elsewhere; ++i) {
    if (!founds(to[i])) continue;
    founders[i] = directories[static_cast<std::size_t>(std::ranges::find(replicas, to[i]) -
                                                       replicas.begin())];
  }
  replicas = std::move(to);
  adding = std::move(come);
  removing = std::move(go);
  directories = std::move(founders);
  leader = replicas.front();
}

std::optional<BrokerId> Partition::lone_founder() const {
  std::optional<BrokerId> founder;
  for (std::size_t i = 0; i < std::min(directories.size(), replicas.size()); ++i) {
    if (directories[i].is_zero()) continue;
    if (founder) return std::nullopt;
    founder = replicas[i];
  }
  return founder;
}

const Topic* Image::topic(std::string_view name) const {
  const auto* topic = topics_by_name_.find(name);
  return topic != nullptr ? topic->get() : nullptr;
}

const Topic* Image::topic(const Uuid& id) const {
  const auto* topic = topics_by_id_.find(id);
  return topic != nullptr ? topic->get() : nullptr;
}

std::shared_ptr<const Topic> Image::shared_topic(std::string_view name) const {
  const auto* topic = topics_by_name_.find(name);
  return topic != nullptr ? *topic : nullptr;
}

std::shared_ptr<const Topic> Image::shared_topic(const Uuid& id) const {
  const auto* topic = topics_by_id_.find(id);
  return topic != nullptr ? *topic : nullptr;
}

const Topic* Image::colliding_topic(std::string_view name) const {
  const auto* topic = topics_by_collision_.find(CollisionName{name});
  return topic != nullptr ? topic->get() : nullptr;
}

const ConfigMap& Image::configs(ConfigResourceType type, std::string_view name) const {
  static const ConfigMap none;
  const ConfigSet* set = configs_.find(ConfigKey{type, name});
  return set != nullptr ? set->configs : none;
}

const CommittedOffset* Image::committed(std::string_view group_id, const Uuid& topic_id,
                                        PartitionId partition) const {
  const Group* found = group(group_id);
  return found != nullptr ? found->offsets.find(topic_id, partition) : nullptr;
}

const BrokerRegistered* Image::broker(BrokerId id) const {
  const auto at = cluster_->brokers.find(id);
  return at != cluster_->brokers.end() ? at->second.get() : nullptr;
}

const std::map<BrokerId, std::shared_ptr<const BrokerRegistered>>& Image::brokers() const {
  return cluster_->brokers;
}

std::int16_t Image::feature_level(std::string_view name) const {
  const auto at = cluster_->features.find(name);
  return at != cluster_->features.end() ? at->second : std::int16_t{0};
}

const std::map<std::string, std::int16_t, std::less<>>& Image::features() const {
  return cluster_->features;
}

const std::string& Image::cluster_id() const { return cluster_->id; }

Timestamp Image::cluster_created_ms() const { return cluster_->created_ms; }

}  // namespace chronik::metadata
