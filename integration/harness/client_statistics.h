// What librdkafka says of itself (STATISTICS.md there), in a sentence for whoever has to explain
// why a producer does not come to an end: is it the client that waits, or an answer that is
// missing?
#pragma once

#include <string>
#include <string_view>

namespace chronik::integration {

/// `statistics` is the JSON text of a statistics callback. The state of the idempotent producer,
/// then the partitions with open records and the brokers with open requests.
std::string describe_open(std::string_view statistics);

}  // namespace chronik::integration
