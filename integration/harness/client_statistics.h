// What librdkafka says of itself (STATISTICS.md there), in a sentence for whoever has to explain
// why a producer does not come to an end: is it the client that waits, or an answer that is
// missing?
#pragma once

#include <string>
#include <string_view>

namespace chronik::integration {

/// `statistics` is the JSON text of a statistics callback. The state of the idempotent producer,
/// then the partitions with open records or where the client asks another node than it takes for
/// the leader, and the brokers with open requests.
std::string describe_open(std::string_view statistics);
/// Some partition is one of the latter. A producer may be so for a moment; before 2.4 librdkafka
/// stays so when it hears of a leader, of the former one from a node that knows no better yet, and
/// of the new one again before its thread has let the partition go: it asks the former leader until
/// the leader changes once more.
bool asks_another_than_the_leader(std::string_view statistics);

}  // namespace chronik::integration
