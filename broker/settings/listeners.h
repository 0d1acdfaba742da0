// Reading of listeners, advertised.listeners, listener.security.protocol.map and
// controller.listener.names, which only make sense together. Pure.
#pragma once

#include <variant>

#include "broker/settings/settings.h"

namespace chronik::broker {

struct Listeners {
  std::vector<Listener> bound;
  std::vector<Listener> advertised;
};

std::variant<Listeners, SettingProblem> read_listeners(const ConfigLayers& layers);

}  // namespace chronik::broker
