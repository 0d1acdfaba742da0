#include "base/uuid.h"

#include "base/coding.h"

namespace chronik {

namespace {
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}  // namespace

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(22);
  std::uint32_t bits = 0;
  int have = 0;
  for (std::uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    have += 8;
    while (have >= 6) {
      have -= 6;
      text.push_back(alphabet[(bits >> have) & 63]);
    }
  }
  text.push_back(alphabet[(bits << (6 - have)) & 63]);
  return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 22) return std::nullopt;
  Uuid id;
  std::uint32_t bits = 0;
  int have = 0;
  std::size_t next = 0;
  for (char c : text) {
    const std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have >= 8) {
      have -= 8;
      id.bytes[next++] = static_cast<std::uint8_t>(bits >> have);
    }
  }
  if ((bits & ((1u << have) - 1)) != 0) return std::nullopt;
  return id;
}

Uuid Uuid::from_random(std::uint64_t high, std::uint64_t low) {
  Uuid id;
  store_be(id.bytes.data(), high);
  store_be(id.bytes.data() + 8, low);
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  // '-' is digit 62: a text that begins with it would be read as an option by command line tools.
  if ((id.bytes[0] >> 2) == 62) id.bytes[0] = static_cast<std::uint8_t>(id.bytes[0] & 0x7f);
  return id;
}

}  // namespace chronik
