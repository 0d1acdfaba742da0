#include "broker/runtime/io_thread.h"

#include <string>
#include <utility>

namespace chronik::broker {

IoThread::IoThread(Shard& shard, const char* name)
    : shard_(shard),
      thread_(std::string(name) + "-" + std::to_string(shard.id()),
              BackgroundThread::Priority::normal) {}

void IoThread::run(Work work, Work done) { thread_.run(shard_, std::move(work), std::move(done)); }

}  // namespace chronik::broker
