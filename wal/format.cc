#include "wal/format.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>

namespace chronik::wal {

namespace {
constexpr std::size_t offset_digits = 20;
}  // namespace

std::string segment_file_name(Offset base_offset, std::string_view suffix) {
  return fmt::format("{:020}{}", base_offset, suffix);
}

std::optional<Offset> parse_segment_file_name(std::string_view name, std::string_view suffix) {
  if (name.size() != offset_digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  const std::string_view digits = name.substr(0, offset_digits);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  Offset base = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return base;
}

std::string topic_file_name(const Uuid& topic_id) {
  return topic_id.to_string() + std::string(topic_suffix);
}

std::optional<Uuid> parse_topic_file_name(std::string_view name) {
  if (!name.ends_with(topic_suffix)) return std::nullopt;
  return Uuid::parse(name.substr(0, name.size() - topic_suffix.size()));
}

std::string deleted_directory_name(const Uuid& topic_id, PartitionId partition) {
  return fmt::format("{}-{}{}", topic_id.to_string(), partition, deleted_suffix);
}

}  // namespace chronik::wal
