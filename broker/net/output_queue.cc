#include "broker/net/output_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace chronik::broker {

ByteView OutputQueue::view_of(const Part& part) {
  if (const auto* bytes = std::get_if<Bytes>(&part)) return *bytes;
  return std::get<SharedBytes>(part).view();
}

void OutputQueue::add_copy(ByteView bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  memory_size_ += bytes.size();
  Bytes* last = parts_.size() > first_ ? std::get_if<Bytes>(&parts_.back()) : nullptr;
  if (last != nullptr && last->size() + bytes.size() <= block_bytes) {
    last->insert(last->end(), bytes.begin(), bytes.end());
    return;
  }
  parts_.emplace_back(Bytes(bytes.begin(), bytes.end()));
}

void OutputQueue::add(Bytes bytes) {
  if (bytes.size() <= copied_bytes_max) {
    add_copy(bytes);
    return;
  }
  size_ += bytes.size();
  memory_size_ += bytes.size();
  parts_.emplace_back(std::move(bytes));
}

void OutputQueue::add(const ByteChain& chain) {
  for (const ByteChain::Part& part : chain.parts()) {
    if (const auto* bytes = std::get_if<SharedBytes>(&part)) {
      add(*bytes);
    } else {
      append(std::get<FileRange>(part));
    }
  }
}

void OutputQueue::add(SharedBytes bytes) {
  if (bytes.size() <= copied_bytes_max) {
    add_copy(bytes.view());
    return;
  }
  size_ += bytes.size();
  memory_size_ += bytes.size();
  parts_.emplace_back(std::move(bytes));
}

void OutputQueue::append(const FileRange& range) {
  size_ += range.size;
  parts_.emplace_back(range);
}

std::size_t OutputQueue::gather(std::span<iovec> out) const {
  std::size_t count = 0;
  for (std::size_t at = first_; at < parts_.size() && count < out.size(); ++at) {
    if (std::holds_alternative<FileRange>(parts_[at])) break;
    ByteView view = view_of(parts_[at]);
    if (at == first_) view = view.subspan(front_consumed_);
    out[count++] = {const_cast<std::uint8_t*>(view.data()), view.size()};
  }
  return count;
}

const FileRange* OutputQueue::file_at_front() const {
  return first_ < parts_.size() ? std::get_if<FileRange>(&parts_[first_]) : nullptr;
}

bool OutputQueue::file_follows(std::size_t gathered) const {
  const std::size_t at = first_ + gathered;
  return at < parts_.size() && std::holds_alternative<FileRange>(parts_[at]);
}

void OutputQueue::consume(std::uint64_t size) {
  CHECK(size <= size_);
  size_ -= size;
  while (size > 0) {
    Part& front = parts_[first_];
    if (auto* range = std::get_if<FileRange>(&front)) {
      const std::uint64_t taken = std::min(size, range->size);
      range->position += taken;
      range->size -= taken;
      size -= taken;
      if (range->size > 0) return;
    } else {
      const std::size_t left = view_of(front).size() - front_consumed_;
      const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, left));
      memory_size_ -= taken;
      size -= taken;
      front_consumed_ += taken;
      if (taken < left) return;
    }
    front = SharedBytes();
    front_consumed_ = 0;
    ++first_;
  }
  if (first_ == parts_.size()) {
    clear();
  } else if (first_ >= 64 && first_ * 2 >= parts_.size()) {
    parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputQueue::clear() {
  // A few slots stay for the next response; a long queue does not.
  if (parts_.capacity() > 16) {
    parts_ = std::vector<Part>();  // not `= {}`, which keeps the memory
  } else {
    parts_.clear();
  }
  first_ = 0;
  front_consumed_ = 0;
  size_ = 0;
  memory_size_ = 0;
}

}  // namespace chronik::broker
