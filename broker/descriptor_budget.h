// DescriptorBudget: who gets how many of the files that this process may have open. Made once, by
// the server; a value.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace chronik::broker {

class DescriptorBudget {
 public:
  /// As many as the system grants without asking anybody.
  static DescriptorBudget of_process();

  /// Errors: invalid_argument where no broker can work with so few; says what to do.
  Result<void> check() const;
  /// Of all shards together.
  std::uint64_t log_files() const;
  std::uint64_t connections() const;

 private:
  explicit DescriptorBudget(std::uint64_t all) : all_(all) {}

  std::uint64_t all_;
};

}  // namespace chronik::broker
