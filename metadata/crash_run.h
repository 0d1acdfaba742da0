// CrashRun: a MetaLogStore on a fake disk, with random proposals, whose power is cut at random
// operations, also during snapshots, trims and recoveries. After each cut the store that comes back
// must show a prefix of the proposals that has all that were acknowledged. For the tests and for
// the program metadata_crash.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/memory_disk.h"
#include "metadata/event_source.h"
#include "metadata/meta_log_store.h"

namespace chronik::metadata {

struct CrashCounts {
  std::uint64_t points = 0;       // cuts of power, kills and failed operations
  std::uint64_t in_recovery = 0;  // of them while the store was being opened
  std::uint64_t in_snapshot = 0;  // of them while a snapshot was being written
  std::uint64_t clean_stops = 0;
  std::uint64_t proposals = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t unacknowledged_kept = 0;  // durable before the crash, never acknowledged
  std::uint64_t unacknowledged_lost = 0;
  std::uint64_t snapshots = 0;  // written
  std::uint64_t snapshots_started_from = 0;
  std::uint64_t trims = 0;  // starts of a log that no longer begins at 0
};

class CrashRun {
 public:
  CrashRun(std::uint64_t seed, CrashCounts& counts);
  ~CrashRun();

  /// One life of the store: opened, checked, loaded with proposals until something ends it. False
  /// when a promise was broken: problem() says which.
  bool life();
  const std::string& problem() const { return problem_; }

 private:
  struct Broker;

  bool open();
  bool check_recovered();
  bool load();
  bool propose();
  void plan_end();
  bool end();
  bool stop_cleanly();
  bool fail(std::string what);

  Random random_;
  EventSource source_;
  CrashCounts& counts_;
  MemoryDisk disk_;
  std::unique_ptr<Broker> broker_;
  std::string problem_;
  bool failed_operation_ = false;
  bool in_snapshot_ = false;

  // models_[n] is the image after n entries; what lies behind the acknowledged ones may or may not
  // be in the log.
  std::vector<std::shared_ptr<const Image>> models_;
  std::size_t first_model_ = 0;  // entries that models_[0] has
  std::size_t acknowledged_ = 0;
};

}  // namespace chronik::metadata
