// Replicas of topics that move while clients write (AlterPartitionReassignments): to other sets of
// one to three nodes, some of which are taken back or replaced by another move, and preferred
// leaders that are elected (ElectLeaders) now and then. Whoever breaks nodes asks it which
// partitions cannot go on without them. Its own thread calls step(); the rest any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "integration/kill/cluster_view.h"
#include "integration/kill/load.h"

namespace chronik::integration {

class MoveLoad : public Load {
 public:
  using Replicas = std::vector<std::int32_t>;
  struct Topic {
    std::string name;
    int partitions = 0;
  };
  MoveLoad(ClusterProcesses& cluster, const std::vector<Topic>& topics, std::uint64_t seed);

  void step() override;
  /// Precondition: settle().
  void check(bool all, Problems& problems) override;
  void finish() override {}
  std::string counts() const override;

  enum class Mode {
    any_size,
    wide,  // to three nodes only: what begins now stands the loss of one
    hold   // nothing begins
  };
  /// What is under way goes on.
  void set_mode(Mode mode);
  /// The partitions of the topic that may stand still without these nodes, with all the replicas
  /// that they may have now. Precondition: not any_size.
  std::set<int> may_stand_still(const std::string& topic, const std::set<int>& nodes) const;
  /// Precondition: nothing moves as all nodes say, and nothing has begun since the mode is `hold`.
  /// What was asked before, and is answered by now, is over.
  void settle();
  /// Moves all partitions that have fewer than three replicas to three nodes. False while some
  /// have, or may get fewer by a request whose answer was lost. Precondition: settle().
  bool widen();

 private:
  using Clock = std::chrono::steady_clock;
  /// Where the replicas may be, since somebody asked for it.
  struct Asked {
    Replicas replicas = {};
    bool answered = false;
    Clock::time_point given_up{};  // without an answer
  };
  struct Place {
    std::string topic = {};
    int partition = 0;
    std::vector<Asked> possible = {};
    Replicas before = {};                   // the move that is under way; empty: not known
    std::optional<Replicas> expected = {};  // at rest; nothing: an answer was lost
    bool moves = false;                     // as far as is known
    /// An answer was lost: what was asked may still be done so long, behind what was asked later.
    std::optional<Clock::time_point> unsure_until = {};
  };

  Replicas any_set(std::size_t size);
  /// Unless the mode has changed since it was `mode`.
  void move(Place& place, const Replicas& to, Mode mode);
  void take_back(Place& place);
  void look_at(Place& place);
  void elect(const Place& place);
  std::optional<int> reassign(const Place& place, const std::optional<Replicas>& to);
  const BrokerProcess& any_node();

  ClusterProcesses& cluster_;
  std::map<std::string, ClusterView> views_;
  mutable std::mutex mutex_;      // of the rest; not held while a node is asked
  std::condition_variable pace_;  // nobody ends the wait
  Random random_;
  Mode mode_ = Mode::hold;
  std::vector<Place> places_;
  int begun_ = 0;
  int replaced_ = 0;
  int done_ = 0;
  int taken_back_ = 0;
  int elected_ = 0;
  std::map<int, int> refusals_;  // by error code
  int unanswered_ = 0;
};

}  // namespace chronik::integration
