#include "metadata/image_difference.h"

#include <set>
#include <utility>

namespace chronik::metadata {

namespace {

void add_topics(const Image& before, const Image& after, MetadataDelta& delta) {
  // Deletions first: a name may have been taken again.
  before.for_each_topic([&](const std::shared_ptr<const Topic>& topic) {
    if (after.topic(topic->id) == nullptr) delta.topics.push_back({topic, nullptr});
  });
  after.for_each_topic([&](const std::shared_ptr<const Topic>& topic) {
    std::shared_ptr<const Topic> old = before.shared_topic(topic->id);
    if (old == nullptr || *old != *topic) delta.topics.push_back({std::move(old), topic});
  });
}

void add_configs(const Image& before, const Image& after, MetadataDelta& delta) {
  before.for_each_config([&](const ConfigResource& resource, const ConfigMap&) {
    if (after.configs(resource.type, resource.name).empty()) delta.configs.push_back(resource);
  });
  after.for_each_config([&](const ConfigResource& resource, const ConfigMap& configs) {
    if (!(before.configs(resource.type, resource.name) == configs)) {
      delta.configs.push_back(resource);
    }
  });
}

bool same_offsets(const OffsetTable& left, const OffsetTable& right) {
  if (left.size() != right.size()) return false;
  bool same = true;
  left.for_each([&](const Uuid& topic, const CommittedOffset& offset) {
    const CommittedOffset* other = right.find(topic, offset.partition);
    same = same && other != nullptr && *other == offset;
  });
  return same;
}

bool same_state(const Group& left, const Group& right) {
  if (left.state == nullptr || right.state == nullptr) return left.state == right.state;
  return *left.state == *right.state;
}

void add_groups(const Image& before, const Image& after, MetadataDelta& delta) {
  before.for_each_group([&](const Group& group) {
    if (after.group(group.id) != nullptr) return;
    delta.groups.push_back(group.id);
    delta.offsets = delta.offsets || !group.offsets.empty();
  });
  after.for_each_group([&](const Group& group) {
    const Group* old = before.group(group.id);
    if (old == nullptr || !same_state(*old, group)) delta.groups.push_back(group.id);
    delta.offsets = delta.offsets || (old == nullptr ? !group.offsets.empty()
                                                     : !same_offsets(old->offsets, group.offsets));
  });
}

void add_brokers(const Image& before, const Image& after, MetadataDelta& delta) {
  std::set<BrokerId> ids;
  for (const auto& [id, broker] : before.brokers()) ids.insert(id);
  for (const auto& [id, broker] : after.brokers()) ids.insert(id);
  for (const BrokerId id : ids) {
    const BrokerRegistered* old = before.broker(id);
    const BrokerRegistered* now = after.broker(id);
    if (old == nullptr || now == nullptr || !(*old == *now) ||
        before.is_fenced(id) != after.is_fenced(id)) {
      delta.brokers.push_back(id);
    }
  }
}

}  // namespace

MetadataDelta difference(const Image& before, const Image& after) {
  MetadataDelta delta;
  add_topics(before, after, delta);
  add_configs(before, after, delta);
  add_groups(before, after, delta);
  add_brokers(before, after, delta);
  delta.features = before.features() != after.features() ||
                   before.cluster_id() != after.cluster_id() ||
                   before.cluster_created_ms() != after.cluster_created_ms();
  delta.producer_ids = before.next_producer_id() != after.next_producer_id();
  return delta;
}

}  // namespace chronik::metadata
