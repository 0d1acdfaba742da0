// Random: a small seeded generator (xoshiro256**). Everything random in chronik is drawn from one
// that was handed in, so that a simulation with the same seed takes the same path. Not for secrets.
#pragma once

#include <cstdint>

namespace chronik {

class Random {
 public:
  explicit Random(std::uint64_t seed);

  std::uint64_t next();
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// True once in `n` on average; n > 0.
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  /// A seed from the operating system: for programs, never for tests.
  static std::uint64_t system_seed();

 private:
  std::uint64_t state_[4];
};

}  // namespace chronik
