#include "metadata/image_events.h"

#include <algorithm>
#include <vector>

#include "base/coding.h"
#include "metadata/event_codec.h"
#include "metadata/stream_hash.h"

namespace chronik::metadata {

namespace {
// One event stays small whatever a group has committed.
constexpr std::size_t offsets_per_event = 256;
}  // namespace

ImageEvents::ImageEvents(std::shared_ptr<const Image> image)
    : image_(std::move(image)),
      feature_(image_->features().begin()),
      broker_(image_->brokers().begin()),
      fenced_(image_->cluster_->fenced.begin()),
      configs_(image_->configs_),
      topics_(image_->topics_by_id_),
      groups_(image_->groups_) {}

std::optional<MetadataEvent> ImageEvents::next() {
  while (stage_ != Stage::end) {
    if (auto event = next_of_stage()) return event;
    stage_ = static_cast<Stage>(static_cast<int>(stage_) + 1);
  }
  return std::nullopt;
}

std::optional<MetadataEvent> ImageEvents::next_of_stage() {
  switch (stage_) {
    case Stage::cluster:
      return cluster();
    case Stage::features:
      return feature();
    case Stage::brokers:
      return broker();
    case Stage::fenced:
      return fenced();
    case Stage::producer_ids:
      return producer_ids();
    case Stage::configs:
      return config();
    case Stage::topics:
      return topic();
    case Stage::groups:
      return group();
    case Stage::end:
      break;
  }
  return std::nullopt;
}

std::optional<MetadataEvent> ImageEvents::cluster() {
  stage_ = Stage::features;
  if (image_->cluster_id().empty()) return feature();
  return ClusterCreated{image_->cluster_id(), image_->cluster_created_ms()};
}

std::optional<MetadataEvent> ImageEvents::feature() {
  if (feature_ == image_->features().end()) return std::nullopt;
  const auto& [name, level] = *feature_++;
  return FeatureLevelChanged{name, level};
}

std::optional<MetadataEvent> ImageEvents::broker() {
  if (broker_ == image_->brokers().end()) return std::nullopt;
  return *(broker_++)->second;
}

std::optional<MetadataEvent> ImageEvents::fenced() {
  if (fenced_ == image_->cluster_->fenced.end()) return std::nullopt;
  return BrokerFenced{*fenced_++, true};
}

std::optional<MetadataEvent> ImageEvents::producer_ids() {
  stage_ = Stage::configs;
  if (image_->next_producer_id() == 0) return config();
  return ProducerIdsAllocated{-1, image_->next_producer_id()};
}

std::optional<MetadataEvent> ImageEvents::config() {
  const Image::ConfigSet* set = configs_.next();
  if (set == nullptr) return std::nullopt;
  ConfigChanged event;
  event.resource_type = static_cast<std::int8_t>(set->resource.type);
  event.resource_name = set->resource.name;
  for (const ConfigMap::Entry& entry : set->configs) {
    event.changes.push_back({entry.name, entry.value});
  }
  return event;
}

std::optional<MetadataEvent> ImageEvents::topic() {
  const std::shared_ptr<const Topic>* next = topics_.next();
  if (next == nullptr) return std::nullopt;
  const Topic& topic = **next;
  TopicCreated event;
  event.topic_id = topic.id;
  event.name = topic.name;
  event.internal = topic.internal;
  event.created_ms = topic.created_ms;
  event.partitions.reserve(topic.partitions.size());
  for (PartitionId index = 0; index < topic.partition_count(); ++index) {
    const Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
    const Recovery& recovery = partition.recovery;
    event.partitions.push_back({index, partition.replicas, partition.leader, partition.leader_epoch,
                                partition.directories, partition.adding, partition.removing,
                                recovery.number, recovery.survivor, recovery.directory,
                                recovery.term});
  }
  for (const ConfigMap::Entry& entry : topic.configs) {
    event.configs.push_back({entry.name, entry.value});
  }
  return event;
}

std::optional<MetadataEvent> ImageEvents::group() {
  for (;;) {
    if (group_ != nullptr) {
      if (auto event = offsets()) return event;
    }
    group_ = groups_.next();
    if (group_ == nullptr) return std::nullopt;
    offsets_.emplace(group_->offsets);
    if (group_->state != nullptr) return *group_->state;
  }
}

std::optional<MetadataEvent> ImageEvents::offsets() {
  OffsetsCommitted event;
  std::size_t count = 0;
  while (count < offsets_per_event) {
    const OffsetTable::Cursor::Neighbours neighbours = offsets_->next();
    if (neighbours.topic_id == nullptr) break;
    OffsetsCommitted::Topic topic;
    topic.topic_id = *neighbours.topic_id;
    for (const CommittedOffset& offset : *neighbours.offsets) {
      topic.partitions.push_back({offset.partition, offset.offset, offset.leader_epoch,
                                  offset.commit_time_ms, offset.expire_time_ms, offset.metadata});
    }
    count += topic.partitions.size();
    event.topics.push_back(std::move(topic));
  }
  if (count == 0) return std::nullopt;
  event.group_id = group_->id;
  return event;
}

std::uint64_t image_hash(std::shared_ptr<const Image> image) {
  StreamHash hash;
  ImageEvents events(std::move(image));
  while (const auto event = events.next()) {
    Writer writer;
    encode_event(writer, *event);
    const Bytes bytes = writer.take_bytes();
    hash.update(bytes);
  }
  return hash.digest();
}

std::string dump_image(std::shared_ptr<const Image> image) {
  std::vector<std::string> lines;
  ImageEvents events(std::move(image));
  while (const auto event = events.next()) lines.push_back(describe_event(*event));
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

}  // namespace chronik::metadata
