// CHECK: a broken invariant ends the process, in every build type, with the expression and its
// place. For bugs only; what can happen in operation is a Result (base/result.h).
#pragma once

#include <string>

namespace chronik {

/// Writes one line to stderr and aborts. Never returns.
[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const std::string& detail = {});

}  // namespace chronik

#define CHECK(condition)                                       \
  do {                                                         \
    if (!(condition)) [[unlikely]] {                           \
      ::chronik::check_failed(#condition, __FILE__, __LINE__); \
    }                                                          \
  } while (false)

/// CHECK with values: CHECK_MSG(a < b, fmt::format("a={} b={}", a, b)). The text is built only on
/// failure.
#define CHECK_MSG(condition, detail)                                     \
  do {                                                                   \
    if (!(condition)) [[unlikely]] {                                     \
      ::chronik::check_failed(#condition, __FILE__, __LINE__, (detail)); \
    }                                                                    \
  } while (false)

#define UNREACHABLE() ::chronik::check_failed("unreachable", __FILE__, __LINE__)
