#include "protocol/api_keys.h"

#include <algorithm>

#include "protocol/messages/api_versions.h"

namespace chronik::protocol {

const ApiInfo* find_api(std::int16_t key) {
  const auto table = api_table();
  const auto found =
      std::lower_bound(table.begin(), table.end(), key,
                       [](const ApiInfo& info, std::int16_t wanted) { return info.key < wanted; });
  return found != table.end() && found->key == key ? &*found : nullptr;
}

std::string_view api_name(std::int16_t key) {
  const ApiInfo* info = find_api(key);
  return info != nullptr ? info->name : "UNKNOWN";
}

std::optional<std::int16_t> request_header_version(std::int16_t key, std::int16_t version) {
  const ApiInfo* info = find_api(key);
  if (info == nullptr) return std::nullopt;
  return version >= info->first_flexible ? std::int16_t{2} : std::int16_t{1};
}

std::optional<std::int16_t> response_header_version(std::int16_t key, std::int16_t version) {
  const ApiInfo* info = find_api(key);
  if (info == nullptr) return std::nullopt;
  const bool flexible = version >= info->first_flexible && key != ApiVersionsRequest::api_key;
  return flexible ? std::int16_t{1} : std::int16_t{0};
}

}  // namespace chronik::protocol
