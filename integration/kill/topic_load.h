// Topics that come and go under names that are used again, each with a few records of its present
// life. A creation or deletion whose answer was lost is asked for again until it is known.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/admin.h"
#include "integration/kill/load.h"

namespace chronik::integration {

class TopicLoad : public Load {
 public:
  /// `names`: what its topics begin with. `through`: the node of a cluster that takes its requests;
  /// without replicas no records then: a node that is cut off still takes them for the topic's
  /// former life, which is deleted. -1: the controller.
  TopicLoad(const std::string& bootstrap, std::uint64_t seed, const std::string& names = "churn",
            std::int32_t through = -1, int replication = 1);

  void step() override;
  void check(bool all, Problems& problems) override;
  void finish() override;
  std::string counts() const override;
  /// The topics that are deleted, as far as it knows.
  std::vector<std::string> absent() const;

 private:
  enum class State { absent, creating, present, deleting };
  struct Topic {
    std::string name;
    State state = State::absent;
    int partitions = 0;
    int life = 0;     // how often it was created
    int records = 0;  // acknowledged in this life
    int records_attempted = 0;
  };

  void advance(Topic& topic);
  void create(Topic& topic);
  void remove(Topic& topic);
  void write(Topic& topic);
  void check_records(const Topic& topic, Problems& problems) const;

  const std::string bootstrap_;
  const int replication_;
  const bool with_records_;
  Admin admin_;
  Random random_;
  std::vector<Topic> topics_;
  std::int64_t created_ = 0;
  std::int64_t deleted_ = 0;
  std::int64_t written_ = 0;
};

}  // namespace chronik::integration
