// Uuid: 16 bytes, as topic ids, cluster ids and directory ids are; its text is Kafka's, URL base64
// without padding.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace chronik {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  // NOLINTNEXTLINE(modernize-use-nullptr): the compiler's comparison with 0, no pointer
  auto operator<=>(const Uuid&) const = default;
  /// All zeros: Kafka's "no id".
  bool is_zero() const { return *this == Uuid{}; }
  std::string to_string() const;
  /// 22 characters of URL base64; nothing on any other text.
  static std::optional<Uuid> parse(std::string_view text);
  /// A random id (version 4) from 128 random bits; never zero and, as Kafka's, never starting with
  /// '-'.
  static Uuid from_random(std::uint64_t high, std::uint64_t low);
};

}  // namespace chronik

template <>
struct std::hash<chronik::Uuid> {
  std::size_t operator()(const chronik::Uuid& id) const noexcept {
    std::uint64_t half[2];
    std::memcpy(half, id.bytes.data(), sizeof half);
    return static_cast<std::size_t>(half[0] ^ (half[1] * 0x9e3779b97f4a7c15ULL));
  }
};
