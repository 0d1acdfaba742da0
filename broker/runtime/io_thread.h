// IoThread: the thread beside a shard on which its log's writes and syncs run (wal::IoExecutor), as
// broker/runtime/background_thread.h says.
//
// run() is called on the shard only. Destroy it before its shard.
#pragma once

#include "broker/runtime/background_thread.h"
#include "wal/io_executor.h"

namespace chronik::broker {

class IoThread final : public wal::IoExecutor {
 public:
  explicit IoThread(Shard& shard, const char* name = "disk");

  void run(Work work, Work done) override;

  /// As BackgroundThread::stop().
  void stop() { thread_.stop(); }

 private:
  Shard& shard_;
  BackgroundThread thread_;
};

}  // namespace chronik::broker
