// Parser for .properties files, as java.util.Properties reads them: `key=value`, `key: value` or
// `key value`; `#` and `!` begin a comment line; a backslash at the end continues the line; \t \n
// \r \f \uXXXX and \<any> are escapes. Stricter in two points, since silence would hide a mistake:
// a key that comes twice and a broken \u escape are errors. Text is UTF-8. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chronik::broker {

struct Property {
  std::string key;
  std::string value;  // spaces at its end are kept, as in Java
  std::size_t line;   // where its key stands, from 1
};

/// In the order of the file. Errors: invalid_argument, "file:line: what is wrong"; `file` is only
/// for that message.
Result<std::vector<Property>> parse_properties(std::string_view text, std::string_view file);

}  // namespace chronik::broker
