// A random walk: clients that follow the protocol, and some that do not, against one Group with a
// slow, sometimes failing store and a broker that restarts. After every step the promises of
// group.h are checked; at the end, with peaceful clients, the group must settle.
// A failure prints the seed: CHRONIK_SEED=<seed> broker_test --gtest_filter='GroupProperty*'
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "base/random.h"
#include "broker/group/group.h"
#include "broker/group/group_print.h"

namespace chronik::broker {
namespace {

/// What one client process knows of its membership.
struct Client {
  std::string name;
  std::optional<std::string> instance_id;
  std::string member_id;
  std::int32_t generation = -1;
  std::string leader;
  std::vector<std::string> members;
  enum class Doing { nothing, joining, to_sync, syncing, member, stopped } doing = Doing::nothing;
  GroupToken waiting = 0;
};

class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed) {
    settings_.initial_rebalance_delay = milliseconds{random_.below(3) * 1000};
    settings_.members_max = random_.one_in(4) ? 4 : 1000;
    for (int i = 0; i < 7; ++i) {
      Client& client = clients_.emplace_back();
      client.name = fmt::format("c{}", i);
      if (i >= 5) client.instance_id = "static";  // two processes that fight for one instance id
      if (i == 4) client.instance_id = "lone";
    }
    group_ = std::make_unique<Group>("g", settings_, now());
  }

  void step();
  void settle();

 private:
  GroupTime now() const { return {clock_.steady_now(), clock_.now_ms()}; }
  Client& any() { return clients_[random_.below(clients_.size())]; }
  void act(Client& client);
  void join(Client& client);
  void sync(Client& client);
  void heartbeat(Client& client);
  void leave(Client& client);
  void restart_broker();
  void store_one(bool fail);
  void take_effects();
  void on(const JoinReply& reply);
  void on(const SyncReply& reply);
  void on(const LeaveReply& reply) { answered(reply.token); }
  void on(const PersistDemand& demand) { demands_.push_back(demand); }
  void on(const GroupNote&) {}
  Client* answered(GroupToken token);
  void check();

  Random random_;
  ManualClock clock_{0};
  GroupSettings settings_;
  std::unique_ptr<Group> group_;
  std::deque<Client> clients_;
  GroupEffects effects_;
  std::deque<PersistDemand> demands_;
  std::optional<GroupRecord> stored_;
  bool peaceful_ = false;
  GroupToken next_token_ = 1;
  int next_suffix_ = 0;
  std::int32_t generation_ = 0;
  std::map<GroupToken, Client*> open_;           // requests that wait for an answer
  std::map<std::int32_t, std::string> leaders_;  // who assigns in a generation
};

void Walk::join(Client& client) {
  JoinRequest request;
  request.member_id = client.member_id;
  request.group_instance_id = client.instance_id;
  request.client_id = client.name;
  request.protocol_type = !peaceful_ && random_.one_in(30) ? "connect" : "consumer";
  for (const char* name : {"range", "sticky", "both"}) {
    if (peaceful_ || random_.below(3) != 0) request.protocols.push_back({name, {}});
  }
  request.session_timeout_ms = 6'000 + static_cast<std::int32_t>(random_.below(3)) * 4'000;
  request.rebalance_timeout_ms = static_cast<std::int32_t>(random_.below(4)) * 5'000;
  if (peaceful_) request.rebalance_timeout_ms = 10'000;
  request.two_step = random_.one_in(2);
  request.can_skip_assignment = random_.one_in(2);
  request.unique_suffix = std::to_string(next_suffix_++);
  const GroupToken token = next_token_++;
  client.waiting = token;
  client.doing = Client::Doing::joining;
  open_[token] = &client;
  group_->join(std::move(request), token, now(), effects_);
}

void Walk::sync(Client& client) {
  SyncRequest request;
  request.member_id = client.member_id;
  request.group_instance_id = client.instance_id;
  request.generation = client.generation;
  if (client.leader == client.member_id) {
    for (const std::string& member : client.members) {
      // The assignment names its member and generation: nobody else may ever get it.
      const std::string text = fmt::format("{}/{}", member, client.generation);
      request.assignments.push_back({member, to_bytes(as_bytes(text))});
    }
  }
  const GroupToken token = next_token_++;
  client.waiting = token;
  client.doing = Client::Doing::syncing;
  open_[token] = &client;
  group_->sync(request, token, now(), effects_);
}

void Walk::heartbeat(Client& client) {
  switch (group_->heartbeat(client.member_id, client.instance_id, client.generation, now())) {
    case ErrorCode::none:
      return;
    case ErrorCode::rebalance_in_progress:
    case ErrorCode::illegal_generation:
      client.doing = Client::Doing::nothing;
      return;
    default:
      client.member_id.clear();
      client.doing = Client::Doing::nothing;
  }
}

void Walk::leave(Client& client) {
  const GroupToken token = next_token_++;
  open_[token] = &client;
  group_->leave({{client.member_id, client.instance_id, ""}}, token, now(), effects_);
  client.member_id.clear();
  client.doing = Client::Doing::nothing;
}

/// Its next move, if it follows the protocol.
void Walk::act(Client& client) {
  switch (client.doing) {
    case Client::Doing::nothing:
      return join(client);
    case Client::Doing::to_sync:
      return sync(client);
    case Client::Doing::member:
      return heartbeat(client);
    case Client::Doing::joining:
    case Client::Doing::syncing:
    case Client::Doing::stopped:
      return;
  }
}

void Walk::step() {
  Client& client = any();
  switch (random_.below(12)) {
    case 0:
    case 1:
      clock_.advance(milliseconds{random_.below(random_.one_in(10) ? 20'000 : 2'000)});
      break;
    case 2:
      if (!client.member_id.empty() && random_.one_in(3)) leave(client);
      break;
    case 3:  // the process dies, and another one starts
      if (random_.one_in(3)) {
        if (random_.one_in(2)) group_->abandon(client.waiting, now(), effects_);
        client.member_id.clear();
        client.doing = Client::Doing::nothing;
        client.waiting = 0;
      }
      break;
    case 4:  // it is impatient
      if (random_.one_in(2)) join(client);
      break;
    case 5:
      if (random_.one_in(2)) sync(client);
      break;
    case 6:
    case 7:
      store_one(random_.one_in(5));
      break;
    case 8:
      if (random_.one_in(30)) restart_broker();
      break;
    default:
      act(client);
  }
  take_effects();
}

void Walk::store_one(bool fail) {
  if (demands_.empty()) return;
  const PersistDemand demand = std::move(demands_.front());
  demands_.pop_front();
  if (!fail) stored_ = demand.record;
  group_->on_persisted(demand.sequence,
                       fail ? ErrorCode::coordinator_not_available : ErrorCode::none, now(),
                       effects_);
}

void Walk::restart_broker() {
  group_->unload(ErrorCode::not_coordinator, effects_);
  take_effects();
  ASSERT_TRUE(open_.empty()) << "unload left requests without an answer";
  demands_.clear();
  group_ = stored_
               ? std::make_unique<Group>(Group::restore("g", settings_, *stored_, now(), effects_))
               : std::make_unique<Group>("g", settings_, now());
  generation_ = group_->generation();
  leaders_.clear();
}

void Walk::take_effects() {
  do {
    group_->on_time(now(), effects_);
    for (const GroupEffect& effect : std::exchange(effects_, {})) {
      std::visit([this](const auto& one) { on(one); }, effect);
    }
  } while (!effects_.empty());
  check();
}

/// The client that waits for this answer, or null: it has turned to something else.
Client* Walk::answered(GroupToken token) {
  auto open = open_.find(token);
  EXPECT_NE(open, open_.end()) << "request " << token << " was answered twice";
  if (open == open_.end()) return nullptr;
  Client* client = open->second;
  open_.erase(open);
  return client->waiting == token ? client : nullptr;
}

void Walk::on(const JoinReply& reply) {
  const JoinResult& result = reply.result;
  if (result.error == ErrorCode::none) {
    EXPECT_LE(result.generation, group_->generation());
    EXPECT_GE(result.generation, generation_);
    if (!result.members.empty()) {
      EXPECT_EQ(result.leader, result.member_id) << "a list of members for one who does not lead";
    }
    // A static leader that takes its place again leads under another id, but does not assign.
    if (!result.members.empty() && !result.skip_assignment) {
      auto leader = leaders_.try_emplace(result.generation, result.member_id).first;
      EXPECT_EQ(leader->second, result.member_id) << "two leaders in one generation";
    }
  }
  Client* client = answered(reply.token);
  if (client == nullptr || client->doing != Client::Doing::joining) return;
  client->doing = Client::Doing::nothing;
  switch (result.error) {
    case ErrorCode::none:
      client->member_id = result.member_id;
      client->generation = result.generation;
      client->leader = result.leader;
      client->members.clear();
      for (const auto& member : result.members) client->members.push_back(member.member_id);
      client->doing = Client::Doing::to_sync;
      break;
    case ErrorCode::member_id_required:
      client->member_id = result.member_id;
      break;
    case ErrorCode::rebalance_in_progress:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
    case ErrorCode::inconsistent_group_protocol:
      break;
    default:
      client->member_id.clear();
  }
}

void Walk::on(const SyncReply& reply) {
  Client* client = answered(reply.token);
  if (client == nullptr || client->doing != Client::Doing::syncing) return;
  client->doing = Client::Doing::nothing;
  if (reply.result.error == ErrorCode::unknown_member_id) client->member_id.clear();
  if (reply.result.error != ErrorCode::none) return;
  client->doing = Client::Doing::member;
  const std::string assignment(as_text(reply.result.assignment));
  if (assignment.empty()) return;
  // A static member inherits the assignment of the id that it replaced.
  const std::string whose = assignment.substr(0, assignment.find('/'));
  if (client->instance_id) {
    EXPECT_TRUE(whose.starts_with(*client->instance_id + "-")) << assignment;
  } else {
    EXPECT_EQ(whose, client->member_id);
  }
  EXPECT_TRUE(assignment.ends_with(fmt::format("/{}", client->generation)));
  ASSERT_TRUE(stored_.has_value());
  EXPECT_TRUE(std::any_of(stored_->members.begin(), stored_->members.end(),
                          [&](const auto& m) { return m.assignment == reply.result.assignment; }))
      << assignment << " was given out before it was durable";
}

void Walk::check() {
  EXPECT_GE(group_->generation(), generation_);
  generation_ = group_->generation();
  const GroupDescription description = group_->describe();
  EXPECT_EQ(description.members.empty(), !group_->leader().has_value());
  EXPECT_TRUE(description.members.empty() ||
              std::any_of(description.members.begin(), description.members.end(),
                          [&](const auto& m) { return m.member_id == group_->leader(); }));
  std::set<std::string> instances;
  for (const auto& member : description.members) {
    if (member.group_instance_id) {
      EXPECT_TRUE(instances.insert(*member.group_instance_id).second);
    }
  }
  const bool at_rest =
      group_->state() == GroupState::stable || group_->state() == GroupState::empty;
  if (at_rest) {
    EXPECT_EQ(description.members.empty(), group_->state() == GroupState::empty);
  }
  // Whoever waits does so for the store, or for a rebalance that time will end.
  if (!open_.empty() && demands_.empty()) {
    EXPECT_FALSE(at_rest) << open_.size() << " requests wait for nothing";
    EXPECT_TRUE(group_->next_deadline().has_value());
  }
}

void Walk::settle() {
  peaceful_ = true;
  clients_.back().doing = Client::Doing::stopped;
  for (int second = 0; second < 120; ++second) {
    for (Client& client : clients_) {
      act(client);
      while (!demands_.empty()) store_one(false);
      take_effects();
    }
    clock_.advance(milliseconds{1'000});
  }
  while (!demands_.empty()) store_one(false);
  take_effects();
  EXPECT_TRUE(open_.empty()) << open_.size() << " requests have no answer";
  EXPECT_EQ(group_->state(), GroupState::stable);
  std::size_t members = 0;
  for (const Client& client : clients_) members += client.doing == Client::Doing::member ? 1 : 0;
  EXPECT_EQ(members, group_->member_count());
  // In a group of the other type, which a client may have started, the peaceful ones have no place.
  EXPECT_TRUE(members >= 4U || group_->protocol_type() != "consumer") << members;
}

TEST(GroupProperty, KeepsItsPromisesOnARandomWalk) {
  const char* given = std::getenv("CHRONIK_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const std::uint64_t last = given != nullptr ? first : 300;
  for (std::uint64_t seed = first; seed <= last && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("CHRONIK_SEED={}", seed));
    Walk walk(seed);
    for (int i = 0; i < 1'000 && !testing::Test::HasFailure(); ++i) walk.step();
    walk.settle();
  }
}

}  // namespace
}  // namespace chronik::broker
