#include "broker/cluster_quorum.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace chronik::broker {

using raft::MemberChange;
using Kind = raft::MemberChange::Kind;

namespace {

Error not_leader(BrokerId leader) {
  if (leader < 0) return {Errc::not_leader, "no leader is known; ask again"};
  return {Errc::not_leader, fmt::format("node {} leads; ask again", leader)};
}

Error stopping() { return {Errc::closed, "the broker is stopping"}; }

std::string_view what_happens(Kind kind) {
  if (kind == Kind::replace) {
    return "a node came with another data directory: it has no vote before it holds the metadata";
  }
  if (kind == Kind::remove) return "a node that is registered no more leaves the cluster";
  return kind == Kind::add_learner
             ? "a node that is new becomes an observer of the metadata"
             : "a node that came with another data directory holds the metadata, and votes again";
}

}  // namespace

const ClusterNode* ClusterQuorum::find_node(BrokerId node) const {
  const auto found = std::ranges::find(place_.settings.nodes, node, &ClusterNode::id);
  return found == place_.settings.nodes.end() ? nullptr : &*found;
}

std::vector<raft::MemberDirectory> ClusterQuorum::present() const {
  std::vector<raft::MemberDirectory> present;
  for (const ClusterNode& node : place_.settings.nodes) {
    const std::optional<PeerHello> hello = place_.transport.hello_of(node.id);
    if (hello && !hello->founders.empty()) present.push_back({node.id, hello->directory});
  }
  return present;
}

bool ClusterQuorum::is_member() const {
  const PeerHello& self = place_.transport.self();
  return raft().membership().is_member(self.node, self.directory);
}

std::string ClusterQuorum::lost_voters() const {
  const raft::Membership& members = raft().membership();
  std::vector<raft::NodeId> lost;
  for (const auto& [node, directory] : present()) {
    if (members.is_voter(node) && !members.is_member(node, directory)) lost.push_back(node);
  }
  if (lost.empty()) return {};
  const std::size_t voters = members.voters.size();
  std::string text =
      fmt::format("voters that came with another data directory: {}", fmt::join(lost, ", "));
  if (2 * lost.size() < voters) return text;
  return text + fmt::format(
                    ", which is {} of {}: no majority is left that has what was acknowledged. Give "
                    "as many of them their old directories back that more than half of the voters "
                    "have theirs",
                    lost.size(), voters);
}

// -- Now and then.

void ClusterQuorum::on_tick() {
  const raft::Index commit = raft().log().commit();
  if (!leads()) {
    caught_up_.clear();
  } else {
    const Timestamp now = place_.clock.now_ms();
    for (const raft::Progress& follower : raft().progress()) {
      if (has_caught_up(follower, commit_before_)) caught_up_[follower.id] = now;
    }
    take_in_newcomers();
  }
  commit_before_ = commit;
}

/// An observer that is gone, and registered no more.
std::optional<MemberChange> ClusterQuorum::leaver() const {
  const raft::Membership& members = raft().membership();
  if (raft().log().membership().index > raft().log().commit()) return std::nullopt;
  for (const raft::NodeId node : members.learners) {
    const bool returns = std::ranges::binary_search(members.returning, node);
    if (returns || place_.transport.is_up(node)) continue;
    if (place_.store.image()->broker(node) == nullptr) return MemberChange{Kind::remove, node};
  }
  return std::nullopt;
}

void ClusterQuorum::take_in_newcomers() {
  if (taking_in_ || closed_) return;
  std::optional<MemberChange> change = newcomers_.next(raft(), present());
  if (!change) change = leaver();
  if (!change) return;
  if (change->kind == Kind::add_voter && find_node(change->node)->observer) {
    // It voted, lost its disk, and is to be an observer now. The others wait behind it.
    change = MemberChange{Kind::add_learner, change->node, change->directory};
  }
  log_info(what_happens(change->kind),
           {{"node", change->node}, {"directory_id", change->directory.to_string()}});
  taking_in_ = true;
  place_.store.replica().change_membership(
      std::span(&*change, 1), place_.settings.propose_timeout,
      [this, node = change->node](const Result<raft::Position>& done) {
        taking_in_ = false;
        if (done) return;
        log_warn("the membership could not be changed; it is tried again",
                 {{"node", node}, {"why", done.error().message}});
      });
}

// -- What is asked.

QuorumMember ClusterQuorum::member_of(BrokerId node, Timestamp now) const {
  QuorumMember member;
  member.id = node;
  member.directory = raft().membership().directory_of(node);
  member.votes = raft().membership().is_voter(node);
  if (const ClusterNode* known = find_node(node)) {
    member.host = known->host;
    member.port = known->port;
  }
  const auto follower = std::ranges::find(raft().progress(), node, &raft::Progress::id);
  if (follower == raft().progress().end()) {
    member.log_end = raft().log().last_index() + 1;
    member.heard = member.caught_up = now;
    return member;
  }
  member.log_end = follower->match + 1;
  const milliseconds silent =
      place_.settings.heartbeat_interval * (raft().ticks() - follower->heard);
  member.heard = now - silent.count();
  const auto caught_up = caught_up_.find(node);
  if (caught_up != caught_up_.end()) member.caught_up = caught_up->second;
  return member;
}

Result<QuorumState> ClusterQuorum::describe() {
  if (!leads()) return not_leader(-1);
  const Timestamp now = place_.clock.now_ms();
  QuorumState state;
  state.leader = raft().id();
  state.epoch = raft().term();
  state.high_watermark = raft().log().commit() + 1;
  for (const raft::NodeId node : raft().membership().members()) {
    state.members.push_back(member_of(node, now));
  }
  return state;
}

Result<void> ClusterQuorum::may_add(BrokerId node, const Uuid& directory) const {
  if (closed_) return stopping();
  if (!leads()) return not_leader(place_.store.leadership().leader);
  const raft::Membership& members = raft().membership();
  if (members.is_voter(node) && (directory.is_zero() || members.is_member(node, directory))) {
    return Error{Errc::already_exists, fmt::format("node {} has a vote already", node)};
  }
  const ClusterNode* known = find_node(node);
  if (known == nullptr) {
    return Error{Errc::not_found,
                 fmt::format("node {} is not known here: put it into cluster.nodes on all nodes, "
                             "restart them one after the other, and start it",
                             node)};
  }
  if (known->observer) {
    return Error{Errc::invalid_argument,
                 fmt::format("node {} is an observer by cluster.nodes, and never votes: take "
                             "/observer off its entry on all nodes first",
                             node)};
  }
  const std::optional<PeerHello> hello = place_.transport.hello_of(node);
  if (!hello) {
    return Error{Errc::not_found,
                 fmt::format("node {} is not connected: start it, and ask again", node)};
  }
  if (!directory.is_zero() && hello->directory != directory) {
    return Error{Errc::not_found,
                 fmt::format("node {} came with the data directory {}, not with {}", node,
                             hello->directory.to_string(), directory.to_string())};
  }
  return {};
}

bool ClusterQuorum::has_log(BrokerId node, raft::Index commit) const {
  const auto follower = std::ranges::find(raft().progress(), node, &raft::Progress::id);
  return follower != raft().progress().end() && has_caught_up(*follower, commit);
}

Task<Result<void>> ClusterQuorum::add_voter(BrokerId node, Uuid directory, milliseconds timeout,
                                            GivenUp given_up) {
  const SteadyTime deadline = place_.shard.now() + timeout;
  raft::Index commit = raft().log().last_index() + 1;  // not before the next look
  for (;;) {
    if (Result<void> may = may_add(node, directory); !may) co_return std::move(may).error();
    if (has_log(node, commit) && !taking_in_) {
      auto changing = change({Kind::add_voter, node, raft().membership().directory_of(node)});
      Result<void> changed = co_await std::move(changing);
      if (changed || changed.error().code != Errc::busy) co_return changed;
    }
    if (given_up->load() || place_.shard.now() >= deadline) {
      co_return Error{
          Errc::timeout,
          fmt::format("node {} does not hold the metadata yet; it goes on copying them, "
                      "so ask again",
                      node)};
    }
    commit = raft().log().commit();
    Task<void> pause = delay(place_.settings.heartbeat_interval);
    co_await std::move(pause);
  }
}

Task<Result<void>> ClusterQuorum::remove_voter(BrokerId node, Uuid directory,
                                               milliseconds timeout) {
  const SteadyTime deadline = place_.shard.now() + timeout;
  for (;;) {
    if (closed_) co_return stopping();
    if (!leads()) co_return not_leader(place_.store.leadership().leader);
    const raft::Membership& members = raft().membership();
    const Uuid known = members.directory_of(node);
    if (!members.is_voter(node) || (!directory.is_zero() && directory != known)) {
      co_return Error{
          Errc::not_found,
          fmt::format(
              "there is no voter {}{}", node,
              directory.is_zero() ? "" : " with the data directory " + directory.to_string())};
    }
    std::vector<raft::NodeId> others = members.voters;
    std::erase(others, node);
    const std::vector<raft::MemberDirectory> there = present();
    if (others.empty() || !could_decide(raft(), others, there)) {
      co_return Error{Errc::invalid_argument,
                      fmt::format("without node {} no majority of the voters would be there: start "
                                  "the others, or add one, first",
                                  node)};
    }
    // Who runs goes on as an observer.
    const bool runs = node == raft().id() ||
                      std::ranges::any_of(there, [&](auto& at) { return at.node == node; });
    auto changing = change({runs ? Kind::add_learner : Kind::remove, node, known});
    Result<void> changed = co_await std::move(changing);
    const bool busy = !changed && changed.error().code == Errc::busy;
    if (!busy || place_.shard.now() >= deadline) co_return changed;
    Task<void> pause = delay(place_.settings.heartbeat_interval);
    co_await std::move(pause);
  }
}

Task<Result<void>> ClusterQuorum::change(MemberChange change) {
  auto promise = std::make_shared<Promise<Result<void>>>();
  Future<Result<void>> done = promise->future();
  place_.store.replica().change_membership(
      std::span(&change, 1), place_.settings.propose_timeout,
      [promise](const Result<raft::Position>& position) {
        promise->set(position ? Result<void>() : Result<void>(position.error()));
      });
  co_return co_await done;
}

Task<Result<SharedBytes>> ClusterQuorum::ask_leader(std::int16_t api_key, std::int16_t version,
                                                    SharedBytes body, milliseconds timeout,
                                                    GivenUp given_up) {
  // While one is being elected, which takes a second or so, waiting is better than to be asked
  // again.
  const SteadyTime until = place_.shard.now() + std::min(timeout, place_.settings.propose_timeout);
  BrokerId leader = place_.store.leadership().leader;
  while (leader < 0 || leader == raft().id()) {
    if (closed_) co_return stopping();
    if (place_.shard.now() >= until || given_up->load()) co_return not_leader(-1);
    Task<void> pause = delay(place_.settings.heartbeat_interval);
    co_await std::move(pause);
    leader = place_.store.leadership().leader;
    if (leads()) co_return not_leader(leader);
  }
  NodeRequest request;
  request.api_key = api_key;
  request.version = version;
  request.body = std::move(body);
  auto asking = place_.requests.ask(leader, std::move(request), timeout, std::move(given_up));
  co_return co_await std::move(asking);
}

}  // namespace chronik::broker
