// Events for tests and the crash program: short ways to write them, and random ones.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "metadata/events.h"

namespace chronik::metadata {

/// A topic id that is readable in a failure: all zeros but for `number`.
Uuid topic_id(std::uint64_t number);

TopicCreated topic_created(std::uint64_t number, std::string name, int partitions = 1);
TopicDeleted topic_deleted(std::uint64_t number, std::string name);
OffsetsCommitted offset_committed(std::string group, std::uint64_t topic_number,
                                  PartitionId partition, Offset offset);
GroupUpdated group_updated(std::string group, int members, std::int32_t generation = 1);

/// Draws events that fit together often enough to change things and clash often enough to be
/// refused: few names, ids that exist, partitions that follow.
class EventSource {
 public:
  explicit EventSource(std::uint64_t seed) : random_(seed) {}

  MetadataEvent next();
  std::vector<MetadataEvent> batch(std::size_t events_max);
  Random& random() { return random_; }

 private:
  std::string topic_name();
  std::string group_name();
  std::uint64_t some_topic();
  MetadataEvent topic_event();
  MetadataEvent group_event();
  MetadataEvent cluster_event();

  Random random_;
  std::vector<std::pair<std::uint64_t, std::string>> topics_;  // proposed, oldest first
  std::uint64_t last_topic_ = 0;
  Timestamp now_ = 1'700'000'000'000;
};

}  // namespace chronik::metadata
