#include "raft/multi/raft_replica_manager.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace chronik::raft {

namespace {

constexpr std::size_t early_max = 20'000;
constexpr std::int64_t early_ticks = 10;
// Of one call: when thousands of groups elect at once, the first of them need not wait for the
// votes of the last.
constexpr std::size_t states_at_once = 256;
// A follower that rests and was not asked for so many rounds of the patrol wakes.
constexpr int patrols_missed_max = 2;

}  // namespace

RaftReplicaManager::RaftReplicaManager(RaftOptions options, wal::LogEnvironment& environment,
                                       wal::GroupCommit& group_commit, wal::IoExecutor& executor,
                                       Transport& transport)
    : options_(std::move(options)),
      environment_(environment),
      group_commit_(group_commit),
      executor_(executor),
      transport_(transport),
      catch_up_(options_.catch_up),
      recent_(options_.recent_bytes_max),
      life_(options_.random()),
      self_(std::make_shared<RaftReplicaManager*>(this)) {
  CHECK(options_.node >= 0 && options_.tick.count() > 0);
}

RaftReplicaManager::~RaftReplicaManager() {
  *self_ = nullptr;
  close();
}

Replica& RaftReplicaManager::add(ReplicaPlace place, ReplicaFiles files, StateMachine& machine,
                                 Index applied) {
  ReplicaOptions options;
  options.raft.id = options_.node;
  options.raft.directory = options_.directory;
  options.raft.election_ticks = options_.election_ticks;
  options.raft.lease_reads = options_.lease_reads;
  options.raft.deliver_committed = machine.reads_entries();
  options.raft.uncommitted_bytes_max = options_.uncommitted_bytes_max;
  options.raft.commit_with_heartbeats = options_.commit_with_heartbeats && !machine.reads_entries();
  options.raft.random = options_.random;
  options.raft.rest_after_ticks = place.rests ? options_.rest_after_ticks : 0;
  options.waiting_bytes_max = options_.waiting_bytes_max;
  place.recovery.number = files.state.recovery;
  const GroupId group = place.group();
  CHECK(!replicas_.contains(group));
  ReplicaHost& host = *this;
  auto made = std::make_unique<Replica>(host, group, std::move(files), machine, applied, options);
  Replica& replica = *made;
  const bool first = replicas_.empty();
  replicas_.emplace(group, std::move(made));
  // The time without a group is nobody's time without a leader.
  if (first) last_tick_.reset();
  touch(replica);
  for (const auto& [node, directory] : directories_) replica.on_node_up(node);
  if (const auto early = early_.find(group); early != early_.end()) {
    for (const Message& message : early->second) replica.step(message);
    early_count_ -= early->second.size();
    early_.erase(early);
  }
  const Membership& membership = replica.raft().membership();
  if (membership.voters == std::vector<NodeId>{options_.node} && !membership.is_joint() &&
      membership.is_member(options_.node, options_.directory)) {
    replica.campaign_now();
  }
  settle();
  if (first) options_.on_awake();
  return replica;
}

std::unique_ptr<wal::PartitionLog> RaftReplicaManager::remove(const GroupId& group) {
  CHECK(!running_);
  const auto found = replicas_.find(group);
  if (found == replicas_.end()) return nullptr;
  found->second->close();
  catch_up_.forget(group);
  std::unique_ptr<wal::PartitionLog> log = found->second->take_log();
  std::erase(ticked_, found->second.get());
  std::erase(touched_, found->second.get());
  replicas_.erase(found);
  return log;
}

Replica* RaftReplicaManager::find(const GroupId& group) {
  const auto found = replicas_.find(group);
  return found == replicas_.end() ? nullptr : found->second.get();
}

void RaftReplicaManager::receive(NodeId from, SharedBytes bytes) {
  ++counters_.frames_received;
  Result<Frame> frame = decode_frame(from, options_.node, std::move(bytes));
  if (!frame) {
    ++counters_.frames_refused;
    log_warn("a frame is dropped", {{"from", from}, {"why", frame.error().message}});
    return;
  }
  receive(from, std::move(*frame));
}

void RaftReplicaManager::receive(NodeId from, Frame frame) {
  dispatch(from, std::move(frame));
  settle();
}

void RaftReplicaManager::dispatch(NodeId from, Frame frame) {
  if (auto* messages = std::get_if<std::vector<GroupMessage>>(&frame)) {
    for (GroupMessage& message : *messages) {
      if (Replica* replica = find(message.group)) {
        replica->step(message.message);
      } else {
        keep_early(std::move(message));
      }
    }
  } else if (auto* proposal = std::get_if<ForwardedProposal>(&frame)) {
    if (Replica* replica = find(proposal->group)) {
      replica->on_forwarded(from, std::move(*proposal));
    } else {
      send(from, encode(ForwardAnswer{proposal->group,
                                      proposal->life,
                                      proposal->request,
                                      ForwardCode::not_leader,
                                      {},
                                      "it has no such group"}));
    }
  } else if (const auto* answer = std::get_if<ForwardAnswer>(&frame)) {
    if (Replica* replica = find(answer->group)) replica->on_forward_answer(from, *answer);
  } else if (const auto* request = std::get_if<SnapshotRequest>(&frame)) {
    if (Replica* replica = find(request->group)) replica->on_snapshot_request(from, *request);
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&frame)) {
    if (Replica* replica = find(chunk->group)) replica->on_snapshot_chunk(from, *chunk);
  }
}

void RaftReplicaManager::keep_early(GroupMessage message) {
  if (!message.message.is<Vote>() || early_count_ >= early_max) return;
  if (early_.empty()) early_since_ = ticks_;
  early_[message.group].push_back(std::move(message.message));
  ++early_count_;
}

std::vector<MemberDirectory> RaftReplicaManager::present() const {
  std::vector<MemberDirectory> present;
  for (const auto& [node, directory] : directories_) {
    if (!leaving_.contains(node)) present.push_back({node, directory});
  }
  return present;
}

Uuid RaftReplicaManager::directory_of(NodeId node) const {
  const auto found = directories_.find(node);
  return found == directories_.end() ? Uuid() : found->second;
}

void RaftReplicaManager::on_node_up(NodeId node, const Uuid& directory) {
  directories_[node] = directory;
  leaving_.erase(node);
  ++presence_;
  for (auto& [group, replica] : replicas_) replica->on_node_up(node);
  settle();
}

void RaftReplicaManager::on_node_down(NodeId node) {
  directories_.erase(node);
  leaving_.erase(node);
  ++presence_;
  for (auto& [group, replica] : replicas_) replica->on_node_down(node);
  settle();
}

std::int64_t RaftReplicaManager::ticks_of(milliseconds time) const {
  return 1 + (time.count() + options_.tick.count() - 1) / options_.tick.count();
}

void RaftReplicaManager::tick(SteadyTime now) {
  // Nodes that were started by one hand shall not tick, and campaign, in one moment.
  if (!last_tick_) {
    const auto phase = options_.random() % static_cast<std::uint64_t>(options_.tick.count());
    last_tick_ = now - milliseconds(phase);
  }
  std::int64_t due = (now - *last_tick_) / options_.tick;
  *last_tick_ += due * options_.tick;
  // After a longer pause a leader has lost its majority and a follower its leader; more ticks would
  // change nothing.
  due = std::min<std::int64_t>(due, 2 * options_.election_ticks + 2);
  for (; due > 0; --due) tick_once();
  catch_up_.tick(now);
}

void RaftReplicaManager::tick_once() {
  ++ticks_;
  if (!early_.empty() && ticks_ - early_since_ > early_ticks) {
    early_.clear();
    early_count_ = 0;
  }
  // What ends with a tick may give other groups work.
  const std::size_t awake = ticked_.size();
  for (std::size_t i = 0; i < awake; ++i) ticked_[i]->tick();
  patrol();
  settle();
  std::erase_if(ticked_, [](Replica* replica) {
    replica->ticked_ = !replica->rests();
    if (replica->ticked_) return false;
    replica->store().forget_recent();
    return true;
  });
  check_hand_over();
}

/// Of the groups that rest some, so that each has its turn once in patrol_ticks.
void RaftReplicaManager::patrol() {
  if (options_.rest_after_ticks == 0 || replicas_.empty()) return;
  const std::size_t all = replicas_.bucket_count();
  const auto ticks = static_cast<std::size_t>(options_.patrol_ticks);
  const std::size_t turn = static_cast<std::size_t>(ticks_) % ticks;
  if (turn == 0) patrolled_ = 0;
  for (const std::size_t end = all * (turn + 1) / ticks; patrolled_ < end; ++patrolled_) {
    for (auto at = replicas_.begin(patrolled_); at != replicas_.end(patrolled_); ++at) {
      Replica& replica = *at->second;
      if (!replica.rests()) continue;
      replica.patrol(std::int64_t{patrols_missed_max} * options_.patrol_ticks);
    }
  }
}

std::optional<SteadyTime> RaftReplicaManager::next_tick() const {
  if (replicas_.empty()) return std::nullopt;
  return last_tick_ ? *last_tick_ + options_.tick : SteadyTime::min();
}

void RaftReplicaManager::hand_over(milliseconds timeout, std::function<void()> done) {
  CHECK(!handed_over_);
  for (auto& [group, replica] : replicas_) {
    if (replica->hand_over()) handing_over_.push_back(group);
  }
  handed_over_ = std::move(done);
  hand_over_until_ = ticks_ + ticks_of(timeout);
  settle();
  check_hand_over();
}

/// Still leads, and the one who shall has not taken over; or who leads now is not known.
bool RaftReplicaManager::is_handing_over(const GroupId& group) {
  const Replica* replica = find(group);
  if (replica == nullptr) return false;
  const Raft& raft = replica->raft();
  return raft.role() == Role::leader ? raft.transfer_target() != no_node : raft.leader() == no_node;
}

void RaftReplicaManager::check_hand_over() {
  if (!handed_over_) return;
  // Those at the end first: what is still under way stays, and is all that is looked at.
  while (!handing_over_.empty() && !is_handing_over(handing_over_.back())) handing_over_.pop_back();
  if (!handing_over_.empty() && ticks_ < hand_over_until_) return;
  handing_over_.clear();
  std::exchange(handed_over_, nullptr)();
}

void RaftReplicaManager::close() {
  for (auto& [group, replica] : replicas_) replica->close();
}

void RaftReplicaManager::send(NodeId to, ByteChain frame) {
  ++counters_.frames_sent;
  counters_.bytes_sent += frame.size();
  transport_.send(to, std::move(frame));
}

void RaftReplicaManager::send_beat(GroupMessage beat) {
  Beats& beats = beats_[beat.message.to];
  (beat.message.is<Heartbeat>() ? beats.heartbeats : beats.answers).push_back(std::move(beat));
}

void RaftReplicaManager::touch(Replica& replica) {
  if (!std::exchange(replica.touched_, true)) touched_.push_back(&replica);
  if (!replica.ticked_ && !replica.rests()) {
    replica.ticked_ = true;
    ticked_.push_back(&replica);
  }
}

void RaftReplicaManager::settle() {
  if (std::exchange(running_, true)) return;
  while (!touched_.empty()) pass(std::exchange(touched_, {}));
  send_beats();
  running_ = false;
  check_hand_over();
}

void RaftReplicaManager::pass(const std::vector<Replica*>& replicas) {
  std::vector<Replica*> working;
  std::vector<Replica::Save> saves;
  for (Replica* replica : replicas) {
    replica->touched_ = false;
    replica->advance();
    std::optional<Replica::Save> save;
    if (!replica->take_ready(save)) continue;
    working.push_back(replica);
    if (save) saves.push_back(std::move(*save));
    if (saves.size() == states_at_once) save_states(std::exchange(saves, {}));
  }
  if (!saves.empty()) save_states(std::move(saves));
  for (Replica* replica : working) replica->carry_out();
}

void RaftReplicaManager::save_states(std::vector<Replica::Save> saves) {
  counters_.states_written += saves.size();
  std::vector<wal::StateWrite> writes;
  writes.reserve(saves.size());
  for (Replica::Save& save : saves) writes.push_back(std::move(save.what));
  group_commit_.save_states(std::move(writes), [self = self_, saves = std::move(saves)] {
    RaftReplicaManager* manager = *self;
    if (manager == nullptr) return;
    for (const Replica::Save& save : saves) {
      if (*save.replica != nullptr) (*save.replica)->on_state_saved(save.number);
    }
    manager->settle();
  });
}

void RaftReplicaManager::send_beats() {
  for (auto& [to, beats] : beats_) {
    if (!beats.heartbeats.empty()) send(to, encode_beats(beats.heartbeats));
    if (!beats.answers.empty()) send(to, encode_beats(beats.answers));
    beats.heartbeats.clear();
    beats.answers.clear();
  }
}

}  // namespace chronik::raft
