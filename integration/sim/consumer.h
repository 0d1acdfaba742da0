// Consumer: a client that reads one partition of a simulated cluster from its begin, from whoever
// leads or a follower that the leader has sent it to, and goes on where it was. Owned by the
// Traffic.
#pragma once

#include "base/random.h"
#include "integration/sim/producer.h"

namespace chronik::sim {

class Consumer {
 public:
  Consumer(const ClientContext& context, std::uint64_t seed) : context_(context), random_(seed) {}

  void begin() { look_again(); }
  void finish();
  /// It has read all that is committed.
  bool at_rest() const { return finishing_ && next_ == context_.checker.committed_end(); }
  std::string describe() const;

 private:
  void look_again();
  void look();
  FetchAnswer ask(Node& node, Offset from, LeaderEpoch epoch);
  void on_answer(const FetchAnswer& answer);
  void disconnect();
  void find_leader();
  int partition() const { return context_.checker.placed().identity.partition; }

  const ClientContext context_;
  Random random_;
  Offset next_ = 0;
  Offset high_watermark_ = 0;  // the last that it was told
  KnownLeader leader_;
  NodeId follower_ = raft::no_node;  // that it reads from in place of the leader
  ClientNetwork::Handle connection_;
  bool asked_ = false;
  SteadyTime asked_at_{};
  bool finishing_ = false;
};

}  // namespace chronik::sim
