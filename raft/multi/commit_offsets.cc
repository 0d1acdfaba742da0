#include "raft/multi/commit_offsets.h"

#include <algorithm>

namespace chronik::raft {

CommitOffsets::CommitOffsets(Offset begin, Index last, Offset end)
    : committed_(begin), opened_(last) {
  ends_.push_back({last, end});
}

void CommitOffsets::append(Index index, Offset begin, Offset end) {
  while (!ends_.empty() && ends_.back().index >= index) ends_.pop_back();
  opened_ = std::min(opened_, index - 1);
  // A cut has taken the only end that was known of those before.
  if (ends_.empty() || ends_.back().index < index - 1) ends_.push_back({index - 1, begin});
  ends_.push_back({index, end});
}

void CommitOffsets::restart(Index last, Offset end) {
  ends_.clear();
  ends_.push_back({last, end});
  committed_ = std::max(committed_, end);
  opened_ = std::min(opened_, last);
}

Offset CommitOffsets::advance(Index commit) {
  while (!ends_.empty() && ends_.front().index <= commit) {
    committed_ = std::max(committed_, ends_.front().offset);
    ends_.pop_front();
  }
  known_ = known_ || commit >= opened_;
  return committed_;
}

}  // namespace chronik::raft
