// Which chronik this is.
#pragma once

#include <string>

namespace chronik::broker::cli {

/// "0.1.0"
const char* version();

/// What `chronik --version` prints, without the line end.
std::string version_line();

}  // namespace chronik::broker::cli
