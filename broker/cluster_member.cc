#include "broker/cluster_member.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"
#include "base/random_uuid.h"
#include "broker/net/leaving_notice.h"
#include "broker/runtime/blocking.h"

namespace chronik::broker {

namespace {

constexpr milliseconds look_interval{20};
constexpr milliseconds say_interval{5'000};

/// At once where that is here.
template <class Work>
void on_shard_of(RaftShard& rafts, Work work) {
  if (rafts.shard().is_current()) return work();
  rafts.shard().post(std::move(work));
}

}  // namespace

ClusterMember::ClusterMember(Place place, std::uint64_t seed)
    : place_(std::move(place)), random_(seed) {}

ClusterMember::~ClusterMember() {
  close();
  destroy();
}

/// Waits for `ready` on the main thread; tells every few seconds what it waits for.
Result<void> ClusterMember::wait_for(std::future<void> ready, const GiveUp& give_up,
                                     const std::function<std::string()>& what) {
  SteadyTime said = place_.clock.steady_now();
  while (ready.wait_for(look_interval) != std::future_status::ready) {
    if (give_up()) return Error{Errc::closed, "stopped while it waited for the other nodes"};
    TRY(call_on(place_.shard, [this] { return check_others(); }));
    if (place_.clock.steady_now() - said < say_interval) continue;
    said = place_.clock.steady_now();
    log_info("waiting for the cluster", {{"for", call_on(place_.shard, what)}});
  }
  return {};
}

/// A directory that most of the other nodes take for one of another cluster is the wrong one.
Result<void> ClusterMember::check_others() const {
  if (2 * foreign_.size() < place_.settings.nodes.size()) return {};
  return Error{Errc::invalid_argument,
               fmt::format("the data directory {} is of another cluster than the other nodes: {}",
                           place_.directory.path(), foreign_.begin()->second)};
}

/// A node that was alone until now leads at once, and would serve before it hears that the others
/// are a cluster without it.
Result<void> ClusterMember::meet_others(const GiveUp& give_up) {
  auto met = std::make_shared<std::promise<void>>();
  std::future<void> all = met->get_future();
  call_on(place_.shard, [&] {
    on_other_ = [this, met]() mutable {
      const std::size_t others = place_.settings.nodes.size() - 1;
      if (!met || others - absent().size() + foreign_.size() < others) return;
      std::exchange(met, nullptr)->set_value();
    };
    on_other_();
  });
  const SteadyTime late = place_.clock.steady_now() + place_.settings.election_timeout;
  while (all.wait_for(look_interval) != std::future_status::ready &&
         place_.clock.steady_now() < late) {
    if (give_up()) return Error{Errc::closed, "stopped while it waited for the other nodes"};
  }
  return call_on(place_.shard, [this] {
    on_other_ = nullptr;
    return check_others();
  });
}

Result<std::unique_ptr<ClusterMember>> ClusterMember::open(Place place, Random& random,
                                                           const GiveUp& give_up) {
  std::unique_ptr<ClusterMember> node(new ClusterMember(std::move(place), random.next()));
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
  events.refused = [this](raft::NodeId node, const PeerObjection& objection) {
    if (objection.refusal == PeerRefusal::cluster) foreign_[node] = objection.text;
    if (on_other_) on_other_();
  };
  events.frame = [this](raft::NodeId from, SharedBytes frame) {
    if (is_node_frame(frame.view())) return requests_->receive(from, frame);
    if (is_leaving_notice(frame.view())) return on_node_leaving(from);
    if (is_leader_news(frame.view())) {
      const auto news = decode_leader_news(frame.view());
      if (news && on_news_) {
        on_news_(from, *news);
      } else if (news && early_news_) {
        early_news_->emplace_back(from, *news);
      }
      return;
    }
    receive(from, std::move(frame));
  };
  TRY_ASSIGN(transport_,
             PeerTransport::open(place_.shard, options, std::move(events), Random(random.next())));
  requests_ = std::make_unique<NodeRequests>(place_.shard, *transport_);
  transport_->start();
  return {};
}

void ClusterMember::receive(raft::NodeId from, SharedBytes bytes) {
  if (rafts_.empty()) return;
  Result<raft::Frame> frame =
      raft::decode_frame(from, place_.directory.stamp()->node_id, std::move(bytes));
  if (!frame) {
    log_warn("a frame is dropped", {{"from", from}, {"why", frame.error().message}});
    return;
  }
  split_frame(std::move(*frame), place_.shards.count(),
              [this, from](std::uint32_t shard, raft::Frame part) {
                RaftShard& rafts = *rafts_[shard];
                on_shard_of(rafts, [&rafts, from, part = std::move(part)]() mutable {
                  rafts.receive(from, std::move(part));
                });
              });
}

void ClusterMember::on_node_up(raft::NodeId node) {
  log_info("another node of the cluster is there", {{"node", node}});
  foreign_.erase(node);
  leaving_.erase(node);
  if (on_other_) on_other_();
  if (join_) join_->on_node_up(node);
  tell_absent();
  for (const std::unique_ptr<RaftShard>& rafts : rafts_) {
    on_shard_of(*rafts, [&own = *rafts, node, directory = directory_of(node)] {
      own.on_node_up(node, directory);
    });
  }
  // Now that the groups count it.
  if (tell_all_) tell_all_();
  if (!quorum_) return;
  if (const std::string lost = quorum_->lost_voters(); !lost.empty()) {
    log_warn("what such a node says counts for nothing until the leader has taken it in",
             {{"why", lost}});
  }
}

void ClusterMember::on_node_leaving(raft::NodeId node) {
  log_info("another node of the cluster stops", {{"node", node}});
  leaving_.insert(node);
  tell_absent();
  for (const std::unique_ptr<RaftShard>& rafts : rafts_) {
    on_shard_of(*rafts, [&own = *rafts, node] { own.on_node_leaving(node); });
  }
}

void ClusterMember::on_node_down(raft::NodeId node) {
  log_info("another node of the cluster is gone", {{"node", node}});
  if (join_) join_->on_node_down(node);
  requests_->on_node_down(node);
  tell_absent();
  for (const std::unique_ptr<RaftShard>& rafts : rafts_) {
    on_shard_of(*rafts, [&own = *rafts, node] { own.on_node_down(node); });
  }
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
  if (founded && place_.directory.stamp()->founders.empty()) return meet_others(give_up);
  if (founded) return {};
  const Result<void> waited =
      wait_for(decided.get_future(), give_up, [this] { return join_->waits_for(); });
  call_on(place_.shard, [this] { join_.reset(); });
  TRY(waited);
  return make_durable(outcome);
}

/// Who belongs to the cluster is on disk before this node takes part in anything.
Result<void> ClusterMember::make_durable(const ClusterJoin::Outcome& outcome) {
  wal::DirectoryStamp stamp = *place_.directory.stamp();
  stamp.cluster_id = outcome.cluster_id.to_string();
  stamp.founders = outcome.founders;
  TRY(place_.directory.write_stamp(stamp));
  call_on(place_.shard,
          [&] { transport_->set_identity(outcome.cluster_id, outcome.founders, Uuid()); });
  if (outcome.kind == ClusterJoin::Outcome::Kind::newcomer) {
    log_warn(
        "the cluster was founded without this data directory: the node joins as an empty one. It "
        "copies the metadata, and has no vote before it holds them",
        {{"cluster_id", stamp.cluster_id}, {"directory_id", stamp.directory_id.to_string()}});
  } else {
    log_info("the cluster is founded",
             {{"cluster_id", stamp.cluster_id}, {"nodes", outcome.founders.size()}});
  }
  return {};
}

raft::RaftOptions ClusterMember::raft_options() const {
  const ClusterSettings& settings = place_.settings;
  raft::RaftOptions options;
  options.node = place_.directory.stamp()->node_id;
  options.directory = place_.directory.stamp()->directory_id;
  options.tick = settings.heartbeat_interval;
  options.election_ticks =
      std::max(static_cast<int>(settings.election_timeout / settings.heartbeat_interval), 3);
  options.catch_up = &rates_->budgets();
  options.commit_with_heartbeats = !place_.reads_at_followers;
  // The transport tells of nodes that are silent for an election timeout.
  options.rest_after_ticks = options.election_ticks / 2;
  return options;
}

std::vector<std::unique_ptr<RaftShard>> ClusterMember::make_rafts() {
  std::vector<std::unique_ptr<RaftShard>> rafts;
  for (std::uint32_t id = 0; id < place_.shards.count(); ++id) {
    Shard& shard = place_.shards.at(id);
    rafts.push_back(call_on(shard, [&] {
      return std::make_unique<RaftShard>(shard, *place_.storages[id], place_.shard, *transport_,
                                         raft_options(), random_.next());
    }));
  }
  return rafts;
}

/// Nobody, as far as a newcomer knows: its directory is not among those that founded.
raft::Membership ClusterMember::founding_members() {
  const wal::DirectoryStamp& stamp = *place_.directory.stamp();
  const Founder self{stamp.node_id, stamp.directory_id};
  raft::Membership members;
  if (!std::ranges::binary_search(stamp.founders, self)) return members;
  for (const Founder& founder : stamp.founders) {
    members.voters.push_back(founder.node);
    members.directories.push_back({founder.node, founder.directory});
  }
  return members;
}

/// Who removes the metadata log alone would make a node that votes again without what it promised.
Result<void> ClusterMember::check_votes() const {
  if (!place_.directory.stamp()->has_votes) return {};
  const wal::LogIdentity log = metadata::metadata_log_identity();
  const std::string directory = place_.directory.partition_path(log.topic, log.partition);
  const std::string file = directory + "/" + raft::state_file_name;
  TRY_ASSIGN(const bool there, place_.storages[0]->environment().disk.exists(file));
  if (there) return {};
  return Error{Errc::corrupt,
               fmt::format("{} is missing, and with it the votes of this node. Put {} back; or "
                           "remove the whole data directory {}: the node comes back as an empty "
                           "one and copies what the others have",
                           file, directory, place_.directory.path())};
}

/// Before the first vote leaves.
Result<void> ClusterMember::note_votes() {
  wal::DirectoryStamp stamp = *place_.directory.stamp();
  if (std::exchange(stamp.has_votes, true)) return {};
  return place_.directory.write_stamp(std::move(stamp));
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
  TRY(check_votes());
  metadata::RaftMetaLogOptions options;
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  options.log.directory = place_.directory.partition_path(identity.topic, identity.partition);
  options.log.now = [&clock = place_.clock] { return clock.now_ms(); };
  options.propose_timeout_ms = place_.settings.propose_timeout.count();
  options.voters = founding_members();
  rates_ = std::make_unique<ReplicationRates>(place_.directory.stamp()->node_id);
  std::vector<std::unique_ptr<RaftShard>> rafts = make_rafts();
  return call_on(place_.shard, [&]() -> Result<void> {
    ShardStorage& storage = *place_.storages[0];
    rafts_ = std::move(rafts);
    rafts_[0]->on_tick = [this] { on_tick(); };
    TRY_ASSIGN(store_,
               metadata::RaftMetaLog::open(storage.environment(), storage.group(), storage.io(),
                                           rafts_[0]->groups(), std::move(options)));
    rates_->load(*store_->image());
    store_->add_observer(*rates_);
    TRY(note_votes());
    quorum_ = std::make_unique<ClusterQuorum>(ClusterQuorum::Place{
        place_.shard, place_.clock, place_.settings, *transport_, *store_, *requests_});
    for (const ClusterNode& node : place_.settings.nodes) {
      if (!transport_->is_up(node.id)) continue;
      for (const std::unique_ptr<RaftShard>& at : rafts_) {
        on_shard_of(*at, [&own = *at, id = node.id, directory = directory_of(node.id)] {
          own.on_node_up(id, directory);
        });
      }
    }
    for (const std::unique_ptr<RaftShard>& at : rafts_) {
      on_shard_of(*at, [&own = *at] { own.tick(); });
    }
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
    rafts_[0]->arm();
  };
  call_on(place_.shard, [&] { (*ask)(); });
  TRY(wait_for(std::move(future), give_up, [this] { return waits_for(); }));
  call_on(place_.shard, [this] {
    const raft::NodeId self = place_.directory.stamp()->node_id;
    if (!place_.settings.observer || !store_->replica().raft().membership().is_voter(self)) return;
    log_warn("this node votes, although cluster.nodes calls it an observer",
             {{"what_to_do", fmt::format("chronik cluster remove {}", self)}});
  });
  return {};
}

/// For a person who wonders why the node does not serve.
std::string ClusterMember::waits_for() const {
  const metadata::Leadership leadership = store_->leadership();
  if (leadership.leader >= 0) return fmt::format("entries of node {}", leadership.leader);
  std::string text = "a leader";
  if (!quorum_->is_member()) {
    text += " that takes this node in, whose data directory is new";
  }
  if (const std::vector<BrokerId> missing = absent(); !missing.empty()) {
    text += fmt::format("; nodes that are not there: {}", fmt::join(missing, ", "));
  }
  if (const std::string lost = quorum_->lost_voters(); !lost.empty()) text += "; " + lost;
  return text;
}

Uuid ClusterMember::directory_of(raft::NodeId node) const {
  const std::optional<PeerHello> hello = transport_->hello_of(node);
  return hello ? hello->directory : Uuid();
}

std::vector<BrokerId> ClusterMember::absent() const {
  std::vector<BrokerId> absent;
  for (const ClusterNode& node : place_.settings.nodes) {
    const bool self = node.id == place_.directory.stamp()->node_id;
    const bool there = transport_->is_up(node.id) && !leaving_.contains(node.id);
    if (!self && !there) absent.push_back(node.id);
  }
  return absent;
}

void ClusterMember::serve(Broker& broker) {
  call_on(place_.shard, [&] { requests_->serve(broker); });
}

void ClusterMember::ask(BrokerId node, NodeRequest request, milliseconds timeout,
                        NodeRequests::Done done) {
  requests_->ask(node, std::move(request), timeout, std::make_shared<std::atomic<bool>>(false),
                 std::move(done));
}

Task<Result<SharedBytes>> ClusterMember::ask_node(BrokerId node, std::int16_t api_key,
                                                  std::int16_t version, SharedBytes body,
                                                  milliseconds timeout) {
  NodeRequest request;
  request.api_key = api_key;
  request.version = version;
  request.body = std::move(body);
  return requests_->ask(node, std::move(request), timeout,
                        std::make_shared<std::atomic<bool>>(false));
}

void ClusterMember::watch_absent(Watch watch) {
  watch_ = std::move(watch);
  tell_absent();
}

void ClusterMember::watch_leaders(OnNews on_news, std::function<void()> all) {
  on_news_ = std::move(on_news);
  tell_all_ = std::move(all);
  if (!early_news_ || !on_news_) return;
  const EarlyNews early = *std::exchange(early_news_, std::nullopt);
  for (const auto& [from, news] : early) on_news_(from, news);
}

void ClusterMember::announce(LeaderNews news) {
  auto add = [this, news = std::move(news)]() mutable {
    if (closed_) return;
    news_.push_back(std::move(news));
    if (news_.size() == 1) place_.shard.post([this] { tell_news(); });
  };
  if (place_.shard.is_current()) return add();
  place_.shard.post(std::move(add));
}

void ClusterMember::tell_news() {
  const std::vector<LeaderNews> news = std::exchange(news_, {});
  if (closed_ || news.empty()) return;
  for (const ClusterNode& node : place_.settings.nodes) {
    if (transport_->is_up(node.id)) transport_->send(node.id, encode(news));
  }
}

void ClusterMember::tell_absent() {
  if (watch_) watch_(absent());
}

void ClusterMember::on_tick() {
  requests_->on_tick();
  if (quorum_) quorum_->on_tick();
}

void ClusterMember::hand_over(milliseconds timeout) {
  if (closed_ || !store_) return;
  call_on(place_.shard, [this] {
    for (const ClusterNode& node : place_.settings.nodes) {
      if (!transport_->is_up(node.id)) continue;
      transport_->send(node.id, SharedBytes::copy_of(leaving_notice));
    }
  });
  std::vector<std::future<void>> handed;
  for (const std::unique_ptr<RaftShard>& rafts : rafts_) {
    auto done = std::make_shared<std::promise<void>>();
    handed.push_back(done->get_future());
    rafts->shard().post(
        [&own = *rafts, timeout, done] { own.hand_over(timeout, [done] { done->set_value(); }); });
  }
  // The groups end the wait themselves; what is on top is for a loaded machine.
  for (std::future<void>& one : handed) one.wait_for(timeout + milliseconds(500));
}

void ClusterMember::close() {
  if (closed_) return;
  call_on(place_.shard, [this] {
    closed_ = true;
    if (quorum_) quorum_->close();
    if (store_) store_->close();
  });
  for (const std::unique_ptr<RaftShard>& rafts : rafts_) {
    call_on(rafts->shard(), [&rafts] { rafts->close(); });
  }
  if (requests_) call_on(place_.shard, [this] { return requests_->close(); });
  if (transport_) transport_->stop();
}

void ClusterMember::destroy() {
  if (std::exchange(destroyed_, true)) return;
  // The others first: what they have sent to the first shard is done before its own go.
  for (std::size_t id = rafts_.size(); id-- > 1;) {
    std::unique_ptr<RaftShard>& rafts = rafts_[id];
    call_on(rafts->shard(), [&rafts] { rafts.reset(); });
  }
  call_on(place_.shard, [this] {
    join_.reset();
    quorum_.reset();
    requests_.reset();
    rafts_.clear();
    if (store_) store_->remove_observer(*rates_);
    store_.reset();
  });
  transport_.reset();
}

}  // namespace chronik::broker
