// UpdateFeatures (KIP-584). The one feature has one level, which is in force; so asking for it is
// fine and everything else is refused, as by a Kafka that knows no other level.
#include <spdlog/fmt/fmt.h>

#include <utility>

#include "broker/api/features.h"
#include "broker/api/handlers.h"
#include "protocol/errors.h"
#include "protocol/messages/update_features.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::UpdateFeaturesRequest;
using protocol::UpdateFeaturesResponse;

namespace {

constexpr std::int8_t upgrade_type_min = 1;
constexpr std::int8_t upgrade_type_max = 3;
constexpr std::int16_t one_error_since = 2;

/// Empty: it is as asked for.
std::string refuse(const UpdateFeaturesRequest::FeatureUpdateKey& update, std::int16_t version) {
  if (version > 0 &&
      (update.upgrade_type < upgrade_type_min || update.upgrade_type > upgrade_type_max)) {
    return "The controller does not support the given upgrade type.";
  }
  if (update.feature != metadata_version_feature) {
    return fmt::format(
        "Invalid update version {} for feature {}. This broker knows no feature of "
        "that name, only {}.",
        update.max_version_level, update.feature, metadata_version_feature);
  }
  if (update.max_version_level == metadata_version_level) return {};
  return fmt::format(
      "Invalid update version {0} for feature {1}. This broker supports only version "
      "{2}, which is in force.",
      update.max_version_level, update.feature, metadata_version_level);
}

}  // namespace

Task<UpdateFeaturesResponse> update_features(RequestContext& context,
                                             UpdateFeaturesRequest request) {
  UpdateFeaturesResponse response;
  if (request.feature_updates.empty()) {
    response.error_code = protocol::to_wire(ErrorCode::invalid_request);
    response.error_message = "Can not provide empty FeatureUpdates";
    co_return response;
  }
  for (UpdateFeaturesRequest::FeatureUpdateKey& update : request.feature_updates) {
    const std::string why = refuse(update, context.version());
    UpdateFeaturesResponse::UpdatableFeatureResult& result = response.results.emplace_back();
    result.feature = update.feature;
    if (why.empty()) continue;
    result.error_code = protocol::to_wire(ErrorCode::invalid_update_version);
    result.error_message = why;
    if (context.version() < one_error_since || response.error_code != 0) continue;
    response.error_code = result.error_code;
    response.error_message = fmt::format(
        "The update failed for all features since the following feature had an error: "
        "{}",
        why);
  }
  co_return response;
}

}  // namespace chronik::broker
