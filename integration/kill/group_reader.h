// Members of one consumer group that read a replicated topic and commit how far they are. What they
// got goes to ReadRecords: no record of theirs may ever change or go. No acknowledged commit may
// be missing, and the group reaches the end of every partition.
//
// They are static members and end without a word, for the reasons that MemberLoad gives.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/kafka_client.h"
#include "integration/kill/record_ledger.h"

namespace chronik::integration {

class GroupReader : public Load {
 public:
  /// One member for each of `bootstraps`. The topic must exist with `partitions` partitions.
  GroupReader(std::vector<std::string> bootstraps, std::string topic, int partitions,
              ReadRecords& readings, std::uint64_t seed);
  ~GroupReader() override;

  void step() override;
  void check(bool all, Problems& problems) override;
  void finish() override {}
  std::string counts() const override;

 private:
  struct Progress {
    std::int64_t reached = 0;  // one behind the last record that a member got
    std::int64_t acknowledged = -1;
    std::int64_t attempted = -1;
  };
  struct Member {
    std::unique_ptr<Consumer> consumer;
    std::map<std::int32_t, std::int64_t> next;  // by partition, of its present assignment
    int assignments = 0;
  };

  void join(std::size_t member);
  void read(Member& member);
  void commit(Member& member);
  void await_ends(Problems& problems);
  void check_commits(Problems& problems);

  const std::vector<std::string> bootstraps_;
  const std::string topic_;
  ReadRecords& readings_;
  Random random_;
  std::vector<Member> members_;
  std::vector<Progress> progress_;  // by partition
  std::int64_t read_ = 0;
  std::int64_t commits_ = 0;
  int joined_ = 0;
  Problems failures_;
};

}  // namespace chronik::integration
