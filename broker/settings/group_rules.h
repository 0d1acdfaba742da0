// What must hold for the settings of one group besides their own rules: they stay in the bounds
// that the broker sets, and a session outlasts a heartbeat. Pure.
#pragma once

#include <optional>
#include <string>

#include "broker/settings/layers.h"

namespace chronik::broker {

/// Why not, or nothing. Precondition: the values are canonical.
std::optional<std::string> check_group_values(const ConfigLayers& layers,
                                              const metadata::ConfigMap& values);

}  // namespace chronik::broker
