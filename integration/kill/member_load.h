// Members of one consumer group that are started again and again, each through a node of its own,
// and commit what they are given: so joins, syncs and commits of members go on all the time. In the
// end the group settles, every partition has one owner, and no acknowledged commit is missing.
//
// They are static members, which do not leave: a client of librdkafka that leaves while it knows no
// coordinator crashes (its issue 5347).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/kafka_client.h"
#include "integration/kill/load.h"

namespace chronik::integration {

class MemberLoad : public Load {
 public:
  /// One member for each of `bootstraps`. The topic must exist with `partitions` partitions.
  MemberLoad(std::vector<std::string> bootstraps, std::string topic, int partitions,
             std::uint64_t seed);
  ~MemberLoad() override;

  void step() override;
  void check(bool all, Problems& problems) override;
  void finish() override {}
  std::string counts() const override;

 private:
  struct Commit {
    std::int64_t acknowledged = -1;
    std::int64_t attempted = -1;
  };

  void join(std::size_t member);
  void commit(Consumer& member);
  bool settled();
  /// What each member has and what its coordinator says of the group, for a person.
  std::string as_it_is();

  const std::vector<std::string> bootstraps_;
  const std::string topic_;
  Random random_;
  std::vector<std::unique_ptr<Consumer>> members_;
  std::vector<Commit> commits_;  // by partition
  int joined_ = 0;
  int assignments_ = 0;  // of those that have ended
  std::int64_t count_ = 0;
};

}  // namespace chronik::integration
