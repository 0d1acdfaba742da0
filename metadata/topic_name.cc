#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "metadata/apply.h"

namespace chronik::metadata {

namespace {

constexpr std::size_t topic_name_length_max = 249;

bool is_topic_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::optional<std::string> refuse_topic_name(std::string_view name) {
  if (name.empty()) return "Topic name is invalid: the empty string is not allowed";
  if (name == "." || name == "..") return "Topic name is invalid: '.' or '..' is not allowed";
  if (name.size() > topic_name_length_max) {
    return fmt::format(
        "Topic name is invalid: the length of '{}' is longer than the max allowed length {}", name,
        topic_name_length_max);
  }
  if (!std::all_of(name.begin(), name.end(), is_topic_name_char)) {
    return fmt::format(
        "Topic name is invalid: '{}' contains one or more characters other than ASCII "
        "alphanumerics, '.', '_' and '-'",
        name);
  }
  if (name == "__meta") {
    return "Topic name is invalid: '__meta' is the name of the broker's own metadata log";
  }
  return std::nullopt;
}

}  // namespace chronik::metadata
