#include "metadata/event_source.h"

#include "base/coding.h"

namespace chronik::metadata {

namespace {

constexpr std::uint64_t topic_names = 40;
constexpr std::uint64_t group_names = 12;

}  // namespace

Uuid topic_id(std::uint64_t number) {
  Uuid id;
  id.bytes[0] = 1;
  store_be(id.bytes.data() + 8, number);
  return id;
}

TopicCreated topic_created(std::uint64_t number, std::string name, int partitions) {
  TopicCreated event;
  event.topic_id = topic_id(number);
  event.name = std::move(name);
  event.created_ms = 1'700'000'000'000;
  for (int i = 0; i < partitions; ++i) event.partitions.push_back({i, {1}, 1, 0});
  return event;
}

TopicDeleted topic_deleted(std::uint64_t number, std::string name) {
  return {topic_id(number), std::move(name)};
}

OffsetsCommitted offset_committed(std::string group, std::uint64_t topic_number,
                                  PartitionId partition, Offset offset) {
  OffsetsCommitted event;
  event.group_id = std::move(group);
  event.topics.push_back({topic_id(topic_number), "", {}});
  event.topics[0].partitions.push_back({partition, offset, 0, 1'700'000'000'000, -1, ""});
  return event;
}

GroupUpdated group_updated(std::string group, int members, std::int32_t generation) {
  GroupUpdated event;
  event.group_id = std::move(group);
  event.protocol_type = "consumer";
  event.generation = generation;
  event.state_timestamp_ms = 1'700'000'000'000;
  for (int i = 0; i < members; ++i) {
    GroupUpdated::Member member;
    member.member_id = "member-" + std::to_string(i);
    member.client_id = "client";
    member.client_host = "/127.0.0.1";
    member.session_timeout_ms = 45'000;
    member.rebalance_timeout_ms = 300'000;
    member.protocols.push_back({"range", {1, 2, 3}});
    member.assignment = {4, 5};
    event.members.push_back(std::move(member));
  }
  if (members > 0) {
    event.protocol_name = "range";
    event.leader = event.members[0].member_id;
  }
  return event;
}

Bytes EventSource::some_bytes(std::uint64_t size_max) {
  Bytes bytes(below(size_max + 1));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(draw_());
  return bytes;
}

template <class Partition>
std::vector<Partition> EventSource::partitions_from(PartitionId first, std::uint64_t count) {
  std::vector<Partition> partitions(count);
  for (std::size_t i = 0; i < count; ++i) {
    partitions[i].partition_index = first + static_cast<PartitionId>(i);
    partitions[i].replicas = {1};
    if (one_in(3)) {
      partitions[i].replicas.push_back(2);
      partitions[i].directories = {topic_id(1), topic_id(2)};
    }
    // Now and then an assignment that apply must refuse.
    if (one_in(200)) partitions[i].replicas.push_back(1);
    partitions[i].leader = partitions[i].replicas.front();
    partitions[i].leader_epoch = static_cast<LeaderEpoch>(below(3));
  }
  return partitions;
}

template <class Change>
std::vector<Change> EventSource::config_changes() {
  static const char* const names[] = {"retention.ms", "cleanup.policy", "segment.bytes", "x"};
  std::vector<Change> changes(below(4));
  for (Change& change : changes) {
    change.name = names[below(4)];
    if (!one_in(3)) change.value = std::to_string(below(1000));
  }
  return changes;
}

std::vector<MetadataEvent> EventSource::batch(std::size_t events_max) {
  std::vector<MetadataEvent> events(1 + below(events_max));
  for (MetadataEvent& event : events) event = next();
  return events;
}

MetadataEvent EventSource::next() {
  now_ += static_cast<Timestamp>(below(50));
  const std::uint64_t kind = below(100);
  if (kind < 35) return topic_event();
  if (kind < 90) return group_event();
  return cluster_event();
}

std::string EventSource::topic_name() {
  static const char* const separators[] = {"-", ".", "_"};
  // Some names collide in '.' and '_', few are not allowed.
  if (one_in(100)) return one_in(2) ? "no/slash" : "";
  return std::string("topic") + separators[below(3)] + std::to_string(below(topic_names));
}

std::string EventSource::group_name() { return "group-" + std::to_string(below(group_names)); }

std::uint64_t EventSource::some_topic() {
  if (topics_.empty() || one_in(30)) return 1 + below(last_topic_ + 2);
  return topics_[below(topics_.size())].first;
}

MetadataEvent EventSource::topic_event() {
  const std::uint64_t number = some_topic();
  switch (below(9)) {
    case 0:
    case 1: {
      TopicCreated event = topic_created(++last_topic_, topic_name(), 0);
      event.created_ms = now_;
      event.internal = one_in(10);
      event.partitions = partitions_from<TopicCreated::Partition>(0, below(40));
      if (one_in(2)) event.configs.push_back({"retention.ms", "1000"});
      topics_.emplace_back(last_topic_, event.name);
      if (topics_.size() > 60) topics_.erase(topics_.begin());
      return event;
    }
    case 2:
      return topic_deleted(number, "");
    case 3: {
      PartitionsAdded event{topic_id(number), "", {}};
      event.partitions = partitions_from<PartitionsAdded::Partition>(
          static_cast<PartitionId>(below(40)), 1 + below(3));
      return event;
    }
    case 5: {
      PartitionGroupFounded event{topic_id(number), "", 0, 1, topic_id(7)};
      event.partition_index = static_cast<PartitionId>(below(8));
      return event;
    }
    case 6: {
      PartitionRecovered event{topic_id(number), "", 0, 0, 1, topic_id(7), 0, 0, {}, now_};
      event.partition_index = static_cast<PartitionId>(below(8));
      event.recovery = 1 + static_cast<std::int32_t>(below(2));
      event.term = static_cast<LeaderEpoch>(below(10));
      return event;
    }
    case 4: {
      PartitionReplicasChanged event{topic_id(number), "", 0, {}, {}, {}, {}};
      event.partition_index = static_cast<PartitionId>(below(8));
      event.before = one_in(2) ? std::vector<BrokerId>{1} : std::vector<BrokerId>{1, 2, 3};
      event.replicas = {1, 2, 3};
      if (one_in(2)) event.adding = {3};
      if (one_in(2)) event.removing = {1};
      return event;
    }
    default:
      return TopicConfigChanged{topic_id(number), "", one_in(4),
                                config_changes<TopicConfigChanged::Change>()};
  }
}

MetadataEvent EventSource::group_event() {
  const std::uint64_t kind = below(20);
  if (kind == 0) return GroupDeleted{group_name()};
  if (kind == 1) {
    OffsetsDeleted event{group_name(), {{topic_id(some_topic()), "", {}}}};
    for (int i = 0; i < 5; ++i) {
      event.topics[0].partitions.push_back(static_cast<PartitionId>(below(40)));
    }
    return event;
  }
  if (kind < 6) {
    GroupUpdated event = group_updated(group_name(), static_cast<int>(below(4)),
                                       static_cast<std::int32_t>(below(100)));
    event.state_timestamp_ms = now_;
    for (GroupUpdated::Member& member : event.members) {
      if (one_in(2)) member.group_instance_id = member.member_id + "-static";
      member.assignment = some_bytes(30);
    }
    return event;
  }
  OffsetsCommitted event{group_name(), {}};
  for (std::uint64_t topics = 1 + below(3); topics > 0; --topics) {
    OffsetsCommitted::Topic topic{topic_id(some_topic()), "", {}};
    for (std::uint64_t count = below(5); count > 0; --count) {
      OffsetsCommitted::Partition partition;
      partition.partition_index = static_cast<PartitionId>(below(45)) - 1;
      partition.committed_offset = static_cast<Offset>(below(1'000'000));
      partition.committed_leader_epoch = static_cast<LeaderEpoch>(below(4)) - 1;
      partition.commit_time_ms = now_;
      if (one_in(8)) partition.expire_time_ms = now_ + 1000;
      if (one_in(4)) partition.metadata = "m" + std::to_string(below(100));
      topic.partitions.push_back(std::move(partition));
    }
    event.topics.push_back(std::move(topic));
  }
  return event;
}

MetadataEvent EventSource::cluster_event() {
  const auto broker = static_cast<BrokerId>(below(5)) - 1;
  switch (below(7)) {
    case 0:
      return ClusterCreated{one_in(5) ? "another" : "cluster", now_};
    case 1:
      return FeatureLevelChanged{"feature." + std::to_string(below(4)),
                                 static_cast<std::int16_t>(below(4))};
    case 2: {
      BrokerRegistered event{broker, topic_id(draw_()), {}, std::nullopt, now_};
      event.endpoints.push_back({"PLAINTEXT", "localhost", 9092, 0});
      if (one_in(2)) event.rack = "rack-" + std::to_string(below(3));
      return event;
    }
    case 3:
      return BrokerRemoved{broker};
    case 5:
      return BrokerFenced{broker, one_in(2)};
    case 4:
      return ProducerIdsAllocated{broker, static_cast<std::int64_t>(below(1001))};
    default: {
      static constexpr std::int8_t types[] = {2, 4, 16, 32, 99};
      return ConfigChanged{types[below(5)], one_in(2) ? "" : std::to_string(below(3)), one_in(4),
                           config_changes<ConfigChanged::Change>()};
    }
  }
}

}  // namespace chronik::metadata
