// Commits of ever larger offsets by a few groups; each commit's metadata repeats its offset, so a
// mixture of two commits would show.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/kafka_client.h"
#include "integration/kill/load.h"

namespace chronik::integration {

class OffsetLoad : public Load {
 public:
  /// The topic must exist with `partitions` partitions.
  OffsetLoad(const std::string& bootstrap, std::string topic, int partitions, std::uint64_t seed,
             const ClientConfig& config = {});

  void step() override;
  void check(bool all, Problems& problems) override;
  void finish() override {}
  std::string counts() const override;

 private:
  struct Commit {
    std::int64_t acknowledged = -1;
    std::int64_t attempted = -1;
  };
  struct Group {
    std::string name;
    std::unique_ptr<Consumer> consumer;
    std::vector<Commit> partitions;
  };

  const std::string topic_;
  Random random_;
  std::vector<Group> groups_;
  std::int64_t count_ = 0;
};

}  // namespace chronik::integration
