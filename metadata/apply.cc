#include "metadata/apply.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "protocol/errors.h"

namespace chronik::metadata {

namespace {

using protocol::ErrorCode;

constexpr std::int8_t topic_resource_type = 2;  // Kafka's number; topics have TopicConfigChanged

ApplyResult accepted() { return {}; }

ApplyResult refused(ErrorCode code, std::string message) {
  ApplyResult result;
  result.code = code;
  result.message = std::move(message);
  return result;
}

ApplyResult refused_topic_id(const Uuid& id, const std::string& name) {
  return refused(
      ErrorCode::unknown_topic_id,
      fmt::format("There is no topic with id {} (its name was '{}').", id.to_string(), name));
}

ApplyResult refused_partition(const Topic& topic, PartitionId index) {
  return refused(ErrorCode::unknown_topic_or_partition,
                 fmt::format("The topic {} has no partition {}.", topic.name, index));
}

bool has_collision_char(std::string_view name) {
  return name.find_first_of("._") != std::string_view::npos;
}

bool contains(const std::vector<BrokerId>& brokers, BrokerId id) {
  return std::find(brokers.begin(), brokers.end(), id) != brokers.end();
}

ApplyResult check_replicas(PartitionId partition, const std::vector<BrokerId>& replicas) {
  std::vector<BrokerId> sorted = replicas;
  std::sort(sorted.begin(), sorted.end());
  const bool doubled = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (!sorted.empty() && sorted.front() >= 0 && !doubled) return accepted();
  return refused(ErrorCode::invalid_replica_assignment,
                 fmt::format("Partition {} needs at least one replica, each a broker id that "
                             "occurs once, and has [{}].",
                             partition, fmt::join(replicas, ", ")));
}

/// Checks what TopicCreated or PartitionsAdded bring and appends it, for indices from to.size() on.
template <class Source>
ApplyResult append_partitions(const std::vector<Source>& source, std::vector<Partition>& to) {
  to.reserve(to.size() + source.size());
  for (const Source& from : source) {
    if (from.partition_index != static_cast<PartitionId>(to.size())) {
      return refused(ErrorCode::invalid_partitions,
                     fmt::format("Partition {} where partition {} must come next.",
                                 from.partition_index, to.size()));
    }
    if (ApplyResult result = check_replicas(from.partition_index, from.replicas); !result.ok()) {
      return result;
    }
    if (from.leader != -1 && !contains(from.replicas, from.leader)) {
      return refused(
          ErrorCode::invalid_replica_assignment,
          fmt::format("Partition {} has leader {}, which is none of its replicas [{}].",
                      from.partition_index, from.leader, fmt::join(from.replicas, ", ")));
    }
    if (!from.directories.empty() && from.directories.size() != from.replicas.size()) {
      return refused(
          ErrorCode::invalid_replica_assignment,
          fmt::format("Partition {} has {} replicas and {} directories.", from.partition_index,
                      from.replicas.size(), from.directories.size()));
    }
    Partition& added = to.emplace_back();
    added.replicas = from.replicas;
    added.leader = from.leader;
    added.leader_epoch = from.leader_epoch;
    added.directories = from.directories;
    if constexpr (requires { from.adding; }) {
      added.adding = from.adding;
      added.removing = from.removing;
      added.recovery = {from.recovery, from.survivor, from.survivor_directory, from.recovery_term};
    }
  }
  return accepted();
}

template <class Change>
void change_configs(ConfigMap& configs, bool replace, const std::vector<Change>& changes) {
  if (replace) configs = {};
  for (const Change& change : changes) {
    if (change.value) {
      configs.set(change.name, *change.value);
    } else {
      configs.erase(change.name);
    }
  }
}

}  // namespace

ImageBuilder::ImageBuilder(std::shared_ptr<const Image> base)
    : base_(std::move(base)), next_(std::make_shared<Image>(*base_)) {}

ImageBuilder::~ImageBuilder() = default;

ApplyResult ImageBuilder::apply(const MetadataEvent& event) {
  return std::visit([this](const auto& kind) { return on(kind); }, event);
}

void ImageBuilder::set_applied(EntryIndex index, Offset next_offset) {
  next_->applied_index_ = index;
  next_->applied_offset_ = next_offset;
}

ImageBuilder::Built ImageBuilder::finish() {
  drop_offsets_of_deleted_topics();
  if (cluster_ != nullptr) next_->cluster_ = std::move(cluster_);
  delta_.topics = topic_changes();
  return {next_, std::move(delta_)};
}

Image::Cluster& ImageBuilder::change_cluster() {
  if (cluster_ == nullptr) cluster_ = std::make_shared<Image::Cluster>(*next_->cluster_);
  next_->cluster_ = cluster_;
  return *cluster_;
}

ApplyResult ImageBuilder::on(const ClusterCreated& event) {
  const std::string& present = next_->cluster_id();
  if (event.cluster_id.empty()) {
    return refused(ErrorCode::invalid_request, "The cluster id is empty.");
  }
  if (present == event.cluster_id) return accepted();
  if (!present.empty()) {
    return refused(
        ErrorCode::inconsistent_cluster_id,
        fmt::format("The cluster is '{}' and cannot become '{}'.", present, event.cluster_id));
  }
  Image::Cluster& cluster = change_cluster();
  cluster.id = event.cluster_id;
  cluster.created_ms = event.created_ms;
  delta_.features = true;
  return accepted();
}

ApplyResult ImageBuilder::on(const FeatureLevelChanged& event) {
  if (event.name.empty() || event.level < 0) {
    return refused(ErrorCode::invalid_request,
                   fmt::format("Feature '{}' cannot have level {}.", event.name, event.level));
  }
  Image::Cluster& cluster = change_cluster();
  if (event.level == 0) {
    cluster.features.erase(event.name);
  } else {
    cluster.features.insert_or_assign(event.name, event.level);
  }
  delta_.features = true;
  return accepted();
}

ApplyResult ImageBuilder::on(const BrokerRegistered& event) {
  if (event.broker_id < 0) {
    return refused(ErrorCode::invalid_request,
                   fmt::format("Broker id {} is negative.", event.broker_id));
  }
  change_cluster().brokers.insert_or_assign(event.broker_id,
                                            std::make_shared<const BrokerRegistered>(event));
  delta_.brokers.push_back(event.broker_id);
  return accepted();
}

ApplyResult ImageBuilder::on(const BrokerRemoved& event) {
  if (next_->broker(event.broker_id) == nullptr) {
    return refused(ErrorCode::broker_id_not_registered,
                   fmt::format("Broker ID {} is not currently registered", event.broker_id));
  }
  Image::Cluster& cluster = change_cluster();
  cluster.brokers.erase(event.broker_id);
  cluster.fenced.erase(event.broker_id);
  delta_.brokers.push_back(event.broker_id);
  return accepted();
}

ApplyResult ImageBuilder::on(const BrokerFenced& event) {
  if (next_->broker(event.broker_id) == nullptr) {
    return refused(ErrorCode::broker_id_not_registered,
                   fmt::format("Broker ID {} is not currently registered", event.broker_id));
  }
  if (next_->is_fenced(event.broker_id) == event.fenced) return accepted();
  Image::Cluster& cluster = change_cluster();
  if (event.fenced) {
    cluster.fenced.insert(event.broker_id);
  } else {
    cluster.fenced.erase(event.broker_id);
  }
  delta_.brokers.push_back(event.broker_id);
  return accepted();
}

ApplyResult ImageBuilder::on(const TopicCreated& event) {
  if (auto why = refuse_topic_name(event.name)) {
    return refused(ErrorCode::invalid_topic_exception, std::move(*why));
  }
  if (next_->topics_by_name_.contains(event.name)) {
    return refused(ErrorCode::topic_already_exists,
                   fmt::format("Topic '{}' already exists.", event.name));
  }
  if (has_collision_char(event.name)) {
    if (const Topic* other = next_->colliding_topic(event.name)) {
      return refused(
          ErrorCode::invalid_topic_exception,
          fmt::format("Topic '{}' collides with existing topic: {}", event.name, other->name));
    }
  }
  if (event.topic_id.is_zero() || next_->topics_by_id_.contains(event.topic_id)) {
    return refused(ErrorCode::invalid_request,
                   fmt::format("Topic id {} is zero or in use.", event.topic_id.to_string()));
  }
  if (event.partitions.empty()) {
    return refused(ErrorCode::invalid_partitions, "A topic needs at least one partition.");
  }
  auto topic = std::make_shared<Topic>();
  ApplyResult result = append_partitions(event.partitions, topic->partitions);
  if (!result.ok()) return result;
  topic->id = event.topic_id;
  topic->name = event.name;
  topic->internal = event.internal;
  topic->created_ms = event.created_ms;
  for (const TopicCreated::Config& config : event.configs) {
    topic->configs.set(config.name, config.value);
  }
  if (deleted_topics_.contains(event.topic_id)) drop_offsets_of_deleted_topics();
  next_->partition_count_ += topic->partitions.size();
  put_topic(std::move(topic));
  return accepted();
}

void ImageBuilder::put_topic(std::shared_ptr<const Topic> topic) {
  touched_topics_.push_back(topic->id);
  next_->topics_by_name_.put(topic);
  if (has_collision_char(topic->name)) next_->topics_by_collision_.put(topic);
  next_->topics_by_id_.put(std::move(topic));
}

ApplyResult ImageBuilder::on(const TopicDeleted& event) {
  const std::shared_ptr<const Topic> topic = next_->shared_topic(event.topic_id);
  if (topic == nullptr) return refused_topic_id(event.topic_id, event.name);
  next_->topics_by_name_.erase(topic->name);
  if (has_collision_char(topic->name)) {
    next_->topics_by_collision_.erase(Image::CollisionName{topic->name});
  }
  next_->topics_by_id_.erase(topic->id);
  next_->partition_count_ -= topic->partitions.size();
  touched_topics_.push_back(topic->id);
  deleted_topics_[topic->id] = topic->partition_count();
  return accepted();
}

ApplyResult ImageBuilder::on(const PartitionsAdded& event) {
  const std::shared_ptr<const Topic> topic = next_->shared_topic(event.topic_id);
  if (topic == nullptr) return refused_topic_id(event.topic_id, event.name);
  const auto present = static_cast<std::int64_t>(topic->partitions.size());
  if (event.partitions.empty() || event.partitions.front().partition_index != present) {
    const std::int64_t wanted =
        event.partitions.empty() ? present : event.partitions.back().partition_index + 1LL;
    return refused(ErrorCode::invalid_partitions,
                   wanted == present
                       ? fmt::format("Topic already has {} partition(s).", present)
                       : fmt::format("The topic {} currently has {} partition(s); {} would not be "
                                     "an increase.",
                                     topic->name, present, wanted));
  }
  auto changed = std::make_shared<Topic>(*topic);
  ApplyResult result = append_partitions(event.partitions, changed->partitions);
  if (!result.ok()) return result;
  next_->partition_count_ += event.partitions.size();
  put_topic(std::move(changed));
  return accepted();
}

ApplyResult ImageBuilder::on(const PartitionGroupFounded& event) {
  const std::shared_ptr<const Topic> topic = next_->shared_topic(event.topic_id);
  if (topic == nullptr) return refused_topic_id(event.topic_id, event.name);
  const PartitionId index = event.partition_index;
  if (!topic->has_partition(index)) return refused_partition(*topic, index);
  auto changed = std::make_shared<Topic>(*topic);
  Partition& partition = changed->partitions[static_cast<std::size_t>(index)];
  const bool has_log = partition.replicas == std::vector<BrokerId>{event.founder};
  if (partition.has_group() || !has_log || event.directory.is_zero()) {
    return refused(
        ErrorCode::invalid_request,
        fmt::format("Broker {} cannot found a group for partition {} of {} (replicas [{}]): it was "
                    "changed meanwhile.",
                    event.founder, index, topic->name, fmt::join(partition.replicas, ", ")));
  }
  partition.directories = {event.directory};
  put_topic(std::move(changed));
  return accepted();
}

ApplyResult ImageBuilder::on(const PartitionReplicasChanged& event) {
  const std::shared_ptr<const Topic> topic = next_->shared_topic(event.topic_id);
  if (topic == nullptr) return refused_topic_id(event.topic_id, event.name);
  const PartitionId index = event.partition_index;
  if (!topic->has_partition(index)) return refused_partition(*topic, index);
  if (ApplyResult result = check_replicas(index, event.replicas); !result.ok()) return result;
  auto changed = std::make_shared<Topic>(*topic);
  Partition& partition = changed->partitions[static_cast<std::size_t>(index)];
  if (!partition.has_group() || partition.replicas != event.before) {
    return refused(ErrorCode::invalid_request,
                   fmt::format("Partition {} of {} has the replicas [{}], not [{}]: it was changed "
                               "meanwhile.",
                               index, topic->name, fmt::join(partition.replicas, ", "),
                               fmt::join(event.before, ", ")));
  }
  partition.reassign(event.replicas, event.adding, event.removing);
  put_topic(std::move(changed));
  return accepted();
}

ApplyResult ImageBuilder::on(const PartitionRecovered& event) {
  const std::shared_ptr<const Topic> topic = next_->shared_topic(event.topic_id);
  if (topic == nullptr) return refused_topic_id(event.topic_id, event.name);
  const PartitionId index = event.partition_index;
  if (!topic->has_partition(index)) return refused_partition(*topic, index);
  auto changed = std::make_shared<Topic>(*topic);
  Partition& partition = changed->partitions[static_cast<std::size_t>(index)];
  const Recovery& before = partition.recovery;
  const bool is_next = before.number < std::numeric_limits<std::int32_t>::max() &&
                       event.recovery == before.number + 1 && event.term > before.term;
  if (!partition.has_group() || !is_next || event.directory.is_zero() ||
      !contains(partition.replicas, event.survivor)) {
    return refused(
        ErrorCode::invalid_request,
        fmt::format("Partition {} of {} (replicas [{}], recovery {}) cannot go on with broker {} "
                    "as recovery {}: it was changed meanwhile.",
                    index, topic->name, fmt::join(partition.replicas, ", "), before.number,
                    event.survivor, event.recovery));
  }
  partition.recovery = {event.recovery, event.survivor, event.directory, event.term};
  put_topic(std::move(changed));
  return accepted();
}

ApplyResult ImageBuilder::on(const TopicConfigChanged& event) {
  const std::shared_ptr<const Topic> topic = next_->shared_topic(event.topic_id);
  if (topic == nullptr) return refused_topic_id(event.topic_id, event.name);
  auto changed = std::make_shared<Topic>(*topic);
  change_configs(changed->configs, event.replace, event.changes);
  put_topic(std::move(changed));
  return accepted();
}

ApplyResult ImageBuilder::on(const ConfigChanged& event) {
  // Numbers this build has no name for are kept all the same: nodes of different versions must not
  // come to different images.
  if (event.resource_type == topic_resource_type) {
    return refused(ErrorCode::invalid_request, "Configs of a topic change by its topic id.");
  }
  Image::ConfigSet set{{static_cast<ConfigResourceType>(event.resource_type), event.resource_name},
                       {}};
  const auto key = Image::ConfigByResource::key(set);
  if (const Image::ConfigSet* present = next_->configs_.find(key)) set.configs = present->configs;
  change_configs(set.configs, event.replace, event.changes);
  delta_.configs.push_back(set.resource);
  if (set.configs.empty()) {
    next_->configs_.erase(key);
  } else {
    next_->configs_.put(std::move(set));
  }
  return accepted();
}

ApplyResult ImageBuilder::on(const GroupUpdated& event) {
  auto state = std::make_shared<const GroupUpdated>(event);
  if (Group* group = next_->groups_.find_mutable(event.group_id)) {
    group->state = std::move(state);
  } else {
    next_->groups_.put(Group{event.group_id, std::move(state), {}});
  }
  delta_.groups.push_back(event.group_id);
  return accepted();
}

ApplyResult ImageBuilder::on(const GroupDeleted& event) {
  drop_offsets_of_deleted_topics();
  const Group* group = next_->group(event.group_id);
  if (group == nullptr) {
    return refused(ErrorCode::group_id_not_found,
                   fmt::format("Group {} not found.", event.group_id));
  }
  if (group->state != nullptr && !group->state->members.empty()) {
    return refused(ErrorCode::non_empty_group,
                   fmt::format("Group {} is not empty: it has {} member(s).", event.group_id,
                               group->state->members.size()));
  }
  delta_.offsets |= !group->offsets.empty();
  next_->offset_count_ -= group->offsets.size();
  next_->groups_.erase(event.group_id);
  delta_.groups.push_back(event.group_id);
  return accepted();
}

ApplyResult ImageBuilder::on(const OffsetsCommitted& event) {
  ApplyResult result;
  Group* group = nullptr;
  std::size_t index = 0;
  for (const OffsetsCommitted::Topic& from : event.topics) {
    const Topic* topic = next_->topic(from.topic_id);
    for (const OffsetsCommitted::Partition& position : from.partitions) {
      if (topic == nullptr || !topic->has_partition(position.partition_index)) {
        result.rejected.push_back({index++, ErrorCode::unknown_topic_or_partition});
        continue;
      }
      ++index;
      if (group == nullptr) {
        group = next_->groups_.find_mutable(event.group_id);
        if (group == nullptr) {
          next_->groups_.put(Group{event.group_id, nullptr, {}});
          group = next_->groups_.find_mutable(event.group_id);
        }
      }
      const std::size_t before = group->offsets.size();
      group->offsets.set(from.topic_id, {position.committed_offset, position.partition_index,
                                         position.committed_leader_epoch, position.commit_time_ms,
                                         position.expire_time_ms, position.metadata});
      next_->offset_count_ += group->offsets.size() - before;
    }
  }
  delta_.offsets |= group != nullptr;
  return result;
}

ApplyResult ImageBuilder::on(const OffsetsDeleted& event) {
  drop_offsets_of_deleted_topics();
  if (!next_->groups_.contains(event.group_id)) {
    return refused(ErrorCode::group_id_not_found,
                   fmt::format("Group {} not found.", event.group_id));
  }
  Group* group = next_->groups_.find_mutable(event.group_id);
  for (const OffsetsDeleted::Topic& topic : event.topics) {
    for (const PartitionId partition : topic.partitions) {
      if (partition < 0 || !group->offsets.erase(topic.topic_id, partition)) continue;
      --next_->offset_count_;
      delta_.offsets = true;
    }
  }
  drop_group_if_empty(event.group_id);
  return accepted();
}

ApplyResult ImageBuilder::on(const ProducerIdsAllocated& event) {
  const ProducerId first = next_->next_producer_id_;
  if (event.block_size < 1 || event.block_size > std::numeric_limits<ProducerId>::max() - first) {
    return refused(ErrorCode::invalid_request,
                   fmt::format("A block of {} producer ids cannot be taken from {} on.",
                               event.block_size, first));
  }
  next_->next_producer_id_ += event.block_size;
  delta_.producer_ids = true;
  ApplyResult result;
  result.producer_id_first = first;
  return result;
}

void ImageBuilder::drop_group_if_empty(std::string_view group_id) {
  const Group* group = next_->group(group_id);
  if (group == nullptr || group->state != nullptr || !group->offsets.empty()) return;
  delta_.groups.emplace_back(group_id);
  next_->groups_.erase(group_id);
}

void ImageBuilder::drop_offsets_of_deleted_topics() {
  if (deleted_topics_.empty()) return;
  const auto deleted = std::exchange(deleted_topics_, {});
  // Whichever is fewer, the group's offsets or the deleted topics, is looked up in the other.
  std::vector<std::pair<std::string, std::vector<Uuid>>> found;
  next_->for_each_group([&](const Group& group) {
    std::unordered_set<Uuid> topics;
    if (group.offsets.size() < deleted.size()) {
      group.offsets.for_each([&](const Uuid& topic_id, const CommittedOffset&) {
        if (deleted.contains(topic_id)) topics.insert(topic_id);
      });
    } else {
      for (const auto& [topic_id, partitions] : deleted) {
        if (group.offsets.has_topic(topic_id, partitions)) topics.insert(topic_id);
      }
    }
    if (!topics.empty())
      found.emplace_back(group.id, std::vector<Uuid>(topics.begin(), topics.end()));
  });
  for (const auto& [group_id, topics] : found) {
    Group* group = next_->groups_.find_mutable(group_id);
    for (const Uuid& topic_id : topics) {
      next_->offset_count_ -= group->offsets.erase_topic(topic_id, deleted.at(topic_id));
    }
    drop_group_if_empty(group_id);
    delta_.offsets = true;
  }
}

std::vector<TopicChange> ImageBuilder::topic_changes() const {
  std::vector<TopicChange> changes;
  std::unordered_set<Uuid> seen;
  for (const Uuid& id : touched_topics_) {
    if (!seen.insert(id).second) continue;
    TopicChange change{base_->shared_topic(id), next_->shared_topic(id)};
    if (change.before != change.after) changes.push_back(std::move(change));
  }
  return changes;
}

std::pair<std::shared_ptr<const Image>, ApplyResult> apply_event(std::shared_ptr<const Image> image,
                                                                 const MetadataEvent& event) {
  ImageBuilder builder(std::move(image));
  ApplyResult result = builder.apply(event);
  return {builder.finish().image, std::move(result)};
}

}  // namespace chronik::metadata
