// Limits of connections, with Kafka's names for those that are settings. The same for all shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace chronik::broker {

struct ConnectionLimits {
  std::uint64_t max = std::numeric_limits<std::int32_t>::max();         // max.connections
  std::uint64_t per_ip_max = std::numeric_limits<std::int32_t>::max();  // max.connections.per.ip
  /// max.connections.per.ip.overrides, by address.
  std::map<std::string, std::uint64_t> per_ip_overrides;
  /// What file descriptors are left for connections.
  std::uint64_t descriptors_max = std::numeric_limits<std::int32_t>::max();
};

struct NetOptions {
  std::int32_t request_bytes_max = 100 << 20;  // socket.request.max.bytes
  /// Of one shard: frames that arrive or are being answered. Enough to keep the disk busy for two
  /// rounds of a group commit; more is memory that is touched, and read again when it has left the
  /// caches of the processor. Small frames have an eighth of it beside, so that they are served
  /// while large ones keep others waiting.
  std::int64_t in_flight_bytes_max = 48 << 20;
  std::size_t in_flight_requests_max = 1000;  // of one connection; then it is not read
  /// Nor is it where so many have more than so many bytes: what a producer holds back meanwhile it
  /// sends in larger batches, which cost it and the broker less.
  std::size_t in_flight_large_requests_max = 64;
  std::uint64_t in_flight_large_bytes = 1 << 20;
  /// Response memory that waits for a slow reader before its next request is begun.
  std::uint64_t output_bytes_max = 1 << 20;
  milliseconds idle_max{600'000};  // connections.max.idle.ms; <= 0: never
  /// A frame has this long to arrive, and what its length takes at the given rate.
  milliseconds frame_time{30'000};
  std::int64_t frame_bytes_per_second_min = 16 << 10;
  /// The same where others wait for memory, and the line of those has stood still for
  /// pressure_check: that some wait for a moment is usual when producers are faster than the disk.
  /// It counts as it goes: what has arrived at any time must have kept the rate.
  milliseconds frame_time_under_pressure{5'000};
  std::int64_t frame_bytes_per_second_min_under_pressure = 4 << 20;
  milliseconds pressure_check{1'000};

  ConnectionLimits connections;
  int listen_backlog = 50;               // socket.listen.backlog.size
  int listen_backlog_min = 4096;         // where the setting is less
  int socket_send_buffer_bytes = -1;     // socket.send.buffer.bytes; -1: the system's, which adapts
  int socket_receive_buffer_bytes = -1;  // socket.receive.buffer.bytes
  std::string_view listeners_setting = "listeners";  // for messages: what to correct
};

}  // namespace chronik::broker
