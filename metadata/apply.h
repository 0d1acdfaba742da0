// Apply: what an event means. Pure and deterministic: no clock, no random, no I/O; equal images and
// equal events give equal images and equal results on every node, today and at every replay. All
// truth about an event is decided here (AlreadyExists, NotFound, ...), whatever its proposer has
// checked before; nothing in an event, however odd, ends the process.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "metadata/events.h"
#include "metadata/image.h"
#include "metadata/metadata_store.h"

namespace chronik::metadata {

/// Why a topic may not have this name, in Kafka's words, or nothing. Shape only: whether the name
/// is taken is apply's to say.
std::optional<std::string> refuse_topic_name(std::string_view name);

/// Makes the next image from one before. Not thread safe; one use: apply() any number of times,
/// then finish(). The image it starts from is never changed.
class ImageBuilder {
 public:
  /// Precondition: base is not null.
  explicit ImageBuilder(std::shared_ptr<const Image> base);
  ~ImageBuilder();
  ImageBuilder(const ImageBuilder&) = delete;
  ImageBuilder& operator=(const ImageBuilder&) = delete;

  ApplyResult apply(const MetadataEvent& event);
  /// The log position that finish()'s image will carry.
  void set_applied(EntryIndex index, Offset next_offset);

  struct Built {
    std::shared_ptr<const Image> image;
    MetadataDelta delta;
  };
  Built finish();

 private:
  ApplyResult on(const ClusterCreated& event);
  ApplyResult on(const FeatureLevelChanged& event);
  ApplyResult on(const BrokerRegistered& event);
  ApplyResult on(const BrokerRemoved& event);
  ApplyResult on(const BrokerFenced& event);
  ApplyResult on(const TopicCreated& event);
  ApplyResult on(const TopicDeleted& event);
  ApplyResult on(const PartitionsAdded& event);
  ApplyResult on(const PartitionGroupFounded& event);
  ApplyResult on(const PartitionReplicasChanged& event);
  ApplyResult on(const PartitionRecovered& event);
  ApplyResult on(const TopicConfigChanged& event);
  ApplyResult on(const ConfigChanged& event);
  ApplyResult on(const GroupUpdated& event);
  ApplyResult on(const GroupDeleted& event);
  ApplyResult on(const OffsetsCommitted& event);
  ApplyResult on(const OffsetsDeleted& event);
  ApplyResult on(const ProducerIdsAllocated& event);

  Image::Cluster& change_cluster();
  void put_topic(std::shared_ptr<const Topic> topic);
  void drop_group_if_empty(std::string_view group_id);
  void drop_offsets_of_deleted_topics();
  std::vector<TopicChange> topic_changes() const;

  const std::shared_ptr<const Image> base_;
  const std::shared_ptr<Image> next_;
  std::shared_ptr<Image::Cluster> cluster_;  // null until something in it changes
  MetadataDelta delta_;
  std::vector<Uuid> touched_topics_;
  // Whose committed offsets are still to be dropped: id and partition count.
  std::unordered_map<Uuid, PartitionId> deleted_topics_;
};

/// One event on one image; for tests, and to ask beforehand whether an event would be refused.
std::pair<std::shared_ptr<const Image>, ApplyResult> apply_event(std::shared_ptr<const Image> image,
                                                                 const MetadataEvent& event);

}  // namespace chronik::metadata
