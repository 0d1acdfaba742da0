// Counters of one shard: written by its thread, read by any (the HTTP endpoint). Plain numbers that
// only grow, but for the gauges that say so.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace chronik::broker {

/// One writer, any readers, no locked instruction.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Why a connection ended.
enum class CloseReason : std::uint8_t {
  peer_closed,     // orderly, or reset while nothing was wrong
  idle,            // connections.max.idle.ms
  unknown_api,     // an API key this broker does not serve
  bad_version,     // a version out of the served range
  bad_frame,       // a length that is negative, too small or over the limit
  bad_request,     // a header or body that does not decode, or bytes behind it
  slow_request,    // a frame that did not arrive in its time
  slow_reader,     // responses that nobody read
  handler_closed,  // acks=0 with an error, and others that have no other answer
  too_many,        // max.connections or max.connections.per.ip
  io_error,        // a log file shorter than the range promised from it, and the like
  shutdown,
  count_,
};

const char* to_string(CloseReason reason);

inline constexpr std::size_t api_key_limit = 128;

struct ShardMetrics {
  std::array<Counter, api_key_limit> requests;        // by API key, served or not
  std::array<Counter, api_key_limit> request_errors;  // undecodable or out of range, by API key
  std::array<Counter, static_cast<std::size_t>(CloseReason::count_)> connections_closed;
  Counter connections_opened;
  Counter connections_shed;  // accepted without a free file descriptor, and closed at once
  Counter bytes_received;
  Counter bytes_sent;
  Counter connections;   // gauge
  Counter in_flight;     // gauge: requests read and not answered
  Counter budget_waits;  // times a connection waited for bytes in flight
  Counter slow_turns;
};

}  // namespace chronik::broker
