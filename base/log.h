// Log lines for people and machines: one line an event, `time level message key=value ...`. Values
// with spaces are quoted, control bytes escaped. Written to stderr by spdlog; thread safe. Never
// logs secrets.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>

namespace chronik {

enum class LogLevel { debug, info, warn, error };

/// A key and its value, formatted.
struct LogField {
  std::string_view key;
  std::string value;

  template <class T>
  LogField(std::string_view name, const T& v) : key(name), value(fmt::format("{}", v)) {}
};

void set_log_level(LogLevel level);
/// No line is written any more: for programs that make failures by the thousand.
void silence_log();
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);

inline void log_debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  if (log_enabled(LogLevel::debug)) log_line(LogLevel::debug, message, fields);
}
inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_line(LogLevel::info, message, fields);
}
inline void log_warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_line(LogLevel::warn, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_line(LogLevel::error, message, fields);
}

}  // namespace chronik
