// Inbox: what other threads send to a shard. Many push without a lock, one takes all at once;
// messages of one sender stay in order.
#pragma once

#include <atomic>

namespace chronik::broker {

/// A message that brings its own memory. `run` is called on the receiving shard and owns the
/// message from then on (it may delete it or post it again). `drop`, where there is one, is called
/// instead when the shard ended before it took the message.
struct Posted {
  void (*run)(Posted&) = nullptr;
  void (*drop)(Posted&) = nullptr;
  Posted* next = nullptr;
};

class Inbox {
 public:
  /// Any thread. True when the inbox was empty: then the sender wakes the receiver, so that a burst
  /// costs one wake-up.
  bool push(Posted& message) {
    Posted* head = head_.load(std::memory_order_relaxed);
    do {
      message.next = head;
    } while (!head_.compare_exchange_weak(head, &message, std::memory_order_release,
                                          std::memory_order_relaxed));
    return head == nullptr;
  }

  bool empty() const { return head_.load(std::memory_order_relaxed) == nullptr; }

  /// The receiver: everything so far, oldest first, linked by next.
  Posted* take_all() {
    Posted* newest_first = head_.exchange(nullptr, std::memory_order_acquire);
    Posted* oldest_first = nullptr;
    while (newest_first != nullptr) {
      Posted* next = newest_first->next;
      newest_first->next = oldest_first;
      oldest_first = newest_first;
      newest_first = next;
    }
    return oldest_first;
  }

 private:
  std::atomic<Posted*> head_{nullptr};
};

}  // namespace chronik::broker
