// The APIs of Kafka 4.4 by number: name, versions, and from which version on they are flexible.
// What the broker serves of them is its own table (broker/api).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace chronik::protocol {

struct ApiInfo {
  std::int16_t key;
  std::string_view name;
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t max_stable_version;  // to be advertised at most; above it the layout may change
  std::int16_t first_flexible;      // never_flexible: none
};

/// All, by key.
std::span<const ApiInfo> api_table();
/// nullptr for a number Kafka 4.4 does not know, or knows without any version.
const ApiInfo* find_api(std::int16_t key);
/// "Fetch"; "UNKNOWN" for what find_api() does not find.
std::string_view api_name(std::int16_t key);

/// 1, or 2 where flexible; nothing for an unknown key. Also of versions above those we know: an
/// ApiVersions request of the future has to be read so far as to refuse it.
std::optional<std::int16_t> request_header_version(std::int16_t key, std::int16_t version);
/// 0, or 1 where flexible; always 0 of ApiVersions, which must be read before versions are agreed.
std::optional<std::int16_t> response_header_version(std::int16_t key, std::int16_t version);

}  // namespace chronik::protocol
