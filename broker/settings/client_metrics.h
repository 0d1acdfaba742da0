// The rules of a client metrics subscription (KIP-714): which clients it is about, and how often
// they push. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace chronik::broker {

/// Why the interval (canonical) may not be, or nothing.
std::optional<std::string> check_push_interval(std::string_view interval_ms);

/// Why the list of selector=regular expression may not be, or nothing.
std::optional<std::string> check_client_match(std::string_view match);

}  // namespace chronik::broker
