// Where a listener listens: NAME://host:port, as in Kafka's `listeners` and `advertised.listeners`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chronik::broker {

struct Endpoint {
  std::string name;  // in upper case, PLAINTEXT for instance
  std::string host;  // without brackets; empty: all addresses
  std::uint16_t port = 0;

  bool operator==(const Endpoint&) const = default;
  std::string to_string() const;
};

/// "PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://[::1]:9092", "PLAINTEXT://:9092".
Result<Endpoint> parse_endpoint(std::string_view text);
/// The same separated by commas; at least one; names and ports (but 0) each once.
Result<std::vector<Endpoint>> parse_endpoints(std::string_view text);

}  // namespace chronik::broker
