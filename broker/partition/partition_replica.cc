// The part of Partition that is one of several replicas: the state machine of its group.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/log.h"
#include "broker/partition/partition.h"
#include "raft/core/quorum.h"
#include "wal/log_begin.h"

namespace chronik::broker {

namespace {

constexpr milliseconds change_timeout{10'000};

/// What lies before the log's begin. The records that are entries still come as such.
class BeginReader final : public raft::SnapshotReader {
 public:
  explicit BeginReader(wal::LogBeginReader reader) : reader_(std::move(reader)) {}
  Result<std::uint64_t> size() override { return reader_.size(); }
  Result<std::size_t> read(std::uint64_t position, MutableByteView out) override {
    return reader_.read(position, out);
  }

 private:
  wal::LogBeginReader reader_;
};

class BeginReceiver final : public raft::SnapshotReceiver {
 public:
  BeginReceiver(wal::LogBeginReceiver receiver, const raft::SnapshotMeta& meta)
      : receiver_(std::move(receiver)), meta_(meta) {}

  Result<void> write(std::uint64_t position, ByteView bytes) override {
    return receiver_.write(position, bytes);
  }
  Result<void> finish() override {
    TRY(receiver_.finish());
    const wal::Checkpoint& begin = receiver_.begin();
    const raft::Term term =
        std::max(wal::EpochCache(begin.epochs).epoch_at(meta_.index).value_or(0), 0);
    if (begin.last_index == meta_.index && term == meta_.term) return {};
    return Error{Errc::corrupt,
                 fmt::format("the begin of a log ends with entry {} of term {}, the leader had "
                             "said {} of {}",
                             begin.last_index, term, meta_.index, meta_.term)};
  }
  wal::Checkpoint log_begin() const override { return receiver_.begin(); }
  Result<void> publish() override { return {}; }

 private:
  wal::LogBeginReceiver receiver_;
  const raft::SnapshotMeta meta_;
};

}  // namespace

Result<std::unique_ptr<Partition>> Partition::open_replica(
    PartitionContext context, std::string directory, wal::LogIdentity identity,
    std::shared_ptr<const PartitionSettings> settings, ReplicaSeat seat) {
  std::unique_ptr<Partition> partition(new Partition(context, std::move(settings)));
  TRY(partition->open_in_group(std::move(directory), std::move(identity), std::move(seat)));
  return partition;
}

Result<void> Partition::open_in_group(std::string directory, wal::LogIdentity identity,
                                      ReplicaSeat seat) {
  raft::RaftReplicaManager& groups = *seat.groups;
  raft::ReplicaPlace place{groups.node(),  std::move(directory), std::move(identity),
                           settings_->log, &producers_,          seat.founders};
  place.recovery = seat.recovery;
  if (seat.left != nullptr) {
    TRY_ASSIGN(place.left, seat.left->find(place.group()));
  }
  TRY_ASSIGN(raft::ReplicaFiles files,
             raft::open_replica_files(context_.environment, context_.group, place));
  const raft::LogStore& store = *files.store;
  const bool is_new = store.last_index() == 0 && files.state.hard.term == 0;
  const raft::Index applied =
      std::max(store.first_index() - 1, std::min(files.state.commit, store.last_index()));
  log_ = &files.store->log();
  const bool first = seat.preferred && is_new;
  seat_ = std::move(seat);
  raft::Replica& replica = groups.add(std::move(place), std::move(files), *this, applied);
  replica_ = &replica;
  renew_catch_up_terms();
  committed_ = std::max(committed_, replica.committed_offset());
  announced_high_watermark_ = committed_;
  on_leadership(replica.leadership());
  if (first) {
    replica.campaign_now();
    groups.run();
  }
  return {};
}

void Partition::prepare_to_join() {
  joins_ = true;
  waiters_.wake_all();
}

bool Partition::may_join_group() const {
  return joins_ && !compacting_ && !context_.group.works_on(*log_);
}

Result<void> Partition::join_group(ReplicaSeat seat) {
  CHECK(may_join_group());
  std::string directory = log_->directory();
  wal::LogIdentity identity = log_->identity();
  context_.group.remove(*own_log_);
  Result<void> joined = own_log_->close();
  if (joined) {
    end_reached();
    // What was told once is never taken back.
    committed_ = own_log_->durable_end_offset();
  }
  // Without a directory, since nothing was ever written, there is none to look at either.
  own_log_->set_listener(nullptr);
  log_ = nullptr;
  own_log_.reset();
  producers_.reset();
  if (joined) joined = open_in_group(std::move(directory), std::move(identity), std::move(seat));
  if (!joined) end_all(WaitEnd::not_leader);
  joins_ = false;
  return joined;
}

void Partition::on_committed(raft::Position, Offset end) {
  committed_ = std::max(committed_, end);
  end_reached();
}

void Partition::on_held() {
  if (settings_->min_insync_replicas > 1) end_acknowledged();
}

void Partition::on_log_durable() {
  end_reached();
  if (on_flushed) on_flushed();
}

void Partition::on_leadership(const raft::Leadership& leadership) {
  const raft::Leadership before = std::exchange(leadership_, leadership);
  if (before == leadership) return;
  if (before.ready && !(leadership.ready && leadership.term == before.term)) {
    end_acknowledgements(WaitEnd::not_leader);
    // Whom this one has not told, the next leader may not tell either.
    end_log_start_waits(WaitEnd::not_leader);
  }
  waiters_.wake_all();
  if (leadership.ready && !before.ready) {
    in_sync_.begin();
    begins_.clear();
    awaited_.clear();
    acknowledged_begin_ = log_->log_start_offset();
    led_since_.reset();
  }
  tell_led();
  if (!is_between_leaders()) end_leader_waits();
}

/// Nobody is known who serves it, or soon will but this node itself.
bool Partition::is_between_leaders() const {
  if (leadership_.leader < 0) return true;
  return replica_ != nullptr && leadership_.leader == replica_->raft().id() && !leadership_.ready;
}

bool Partition::may_be_read_as_follower() const {
  // Segments that were received get their names with the flush that ends a cut.
  return replica_ != nullptr && leadership_.leader >= 0 &&
         leadership_.leader != replica_->raft().id() && replica_->knows_committed() &&
         !log_->cut_pending();
}

bool Partition::is_handing_over() const {
  return replica_ != nullptr && replica_->raft().transfer_target() != raft::no_node;
}

void Partition::tell_led() {
  told_in_sync_ = leadership_.ready ? in_sync_replicas() : std::vector<BrokerId>();
  if (on_led) on_led();
}

std::vector<BrokerId> Partition::in_sync_replicas() const {
  if (replica_ == nullptr) return {};
  return in_sync_.in_sync(replica_->raft(), seat_->groups->present(), seat_->lag_max);
}

/// Who is behind is known from the last look; who has come since is.
void Partition::renew_catch_up_terms() {
  if (replica_ == nullptr) return;
  const raft::Raft& raft = replica_->raft();
  const PartitionId partition = identity().partition;
  raft::CatchUpTerms terms;
  terms.leader = settings_->throttled_leaders.contains(partition, raft.id());
  terms.every_follower = settings_->throttled_followers.all;
  for (const auto& [index, broker] : settings_->throttled_followers.some) {
    if (index == partition) terms.followers.push_back(broker);
  }
  const bool limited = terms.leader || terms.every_follower || !terms.followers.empty();
  if (limited && leadership_.ready) in_sync_.sort_out(raft, in_sync_replicas(), terms);
  replica_->set_catch_up_terms(std::move(terms));
}

/// The last entry that `count` of those in sync, this leader among them, have on disk.
raft::Index Partition::held_by(std::size_t count, const std::vector<BrokerId>& in_sync) const {
  const raft::Raft& raft = replica_->raft();
  std::vector<raft::Index> held;
  if (std::ranges::binary_search(in_sync, raft.id())) held.push_back(log_->durable_last_index());
  for (const raft::Progress& follower : raft.progress()) {
    if (std::ranges::binary_search(in_sync, follower.id)) held.push_back(follower.match);
  }
  if (held.size() < count) return 0;
  std::ranges::sort(held, std::greater<>());
  return held[count - 1];
}

void Partition::tend(const metadata::Partition& members, SteadyTime now) {
  if (replica_ == nullptr || !leadership_.ready) return;
  const raft::Raft& raft = replica_->raft();
  in_sync_.look(raft, now);
  renew_catch_up_terms();
  if (in_sync_replicas() != told_in_sync_) {
    tell_led();
    // Who comes back may have begun where it was.
    std::erase_if(begins_, [&](const auto& follower) {
      return raft.membership().is_voter(follower.first) &&
             !std::ranges::binary_search(told_in_sync_, follower.first);
    });
    end_reached();
  }
  const std::vector<BrokerId> wanted = members.target();
  const std::vector<raft::MemberDirectory> present = seat_->groups->present();
  awaited_.clear();
  if (changing_) return;
  // Who is to vote, or to be enough when others have gone, must be seen to answer, also at rest.
  if (replica_->rests() && !raft::votes_in(raft, wanted)) replica_->patrol(0);
  if (const auto newcomer = newcomers_.next(raft, present, wanted)) {
    const std::span<const raft::MemberChange> changes(&*newcomer, 1);
    if (may_vote(changes)) return change(changes);
  }
  std::vector<raft::MemberChange> next = reassignment_.next(raft, wanted, present);
  // A move that is taken back may have taken votes already, which are to be given back; and who
  // learns because a leader had not heard yet of the end of a move learns for nothing.
  if (!members.is_reassigned()) {
    std::erase_if(next, [&](const raft::MemberChange& each) {
      return each.kind == raft::MemberChange::Kind::remove && raft.membership().is_voter(each.node);
    });
  }
  if (!next.empty() && may_vote(next)) return change(next);
  give_back(wanted.front());
}

bool Partition::is_tended(const metadata::Partition& members) const {
  if (replica_ == nullptr || !leadership_.ready) return true;
  if (!replica_->rests() || changing_ || !awaited_.empty() || members.is_reassigned()) return false;
  const raft::Membership& group = replica_->raft().membership();
  if (!group.learners.empty() || !raft::votes_in(replica_->raft(), members.target())) return false;
  return std::ranges::all_of(seat_->groups->present(), [&](const raft::MemberDirectory& node) {
    return !group.is_voter(node.node) || group.is_member(node.node, node.directory);
  });
}

/// Of its log, as far as it has said so.
Offset Partition::begin_at(BrokerId replica) const {
  if (replica == replica_->raft().id()) return log_->durable_log_start_offset();
  const auto begin = begins_.find(replica);
  if (begin == begins_.end()) return 0;
  const bool same = begin->second.directory == replica_->raft().membership().directory_of(replica);
  return same ? begin->second.is : 0;
}

/// A log start that the next leader does not know would bring deleted records back. So it counts
/// once all have it that are in sync, and a majority of those that vote.
Offset Partition::safe_log_start() {
  if (replica_ == nullptr || !leadership_.ready) return log_->durable_log_start_offset();
  const auto at = [this](BrokerId replica) { return begin_at(replica); };
  Offset safe = raft::quorum_value(replica_->raft().membership(), at);
  for (const BrokerId follower : in_sync_replicas()) safe = std::min(safe, begin_at(follower));
  // Else they would be behind for as long as clients go on deleting.
  for (const raft::MemberDirectory& node : seat_->groups->present()) {
    if (std::ranges::find(awaited_, node.node) == awaited_.end()) continue;
    safe = std::min(safe, begin_at(node.node));
  }
  acknowledged_begin_ = std::max(acknowledged_begin_, safe);
  return safe;
}

/// Who gets a vote may lead next, so it has deleted what clients were told is deleted.
bool Partition::may_vote(std::span<const raft::MemberChange> changes) {
  for (const raft::MemberChange& change : changes) {
    const bool votes = change.kind == raft::MemberChange::Kind::add_voter;
    if (votes && begin_at(change.node) < acknowledged_begin_) awaited_.push_back(change.node);
  }
  return awaited_.empty();
}

std::vector<BrokerId> Partition::take_followers_to_tell() {
  std::vector<BrokerId> untold;
  const Offset start = log_->log_start_offset();
  if (replica_ == nullptr || !leadership_.ready || start == 0) return untold;
  const raft::Membership& members = replica_->raft().membership();
  std::vector<BrokerId> followers = in_sync_replicas();
  for (const raft::MemberDirectory& node : seat_->groups->present()) {
    const bool learns = !members.is_voter(node.node);
    if (learns && members.is_member(node.node, node.directory)) followers.push_back(node.node);
  }
  for (const BrokerId follower : followers) {
    if (follower == replica_->raft().id()) continue;
    Begin& begin = begins_[follower];
    const Uuid directory = members.directory_of(follower);
    if (begin.directory != directory) begin = {directory, 0, 0};
    if (begin.told >= start) continue;
    begin.told = start;
    untold.push_back(follower);
  }
  return untold;
}

void Partition::on_follower_begin(BrokerId follower, std::optional<Offset> begin) {
  const auto known = begins_.find(follower);
  if (known == begins_.end()) return;
  if (begin) {
    known->second.is = std::max(known->second.is, *begin);
  } else {
    known->second.told = 0;
  }
  end_reached();
}

void Partition::change(std::span<const raft::MemberChange> changes) {
  changing_ = true;
  replica_->change_membership(changes, change_timeout,
                              [this](const Result<raft::Position>&) { changing_ = false; });
}

bool Partition::is_reassigned_to(const metadata::Partition& members) const {
  return replica_ != nullptr && leadership_.ready &&
         raft::votes_in(replica_->raft(), members.target());
}

/// The preferred leader leads, once it has what this one has.
void Partition::give_back(BrokerId preferred) {
  const raft::Raft& raft = replica_->raft();
  if (preferred == raft.id() || raft.transfer_target() != raft::no_node) return;
  const auto follower = std::ranges::find(raft.progress(), preferred, &raft::Progress::id);
  if (follower == raft.progress().end() || !raft.membership().is_voter(preferred)) return;
  const std::vector<BrokerId> in_sync = in_sync_replicas();
  if (!std::ranges::binary_search(in_sync, preferred)) return;
  if (!raft::has_caught_up(*follower, raft.log().commit())) return;
  const auto begin = begins_.find(preferred);
  const Offset known = begin == begins_.end() ? 0 : begin->second.is;
  if (known < log_->log_start_offset()) return;
  if (const Result<void> asked = replica_->transfer_leadership(preferred); !asked) {
    log_warn("a preferred leader cannot lead", {{"topic", identity().topic},
                                                {"partition", identity().partition},
                                                {"why", asked.error().message}});
  }
}

std::shared_ptr<raft::SnapshotReader> Partition::open_snapshot(raft::Index index) {
  if (index != replica_->store().first_index() - 1) return nullptr;
  const std::optional<wal::Checkpoint> begin = log_->begin_before(index + 1);
  if (!begin) return nullptr;
  return std::make_shared<BeginReader>(
      wal::LogBeginReader(context_.environment.disk, log_->directory(), *begin));
}

std::shared_ptr<raft::SnapshotReceiver> Partition::receive_snapshot(
    const raft::SnapshotMeta& meta) {
  return std::make_shared<BeginReceiver>(log_->receive_begin(), meta);
}

void Partition::restore(const raft::SnapshotMeta&, raft::SnapshotReceiver& received) {
  committed_ = std::max(committed_, received.log_begin().end_offset);
  end_reached();
}

/// Up to here nothing is taken back, and nobody who is there, or soon will be, needs an entry.
raft::Index Partition::may_compact_to() const {
  const raft::Raft& raft = replica_->raft();
  raft::Index index = raft.log().applied();
  for (const raft::Progress& follower : raft.progress()) {
    if (in_sync_.was_there(follower.id, seat_->away_max)) index = std::min(index, follower.match);
  }
  return index;
}

}  // namespace chronik::broker
