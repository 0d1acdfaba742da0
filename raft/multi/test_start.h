// TestStart: the files of one replica on a disk that loses its power, opened again and again. Tests
// only.
#pragma once

#include <memory>

#include "base/memory_disk.h"
#include "raft/multi/replica_files.h"
#include "wal/io_executor.h"
#include "wal/test_log.h"

namespace chronik::raft::testing {

struct TestStart {
  static constexpr const char* directory = "data/t-0";

  MemoryDisk disk;
  wal::ManualIoExecutor io;
  std::unique_ptr<wal::LogEnvironment> environment;
  std::unique_ptr<wal::GroupCommit> group_commit;
  wal::testing::SeenEntries derived;

  TestStart() {
    CHECK(disk.make_directories("data"));
    begin();
  }
  void begin() {
    environment = std::make_unique<wal::LogEnvironment>(disk);
    environment->on_fatal = [](const Error&) {};
    group_commit = std::make_unique<wal::GroupCommit>(*environment, io);
  }
  void cut_power(std::uint64_t seed, CrashModel model) {
    io.abandon();
    group_commit.reset();
    Random random(seed);
    disk.crash(random, model);
    begin();
  }
  ReplicaPlace place() {
    return {1,
            directory,
            {"t", 0, Uuid::from_random(1, 2)},
            wal::testing::small_segments(),
            &derived,
            {{1, 2, 3}, {}, {}, {}, false}};
  }
  Result<ReplicaFiles> open(const Recovery& recovery = {}) {
    ReplicaPlace where = place();
    where.recovery = recovery;
    return open_replica_files(*environment, *group_commit, where);
  }
};

}  // namespace chronik::raft::testing
