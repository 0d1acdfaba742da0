#include "integration/sim/consumer.h"

#include <spdlog/fmt/fmt.h>

namespace chronik::sim {

using protocol::ErrorCode;

void Consumer::finish() {
  finishing_ = true;
  disconnect();
}

void Consumer::look_again() {
  const auto most = static_cast<std::uint64_t>(3 * context_.plan.produce_interval.count());
  context_.stage.at(milliseconds(1 + random_.below(most)), [this] {
    look();
    look_again();
  });
}

void Consumer::look() {
  if (asked_ && context_.stage.now() - asked_at_ > context_.plan.request_timeout) disconnect();
  if (leader_.node == raft::no_node || random_.one_in(50)) find_leader();
  if (leader_.node == raft::no_node || asked_) return;
  // As its lease ends.
  if (random_.one_in(30)) follower_ = raft::no_node;
  const NodeId reads_from = follower_ == raft::no_node ? leader_.node : follower_;
  if (!connection_ || connection_->closed || connection_->to != reads_from) {
    connection_ = context_.network.connect(reads_from, [this] { disconnect(); });
  }
  asked_ = true;
  asked_at_ = context_.stage.now();
  context_.network.request(connection_, [this, connection = connection_, from = next_,
                                         epoch = leader_.epoch](Node& node) {
    const FetchAnswer answer = ask(node, from, epoch);
    context_.network.answer(connection, [this, answer] { on_answer(answer); });
  });
}

/// At the node.
FetchAnswer Consumer::ask(Node& node, Offset from, LeaderEpoch epoch) {
  FetchAnswer answer = context_.service.fetch(node, partition(), from, epoch);
  const std::vector<BrokerId>& replicas = context_.checker.placed().members.replicas;
  const NodeId near = replicas[random_.below(replicas.size())];
  const bool is_sent = answer.error == ErrorCode::none && node.id() != near && random_.one_in(4) &&
                       context_.service.leader(node, partition()).node == node.id();
  if (is_sent &&
      context_.service.is_fit_to_be_read(context_.stage.node(near), partition(), answer, epoch)) {
    answer.preferred = near;
  }
  return answer;
}

void Consumer::on_answer(const FetchAnswer& answer) {
  asked_ = false;
  switch (answer.error) {
    case ErrorCode::none:
      if (answer.high_watermark < high_watermark_) {
        return context_.verdict.fail(
            Promise::readers, fmt::format("partition {} tells a reader a high watermark of {}, "
                                          "having told {} before",
                                          partition(), answer.high_watermark, high_watermark_));
      }
      high_watermark_ = answer.high_watermark;
      next_ = answer.next;
      if (answer.preferred != raft::no_node) follower_ = answer.preferred;
      return;
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::unknown_leader_epoch:
    case ErrorCode::offset_not_available:
      leader_.node = follower_ = raft::no_node;
      return;
    case ErrorCode::offset_out_of_range:
      // Retention was faster.
      if (next_ < answer.log_start) {
        next_ = answer.log_start;
        return;
      }
      break;
    default:
      break;
  }
  context_.verdict.fail(
      Promise::readers,
      fmt::format("partition {} refuses a reader at {} (the log begins at {}): error {}",
                  partition(), next_, answer.log_start, static_cast<int>(answer.error)));
}

void Consumer::disconnect() {
  if (connection_) connection_->closed = true;
  connection_.reset();
  leader_.node = follower_ = raft::no_node;
  asked_ = false;
}

void Consumer::find_leader() {
  const std::vector<BrokerId>& replicas = context_.checker.placed().members.replicas;
  const NodeId of = replicas[random_.below(replicas.size())];
  ClientNetwork::Handle connection = context_.network.connect(of, [] {});
  context_.network.request(connection, [this, connection](Node& node) {
    const KnownLeader leader = context_.service.leader(node, partition());
    context_.network.answer(connection, [this, leader] {
      if (leader.node != raft::no_node && leader.epoch >= leader_.epoch) leader_ = leader;
    });
  });
}

std::string Consumer::describe() const {
  return fmt::format("a consumer at {} (leader {})", next_, leader_.node);
}

}  // namespace chronik::sim
