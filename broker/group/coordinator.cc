#include "broker/group/coordinator.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "base/uuid.h"

namespace chronik::broker {
namespace {

JoinResult join_error(ErrorCode error, std::string member_id) {
  JoinResult result;
  result.error = error;
  result.member_id = std::move(member_id);
  return result;
}

SyncResult sync_error(ErrorCode error) {
  SyncResult result;
  result.error = error;
  return result;
}

LeaveResult leave_error(ErrorCode error) {
  LeaveResult result;
  result.error = error;
  return result;
}

}  // namespace

ErrorCode to_error_code(const Error& error) {
  switch (error.code) {
    case Errc::too_large:
      return ErrorCode::invalid_commit_offset_size;
    case Errc::closed:
    case Errc::not_leader:
      return ErrorCode::not_coordinator;
    case Errc::busy:
    case Errc::timeout:
      return ErrorCode::coordinator_not_available;
    default:
      return ErrorCode::unknown_server_error;
  }
}

GroupCoordinator::GroupCoordinator(metadata::MetadataStore& store, TimerHeap& timers,
                                   const Clock& clock, Random random, Settings settings)
    : store_(store),
      timers_(timers),
      clock_(clock),
      random_(random),
      settings_(settings),
      expiry_timer_(timers, [this] { on_expiry_timer(); }),
      self_(std::make_shared<GroupCoordinator*>(this)) {}

GroupCoordinator::~GroupCoordinator() { CHECK(!running_); }

void GroupCoordinator::start(LeaderEpoch term) {
  CHECK(!running_);
  running_ = true;
  term_ = term;
  const std::shared_ptr<const metadata::Image> image = store_.image();
  image->for_each_group([this](const metadata::Group& from) {
    if (from.state == nullptr || from.state->members.empty()) return;
    GroupEffects effects;
    std::shared_ptr<Entry> entry =
        add(Group::restore(from.id, settings_.group, *from.state, now(), effects));
    run(entry, std::move(effects));
  });
  log_info("group coordinator started", {{"groups", image->group_count()},
                                         {"with_members", active_.size()},
                                         {"offsets", image->offset_count()}});
  retention_clock_.observe(clock_.now_ms(), clock_.steady_now());
  expiry_timer_.arm_at(clock_.steady_now() + settings_.offsets_check_interval);
}

void GroupCoordinator::stop() {
  if (!std::exchange(running_, false)) return;
  expiry_timer_.cancel();
  expiry_queue_.clear();
  for (auto& [id, entry] : std::exchange(active_, {})) {
    GroupEffects effects;
    entry->group.unload(ErrorCode::not_coordinator, effects);
    entry->timer.cancel();
    entry->gone = true;
    for (GroupEffect& effect : effects) carry_out(entry, std::move(effect));
  }
  CHECK(waiting_.empty());
}

std::string GroupCoordinator::unique_suffix() {
  const Uuid id = Uuid::from_random(random_.next(), random_.next());
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", id.bytes[i]);
  }
  return text;
}

std::shared_ptr<GroupCoordinator::Entry> GroupCoordinator::find(const std::string& group_id) const {
  auto found = active_.find(group_id);
  return found == active_.end() ? nullptr : found->second;
}

std::shared_ptr<GroupCoordinator::Entry> GroupCoordinator::add(Group group) {
  const std::string id = group.id();
  auto entry = std::make_shared<Entry>(std::move(group), timers_, [this, id] { on_timer(id); });
  CHECK(active_.emplace(id, entry).second);
  return entry;
}

/// The group as an object, from the image if it is there; null if it is not known at all.
std::shared_ptr<GroupCoordinator::Entry> GroupCoordinator::activate(const std::string& group_id) {
  if (std::shared_ptr<Entry> entry = find(group_id)) return entry;
  const std::shared_ptr<const metadata::Image> image = store_.image();
  const metadata::Group* from = image->group(group_id);
  return from == nullptr ? nullptr : add(inactive_group(*from));
}

/// Precondition: it has no members. (Those that have are objects as long as the coordinator runs.)
Group GroupCoordinator::inactive_group(const metadata::Group& from) const {
  if (from.state == nullptr) return Group(from.id, settings_.group, now());
  GroupEffects effects;
  return Group::restore(from.id, settings_.group, *from.state, now(), effects);
}

Task<JoinResult> GroupCoordinator::join(std::string group_id, JoinRequest request,
                                        GroupToken token) {
  if (!running_) {
    co_return join_error(ErrorCode::coordinator_not_available, request.member_id);
  }
  if (group_id.empty()) co_return join_error(ErrorCode::invalid_group_id, request.member_id);
  Promise<JoinResult> promise;
  Future<JoinResult> future = promise.future();
  CHECK(waiting_.try_emplace(token, Open{std::move(promise), group_id}).second);
  std::shared_ptr<Entry> entry = activate(group_id);
  if (entry == nullptr) entry = add(Group(group_id, settings_.group, now()));
  request.unique_suffix = unique_suffix();
  ++entry->busy;
  GroupEffects effects;
  entry->group.join(std::move(request), token, now(), effects);
  run(entry, std::move(effects));
  release(entry);
  entry.reset();
  JoinResult result = co_await future;
  co_return result;
}

Task<SyncResult> GroupCoordinator::sync(std::string group_id, SyncRequest request,
                                        GroupToken token) {
  if (!running_) co_return sync_error(ErrorCode::coordinator_not_available);
  if (group_id.empty()) co_return sync_error(ErrorCode::invalid_group_id);
  std::shared_ptr<Entry> entry = find(group_id);
  if (entry == nullptr) co_return sync_error(ErrorCode::unknown_member_id);
  Promise<SyncResult> promise;
  Future<SyncResult> future = promise.future();
  CHECK(waiting_.try_emplace(token, Open{std::move(promise), group_id}).second);
  ++entry->busy;
  GroupEffects effects;
  entry->group.sync(request, token, now(), effects);
  run(entry, std::move(effects));
  release(entry);
  entry.reset();
  SyncResult result = co_await future;
  co_return result;
}

Task<LeaveResult> GroupCoordinator::leave(std::string group_id, std::vector<LeavingMember> members,
                                          GroupToken token) {
  if (!running_) co_return leave_error(ErrorCode::coordinator_not_available);
  if (group_id.empty()) co_return leave_error(ErrorCode::invalid_group_id);
  std::shared_ptr<Entry> entry = find(group_id);
  if (entry == nullptr) {
    LeaveResult unknown;
    for (LeavingMember& member : members) {
      unknown.members.push_back({std::move(member.member_id), std::move(member.group_instance_id),
                                 ErrorCode::unknown_member_id});
    }
    co_return unknown;
  }
  Promise<LeaveResult> promise;
  Future<LeaveResult> future = promise.future();
  CHECK(waiting_.try_emplace(token, Open{std::move(promise), group_id}).second);
  ++entry->busy;
  GroupEffects effects;
  entry->group.leave(members, token, now(), effects);
  run(entry, std::move(effects));
  release(entry);
  entry.reset();
  LeaveResult result = co_await future;
  co_return result;
}

ErrorCode GroupCoordinator::heartbeat(const std::string& group_id, const std::string& member_id,
                                      const std::optional<std::string>& group_instance_id,
                                      std::int32_t generation) {
  if (!running_) return ErrorCode::coordinator_not_available;
  if (group_id.empty()) return ErrorCode::invalid_group_id;
  auto found = active_.find(group_id);
  if (found == active_.end()) return ErrorCode::unknown_member_id;
  // Renewing a session never brings a deadline nearer: the timer stays as it is.
  return found->second->group.heartbeat(member_id, group_instance_id, generation, now());
}

void GroupCoordinator::cancel(GroupToken token) {
  auto open = waiting_.find(token);
  if (open == waiting_.end()) return;
  const std::string group_id = open->second.group_id;
  if (std::shared_ptr<Entry> entry = find(group_id)) {
    ++entry->busy;
    GroupEffects effects;
    entry->group.abandon(token, now(), effects);
    run(entry, std::move(effects));
    release(entry);
  }
  open = waiting_.find(token);
  if (open == waiting_.end()) return;
  Waiting promise = std::move(open->second.promise);
  waiting_.erase(open);
  if (auto* join = std::get_if<Promise<JoinResult>>(&promise)) {
    join->set(join_error(ErrorCode::not_coordinator, ""));
  } else if (auto* sync = std::get_if<Promise<SyncResult>>(&promise)) {
    sync->set(sync_error(ErrorCode::not_coordinator));
  } else {
    std::get<Promise<LeaveResult>>(promise).set(leave_error(ErrorCode::not_coordinator));
  }
}

/// Does what the group asks for, what is due at once included, and sets the timer to what is not.
void GroupCoordinator::run(const std::shared_ptr<Entry>& entry, GroupEffects effects) {
  ++entry->busy;
  std::optional<SteadyTime> next;
  for (;;) {
    for (GroupEffect& effect : std::exchange(effects, {})) carry_out(entry, std::move(effect));
    next = entry->gone ? std::nullopt : entry->group.next_deadline();
    if (!next || *next > clock_.steady_now()) break;
    entry->group.on_time(now(), effects);
  }
  if (!next) {
    entry->timer.cancel();
  } else if (!entry->timer.armed() || entry->timer.deadline() > *next) {
    entry->timer.arm_at(*next);
  }
  release(entry);
}

void GroupCoordinator::carry_out(const std::shared_ptr<Entry>& entry, GroupEffect effect) {
  if (auto* join = std::get_if<JoinReply>(&effect)) {
    answer(join->token, std::move(join->result));
  } else if (auto* sync = std::get_if<SyncReply>(&effect)) {
    answer(sync->token, std::move(sync->result));
  } else if (auto* leave = std::get_if<LeaveReply>(&effect)) {
    answer(leave->token, std::move(leave->result));
  } else if (auto* demand = std::get_if<PersistDemand>(&effect)) {
    propose_record(entry, std::move(*demand));
  } else {
    log_info("consumer group",
             {{"group", entry->group.id()}, {"event", std::get<GroupNote>(effect).text}});
  }
}

template <class Result>
void GroupCoordinator::answer(GroupToken token, Result result) {
  auto open = waiting_.find(token);
  if (open == waiting_.end()) return;  // cancelled
  Promise<Result> promise = std::get<Promise<Result>>(std::move(open->second.promise));
  waiting_.erase(open);
  promise.set(std::move(result));
}

void GroupCoordinator::propose_record(const std::shared_ptr<Entry>& entry, PersistDemand demand) {
  const std::uint64_t sequence = demand.sequence;
  std::vector<metadata::MetadataEvent> events;
  events.emplace_back(std::move(demand.record));
  ++entry->busy;
  // The entry, and with it this coordinator's shard state, may be gone when the answer comes.
  std::weak_ptr<GroupCoordinator*> self = self_;
  std::weak_ptr<Entry> waiting = entry;
  store_.propose(std::move(events), {.only_in_term = term_},
                 [self, waiting, sequence](Result<metadata::ApplyResults> done) {
                   std::shared_ptr<GroupCoordinator*> coordinator = self.lock();
                   std::shared_ptr<Entry> stored = waiting.lock();
                   if (coordinator == nullptr || stored == nullptr || stored->gone) return;
                   ErrorCode error = done ? done->front().code : to_error_code(done.error());
                   GroupEffects effects;
                   stored->group.on_persisted(sequence, error, (*coordinator)->now(), effects);
                   (*coordinator)->run(stored, std::move(effects));
                   (*coordinator)->release(stored);
                 });
}

void GroupCoordinator::on_timer(const std::string& group_id) {
  if (std::shared_ptr<Entry> entry = find(group_id)) run(entry, {});
}

/// Ends a use of the entry. A group without members that the image knows as well is not kept.
void GroupCoordinator::release(const std::shared_ptr<Entry>& entry) {
  CHECK(entry->busy > 0);
  if (--entry->busy > 0 || entry->gone) return;
  const Group& group = entry->group;
  if (group.state() != GroupState::empty || group.pending_member_count() != 0) return;
  if (!group.is_forgettable() && !image_says_the_same(group)) return;
  entry->gone = true;
  entry->timer.cancel();
  active_.erase(group.id());
}

bool GroupCoordinator::image_says_the_same(const Group& group) const {
  const std::shared_ptr<const metadata::Image> image = store_.image();
  const metadata::Group* stored = image->group(group.id());
  if (stored == nullptr) return true;  // deleted meanwhile, with all its offsets
  return stored->state != nullptr && stored->state->members.empty() &&
         stored->state->generation == group.generation();
}

std::optional<GroupDescription> GroupCoordinator::describe(const std::string& group_id) const {
  if (std::shared_ptr<Entry> entry = find(group_id)) return entry->group.describe();
  const std::shared_ptr<const metadata::Image> image = store_.image();
  const metadata::Group* from = image->group(group_id);
  if (from == nullptr) return std::nullopt;
  return inactive_group(*from).describe();
}

std::vector<ListedGroup> GroupCoordinator::list() const {
  const std::shared_ptr<const metadata::Image> image = store_.image();
  std::vector<ListedGroup> groups;
  groups.reserve(image->group_count() + active_.size());
  for (const auto& [id, entry] : active_) {
    groups.push_back({id, entry->group.protocol_type(), entry->group.state()});
  }
  image->for_each_group([&](const metadata::Group& from) {
    if (active_.contains(from.id)) return;
    groups.push_back(
        {from.id, from.state == nullptr ? "" : from.state->protocol_type, GroupState::empty});
  });
  return groups;
}

}  // namespace chronik::broker
