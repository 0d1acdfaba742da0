#include "raft/core/progress.h"

#include <algorithm>

#include "base/check.h"

namespace chronik::raft {

void Window::add(Index last, std::uint64_t bytes) {
  if (count_ == ring_.size()) {
    std::rotate(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(head_), ring_.end());
    head_ = 0;
    ring_.resize(std::max<std::size_t>(4, ring_.size() * 2));
  }
  ring_[(head_ + count_) % ring_.size()] = {last, bytes};
  ++count_;
  bytes_ += bytes;
}

void Window::release(Index index) {
  while (count_ > 0 && ring_[head_].last <= index) {
    bytes_ -= ring_[head_].bytes;
    head_ = (head_ + 1) % ring_.size();
    --count_;
  }
}

void Window::clear() {
  head_ = 0;
  count_ = 0;
  bytes_ = 0;
}

void Progress::become_probe(Index from) {
  CHECK(from > match);
  state = ProgressState::probe;
  next = from;
  probe_sent = false;
  reading = false;
  stalled = 0;
  window.clear();
}

void Progress::become_replicate() {
  state = ProgressState::replicate;
  next = match + 1;
  probe_sent = false;
  reading = false;
  stalled = 0;
  window.clear();
}

void Progress::become_snapshot(std::int64_t tick) {
  state = ProgressState::snapshot;
  offered = tick;
  reading = false;
  window.clear();
}

bool Progress::on_accepted(Index index) {
  window.release(index);
  next = std::max(next, index + 1);
  if (index <= match) return false;
  match = index;
  return true;
}

bool Progress::on_rejected(Index rejected, Index try_next) {
  if (state == ProgressState::snapshot) return false;
  // What is known to match is not refused again: such an answer was on its way for long.
  if (rejected <= match) return false;
  if (state == ProgressState::probe && rejected != next - 1) return false;
  become_probe(std::clamp(try_next, match + 1, std::max(rejected, match + 1)));
  return true;
}

bool Progress::on_heartbeat_answer(Index received_to) {
  if (state == ProgressState::probe) probe_sent = false;
  if (state != ProgressState::replicate || received_to >= next - 1) {
    stalled = 0;
    received = received_to;
    return false;
  }
  stalled = received_to == received ? stalled + 1 : 0;
  received = received_to;
  // One answer may have overtaken Appends on their way, or been sent before they were.
  constexpr int stalled_max = 2;
  if (stalled < stalled_max) return false;
  become_probe(std::max(match, received_to) + 1);
  return true;
}

const char* to_string(ProgressState state) {
  switch (state) {
    case ProgressState::probe:
      return "probe";
    case ProgressState::replicate:
      return "replicate";
    case ProgressState::snapshot:
      return "snapshot";
  }
  UNREACHABLE();
}

}  // namespace chronik::raft
