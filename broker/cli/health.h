// `chronik health`: whether the broker that runs with these settings answers. What containers and
// supervisors ask, so it needs no other program, changes nothing, and is over within its limit.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "broker/settings/settings.h"

namespace chronik::broker::cli {

/// Longer than a busy broker keeps a small request waiting; supervisors wait a little longer still.
inline constexpr milliseconds health_limit{3'000};

/// The host by which a process beside the broker reaches `listener`.
std::string local_host(const Listener& listener);

/// Connects and asks which API versions are spoken, which a broker answers once its start is over.
/// Errors: not_found: no such host; io: refused, or closed without an answer; corrupt: what answers
/// is no broker of Kafka's protocol; timeout.
Result<void> ask_health(const std::string& host, std::uint16_t port, milliseconds limit);

}  // namespace chronik::broker::cli
