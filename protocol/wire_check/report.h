// What wire_check found: counts, what differs (printed at once), and what was left out or differs
// on purpose. One Report goes through all checks; protocol/wire_check/checks.h lists them.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>

namespace chronik::protocol::wire_check {

class Report {
 public:
  /// Differences are written to `out`, at most `printed_max` of them; all are counted.
  explicit Report(std::ostream& out, std::int64_t printed_max = 200)
      : out_(out), printed_max_(printed_max) {}

  /// One vector was looked at. A vector that differs is counted by mismatch() in addition, once
  /// however many differences it has.
  void vector() { ++vectors_; }
  /// `where` names file and line (or id), `what` the difference with both values.
  void mismatch(std::string_view where, std::string_view what);
  /// A vector that this build does not look at, under the name of its message.
  void left_out(std::string_view message) { ++left_out_[std::string(message)]; }
  /// A vector that differs from Kafka on purpose; it counts as looked at, and is no mismatch.
  void deliberate(std::string_view where, std::string_view reason);

  std::int64_t vectors() const { return vectors_; }
  std::int64_t mismatches() const { return mismatches_; }
  std::int64_t left_out_total() const;

  /// What was left out, what differs on purpose, and last "N vectors, M mismatches".
  void summary() const;

 private:
  std::ostream& out_;
  const std::int64_t printed_max_;
  std::int64_t vectors_ = 0;
  std::int64_t mismatches_ = 0;
  std::string last_mismatch_;
  std::map<std::string, std::int64_t> left_out_;
  std::map<std::string, std::map<std::string, std::int64_t>> deliberate_;  // reason -> where
};

}  // namespace chronik::protocol::wire_check
