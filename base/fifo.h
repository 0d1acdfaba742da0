// Fifo: a queue in one piece of memory, of which an empty one has none: std::deque allocates some
// 600 bytes at birth, which ten thousand partitions with a dozen queues each would pay for nothing.
// References do not outlive push_back() and pop_front(). A value; owned by whoever holds it.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace chronik {

template <class T>
class Fifo {
 public:
  using iterator = typename std::vector<T>::iterator;
  using const_iterator = typename std::vector<T>::const_iterator;

  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  T& front() { return items_[head_]; }
  const T& front() const { return items_[head_]; }
  T& back() { return items_.back(); }
  const T& back() const { return items_.back(); }
  T& operator[](std::size_t at) { return items_[head_ + at]; }
  const T& operator[](std::size_t at) const { return items_[head_ + at]; }
  iterator begin() { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  iterator end() { return items_.end(); }
  const_iterator begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  const_iterator end() const { return items_.end(); }

  /// Memory that the items lie in, or that is kept for them.
  std::size_t bytes_held() const { return items_.capacity() * sizeof(T); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  template <class... From>
  void emplace_back(From&&... from) {
    items_.emplace_back(std::forward<From>(from)...);
  }
  void pop_back() {
    items_.pop_back();
    if (empty()) clear();
  }
  /// What the item held is released at once.
  void pop_front() {
    items_[head_++] = T();
    if (empty()) return clear();
    // As many are moved as have gone since the last time: a constant cost each.
    if (head_ < moved_min || head_ < size()) return;
    items_.erase(items_.begin(), begin());
    head_ = 0;
  }
  void clear() {
    items_.clear();
    head_ = 0;
    // Not `= {}`, which assigns no items and keeps the memory.
    if (bytes_held() > kept_bytes_max) items_ = std::vector<T>();
  }

 private:
  static constexpr std::size_t moved_min = 8;
  static constexpr std::size_t kept_bytes_max = 512;  // of memory, by an empty one

  std::vector<T> items_;
  std::size_t head_ = 0;  // those before it have gone
};

}  // namespace chronik
