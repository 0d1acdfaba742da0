// What becomes of a request to alter configs: for each resource Kafka's answer, and the change to
// be made when the answer is "none". Pure; config_changes.h makes the changes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "broker/settings/alter.h"
#include "metadata/events.h"
#include "metadata/image.h"
#include "protocol/errors.h"

namespace chronik::broker {

struct ResourceAlteration {
  std::int8_t type = 0;
  std::string name;
  std::vector<ConfigChange> changes;
};

struct AlterationVerdict {
  protocol::ErrorCode code = protocol::ErrorCode::none;
  std::string message;  // empty when code is none
  // When code is none, one of these or neither:
  std::optional<metadata::MetadataEvent> event;
  std::optional<LogLevel> log_level;
};

/// One verdict for each resource, in their order.
std::vector<AlterationVerdict> judge_alterations(const metadata::Image& image,
                                                 const LiveConfig& live, BrokerId this_broker,
                                                 std::span<const ResourceAlteration> resources,
                                                 AlterMode mode);

}  // namespace chronik::broker
