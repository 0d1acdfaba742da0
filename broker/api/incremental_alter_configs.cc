#include "broker/api/incremental_alter_configs.h"

#include "broker/api/config_changes.h"
#include "broker/broker.h"

namespace chronik::broker {

using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;

Task<IncrementalAlterConfigsResponse> incremental_alter_configs(
    RequestContext& context, IncrementalAlterConfigsRequest request) {
  std::vector<ResourceAlteration> resources;
  for (const IncrementalAlterConfigsRequest::AlterConfigsResource& resource : request.resources) {
    ResourceAlteration& alteration = resources.emplace_back();
    alteration.type = resource.resource_type;
    alteration.name = resource.resource_name;
    for (const IncrementalAlterConfigsRequest::AlterableConfig& config : resource.configs) {
      alteration.changes.push_back({config.name,
                                    static_cast<ConfigChange::Operation>(config.config_operation),
                                    config.value});
    }
  }
  Task<std::vector<AlterationVerdict>> altering = context.broker().config_changes->alter(
      std::move(resources), AlterMode::incremental, request.validate_only);
  const std::vector<AlterationVerdict> verdicts = co_await std::move(altering);

  IncrementalAlterConfigsResponse response;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    auto& answer = response.responses.emplace_back();
    answer.error_code = static_cast<std::int16_t>(verdicts[i].code);
    answer.error_message.reset();
    if (!verdicts[i].message.empty()) answer.error_message = verdicts[i].message;
    answer.resource_type = request.resources[i].resource_type;
    answer.resource_name = std::move(request.resources[i].resource_name);
  }
  co_return response;
}

}  // namespace chronik::broker
