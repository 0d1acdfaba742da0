// FetchWait: a reader that waits for news on any of several partitions of one shard (a long poll).
// Each partition keeps a list of its waiting readers; the first news wakes a reader once and takes
// it off every list.
//
// Lives on the partitions' shard. Cheap to leave: unlinking costs one step per partition.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace chronik::broker {

class FetchWait;

/// The readers that wait on one partition. Outlived by nobody: its destructor wakes them.
class FetchWaiters {
 public:
  FetchWaiters() = default;
  FetchWaiters(const FetchWaiters&) = delete;
  FetchWaiters& operator=(const FetchWaiters&) = delete;
  ~FetchWaiters() { wake_all(); }

  bool empty() const { return first_ == nullptr; }
  void wake_all();

 private:
  friend class FetchWait;
  struct Node {
    FetchWaiters* list = nullptr;
    FetchWait* owner = nullptr;
    Node* previous = nullptr;
    Node* next = nullptr;
  };
  void link(Node& node);
  void unlink(Node& node);

  Node* first_ = nullptr;
};

class FetchWait {
 public:
  /// `on_news` runs once, on this shard, inside the call that brought the news; it must only
  /// schedule work.
  explicit FetchWait(std::function<void()> on_news) : on_news_(std::move(on_news)) {}
  FetchWait(const FetchWait&) = delete;
  FetchWait& operator=(const FetchWait&) = delete;
  ~FetchWait() { leave(); }

  /// All lists at once; the wait must be fresh.
  void join(const std::vector<FetchWaiters*>& lists);

 private:
  friend class FetchWaiters;
  void leave();
  void wake();

  std::function<void()> on_news_;
  std::unique_ptr<FetchWaiters::Node[]> nodes_;
  std::size_t count_ = 0;
};

}  // namespace chronik::broker
