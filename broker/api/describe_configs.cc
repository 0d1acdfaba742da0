#include "broker/api/describe_configs.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "broker/api/config_resource.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "broker/settings/describe.h"
#include "broker/settings/live_settings.h"
#include "metadata/apply.h"
#include "protocol/errors.h"

namespace chronik::broker {

namespace {

using metadata::ConfigResourceType;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::ErrorCode;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using ResourceResult = DescribeConfigsResponse::DescribeConfigsResult;

constexpr std::size_t resources_per_turn = 256;

void refuse(ResourceResult& result, ErrorCode code, std::string message) {
  result.error_code = static_cast<std::int16_t>(code);
  result.error_message = std::move(message);
}

void add_entries(ResourceResult& result, std::vector<ConfigEntry> entries) {
  result.configs.reserve(entries.size());
  for (ConfigEntry& entry : entries) {
    auto& config = result.configs.emplace_back();
    config.name = std::move(entry.name);
    config.value = std::move(entry.value);
    config.read_only = entry.read_only;
    config.config_source = static_cast<std::int8_t>(entry.source);
    config.is_sensitive = entry.sensitive;
    config.config_type = entry.type;
    config.documentation = std::move(entry.documentation);
    for (ConfigSynonym& synonym : entry.synonyms) {
      auto& described = config.synonyms.emplace_back();
      described.name = std::move(synonym.name);
      described.value = std::move(synonym.value);
      described.source = static_cast<std::int8_t>(synonym.source);
    }
  }
}

class Describer {
 public:
  Describer(const DescribeConfigsRequest& request, const metadata::Image& image,
            const LiveConfig& live, BrokerId this_broker)
      : request_(request), image_(image), live_(live), this_broker_(this_broker) {}

  ResourceResult operator()(const Resource& resource) {
    ResourceResult result;
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    const auto type = resource_type(resource.resource_type);
    if (!type) {
      refuse(result, ErrorCode::invalid_request,
             std::string(protocol::error_message(ErrorCode::invalid_request)));
      return result;
    }
    switch (*type) {
      case ResourceType::topic:
        topic(resource, result);
        break;
      case ResourceType::broker:
        broker(resource, result);
        break;
      case ResourceType::broker_logger:
        logger(resource, result);
        break;
      case ResourceType::client_metrics:
        client_metrics(resource, result);
        break;
      case ResourceType::group:
        group(resource, result);
        break;
    }
    return result;
  }

 private:
  static std::span<const std::string> keys(const Resource& resource) {
    if (!resource.configuration_keys) return {};
    return *resource.configuration_keys;
  }

  DescribeOptions options(const Resource& resource) const {
    return {.keys = keys(resource),
            .synonyms = request_.include_synonyms,
            .documentation = request_.include_documentation};
  }

  void topic(const Resource& resource, ResourceResult& result) {
    if (auto why = metadata::refuse_topic_name(resource.resource_name)) {
      return refuse(result, ErrorCode::invalid_topic_exception, std::move(*why));
    }
    const metadata::Topic* const topic = image_.topic(resource.resource_name);
    if (topic == nullptr) return refuse(result, ErrorCode::unknown_topic_or_partition, "");
    if (!topics_) {
      topics_.emplace(live_.layers, request_.include_synonyms, request_.include_documentation);
    }
    add_entries(result, topics_->describe(topic->configs, keys(resource)));
  }

  void broker(const Resource& resource, ResourceResult& result) const {
    if (resource.resource_name.empty()) {
      return add_entries(result, describe_cluster_defaults(live_.layers, options(resource)));
    }
    const std::optional<BrokerId> id = parse_broker_id(resource.resource_name);
    if (!id) return not_an_id(resource, result);
    if (*id != this_broker_) {
      return refuse(
          result, ErrorCode::invalid_request,
          fmt::format("Unexpected broker id, expected {} or empty string, but received {}",
                      this_broker_, *id));
    }
    add_entries(result, describe_broker(live_.layers, options(resource)));
  }

  void logger(const Resource& resource, ResourceResult& result) const {
    if (resource.resource_name.empty()) {
      return refuse(result, ErrorCode::invalid_request, "Broker id must not be empty");
    }
    const std::optional<BrokerId> id = parse_broker_id(resource.resource_name);
    if (!id) return not_an_id(resource, result);
    if (*id != this_broker_) {
      return refuse(
          result, ErrorCode::invalid_request,
          fmt::format("Unexpected broker id, expected {} but received {}", this_broker_, *id));
    }
    const auto asked = keys(resource);
    if (!asked.empty() && std::find(asked.begin(), asked.end(), root_logger) == asked.end()) return;
    auto& config = result.configs.emplace_back();
    config.name = root_logger;
    config.value = std::string(current_log_level());
    config.config_source = static_cast<std::int8_t>(ConfigSource::dynamic_broker_logger);
    config.documentation = "";
  }

  void client_metrics(const Resource& resource, ResourceResult& result) const {
    if (resource.resource_name.empty()) {
      return refuse(result, ErrorCode::invalid_request,
                    "Client metrics subscription name must not be empty");
    }
    const auto& own = image_.configs(ConfigResourceType::client_metrics, resource.resource_name);
    add_entries(result, describe_client_metrics(own, options(resource)));
  }

  void group(const Resource& resource, ResourceResult& result) const {
    if (resource.resource_name.empty()) {
      return refuse(result, ErrorCode::invalid_request, "Group name must not be empty");
    }
    const auto& own = image_.configs(ConfigResourceType::group, resource.resource_name);
    add_entries(result, describe_group(live_.layers, own, options(resource)));
  }

  static void not_an_id(const Resource& resource, ResourceResult& result) {
    refuse(result, ErrorCode::invalid_request,
           fmt::format("Broker id must be an integer, but it is: {}", resource.resource_name));
  }

  const DescribeConfigsRequest& request_;
  const metadata::Image& image_;
  const LiveConfig& live_;
  const BrokerId this_broker_;
  std::optional<TopicDescriber> topics_;
};

Task<void> next_turn(Shard& shard) {
  Promise<void> promise;
  Future<void> turn = promise.future();
  shard.post([promise = std::move(promise)]() mutable { promise.set(); });
  co_await turn;
}

}  // namespace

Task<DescribeConfigsResponse> describe_configs(RequestContext& context,
                                               DescribeConfigsRequest request) {
  Broker& broker = context.broker();
  const std::shared_ptr<const metadata::Image> image = broker.metadata->image();
  const std::shared_ptr<const LiveConfig> live = broker.settings->current();
  Describer describe(request, *image, *live, broker.node.id);
  DescribeConfigsResponse response;
  for (const Resource& resource : request.resources) {
    response.results.push_back(describe(resource));
    // UIs ask for thousands of topics at once; others want to be served in between.
    if (response.results.size() % resources_per_turn == 0) {
      Task<void> turn = next_turn(context.shard());
      co_await std::move(turn);
    }
  }
  co_return response;
}

}  // namespace chronik::broker
