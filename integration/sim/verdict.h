// Verdict: the first promise that was broken, and which checker saw it. One a run; the checkers
// share it.
#pragma once

#include <string>
#include <utility>

namespace chronik::sim {

/// What is checked; names for people are in to_string().
enum class Promise {
  one_leader,           // of a term, and one vote a voter
  log_matching,         // same index and term: same log up to there
  leader_completeness,  // a leader has what was committed before its term
  durable_majority,     // what is committed is on the disks of a majority
  committed_stays,      // one entry is committed at an index, for ever, and no restart loses it
  equal_images,         // equal applied index, equal image
  ready_leader,         // whose image has what was decided before its term
  answers,              // are those of apply, and of what is committed
  at_most_once,         // a proposal takes effect once, unless it said that twice does no harm
  refused_is_not_made,  // an error that says so
  reads,                // see what was committed when they began
  acknowledged,         // batches are there to stay, at the offset that was told
  exactly_once,         // a batch of an idempotent producer is there once
  producer_order,       // ... behind those that it had sent before
  readers,              // see what is committed, and a high watermark that never goes back
  deleted,              // is what its leader says so of, at a majority, and stays so there
  equal_replicas,       // at rest, byte by byte
  starts,               // nothing but damage beyond the means of the node keeps it from starting
  liveness,             // once all is well again, all nodes take proposals and come to one image
};

const char* to_string(Promise promise);

class Verdict {
 public:
  void fail(Promise promise, std::string what) {
    if (!problem_.empty()) return;
    promise_ = promise;
    problem_ = std::string(to_string(promise)) + ": " + std::move(what);
  }
  bool good() const { return problem_.empty(); }
  const std::string& problem() const { return problem_; }
  Promise promise() const { return promise_; }

 private:
  std::string problem_;
  Promise promise_ = Promise::liveness;
};

}  // namespace chronik::sim
