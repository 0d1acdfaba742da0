#include "integration/sim/producer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace chronik::sim {

using protocol::ErrorCode;

namespace {

constexpr std::size_t in_flight_max = 5;
constexpr ProducerId first_producer_id = 1'000;

}  // namespace

Producer::Producer(const ClientContext& context, ProducerKind kind, int tag, std::uint64_t seed)
    : context_(context),
      kind_(kind),
      tag_(tag),
      random_(seed),
      window_(kind == ProducerKind::idempotent ? 1 + random_.below(in_flight_max) : 1),
      one_by_one_(random_.one_in(2)),
      moves_at_once_(random_.one_in(2)) {}

void Producer::finish() {
  finishing_ = true;
  disconnect();
}

void Producer::look_again() {
  const auto most = static_cast<std::uint64_t>(2 * context_.plan.produce_interval.count());
  context_.stage.at(milliseconds(1 + random_.below(most)), [this] {
    look();
    if (!at_rest()) look_again();
  });
}

void Producer::look() {
  const bool gives_up = context_.plan.new_epochs && kind_ == ProducerKind::idempotent;
  if (gives_up && !finishing_ && !batches_.empty() && random_.one_in(80)) begin_anew();
  if (leader_.node == raft::no_node || random_.one_in(50)) find_leader();
  if (batches_.size() < window_ && !last_made_) make();
  send_ready();
}

/// As after an error that a client cannot go on from: what is under way is given up, whatever
/// becomes of it, and the sequence begins anew in a new epoch.
void Producer::begin_anew() {
  for (const Batch& batch : batches_) {
    if (batch.state != State::done) context_.checker.on_given_up(batch.name);
  }
  batches_.clear();
  // A new client: what it sends may be there before what the one before it has sent.
  if (connection_ && random_.one_in(2)) {
    connection_->closed = true;
    connection_.reset();
  }
  ++epoch_;
  next_sequence_ = 0;
  ++context_.counts.new_epochs;
}

void Producer::make() {
  last_made_ = finishing_;
  const int most = is_superseded_by_the_next({tag_, next_number_}) ? 1 : 4;
  const int records = 1 + static_cast<int>(random_.below(static_cast<std::uint64_t>(most)));
  const bool idempotent = kind_ == ProducerKind::idempotent;
  Batch batch;
  batch.name = {tag_, next_number_++};
  batch.first_sequence = std::exchange(next_sequence_, next_sequence_ + records);
  batch.records = records;
  batch.bytes = make_client_batch(batch.name, idempotent ? first_producer_id + tag_ : -1, epoch_,
                                  batch.first_sequence, records);
  context_.checker.on_made(batch.name, batch.bytes, idempotent);
  batches_.push_back(std::move(batch));
}

/// Before anything was acknowledged, one batch is under way: a leader that has never heard of a
/// producer takes its sequence as it comes, as Kafka's does, and who is asked may become the leader
/// between two batches.
void Producer::send_ready() {
  if (leader_.node == raft::no_node) return;
  const bool is_sent =
      std::ranges::any_of(batches_, [](const Batch& b) { return b.state == State::sent; });
  if (!connection_ || connection_->closed || connection_->to != leader_.node) {
    if (is_sent && !moves_at_once_) return;
    connection_ = context_.network.connect(leader_.node, [this] { disconnect(); });
  }
  bool first = true;
  for (Batch& batch : batches_) {
    if (batch.state == State::waits) {
      if (batch.tries > 0 && one_by_one_ && !first) return;
      if (!acknowledged_ && (!first || is_sent)) return;
      send(batch);
    }
    if (batch.state != State::done) first = false;
  }
}

void Producer::send(Batch& batch) {
  batch.state = State::sent;
  batch.attempt = ++attempts_;
  ++batch.tries;
  const milliseconds timeout = context_.plan.request_timeout;
  ProduceRequest request{partition(), batch.name, batch.bytes,
                         static_cast<std::int16_t>(kind_ == ProducerKind::careless ? 1 : -1),
                         timeout};
  context_.network.request(
      connection_, [this, request, attempt = batch.attempt, connection = connection_](Node& node) {
        context_.service.produce(
            node, request, [this, request, attempt, connection](const ProduceAnswer& answer) {
              context_.network.answer(connection, [this, request, attempt, answer] {
                on_answer(request.name.number, attempt, answer);
              });
            });
      });
  context_.stage.at(
      timeout + milliseconds(100),
      [this, number = batch.name.number, attempt = batch.attempt] { on_timeout(number, attempt); });
}

Producer::Batch* Producer::find(int number) {
  const auto found =
      std::ranges::find(batches_, number, [](const Batch& b) { return b.name.number; });
  return found == batches_.end() ? nullptr : &*found;
}

void Producer::on_answer(int number, std::uint64_t attempt, const ProduceAnswer& answer) {
  Batch* batch = find(number);
  if (batch == nullptr || batch->state != State::sent || batch->attempt != attempt) return;
  if (answer.error != ErrorCode::none) return on_error(*batch, answer);
  batch->state = State::done;
  acknowledged_ = true;
  ++(kind_ == ProducerKind::careless ? context_.counts.leaders_acknowledged
                                     : context_.counts.batches_acknowledged);
  while (!batches_.empty() && batches_.front().state == State::done) batches_.pop_front();
  send_ready();
}

void Producer::on_error(Batch& batch, const ProduceAnswer& answer) {
  batch.state = State::waits;
  switch (answer.error) {
    case ErrorCode::not_leader_or_follower:
      leader_.node = raft::no_node;
      return find_leader();
    case ErrorCode::not_enough_replicas:
    case ErrorCode::not_enough_replicas_after_append:
    case ErrorCode::request_timed_out:
    case ErrorCode::kafka_storage_error:
      return;
    // Nothing is ever missing, at most it is under way, to a former leader say. Told otherwise,
    // librdkafka begins a new epoch and writes other partitions' batches twice.
    case ErrorCode::out_of_order_sequence_number:
    default:
      break;
  }
  context_.verdict.fail(Promise::acknowledged,
                        fmt::format("partition {} refuses batch {} of producer {}, before which "
                                    "none is missing: error {} ({})",
                                    partition(), batch.name.number, tag_,
                                    static_cast<int>(answer.error), answer.message));
}

void Producer::on_timeout(int number, std::uint64_t attempt) {
  const Batch* batch = find(number);
  if (batch == nullptr || batch->state != State::sent || batch->attempt != attempt) return;
  ++context_.counts.produce_timeouts;
  disconnect();
}

/// What became of the batches that are under way is not known: all are sent again.
void Producer::disconnect() {
  if (connection_) connection_->closed = true;
  connection_.reset();
  leader_.node = raft::no_node;
  for (Batch& batch : batches_) {
    if (batch.state == State::sent) batch.state = State::waits;
  }
}

void Producer::find_leader() {
  const std::vector<BrokerId>& replicas = context_.checker.placed().members.replicas;
  const NodeId of = replicas[random_.below(replicas.size())];
  ClientNetwork::Handle connection = context_.network.connect(of, [] {});
  context_.network.request(connection, [this, connection](Node& node) {
    const KnownLeader leader = context_.service.leader(node, partition());
    context_.network.answer(connection, [this, leader] { learn(leader); });
  });
}

void Producer::learn(const KnownLeader& leader) {
  // What is older than what it knows was said by a node that is behind.
  if (leader.node == raft::no_node || leader.epoch < leader_.epoch) return;
  leader_ = leader;
}

std::string Producer::describe() const {
  const int last = batches_.empty() ? next_number_ : batches_.front().name.number;
  return fmt::format("producer {} ({} in flight, next to be acknowledged {}, leader {})", tag_,
                     batches_.size(), last, leader_.node);
}

}  // namespace chronik::sim
