// What runs against the broker while it is killed: a load does its work step by step, keeps a
// ledger of what the broker acknowledged, and later compares the ledger with what the broker has.
// The ledger is our own; nothing is taken from a client library's bookkeeping but the single
// acknowledgements.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace chronik::integration {

/// What a check found wrong; each a sentence.
using Problems = std::vector<std::string>;

class Load {
 public:
  virtual ~Load() = default;
  /// One piece of work, while the broker may die. Called by the load's own thread.
  virtual void step() = 0;
  /// Compares the ledger with the broker, which is up; no step() runs meanwhile. `all`: from the
  /// beginning of everything, else what was acknowledged since the last check.
  virtual void check(bool all, Problems& problems) = 0;
  /// Waits for what is under way, before the last check.
  virtual void finish() = 0;
  /// What was acknowledged, for a person.
  virtual std::string counts() const = 0;
};

/// Lets the steps of many threads through until it is closed; close() waits for those inside.
class StepGate {
 public:
  void enter();
  void leave();
  void close();
  void open();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  int inside_ = 0;
};

/// A thread that calls step() through the gate until it is destroyed. The gate must be open then.
class LoadThread {
 public:
  LoadThread(Load& load, StepGate& gate);

 private:
  std::jthread thread_;
};

}  // namespace chronik::integration
