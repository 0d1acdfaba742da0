#include "wal/format.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>

namespace chronik::wal {

namespace {
constexpr std::size_t offset_digits = 20;

template <class Number>
bool parse_number(std::string_view digits, Number& number) {
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

std::string segment_file_name(SegmentName segment, std::string_view suffix) {
  if (segment.generation == 0) return fmt::format("{:020}{}", segment.base_offset, suffix);
  return fmt::format("{:020}.{}{}", segment.base_offset, segment.generation, suffix);
}

std::optional<SegmentName> parse_segment_file_name(std::string_view name, std::string_view suffix) {
  if (name.size() < offset_digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  SegmentName segment;
  if (!parse_number(name.substr(0, offset_digits), segment.base_offset)) return std::nullopt;
  const std::string_view middle =
      name.substr(offset_digits, name.size() - offset_digits - suffix.size());
  if (middle.empty()) return segment;
  if (middle[0] != '.' || middle.size() < 2 || middle[1] == '0' ||
      !parse_number(middle.substr(1), segment.generation)) {
    return std::nullopt;
  }
  return segment;
}

std::string received_path(const std::string& directory, SegmentName segment,
                          std::string_view suffix) {
  return fmt::format("{}/{}{}", directory, segment_file_name(segment, suffix), received_suffix);
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
