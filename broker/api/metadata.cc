#include "broker/api/metadata.h"

#include <set>
#include <utility>
#include <vector>

#include "broker/api/authorized_operations.h"
#include "broker/api/await_leaders.h"
#include "broker/api/placement.h"
#include "broker/api/reachable_brokers.h"
#include "broker/api/replica_lists.h"
#include "broker/api/topic_creation.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "metadata/apply.h"
#include "protocol/errors.h"

namespace chronik::broker {

using metadata::Image;
using metadata::Topic;
using protocol::ErrorCode;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using TopicInfo = MetadataResponse::MetadataResponseTopic;

namespace {

constexpr std::int16_t null_means_all_since = 1;
constexpr std::int16_t lookup_by_id_since = 12;
// Less than a client's patience, and more than an election takes whose leader's connections ended.
constexpr milliseconds leader_wait{500};

bool wants_all(const RequestContext& context, const MetadataRequest& request) {
  if (context.version() < null_means_all_since) return !request.topics || request.topics->empty();
  return !request.topics;
}

TopicInfo describe(const Topic& topic, const MetadataView& view) {
  TopicInfo info;
  info.name = topic.name;
  info.topic_id = topic.id;
  info.is_internal = topic.internal;
  info.partitions.reserve(topic.partitions.size());
  PartitionId index = 0;
  for (const metadata::Partition& partition : topic.partitions) {
    MetadataResponse::MetadataResponsePartition& out = info.partitions.emplace_back();
    const PartitionLeader leader = view.leader_of(topic, index);
    out.partition_index = index++;
    out.leader_id = leader.leader;
    out.leader_epoch = leader.epoch;
    out.replica_nodes = partition.replicas;
    out.isr_nodes = in_sync_replicas(view, partition, leader);
    out.offline_replicas = offline_replicas(view, partition);
    if (leader.leader < 0) {
      out.error_code = static_cast<std::int16_t>(ErrorCode::leader_not_available);
    }
  }
  return info;
}

TopicInfo failed(std::optional<std::string> name, const Uuid& id, ErrorCode code) {
  TopicInfo info;
  info.error_code = static_cast<std::int16_t>(code);
  info.name = std::move(name);
  info.topic_id = id;
  return info;
}

TopicInfo look_up(const Image& image, const MetadataView& view,
                  const MetadataRequest::MetadataRequestTopic& wanted) {
  if (!wanted.name) {
    const Topic* topic = image.topic(wanted.topic_id);
    if (topic != nullptr) return describe(*topic, view);
    return failed(std::nullopt, wanted.topic_id, ErrorCode::unknown_topic_id);
  }
  const Topic* topic = image.topic(*wanted.name);
  if (topic != nullptr) return describe(*topic, view);
  const bool valid = !metadata::refuse_topic_name(*wanted.name);
  return failed(wanted.name, {},
                valid ? ErrorCode::unknown_topic_or_partition : ErrorCode::invalid_topic_exception);
}

/// Kafka refuses the whole request when a topic is named by its id before version 12.
bool names_are_usable(const RequestContext& context, const MetadataRequest& request) {
  if (context.version() >= lookup_by_id_since || !request.topics) return true;
  for (const auto& topic : *request.topics) {
    if (!topic.name || !topic.topic_id.is_zero()) return false;
  }
  return true;
}

std::vector<Uuid> ids_of(const MetadataRequest& request, const Image& image) {
  std::vector<Uuid> ids;
  for (const auto& wanted : *request.topics) {
    const Topic* topic = wanted.name ? image.topic(*wanted.name) : image.topic(wanted.topic_id);
    if (topic != nullptr) ids.push_back(topic->id);
  }
  return ids;
}

std::vector<metadata::MetadataEvent> plan_missing(RequestContext& context,
                                                  const MetadataRequest& request,
                                                  const Image& image, const LiveConfig& config) {
  const std::vector<PlacementBroker> brokers = brokers_for_placement(context.broker());
  CreationContext creation{config, brokers, context.shard().random(),
                           context.broker().clock->now_ms()};
  std::vector<metadata::MetadataEvent> events;
  std::set<std::string_view> seen;
  for (const auto& topic : *request.topics) {
    if (!topic.name || image.topic(*topic.name) != nullptr) continue;
    if (!seen.insert(*topic.name).second) continue;
    auto planned = plan_default_topic(*topic.name, creation);
    if (auto* created = std::get_if<metadata::TopicCreated>(&planned)) {
      events.emplace_back(std::move(*created));
    }
  }
  return events;
}

MetadataResponse describe_cluster_part(RequestContext& context, const MetadataRequest& request) {
  MetadataResponse response;
  for (ReachableBroker& broker : listed_brokers(context)) {
    MetadataResponse::MetadataResponseBroker& out = response.brokers.emplace_back();
    out.node_id = broker.id;
    out.host = std::move(broker.host);
    out.port = broker.port;
    out.rack = std::move(broker.rack);
  }
  response.cluster_id = context.broker().node.cluster_id;
  response.controller_id = controller(context);
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = all_cluster_operations;
  }
  return response;
}

}  // namespace

Task<MetadataResponse> metadata_request(RequestContext& context, MetadataRequest request) {
  MetadataView& view = *context.broker().metadata;
  if (!names_are_usable(context, request)) {
    // There is no top-level error in these versions; each topic says it.
    MetadataResponse response = describe_cluster_part(context, request);
    for (const auto& topic : *request.topics) {
      response.topics.push_back(
          failed(topic.name.value_or(std::string()), topic.topic_id, ErrorCode::invalid_request));
    }
    co_return response;
  }

  const bool all = wants_all(context, request);
  const std::shared_ptr<const LiveConfig> config = context.broker().settings->current();
  if (!all && request.allow_auto_topic_creation && config->settings.auto_create_topics_enable) {
    auto events = plan_missing(context, request, *view.image(), *config);
    if (!events.empty()) {
      // Whatever becomes of it, the image says it afterwards.
      Task<Result<metadata::ApplyResults>> proposal = view.propose(std::move(events));
      const Result<metadata::ApplyResults> ignored = co_await std::move(proposal);
    }
  }

  // Told that nobody leads, librdkafka asks again after a second. So whoever asks while a leader is
  // replaced waits for the new one.
  if (!all && view.has_lost_leader_lately()) {
    Task<void> led = await_leaders(context, ids_of(request, *view.image()), leader_wait);
    co_await std::move(led);
  }

  MetadataResponse response = describe_cluster_part(context, request);
  const std::shared_ptr<const Image> image = view.image();
  if (all) {
    response.topics.reserve(image->topic_count());
    image->for_each_topic([&](const std::shared_ptr<const Topic>& topic) {
      response.topics.push_back(describe(*topic, view));
    });
  } else {
    for (const auto& topic : *request.topics)
      response.topics.push_back(look_up(*image, view, topic));
  }
  if (request.include_topic_authorized_operations) {
    for (TopicInfo& topic : response.topics) {
      topic.topic_authorized_operations = all_topic_operations;
    }
  }
  co_return response;
}

}  // namespace chronik::broker
