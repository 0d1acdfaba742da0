#include "broker/raft_shard.h"

#include <utility>
#include <vector>

#include "broker/partition/partitions.h"
#include "metadata/meta_log_store.h"

namespace chronik::broker {

/// The way of another shard to the transport.
class RaftShard::Relay final : public raft::Transport {
 public:
  Relay(Shard& home, PeerTransport& transport) : home_(home), transport_(transport) {}

  void send(raft::NodeId to, ByteChain frame) override {
    home_.post([transport = &transport_, to, frame = std::move(frame)]() mutable {
      transport->send(to, std::move(frame));
    });
  }

 private:
  Shard& home_;
  PeerTransport& transport_;
};

RaftShard::RaftShard(Shard& shard, ShardStorage& storage, Shard& home, PeerTransport& transport,
                     raft::RaftOptions options, std::uint64_t seed)
    : shard_(shard), random_(seed), tick_(shard.timers(), [this] { tick(); }) {
  if (&shard != &home) relay_ = std::make_unique<Relay>(home, transport);
  raft::Transport& way = relay_ ? static_cast<raft::Transport&>(*relay_) : transport;
  options.random = [this] { return random_.next(); };
  options.on_awake = [this] { arm(); };
  groups_ = std::make_unique<raft::RaftReplicaManager>(std::move(options), storage.environment(),
                                                       storage.group(), storage.io(), way);
}

RaftShard::~RaftShard() = default;

void RaftShard::receive(raft::NodeId from, raft::Frame frame) {
  groups_->receive(from, std::move(frame));
  arm();
}

void RaftShard::on_node_up(raft::NodeId node, const Uuid& directory) {
  groups_->on_node_up(node, directory);
  arm();
}

void RaftShard::on_node_leaving(raft::NodeId node) { groups_->on_node_leaving(node); }

void RaftShard::on_node_down(raft::NodeId node) {
  groups_->on_node_down(node);
  arm();
}

void RaftShard::tick() {
  groups_->tick(shard_.now());
  if (on_tick) on_tick();
  arm();
}

void RaftShard::arm() {
  if (closed_) return;
  const std::optional<SteadyTime> next = groups_->next_tick();
  if (!next) return tick_.cancel();
  if (!tick_.armed() || *next < tick_.deadline()) tick_.arm_at(*next);
}

void RaftShard::hand_over(milliseconds timeout, std::function<void()> done) {
  groups_->hand_over(timeout, std::move(done));
  arm();
}

void RaftShard::close() {
  closed_ = true;
  groups_->close();
  tick_.cancel();
}

std::uint32_t shard_of_group(const raft::GroupId& group, std::uint32_t shard_count) {
  if (group.topic_id == metadata::metadata_log_identity().topic_id) return 0;
  return shard_of(group.topic_id, group.partition, shard_count);
}

void split_frame(raft::Frame frame, std::uint32_t shard_count,
                 const std::function<void(std::uint32_t shard, raft::Frame part)>& deliver) {
  if (shard_count == 1) return deliver(0, std::move(frame));
  auto* messages = std::get_if<std::vector<raft::GroupMessage>>(&frame);
  if (messages == nullptr) {
    const std::uint32_t shard = std::visit(
        [&](const auto& single) -> std::uint32_t {
          if constexpr (requires { single.group; }) {
            return shard_of_group(single.group, shard_count);
          } else {
            return 0;
          }
        },
        frame);
    return deliver(shard, std::move(frame));
  }
  std::vector<std::vector<raft::GroupMessage>> parts(shard_count);
  for (raft::GroupMessage& message : *messages) {
    parts[shard_of_group(message.group, shard_count)].push_back(std::move(message));
  }
  for (std::uint32_t shard = 0; shard < shard_count; ++shard) {
    if (!parts[shard].empty()) deliver(shard, std::move(parts[shard]));
  }
}

}  // namespace chronik::broker
