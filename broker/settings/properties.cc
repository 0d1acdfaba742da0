#include "broker/settings/properties.h"

#include <spdlog/fmt/fmt.h>

#include <map>
#include <optional>

namespace chronik::broker {

namespace {

constexpr std::string_view blanks = " \t\f";

bool is_blank(char c) { return blanks.find(c) != std::string_view::npos; }

/// One logical line: natural lines joined where a backslash says so, its escapes still in it.
struct LogicalLine {
  std::string text;
  std::size_t number;  // of its first natural line
};

class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  /// The next logical line that is neither blank nor a comment.
  std::optional<LogicalLine> next() {
    while (!at_end_) {
      std::string_view line = natural_line();
      const std::size_t number = number_;
      line = skip_blanks(line);
      if (line.empty() || line[0] == '#' || line[0] == '!') continue;
      LogicalLine logical{std::string(line), number};
      while (ends_in_odd_backslashes(logical.text)) {
        logical.text.pop_back();
        if (at_end_) break;
        logical.text += skip_blanks(natural_line());
      }
      return logical;
    }
    return std::nullopt;
  }

 private:
  static std::string_view skip_blanks(std::string_view line) {
    while (!line.empty() && is_blank(line[0])) line.remove_prefix(1);
    return line;
  }

  static bool ends_in_odd_backslashes(std::string_view line) {
    std::size_t count = 0;
    while (count < line.size() && line[line.size() - 1 - count] == '\\') ++count;
    return count % 2 == 1;
  }

  /// Up to \n, \r or \r\n.
  std::string_view natural_line() {
    ++number_;
    const std::size_t end = rest_.find_first_of("\r\n");
    const std::string_view line = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      at_end_ = true;
      rest_ = {};
    } else {
      const bool pair = rest_.substr(end).starts_with("\r\n");
      rest_.remove_prefix(end + (pair ? 2 : 1));
    }
    return line;
  }

  std::string_view rest_;
  std::size_t number_ = 0;
  bool at_end_ = false;
};

void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&](std::uint32_t b) { out += static_cast<char>(b); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xc0 | point >> 6);
    byte(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    byte(0xe0 | point >> 12);
    byte(0x80 | (point >> 6 & 0x3f));
    byte(0x80 | (point & 0x3f));
  } else {
    byte(0xf0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3f));
    byte(0x80 | (point >> 6 & 0x3f));
    byte(0x80 | (point & 0x3f));
  }
}

/// The number behind "\u" at the front of `text`; nothing unless four hex digits stand there.
std::optional<std::uint32_t> utf16_unit(std::string_view text) {
  if (text.size() < 6 || !text.starts_with("\\u")) return std::nullopt;
  std::uint32_t unit = 0;
  for (const char c : text.substr(2, 4)) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint32_t>(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<std::uint32_t>(c - 'A') + 10;
    } else {
      return std::nullopt;
    }
    unit = unit << 4 | digit;
  }
  return unit;
}

/// Takes one \uXXXX, or a pair of them that make one character, from the front of `text`.
bool unescape_unicode(std::string_view& text, std::string& out) {
  const std::optional<std::uint32_t> first = utf16_unit(text);
  if (!first || (*first >= 0xdc00 && *first < 0xe000)) return false;
  text.remove_prefix(6);
  if (*first < 0xd800 || *first >= 0xe000) {
    append_utf8(out, *first);
    return true;
  }
  const std::optional<std::uint32_t> second = utf16_unit(text);
  if (!second || *second < 0xdc00 || *second >= 0xe000) return false;
  text.remove_prefix(6);
  append_utf8(out, 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00));
  return true;
}

/// False on a broken \u escape.
bool unescape(std::string_view text, std::string& out) {
  while (!text.empty()) {
    if (text[0] != '\\') {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    if (text.size() == 1) return true;
    if (text[1] == 'u') {
      if (!unescape_unicode(text, out)) return false;
      continue;
    }
    switch (text[1]) {
      case 't':
        out += '\t';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 'f':
        out += '\f';
        break;
      default:
        out += text[1];
    }
    text.remove_prefix(2);
  }
  return true;
}

/// Where the key ends: at the first '=', ':' or blank that no backslash escapes.
std::size_t key_length(std::string_view line) {
  std::size_t i = 0;
  while (i < line.size()) {
    if (line[i] == '\\') {
      i += 2;
      continue;
    }
    if (line[i] == '=' || line[i] == ':' || is_blank(line[i])) return i;
    ++i;
  }
  return line.size();
}

std::size_t value_start(std::string_view line, std::size_t key_end) {
  std::size_t i = key_end;
  while (i < line.size() && is_blank(line[i])) ++i;
  if (i < line.size() && (line[i] == '=' || line[i] == ':')) ++i;
  while (i < line.size() && is_blank(line[i])) ++i;
  return i;
}

}  // namespace

Result<std::vector<Property>> parse_properties(std::string_view text, std::string_view file) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());

  std::vector<Property> properties;
  std::map<std::string, std::size_t, std::less<>> lines;
  LineReader reader(text);
  while (std::optional<LogicalLine> line = reader.next()) {
    const auto fail = [&](std::string_view why) {
      return Error{Errc::invalid_argument, fmt::format("{}:{}: {}", file, line->number, why)};
    };
    const std::string_view whole = line->text;
    const std::size_t key_end = key_length(whole);
    Property property{.key = {}, .value = {}, .line = line->number};
    if (!unescape(whole.substr(0, key_end), property.key) ||
        !unescape(whole.substr(value_start(whole, key_end)), property.value)) {
      return fail("a \\u must be followed by four hex digits that make a character");
    }
    if (property.key.empty()) return fail("there is no key before the value");
    const auto [first, inserted] = lines.emplace(property.key, property.line);
    if (!inserted) {
      return fail(fmt::format("{} is set a second time; the first is in line {}", property.key,
                              first->second));
    }
    properties.push_back(std::move(property));
  }
  return properties;
}

}  // namespace chronik::broker
