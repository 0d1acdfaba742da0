#include "broker/partition/fetch_wait.h"

#include <utility>

#include "base/check.h"

namespace chronik::broker {

void FetchWaiters::link(Node& node) {
  node.list = this;
  node.previous = nullptr;
  node.next = first_;
  if (first_ != nullptr) first_->previous = &node;
  first_ = &node;
}

void FetchWaiters::unlink(Node& node) {
  if (node.previous != nullptr) node.previous->next = node.next;
  if (node.next != nullptr) node.next->previous = node.previous;
  if (first_ == &node) first_ = node.next;
  node.list = nullptr;
}

void FetchWaiters::wake_all() {
  // Each wake takes its reader off every list, this one included.
  while (first_ != nullptr) first_->owner->wake();
}

void FetchWait::join(const std::vector<FetchWaiters*>& lists) {
  CHECK(count_ == 0);
  nodes_ = std::make_unique<FetchWaiters::Node[]>(lists.size());
  count_ = lists.size();
  for (std::size_t i = 0; i < count_; ++i) {
    nodes_[i].owner = this;
    lists[i]->link(nodes_[i]);
  }
}

void FetchWait::leave() {
  for (std::size_t i = 0; i < count_; ++i) {
    if (nodes_[i].list != nullptr) nodes_[i].list->unlink(nodes_[i]);
  }
  count_ = 0;
  nodes_.reset();
}

void FetchWait::wake() {
  leave();
  // The callback may destroy this wait.
  if (auto on_news = std::exchange(on_news_, nullptr)) on_news();
}

}  // namespace chronik::broker
