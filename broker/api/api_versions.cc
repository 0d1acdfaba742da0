#include "broker/api/api_versions.h"

#include <algorithm>

#include "broker/api/api_table.h"
#include "broker/api/features.h"
#include "broker/broker.h"
#include "protocol/errors.h"

namespace chronik::broker {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ErrorCode;

namespace {

constexpr std::int16_t software_since = 3;
constexpr std::int16_t identity_since = 5;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Cluster id and node id come together, or not at all.
ErrorCode check_identity(const ApiVersionsRequest& request, const NodeInfo& node) {
  if (!request.cluster_id && request.node_id == -1) return ErrorCode::none;
  if (!request.cluster_id || request.node_id == -1) return ErrorCode::invalid_request;
  if (*request.cluster_id != node.cluster_id || request.node_id != node.id) {
    return ErrorCode::rebootstrap_required;
  }
  return ErrorCode::none;
}

ErrorCode check(const RequestContext& context, const ApiVersionsRequest& request,
                const NodeInfo& node) {
  if (context.version() < software_since) return ErrorCode::none;
  if (!is_software_name(request.client_software_name) ||
      !is_software_name(request.client_software_version)) {
    return ErrorCode::invalid_request;
  }
  return context.version() < identity_since ? ErrorCode::none : check_identity(request, node);
}

ApiVersionsResponse::ApiVersion to_range(const ApiEntry& entry) {
  ApiVersionsResponse::ApiVersion range;
  range.api_key = entry.key;
  range.min_version = entry.advertised_min_version;
  range.max_version = entry.max_version;
  return range;
}

void add_features(ApiVersionsResponse& response) {
  ApiVersionsResponse::SupportedFeatureKey supported;
  supported.name = metadata_version_feature;
  supported.min_version = metadata_version_level;
  supported.max_version = metadata_version_level;
  ApiVersionsResponse::FinalizedFeatureKey finalized;
  finalized.name = supported.name;
  finalized.min_version_level = metadata_version_level;
  finalized.max_version_level = metadata_version_level;
  response.supported_features.push_back(std::move(supported));
  response.finalized_features.push_back(std::move(finalized));
  response.finalized_features_epoch = 0;
}

Reply unsupported_version(const RequestContext& context, const ApiEntry& self) {
  ApiVersionsResponse response;
  response.error_code = static_cast<std::int16_t>(ErrorCode::unsupported_version);
  response.api_keys.push_back(to_range(self));
  Writer writer;
  protocol::encode(writer, 0, response);
  return detail::respond(context, false, writer);
}

Task<Reply> dispatch(RequestContext& context, SharedBytes body) {
  const ApiEntry* self = context.broker().apis->find(ApiVersionsRequest::api_key);
  if (!self->serves(context.version())) co_return unsupported_version(context, *self);
  Task<Reply> task = detail::dispatch<api_versions>(context, std::move(body));
  co_return co_await std::move(task);
}

}  // namespace

bool is_software_name(std::string_view name) {
  if (name.empty() || !is_letter_or_digit(name.front()) || !is_letter_or_digit(name.back())) {
    return false;
  }
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; });
}

Task<ApiVersionsResponse> api_versions(RequestContext& context, ApiVersionsRequest request) {
  ApiVersionsResponse response;
  const ErrorCode error = check(context, request, context.broker().node);
  response.error_code = static_cast<std::int16_t>(error);
  if (error != ErrorCode::none) co_return response;

  context.connection().software_name = std::move(request.client_software_name);
  context.connection().software_version = std::move(request.client_software_version);
  for (const ApiEntry& entry : context.broker().apis->entries()) {
    response.api_keys.push_back(to_range(entry));
  }
  add_features(response);
  co_return response;
}

ApiEntry api_versions_entry() {
  ApiEntry entry = api_entry<api_versions>();
  entry.any_version = true;
  entry.dispatch = &dispatch;
  return entry;
}

}  // namespace chronik::broker
