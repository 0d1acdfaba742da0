#include "broker/topic_follower.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace chronik::broker {

namespace {

struct Change {
  std::shared_ptr<const metadata::Image> image;
  std::vector<metadata::TopicChange> topics;
  bool broker_configs = false;
};

void take_over(ShardData& data, const Change& change) {
  for (const metadata::TopicChange& topic : change.topics) data.partitions.on_topic_change(topic);
  if (change.broker_configs) data.partitions.refresh_settings(*change.image);
}

}  // namespace

void TopicFollower::on_image(const std::shared_ptr<const metadata::Image>&,
                             const std::shared_ptr<const metadata::Image>& after,
                             const metadata::MetadataDelta& delta) {
  if (delta.topics.empty() && delta.configs.empty()) return;
  auto change = std::make_shared<Change>();
  change->image = after;
  change->topics = delta.topics;
  change->broker_configs = std::any_of(
      delta.configs.begin(), delta.configs.end(), [](const metadata::ConfigResource& resource) {
        return resource.type == metadata::ConfigResourceType::broker;
      });
  for (const std::unique_ptr<ShardData>& data : broker_.shard_data) {
    if (data->shard.is_current()) {
      take_over(*data, *change);
    } else {
      data->shard.post([data = data.get(), change] { take_over(*data, *change); });
    }
  }
}

}  // namespace chronik::broker
