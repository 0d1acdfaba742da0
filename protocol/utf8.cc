#include "protocol/utf8.h"

#include <cstdint>
#include <cstring>

namespace chronik::protocol {

namespace {

struct Piece {
  std::size_t size;  // bytes consumed
  bool valid;
};

bool continues(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Whether `second` may follow `first`, the lead of three bytes (surrogates pass: Java sees them
// only when the third byte is there, and then replaces all three at once) or of four.
bool second_of_three(std::uint8_t first, std::uint8_t second) {
  return continues(second) && !(first == 0xe0 && (second & 0xe0) == 0x80);
}
bool second_of_four(std::uint8_t first, std::uint8_t second) {
  return continues(second) && !(first == 0xf0 && second < 0x90) &&
         !(first == 0xf4 && (second & 0xf0) != 0x80);
}

// The character or the malformed piece at the start of `at` (which is not empty).
Piece next_piece(const std::uint8_t* at, std::size_t left) {
  const std::uint8_t first = at[0];
  if (first < 0x80) return {1, true};
  if (first >= 0xc2 && first <= 0xdf) {
    const bool valid = left >= 2 && continues(at[1]);
    return {valid ? std::size_t{2} : std::size_t{1}, valid};
  }
  if (first >= 0xe0 && first <= 0xef) {
    if (left < 2 || !second_of_three(first, at[1])) return {1, false};
    if (left < 3 || !continues(at[2])) return {2, false};
    const bool surrogate = first == 0xed && at[1] >= 0xa0;
    return {3, !surrogate};
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (left < 2 || !second_of_four(first, at[1])) return {1, false};
    if (left < 3 || !continues(at[2])) return {2, false};
    if (left < 4 || !continues(at[3])) return {3, false};
    return {4, true};
  }
  return {1, false};
}

// Bytes at the start that are ASCII, eight at a time.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (at < text.size() && static_cast<std::uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (text.remove_prefix(ascii_prefix(text)); !text.empty();
       text.remove_prefix(ascii_prefix(text))) {
    const Piece piece = next_piece(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    if (!piece.valid) return false;
    text.remove_prefix(piece.size);
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const Piece piece = next_piece(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    valid += piece.valid ? text.substr(0, piece.size) : std::string_view("\xef\xbf\xbd");
    text.remove_prefix(piece.size);
  }
  return valid;
}

std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && continues(static_cast<std::uint8_t>(text[end]))) --end;
  return text.substr(0, end);
}

}  // namespace chronik::protocol
