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

void OwnReads::known(ReadId id, Index index) {
  if (std::erase(asked_, id) > 0) known_.push_back({id, index});
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
