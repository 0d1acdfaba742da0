// Events for tests and the crash program: short ways to write them, and random ones.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

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
/// refused: few names, ids that exist, partitions that follow. Equal draws, equal events.
class EventSource {
 public:
  /// `draw` gives random 64-bit numbers.
  explicit EventSource(std::function<std::uint64_t()> draw) : draw_(std::move(draw)) {}

  MetadataEvent next();
  std::vector<MetadataEvent> batch(std::size_t events_max);

 private:
  std::uint64_t below(std::uint64_t bound) { return draw_() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  Bytes some_bytes(std::uint64_t size_max);
  template <class Partition>
  std::vector<Partition> partitions_from(PartitionId first, std::uint64_t count);
  template <class Change>
  std::vector<Change> config_changes();
  std::string topic_name();
  std::string group_name();
  std::uint64_t some_topic();
  MetadataEvent topic_event();
  MetadataEvent group_event();
  MetadataEvent cluster_event();

  const std::function<std::uint64_t()> draw_;
  std::vector<std::pair<std::uint64_t, std::string>> topics_;  // proposed, oldest first
  std::uint64_t last_topic_ = 0;
  Timestamp now_ = 1'700'000'000'000;
};

}  // namespace chronik::metadata
