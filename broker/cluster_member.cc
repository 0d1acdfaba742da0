#include "broker/cluster_member.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"
#include "broker/runtime/blocking.h"

namespace chronik::broker {

namespace {

constexpr milliseconds look_interval{20};
constexpr milliseconds say_interval{5'000};

Uuid random_uuid(Random& random) {
  const std::uint64_t high = random.next();
  return Uuid::from_random(high, random.next());
}

/// Waits for `ready` on the main thread; tells every few seconds what it waits for.
Result<void> wait_for(std::future<void> ready, const Clock& clock,
                      const ClusterMember::GiveUp& give_up,
                      const std::function<std::string()>& what) {
  SteadyTime said = clock.steady_now();
  while (ready.wait_for(look_interval) != std::future_status::ready) {
    if (give_up()) return Error{Errc::closed, "stopped while it waited for the other nodes"};
    if (clock.steady_now() - said < say_interval) continue;
    said = clock.steady_now();
    log_info("waiting for the cluster", {{"for", what()}});
  }
  return {};
}

}  // namespace

ClusterMember::ClusterMember(Place place, std::uint64_t seed) : place_(place), random_(seed) {}

ClusterMember::~ClusterMember() {
  close();
  destroy();
}

Result<std::unique_ptr<ClusterMember>> ClusterMember::open(Place place, Random& random,
                                                           const GiveUp& give_up) {
  std::unique_ptr<ClusterMember> node(new ClusterMember(place, random.next()));
  TRY(node->bind(random));
  TRY(node->join(give_up));
  TRY(node->open_store());
  TRY(node->catch_up(give_up));
  return node;
}

Result<void> ClusterMember::bind(Random& random) {
  const PeerOptions options = peer_options(place_.settings, *place_.directory.stamp(),
                                           place_.cluster_id, random_uuid(random));
  PeerEvents events;
  events.node_up = [this](raft::NodeId node) { on_node_up(node); };
  events.node_down = [this](raft::NodeId node) { on_node_down(node); };
  events.node_changed = [this](raft::NodeId node) {
    if (join_) join_->on_node_changed(node);
  };
  events.frame = [this](raft::NodeId from, SharedBytes frame) {
    if (!manager_) return;
    manager_->receive(from, std::move(frame));
    arm();
  };
  TRY_ASSIGN(transport_,
             PeerTransport::open(place_.shard, options, std::move(events), Random(random.next())));
  transport_->start();
  return {};
}

void ClusterMember::on_node_up(raft::NodeId node) {
  log_info("another node of the cluster is there", {{"node", node}});
  if (join_) join_->on_node_up(node);
  tell_absent();
  if (!manager_) return;
  manager_->on_node_up(node);
  arm();
}

void ClusterMember::on_node_down(raft::NodeId node) {
  log_info("another node of the cluster is gone", {{"node", node}});
  if (join_) join_->on_node_down(node);
  tell_absent();
  if (!manager_) return;
  manager_->on_node_down(node);
  arm();
}

Result<void> ClusterMember::join(const GiveUp& give_up) {
  std::promise<void> decided;
  ClusterJoin::Outcome outcome;
  const bool founded = call_on(place_.shard, [&] {
    if (!transport_->self().founders.empty()) return true;
    join_ = std::make_unique<ClusterJoin>(*transport_, voters_of(place_.settings),
                                          [&](const ClusterJoin::Outcome& is) {
                                            outcome = is;
                                            decided.set_value();
                                          });
    join_->start();
    for (const ClusterNode& node : place_.settings.nodes) {
      if (join_ && transport_->is_up(node.id)) join_->on_node_changed(node.id);
    }
    return false;
  });
  if (founded) return {};
  const Result<void> waited = wait_for(decided.get_future(), place_.clock, give_up, [this] {
    return call_on(place_.shard, [this] { return join_->waits_for(); });
  });
  call_on(place_.shard, [this] { join_.reset(); });
  TRY(waited);
  return make_durable(outcome);
}

/// Who belongs to the cluster is on disk before this node takes part in anything.
Result<void> ClusterMember::make_durable(const ClusterJoin::Outcome& outcome) {
  wal::DirectoryStamp stamp = *place_.directory.stamp();
  if (outcome.kind == ClusterJoin::Outcome::Kind::newcomer) {
    return Error{
        Errc::invalid_argument,
        fmt::format(
            "the data directory of node {} is empty, but its cluster {} was founded without "
            "it: what the node had acknowledged is gone. Give it its old directory back; a "
            "node with an empty one cannot join yet",
            stamp.node_id, outcome.cluster_id.to_string())};
  }
  stamp.cluster_id = outcome.cluster_id.to_string();
  stamp.founders = outcome.founders;
  TRY(place_.directory.write_stamp(stamp));
  call_on(place_.shard,
          [&] { transport_->set_identity(outcome.cluster_id, outcome.founders, Uuid()); });
  log_info("the cluster is founded",
           {{"cluster_id", stamp.cluster_id}, {"nodes", outcome.founders.size()}});
  return {};
}

raft::RaftOptions ClusterMember::raft_options() {
  const ClusterSettings& settings = place_.settings;
  raft::RaftOptions options;
  options.node = place_.directory.stamp()->node_id;
  options.tick = settings.heartbeat_interval;
  options.election_ticks =
      std::max(static_cast<int>(settings.election_timeout / settings.heartbeat_interval), 3);
  options.random = [this] { return random_.next(); };
  return options;
}

Result<void> ClusterMember::open_store() {
  std::vector<wal::Founder> founders =
      call_on(place_.shard, [&] { return transport_->self().founders; });
  if (place_.directory.stamp()->founders.empty()) {
    // It was alone until now.
    wal::DirectoryStamp stamp = *place_.directory.stamp();
    stamp.founders = founders;
    TRY(place_.directory.write_stamp(stamp));
  }
  metadata::RaftMetaLogOptions options;
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  options.log.directory = place_.directory.partition_path(identity.topic, identity.partition);
  options.log.now = [&clock = place_.clock] { return clock.now_ms(); };
  options.propose_timeout_ms = place_.settings.propose_timeout.count();
  for (const Founder& founder : founders) options.voters.voters.push_back(founder.node);
  return call_on(place_.shard, [&]() -> Result<void> {
    ShardStorage& storage = place_.storage;
    tick_ = std::make_unique<Timer>(place_.shard.timers(), [this] { on_tick(); });
    manager_ = std::make_unique<raft::RaftReplicaManager>(
        raft_options(), storage.environment(), storage.group(), storage.io(), *transport_);
    TRY_ASSIGN(store_, metadata::RaftMetaLog::open(storage.environment(), storage.group(),
                                                   storage.io(), *manager_, std::move(options)));
    for (const ClusterNode& node : place_.settings.nodes) {
      if (transport_->is_up(node.id)) manager_->on_node_up(node.id);
    }
    on_tick();
    return {};
  });
}

/// Until then a topic that is not in the image may be one that this node has not heard of yet.
Result<void> ClusterMember::catch_up(const GiveUp& give_up) {
  auto caught_up = std::make_shared<std::promise<void>>();
  std::future<void> future = caught_up->get_future();
  const auto ask = std::make_shared<std::function<void()>>();
  *ask = [this, caught_up, again = std::weak_ptr(ask)] {
    store_->read_barrier([this, caught_up, again](const Result<void>& read) {
      if (read) return caught_up->set_value();
      // No leader within the time: they may still be starting.
      if (const auto next = again.lock(); next && !closed_) (*next)();
    });
    arm();
  };
  call_on(place_.shard, [&] { (*ask)(); });
  return wait_for(std::move(future), place_.clock, give_up, [this] {
    return call_on(place_.shard, [this]() -> std::string {
      const metadata::Leadership leadership = store_->leadership();
      if (leadership.leader >= 0) return fmt::format("entries of node {}", leadership.leader);
      return fmt::format("a leader; nodes that are not there: {}", fmt::join(absent(), ", "));
    });
  });
}

std::vector<BrokerId> ClusterMember::absent() const {
  std::vector<BrokerId> absent;
  for (const ClusterNode& node : place_.settings.nodes) {
    const bool self = node.id == place_.directory.stamp()->node_id;
    if (!self && !transport_->is_up(node.id)) absent.push_back(node.id);
  }
  return absent;
}

void ClusterMember::watch_absent(Watch watch) {
  watch_ = std::move(watch);
  tell_absent();
}

void ClusterMember::tell_absent() {
  if (watch_) watch_(absent());
}

void ClusterMember::on_tick() {
  if (!manager_) return;
  manager_->tick(place_.shard.now());
  arm();
}

void ClusterMember::arm() {
  if (closed_) return;
  const std::optional<SteadyTime> next = manager_->next_tick();
  if (!next) return tick_->cancel();
  if (!tick_->armed() || *next < tick_->deadline()) tick_->arm_at(*next);
}

void ClusterMember::hand_over(milliseconds timeout) {
  if (closed_ || !store_) return;
  auto handed = std::make_shared<std::promise<void>>();
  std::future<void> future = handed->get_future();
  call_on(place_.shard, [&] {
    manager_->hand_over(timeout, [handed] { handed->set_value(); });
    arm();
  });
  // The manager ends the wait itself; what is on top is for a loaded machine.
  future.wait_for(timeout + milliseconds(500));
}

void ClusterMember::close() {
  if (closed_) return;
  call_on(place_.shard, [this] {
    closed_ = true;
    if (store_) store_->close();
    if (manager_) manager_->close();
    if (tick_) tick_->cancel();
  });
  if (transport_) transport_->stop();
}

void ClusterMember::destroy() {
  if (std::exchange(destroyed_, true)) return;
  call_on(place_.shard, [this] {
    join_.reset();
    manager_.reset();
    store_.reset();
    tick_.reset();
  });
  transport_.reset();
}

}  // namespace chronik::broker
