// Deleter: a client that now and then has the records of one partition of a simulated cluster
// deleted, up to an offset that is committed (DeleteRecords). Owned by the Traffic.
#pragma once

#include "base/random.h"
#include "integration/sim/producer.h"

namespace chronik::sim {

class Deleter {
 public:
  Deleter(const ClientContext& context, std::uint64_t seed) : context_(context), random_(seed) {}

  void begin() { look_again(); }
  /// It asks for nothing more.
  void finish() { finishing_ = true; }

 private:
  void look_again();
  void look();
  int partition() const { return context_.checker.placed().identity.partition; }

  const ClientContext context_;
  Random random_;
  bool finishing_ = false;
};

}  // namespace chronik::sim
