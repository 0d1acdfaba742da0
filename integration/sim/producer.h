// Producer: a client that writes to one partition of a simulated cluster as those of Kafka do: up
// to five batches under way, each sent again, in order and with its sequence, until it is
// acknowledged. Owned by the Traffic.
#pragma once

#include <deque>

#include "base/random.h"
#include "integration/sim/client_network.h"
#include "integration/sim/partition_service.h"

namespace chronik::sim {

enum class ProducerKind {
  idempotent,
  plain,    // acks=all: what it acknowledges stays, and may be there twice
  careless  // acks=1: what it acknowledges may be lost
};

/// What clients of one partition share.
struct ClientContext {
  Stage& stage;
  const Plan& plan;
  Counts& counts;
  Verdict& verdict;
  ClientNetwork& network;
  PartitionService& service;
  PartitionChecker& checker;
};

class Producer {
 public:
  Producer(const ClientContext& context, ProducerKind kind, int tag, std::uint64_t seed);

  void begin() { look_again(); }
  /// All is well: it writes one more batch, and rests once all are acknowledged.
  void finish();
  bool at_rest() const { return finishing_ && last_made_ && batches_.empty(); }
  std::string describe() const;

 private:
  enum class State { waits, sent, done };
  struct Batch {
    BatchName name;
    Sequence first_sequence = 0;
    int records = 0;
    SharedBytes bytes;
    State state = State::waits;
    std::uint64_t attempt = 0;
    int tries = 0;
  };

  void look_again();
  void look();
  void begin_anew();
  void make();
  void send_ready();
  void send(Batch& batch);
  void on_answer(int number, std::uint64_t attempt, const ProduceAnswer& answer);
  void on_error(Batch& batch, const ProduceAnswer& answer);
  void on_timeout(int number, std::uint64_t attempt);
  void disconnect();
  void find_leader();
  void learn(const KnownLeader& leader);
  Batch* find(int number);
  int partition() const { return context_.checker.placed().identity.partition; }

  const ClientContext context_;
  const ProducerKind kind_;
  const int tag_;
  Random random_;
  const std::size_t window_;
  const bool one_by_one_;     // what is sent again: the Java client; librdkafka sends all
  const bool moves_at_once_;  // to a new leader, while the old one has batches of it
  std::deque<Batch> batches_;
  int next_number_ = 0;
  Sequence next_sequence_ = 0;
  ProducerEpoch epoch_ = 0;
  std::uint64_t attempts_ = 0;
  KnownLeader leader_;
  ClientNetwork::Handle connection_;
  bool acknowledged_ = false;  // a batch, ever
  bool finishing_ = false;
  bool last_made_ = false;
};

}  // namespace chronik::sim
