#include "raft/core/read_index.h"

#include <algorithm>
#include <utility>

namespace chronik::raft {

void ReadQueue::begin(Index index, Round round) {
  for (Read& read : reads_) {
    if (read.round != 0) continue;
    read.index = index;
    read.round = round;
  }
}

std::vector<ReadQueue::Read> ReadQueue::take_confirmed(Round confirmed) {
  std::vector<Read> taken;
  while (!reads_.empty() && reads_.front().round != 0 && reads_.front().round <= confirmed) {
    taken.push_back(reads_.front());
    reads_.pop_front();
  }
  return taken;
}

void OwnReads::known(ReadId id, Index index, std::int64_t tick) {
  const auto answered = std::ranges::find(asked_, id);
  if (answered == asked_.end()) return;  // or of an earlier life of this node
  const auto later = answered + 1;
  for (auto at = asked_.begin(); at != later; ++at) known_.push_back({*at, index});
  asked_.erase(asked_.begin(), later);
  waits_since_ = tick;
}

std::optional<ReadId> OwnReads::to_ask_again(std::int64_t tick) {
  if (asked_.empty() || tick - waits_since_ < again_ticks) return std::nullopt;
  waits_since_ = tick;
  return asked_.back();
}

std::vector<ReadReady> OwnReads::take_ready(Index applied) {
  std::vector<ReadReady> ready;
  for (const ReadReady& read : known_) {
    if (read.index <= applied) ready.push_back(read);
  }
  std::erase_if(known_, [&](const ReadReady& read) { return read.index <= applied; });
  return ready;
}

bool OwnReads::has_ready(Index applied) const {
  return std::any_of(known_.begin(), known_.end(),
                     [&](const ReadReady& read) { return read.index <= applied; });
}

std::vector<ReadId> OwnReads::take_asked() { return std::exchange(asked_, {}); }

}  // namespace chronik::raft
