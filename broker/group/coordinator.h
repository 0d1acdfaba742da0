// GroupCoordinator: all consumer groups of a shard. Turns requests into inputs of groups
// (group.h), and what comes back into answers, metadata events and log lines; keeps committed
// offsets in the metadata store, expires them, and goes on after a restart where the image stands:
// members need not join again.
//
// Owned by the Broker, on the metadata shard; every function is called there unless it says
// otherwise. Only groups with members, or with work under way, are objects: the others are rows of
// the image, however many there are.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "broker/group/group.h"
#include "broker/runtime/future.h"
#include "broker/runtime/task.h"
#include "broker/runtime/timer.h"
#include "metadata/metadata_store.h"
#include "wal/retention.h"

namespace chronik::broker {

/// OffsetCommit of partitions that exist. The coordinator fills in the times.
struct OffsetCommit {
  std::string group_id;
  CommitIdentity who;
  std::int64_t retention_ms = -1;      // -1: offsets.retention.minutes
  bool knows_group_not_found = false;  // v9 and later: GROUP_ID_NOT_FOUND means something to it
  std::vector<metadata::OffsetsCommitted::Topic> topics;
};

/// OffsetDelete of partitions that exist.
struct OffsetDelete {
  std::string group_id;
  std::vector<metadata::OffsetsDeleted::Topic> topics;
};

/// `error` is of the whole request; else there is one code for each partition, counted through all
/// topics.
struct OffsetChangeResult {
  ErrorCode error = ErrorCode::none;
  std::vector<ErrorCode> partitions;
};

struct ListedGroup {
  std::string group_id;
  std::string protocol_type;
  GroupState state = GroupState::empty;
};

class GroupCoordinator {
 public:
  struct Settings {
    GroupSettings group;
    std::int32_t offset_metadata_bytes_max = 4096;
    milliseconds offsets_retention{std::chrono::hours{24 * 7}};
    milliseconds offsets_check_interval{std::chrono::minutes{10}};
  };

  /// The store, the heap and the clock must outlive it.
  GroupCoordinator(metadata::MetadataStore& store, TimerHeap& timers, const Clock& clock,
                   Random random, Settings settings);
  GroupCoordinator(const GroupCoordinator&) = delete;
  GroupCoordinator& operator=(const GroupCoordinator&) = delete;
  /// Precondition: stopped, if it was started.
  ~GroupCoordinator();

  /// Takes up the groups of the store's image, as the leader of `term`: what it decides is stored
  /// only as long as this node leads in that term. Before it, and after stop(), everything is
  /// answered with COORDINATOR_NOT_AVAILABLE.
  void start(LeaderEpoch term = 0);
  /// Answers whatever waits with NOT_COORDINATOR.
  void stop();

  /// A token for join(), sync() or leave(), by which the wait can be cancelled. Any thread.
  GroupToken new_token() { return next_token_.fetch_add(1, std::memory_order_relaxed); }
  /// Nobody waits any more for the answer to `token`, which comes at once. Unknown tokens are fine.
  void cancel(GroupToken token);

  /// request.unique_suffix is filled in here.
  Task<JoinResult> join(std::string group_id, JoinRequest request, GroupToken token);
  Task<SyncResult> sync(std::string group_id, SyncRequest request, GroupToken token);
  Task<LeaveResult> leave(std::string group_id, std::vector<LeavingMember> members,
                          GroupToken token);
  ErrorCode heartbeat(const std::string& group_id, const std::string& member_id,
                      const std::optional<std::string>& group_instance_id, std::int32_t generation);

  /// The committed offsets are durable on return.
  Task<OffsetChangeResult> commit(OffsetCommit request);
  Task<OffsetChangeResult> delete_offsets(OffsetDelete request);
  /// The group's committed offsets, or null: none. Valid as long as `image` is.
  const metadata::OffsetTable* offsets(const metadata::Image& image,
                                       const std::string& group_id) const;
  std::shared_ptr<const metadata::Image> image() const { return store_.image(); }

  /// One code for each: none, NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, ... Durable on return.
  Task<std::vector<ErrorCode>> delete_groups(std::vector<std::string> group_ids);
  /// Nothing: there is no such group.
  std::optional<GroupDescription> describe(const std::string& group_id) const;
  std::vector<ListedGroup> list() const;

  bool running() const { return running_; }
  LeaderEpoch term() const { return term_; }
  /// Groups that are objects at the moment.
  std::size_t active_groups() const { return active_.size(); }

 private:
  struct Entry {
    Entry(Group g, TimerHeap& heap, std::function<void()> on_fire)
        : group(std::move(g)), timer(heap, std::move(on_fire)) {}
    Group group;
    Timer timer;
    int busy = 0;       // calls and proposals under way: it must stay
    bool gone = false;  // no longer in active_: answers of the store come too late
  };
  using Waiting = std::variant<Promise<JoinResult>, Promise<SyncResult>, Promise<LeaveResult>>;

  GroupTime now() const { return {clock_.steady_now(), clock_.now_ms()}; }
  std::string unique_suffix();

  // coordinator.cc: groups and their members.
  std::shared_ptr<Entry> find(const std::string& group_id) const;
  std::shared_ptr<Entry> activate(const std::string& group_id);
  std::shared_ptr<Entry> add(Group group);
  void run(const std::shared_ptr<Entry>& entry, GroupEffects effects);
  void carry_out(const std::shared_ptr<Entry>& entry, GroupEffect effect);
  void propose_record(const std::shared_ptr<Entry>& entry, PersistDemand demand);
  void on_timer(const std::string& group_id);
  void release(const std::shared_ptr<Entry>& entry);
  bool image_says_the_same(const Group& group) const;
  template <class Result>
  void answer(GroupToken token, Result result);
  Group inactive_group(const metadata::Group& from) const;

  // coordinator_offsets.cc: offsets, and what is deleted.
  Future<Result<metadata::ApplyResults>> propose(std::vector<metadata::MetadataEvent> events);
  ErrorCode check_commit(const OffsetCommit& request);
  void on_expiry_timer();
  std::size_t expire_offsets(const metadata::Image& image, const metadata::Group& stored,
                             std::vector<metadata::MetadataEvent>& events) const;

  metadata::MetadataStore& store_;
  TimerHeap& timers_;
  const Clock& clock_;
  Random random_;
  const Settings settings_;
  bool running_ = false;
  LeaderEpoch term_ = 0;
  std::atomic<GroupToken> next_token_{1};

  std::unordered_map<std::string, std::shared_ptr<Entry>> active_;
  struct Open {
    Waiting promise;
    std::string group_id;
  };
  std::unordered_map<GroupToken, Open> waiting_;

  Timer expiry_timer_;
  wal::RetentionClock retention_clock_;
  Timestamp retention_now_ = 0;            // of the slice that is looked at
  std::vector<std::string> expiry_queue_;  // groups that this round has yet to look at
  // Callbacks of the store hold it weakly: they may come after this object is gone.
  std::shared_ptr<GroupCoordinator*> self_;
};

/// What a client is told when its change could not be made durable.
ErrorCode to_error_code(const Error& error);

}  // namespace chronik::broker
