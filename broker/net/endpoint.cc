#include "broker/net/endpoint.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace chronik::broker {

namespace {

Error bad_endpoint(std::string_view text, std::string_view why) {
  return {Errc::invalid_argument,
          fmt::format("'{}' is no listener: {}; write it as PLAINTEXT://host:port", text, why)};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::string Endpoint::to_string() const {
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", name, brackets ? "[" : "", host, brackets ? "]" : "", port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  text = trimmed(text);
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) {
    return bad_endpoint(text, "it has no name");
  }
  Endpoint endpoint;
  for (char c : text.substr(0, scheme)) {
    endpoint.name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  std::string_view rest = text.substr(scheme + 3);
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad_endpoint(text, "it has no port");
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return bad_endpoint(text, "the port must be a number from 0 to 65535");
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad_endpoint(text, "an IPv6 address stands in brackets");
  }
  endpoint.host = std::string(host);
  return endpoint;
}

Result<std::vector<Endpoint>> parse_endpoints(std::string_view text) {
  std::vector<Endpoint> endpoints;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (trimmed(one).empty()) continue;
    TRY_ASSIGN(Endpoint endpoint, parse_endpoint(one));
    for (const Endpoint& other : endpoints) {
      if (other.name == endpoint.name) {
        return bad_endpoint(one, "another listener has the same name");
      }
      if (other.port == endpoint.port && endpoint.port != 0) {
        return bad_endpoint(one, "another listener has the same port");
      }
    }
    endpoints.push_back(std::move(endpoint));
  }
  if (endpoints.empty()) return bad_endpoint(text, "at least one is needed");
  return endpoints;
}

}  // namespace chronik::broker
