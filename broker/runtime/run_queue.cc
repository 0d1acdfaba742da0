#include "broker/runtime/run_queue.h"

namespace chronik::broker {

thread_local constinit RunQueue* RunQueue::current_ = nullptr;

}  // namespace chronik::broker
