// Any bytes are either properties or an error; what is read can be written escaped and read again.
#include <cstdlib>

#include "base/check.h"
#include "broker/settings/properties.h"

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case ' ':
      case '=':
      case ':':
      case '#':
      case '!':
      case '\\':
        out += '\\';
        out += c;
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = chronik::broker::parse_properties(text, "input");
  if (!first.has_value()) return 0;
  std::string rewritten = "\n";  // a byte order mark in the first key must not become the file's
  for (const auto& property : *first) {
    rewritten += escaped(property.key) + "=" + escaped(property.value) + "\n";
  }
  const auto second = chronik::broker::parse_properties(rewritten, "rewritten");
  CHECK(second.has_value());
  CHECK(second->size() == first->size());
  for (std::size_t i = 0; i < first->size(); ++i) {
    CHECK((*first)[i].key == (*second)[i].key);
    CHECK((*first)[i].value == (*second)[i].value);
  }
  return 0;
}
