#include "broker/api/list_config_resources.h"

#include <algorithm>

#include "broker/api/config_resource.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::ListConfigResourcesRequest;
using protocol::ListConfigResourcesResponse;

namespace {

std::vector<std::string> names_of(ResourceType type, const metadata::Image& image,
                                  BrokerId this_broker) {
  std::vector<std::string> names;
  switch (type) {
    case ResourceType::topic:
      image.for_each_topic([&](const auto& topic) { names.push_back(topic->name); });
      break;
    case ResourceType::broker:
    case ResourceType::broker_logger:
      for (const auto& [id, broker] : image.brokers()) names.push_back(std::to_string(id));
      if (names.empty()) names.push_back(std::to_string(this_broker));
      return names;
    case ResourceType::client_metrics:
    case ResourceType::group:
      image.for_each_config([&](const metadata::ConfigResource& resource, const auto&) {
        if (static_cast<std::int8_t>(resource.type) == static_cast<std::int8_t>(type)) {
          names.push_back(resource.name);
        }
      });
      break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

ListConfigResourcesResponse answer_list_config_resources(const ListConfigResourcesRequest& request,
                                                         std::int16_t version,
                                                         const metadata::Image& image,
                                                         BrokerId this_broker) {
  // In the order in which Kafka answers.
  constexpr ResourceType all[] = {ResourceType::group, ResourceType::client_metrics,
                                  ResourceType::broker_logger, ResourceType::broker,
                                  ResourceType::topic};
  ListConfigResourcesResponse response;
  const auto& asked = request.resource_types;
  for (const std::int8_t number : asked) {
    if (resource_type(number)) continue;
    response.error_code = static_cast<std::int16_t>(ErrorCode::unsupported_version);
    return response;
  }
  for (const ResourceType type : all) {
    const auto number = static_cast<std::int8_t>(type);
    const bool wanted = version == 0 ? type == ResourceType::client_metrics
                                     : asked.empty() || std::find(asked.begin(), asked.end(),
                                                                  number) != asked.end();
    if (!wanted) continue;
    for (std::string& name : names_of(type, image, this_broker)) {
      auto& resource = response.config_resources.emplace_back();
      resource.resource_name = std::move(name);
      resource.resource_type = number;
    }
  }
  return response;
}

Task<ListConfigResourcesResponse> list_config_resources(RequestContext& context,
                                                        ListConfigResourcesRequest request) {
  Broker& broker = context.broker();
  co_return answer_list_config_resources(request, context.version(), *broker.metadata->image(),
                                         broker.node.id);
}

}  // namespace chronik::broker
