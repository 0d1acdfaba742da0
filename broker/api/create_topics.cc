#include "broker/api/create_topics.h"
#include "broker/api/await_leaders.h"

#include <algorithm>
#include <map>
#include <utility>

#include "broker/api/await_leaders.h"
#include "broker/api/placement.h"
#include "broker/api/proposal_outcome.h"
#include "broker/api/topic_creation.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "broker/settings/describe.h"
#include "metadata/apply.h"

namespace chronik::broker {

using metadata::ApplyResults;
using metadata::MetadataEvent;
using metadata::TopicCreated;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::ErrorCode;
using TopicResult = CreateTopicsResponse::CreatableTopicResult;

namespace {

constexpr std::int16_t configs_since = 5;

void refuse(TopicResult& result, ErrorCode code, const std::string& message) {
  result.error_code = static_cast<std::int16_t>(code);
  result.error_message = message.empty() ? std::string(protocol::error_message(code)) : message;
  result.topic_id = {};
  result.num_partitions = -1;
  result.replication_factor = -1;
  result.configs.emplace();
}

/// What the request asks for: the results so far, and the events of those not refused yet.
struct Plan {
  CreateTopicsResponse response;
  std::vector<MetadataEvent> events;
  std::vector<std::size_t> result_of_event;

  TopicResult& result(std::size_t event) { return response.topics[result_of_event[event]]; }
};

class ConfigList {
 public:
  explicit ConfigList(const ConfigLayers& layers) : describer_(layers, false, false) {}

  /// What the topic's configs will be. Most topics have no overrides: theirs is made once.
  std::vector<CreateTopicsResponse::CreatableTopicConfigs> of(const TopicCreated& topic) {
    if (!topic.configs.empty()) return make(topic);
    if (defaults_.empty()) defaults_ = make(topic);
    return defaults_;
  }

 private:
  std::vector<CreateTopicsResponse::CreatableTopicConfigs> make(const TopicCreated& topic) const {
    metadata::ConfigMap overrides;
    for (const TopicCreated::Config& config : topic.configs)
      overrides.set(config.name, config.value);
    std::vector<CreateTopicsResponse::CreatableTopicConfigs> configs;
    for (ConfigEntry& entry : describer_.describe(overrides)) {
      CreateTopicsResponse::CreatableTopicConfigs config;
      config.name = std::move(entry.name);
      config.value = std::move(entry.value);
      config.read_only = entry.read_only;
      config.config_source = static_cast<std::int8_t>(entry.source);
      config.is_sensitive = entry.sensitive;
      configs.push_back(std::move(config));
    }
    return configs;
  }

  const TopicDescriber describer_;
  std::vector<CreateTopicsResponse::CreatableTopicConfigs> defaults_;
};

Plan make_plan(RequestContext& context, const CreateTopicsRequest& request,
               const LiveConfig& config) {
  const std::vector<PlacementBroker> brokers = brokers_for_placement(context.broker());
  CreationContext creation{config, brokers, context.shard().random(),
                           context.broker().clock->now_ms()};
  std::map<std::string_view, int> times;
  for (const auto& wish : request.topics) ++times[wish.name];
  Plan plan;
  ConfigList configs(config.layers);
  std::int64_t partitions = 0;
  for (const auto& wish : request.topics) {
    int& count = times[wish.name];
    if (count == 0) continue;
    TopicResult& result = plan.response.topics.emplace_back();
    result.name = wish.name;
    result.error_message.reset();
    if (count > 1) {
      count = 0;
      refuse(result, ErrorCode::invalid_request, "Duplicate topic name.");
      continue;
    }
    auto planned = plan_topic(wish, creation);
    if (auto* refusal = std::get_if<Refusal>(&planned)) {
      refuse(result, refusal->code, refusal->message);
      continue;
    }
    auto& topic = std::get<TopicCreated>(planned);
    partitions += static_cast<std::int64_t>(topic.partitions.size());
    if (partitions > partitions_per_request_max) {
      refuse(result, ErrorCode::invalid_partitions,
             "The request asks for too many partitions; create these topics in another one.");
      continue;
    }
    result.topic_id = topic.topic_id;
    result.num_partitions = static_cast<std::int32_t>(topic.partitions.size());
    result.replication_factor = static_cast<std::int16_t>(topic.partitions.front().replicas.size());
    if (context.version() >= configs_since) result.configs = configs.of(topic);
    plan.result_of_event.push_back(plan.response.topics.size() - 1);
    plan.events.emplace_back(std::move(topic));
  }
  return plan;
}

/// What apply would say, without a trace.
ApplyResults try_out(std::shared_ptr<const metadata::Image> image,
                     const std::vector<MetadataEvent>& events) {
  metadata::ImageBuilder builder(std::move(image));
  ApplyResults results;
  for (const MetadataEvent& event : events) results.push_back(builder.apply(event));
  return results;
}

}  // namespace

Task<CreateTopicsResponse> create_topics(RequestContext& context, CreateTopicsRequest request) {
  MetadataView& metadata = *context.broker().metadata;
  const std::shared_ptr<const LiveConfig> config = context.broker().settings->current();
  Plan plan = make_plan(context, request, *config);
  if (plan.events.empty()) co_return std::move(plan.response);

  if (request.validate_only) {
    const ApplyResults results = try_out(metadata.image(), plan.events);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].ok()) refuse(plan.result(i), results[i].code, results[i].message);
      plan.result(i).topic_id = {};
    }
    co_return std::move(plan.response);
  }

  Task<Result<ApplyResults>> proposal = metadata.propose(std::move(plan.events));
  const Result<ApplyResults> results = co_await std::move(proposal);
  report_refusals(results, plan.result_of_event,
                  [&](std::size_t place, ErrorCode error, const std::string& message) {
                    refuse(plan.response.topics[place], error, message);
                  });
  std::vector<Uuid> made;
  for (const std::size_t place : plan.result_of_event) {
    if (plan.response.topics[place].error_code == 0) {
      made.push_back(plan.response.topics[place].topic_id);
    }
  }
  Task<void> led = await_leaders(context, std::move(made), milliseconds{request.timeout_ms});
  co_await std::move(led);
  co_return std::move(plan.response);
}

}  // namespace chronik::broker
