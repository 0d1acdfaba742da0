#include "protocol/wire_check/vectors.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace chronik::protocol::wire_check {

namespace json = boost::json;

namespace {

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string content(Disk& disk, const std::string& path) {
  const auto file = disk.open(path, OpenMode::read);
  if (!file) return "";
  std::string text(static_cast<std::size_t>((*file)->size().value()), '\0');
  const MutableByteView out{reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
  text.resize((*file)->read_at(0, out).value());
  return text;
}

}  // namespace

std::vector<std::string> files_in(Disk& disk, const std::string& folder, std::string_view suffix) {
  std::vector<std::string> names;
  const auto entries = disk.list(folder);
  if (!entries) return names;
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name.ends_with(suffix)) names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string message_name(const std::string& file) {
  const auto between = [&file](char first, std::string_view suffix) {
    const std::size_t begin = file.find(first) + 1;
    const std::size_t end = file.size() - suffix.size();
    return begin < end ? file.substr(begin, end - begin) : file;
  };
  for (const std::string_view kind : {"Request", "Response"}) {
    const std::string suffix = kind == "Request" ? ".request.jsonl" : ".response.jsonl";
    if (file.ends_with(suffix)) return between('_', suffix) + std::string(kind);
  }
  return between('.', ".jsonl");
}

void for_each_line(
    Disk& disk, const std::string& file, Report& report,
    const std::function<void(const std::string& where, const json::object& line)>& check) {
  std::istringstream in(content(disk, file));
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    const std::string where = fmt::format("{}:{}", name_of(file), number);
    boost::system::error_code error;
    const json::value line = json::parse(text, error);
    if (error || !line.is_object()) {
      report.vector();
      report.mismatch(where, "the line is no JSON object");
    } else {
      check(where, line.get_object());
    }
  }
}

void for_each_row(Disk& disk, const std::string& file,
                  const std::function<void(const std::string& where,
                                           const std::vector<std::string>& cells)>& check) {
  std::istringstream in(content(disk, file));
  std::string text;
  std::size_t columns = 0;
  for (int number = 1; std::getline(in, text); ++number) {
    std::vector<std::string> cells(1);
    for (const char c : text) {
      if (c == '\t') {
        cells.emplace_back();
      } else {
        cells.back() += c;
      }
    }
    if (number == 1) {
      columns = cells.size();
      continue;
    }
    cells.resize(std::max(columns, cells.size()));
    check(fmt::format("{}:{}", name_of(file), number), cells);
  }
}

std::optional<Bytes> from_hex(std::string_view hex) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

std::string to_hex(ByteView bytes) {
  std::string hex;
  for (const std::uint8_t byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::string text_of(const json::object& line, std::string_view key) {
  const json::value* value = line.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number_of(const json::object& line, std::string_view key, std::int64_t fallback) {
  const json::value* value = line.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : fallback;
}

namespace {

std::string shown(const json::value* value) {
  if (value == nullptr) return "nothing";
  std::string text = json::serialize(*value);
  if (text.size() > 120) text = text.substr(0, 117) + "...";
  return text;
}

std::optional<std::string> object_difference(const json::object& expected,
                                             const json::object& actual, const std::string& path) {
  for (const auto& [key, value] : expected) {
    const std::string below = fmt::format("{}/{}", path, std::string_view(key));
    const json::value* other = actual.if_contains(key);
    if (other == nullptr) return fmt::format("{}: {} expected, not there", below, shown(&value));
    if (auto difference = first_difference(value, *other, below)) return difference;
  }
  for (const auto& [key, value] : actual) {
    if (!expected.contains(key)) {
      return fmt::format("{}/{}: {} there, but not expected", path, std::string_view(key),
                         shown(&value));
    }
  }
  return std::nullopt;
}

bool same_scalar(const json::value& expected, const json::value& actual) {
  if (expected.is_number() && actual.is_number()) {
    if (!expected.is_double() && !actual.is_double()) return expected == actual;
    return expected.to_number<double>() == actual.to_number<double>();
  }
  return expected == actual;
}

}  // namespace

std::optional<std::string> first_difference(const json::value& expected, const json::value& actual,
                                            const std::string& path) {
  if (expected.is_object() && actual.is_object()) {
    return object_difference(expected.get_object(), actual.get_object(), path);
  }
  if (expected.is_array() && actual.is_array()) {
    const json::array& left = expected.get_array();
    const json::array& right = actual.get_array();
    if (left.size() != right.size()) {
      return fmt::format("{}: {} elements expected, got {}", path, left.size(), right.size());
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (auto difference = first_difference(left[i], right[i], fmt::format("{}/{}", path, i))) {
        return difference;
      }
    }
    return std::nullopt;
  }
  if (same_scalar(expected, actual)) return std::nullopt;
  return fmt::format("{}: {} expected, got {}", path, shown(&expected), shown(&actual));
}

std::string byte_difference(ByteView expected, ByteView actual) {
  const auto at = static_cast<std::size_t>(
      std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end()).first -
      expected.begin());
  if (at == expected.size() && at == actual.size()) return "";
  const auto around = [at](ByteView bytes) {
    const std::size_t begin = at > 4 ? at - 4 : 0;
    return to_hex(
        bytes.subspan(std::min(begin, bytes.size()))
            .first(std::min<std::size_t>(12, bytes.size() - std::min(begin, bytes.size()))));
  };
  return fmt::format("bytes differ at {} ({} expected, {} encoded): ..{}.. expected, got ..{}..",
                     at, expected.size(), actual.size(), around(expected), around(actual));
}

}  // namespace chronik::protocol::wire_check
