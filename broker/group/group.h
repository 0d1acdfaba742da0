// Group: one consumer group of the classic protocol as a pure state machine. Owned by the
// GroupCoordinator (coordinator.h), on its shard. No clock, random, thread, socket or file: time
// and fresh ids are handed in, and what is to happen outside comes back as effects.
//
//   Empty --join--> PreparingRebalance --all joined, or time is up--> CompletingRebalance
//   CompletingRebalance --leader's assignment is durable--> Stable --member comes or goes-->
//   Preparing... PreparingRebalance --nobody is left--> Empty --deleted--> Dead
//
// Invariants: every token handed in is answered exactly once; the generation never goes back; the
// leader, if any, is a member; assignments reach members only after they are durable.
// Behaviour is that of Apache Kafka's group coordinator (KIP-62, KIP-345, KIP-394, KIP-814) where
// clients can tell; where this one answers a request that Kafka would leave hanging, it says so.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/group/group_types.h"

namespace chronik::broker {

class Group {
 public:
  /// A new group without members. `settings` outlives the group.
  Group(std::string id, const GroupSettings& settings, GroupTime now);
  /// As it was when `record` was written: with members it is Stable and each gets a fresh session.
  static Group restore(std::string id, const GroupSettings& settings, const GroupRecord& record,
                       GroupTime now, GroupEffects& effects);

  /// JoinGroup. Answered at once or when the rebalance ends.
  void join(JoinRequest request, GroupToken token, GroupTime now, GroupEffects& effects);
  /// SyncGroup. Answered at once, or when the leader's assignment is durable.
  void sync(const SyncRequest& request, GroupToken token, GroupTime now, GroupEffects& effects);
  /// Heartbeat. The answer is the error code.
  ErrorCode heartbeat(const std::string& member_id,
                      const std::optional<std::string>& group_instance_id, std::int32_t generation,
                      GroupTime now);
  /// LeaveGroup of one or many. Answered at once, or when the empty group is durable.
  void leave(const std::vector<LeavingMember>& leaving, GroupToken token, GroupTime now,
             GroupEffects& effects);
  /// May this client commit offsets now? If so its session is renewed.
  ErrorCode check_commit(const CommitIdentity& who, GroupTime now);
  ErrorCode check_offset_delete() const;
  ErrorCode check_delete() const;

  /// Precondition: check_delete() is none. Until end_delete() the group answers
  /// COORDINATOR_NOT_AVAILABLE, so that clients come again.
  void begin_delete();
  /// The deletion is durable (the owner drops the group), or has failed: it is as before.
  void end_delete(bool deleted);
  /// The client that waits for `token` is gone; the token needs no answer, but may still get one. A
  /// new member that has not been told its id goes with it, since nobody could ever speak for it.
  void abandon(GroupToken token, GroupTime now, GroupEffects& effects);
  /// This broker is no longer the coordinator: everything blocked is answered with `error`.
  void unload(ErrorCode error, GroupEffects& effects);

  /// The demand `sequence` is durable (none) or has failed; to be called in order of sequence.
  void on_persisted(std::uint64_t sequence, ErrorCode error, GroupTime now, GroupEffects& effects);

  /// When on_time() is wanted next. May be too early (sessions are renewed without looking), never
  /// too late.
  std::optional<SteadyTime> next_deadline() const;
  void on_time(GroupTime now, GroupEffects& effects);

  const std::string& id() const { return id_; }
  GroupState state() const { return state_; }
  std::int32_t generation() const { return generation_; }
  /// Empty text: none yet (a group that only stores offsets).
  const std::string& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& leader() const { return leader_; }
  std::size_t member_count() const { return members_.size(); }
  std::size_t pending_member_count() const { return pending_.size(); }
  /// Nothing would be lost by forgetting it: no members, none announced, nothing ever to persist.
  bool is_forgettable() const;
  /// A record of it is, or will be, in the metadata store.
  bool persisted() const { return persisted_; }
  GroupDescription describe() const;

  /// True also when the members' subscriptions are not readable: nobody knows.
  bool subscribes_to(const std::string& topic) const;
  /// Has an offset committed at `commit_ms` outlived `retention`? `expire_ms` is the time that old
  /// clients (OffsetCommit v2-4) set themselves, -1 when none. KIP-211.
  bool offset_expired(const std::string& topic, Timestamp commit_ms, Timestamp expire_ms,
                      Timestamp now_ms, milliseconds retention) const;

 private:
  /// When a member counts as gone. `queued` is its entry in sessions_; renewing only moves
  /// `deadline`, and the entry follows when it comes up.
  struct Session {
    SteadyTime deadline = SteadyTime::max();
    SteadyTime queued = SteadyTime::max();
  };
  struct Member {
    std::uint64_t joined = 0;  // ordinal: the oldest leads when the leader goes
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    milliseconds rebalance_timeout{0};
    milliseconds session_timeout{0};
    std::vector<GroupProtocol> protocols;
    Bytes assignment;
    std::optional<GroupToken> awaiting_join;
    std::optional<GroupToken> awaiting_sync;
    bool is_new = false;    // has not yet been told its generation by a finished join
    bool knows_id = false;  // has its member id or an instance id, and may come again with it
    Session session;
  };
  using Members = std::map<std::string, Member, std::less<>>;
  struct SessionEntry {
    SteadyTime at;
    std::string member_id;
    bool operator>(const SessionEntry& other) const { return at > other.at; }
  };
  enum class PersistKind { empty_group, assignment, static_member };
  struct Pending {
    std::uint64_t sequence = 0;
    PersistKind kind = PersistKind::empty_group;
    std::int32_t generation = 0;
    std::map<std::string, Bytes> assignments;  // assignment
    std::optional<GroupToken> token;           // static_member: the join that waits
    std::string old_member_id, new_member_id;  // static_member
    std::optional<std::string> old_leader;     // static_member
    bool can_skip_assignment = false;          // static_member
    std::vector<LeaveReply> replies;           // empty_group: leaves that wait
  };

  // group_join.cc: JoinGroup.
  bool accepts(const std::string& member_id) const;
  bool supports(const JoinRequest& request) const;
  void join_unknown(JoinRequest request, GroupToken token, GroupTime now, GroupEffects& effects);
  void join_known(JoinRequest request, GroupToken token, GroupTime now, GroupEffects& effects);
  void add_member(JoinRequest request, std::string member_id, GroupToken token, GroupTime now,
                  GroupEffects& effects);
  void update_member(Member& member, JoinRequest& request, GroupToken token, GroupEffects& effects);
  void rejoin(Member& member, JoinRequest& request, std::string_view why, GroupToken token,
              GroupTime now, GroupEffects& effects);
  void replace_static_member(JoinRequest request, GroupToken token, GroupTime now,
                             GroupEffects& effects);
  JoinResult current_generation_for(const std::string& member_id) const;

  // group.cc: the other requests.
  ErrorCode validate(const std::string& member_id,
                     const std::optional<std::string>& group_instance_id) const;
  ErrorCode validate_sync(const SyncRequest& request) const;
  void accept_assignment(const SyncRequest& request, GroupEffects& effects);
  ErrorCode leave_one(const LeavingMember& leaving, GroupEffects& effects);

  // group_rebalance.cc: the way from one generation to the next, and time.
  void rebalance_or_complete(const std::string& reason, GroupTime now, GroupEffects& effects);
  void prepare_rebalance(const std::string& reason, GroupTime now, GroupEffects& effects);
  void maybe_complete_join(GroupTime now, GroupEffects& effects);
  void complete_join(GroupTime now, GroupEffects& effects);
  void remove_absent_members(GroupEffects& effects);
  bool elect_joined_leader(GroupEffects& effects);
  void start_next_generation(GroupTime now);
  void answer_joins(GroupTime now, GroupEffects& effects);
  void become_empty(GroupTime now, GroupEffects& effects);
  void become_stable(Pending& assignment, GroupTime now, GroupEffects& effects);
  void finish_static_member(Pending& pending, ErrorCode error, GroupTime now,
                            GroupEffects& effects);
  void on_join_deadline(GroupTime now, GroupEffects& effects);
  void on_sync_deadline(GroupTime now, GroupEffects& effects);
  void on_session_entry(GroupTime now, GroupEffects& effects);
  void expire_member(const std::string& member_id, GroupTime now, GroupEffects& effects);
  bool all_joined() const { return awaiting_join_ == members_.size() && pending_.empty(); }
  milliseconds rebalance_timeout() const;
  std::string choose_protocol() const;
  std::optional<std::set<std::string>> subscribed_topics() const;

  // Members and what is counted over them.
  void count_protocols(const Member& member, int step);
  void remove_member(Members::iterator member, GroupEffects& effects);
  void answer_join(Member& member, JoinResult result, GroupEffects& effects);
  void answer_sync(Member& member, SyncResult result, GroupEffects& effects);
  void await_join(Member& member, GroupToken token, GroupEffects& effects);
  void renew_session(const std::string& member_id, Member& member, milliseconds timeout,
                     GroupTime now);
  void set_deadline(Session& session, const std::string& member_id, SteadyTime deadline);
  void push_session(SteadyTime at, std::string member_id);
  Session* find_session(const std::string& member_id);
  void become(GroupState state, GroupTime now);
  void note(GroupEffects& effects, std::string text) const;
  Pending& persist(PersistKind kind, GroupRecord record, GroupEffects& effects);
  GroupRecord record(const std::map<std::string, Bytes>* assignments) const;

  std::string id_;
  const GroupSettings* settings_;
  GroupState state_ = GroupState::empty;
  Timestamp state_since_ms_ = -1;
  std::int32_t generation_ = 0;
  std::string protocol_type_;
  std::optional<std::string> protocol_name_;
  std::optional<std::string> leader_;

  Members members_;
  std::unordered_map<std::string, std::string> static_members_;  // instance id -> member id
  std::map<std::string, Session, std::less<>> pending_;          // got an id, have not joined yet
  std::set<std::string> pending_sync_;                           // members that have yet to sync
  std::unordered_map<std::string, int> protocol_counts_;         // members that offer a protocol
  std::size_t awaiting_join_ = 0;                                // members with awaiting_join
  std::uint64_t joined_count_ = 0;
  std::optional<std::set<std::string>> subscribed_;  // of this generation; nothing: not known

  std::vector<SessionEntry> sessions_;  // a heap, the earliest in front
  std::optional<SteadyTime> join_deadline_;
  std::optional<SteadyTime> sync_deadline_;
  bool initial_ = false;               // join_deadline_ is that of the initial delay
  bool member_added_ = false;          // during the initial delay: it may be extended
  milliseconds initial_delay_{0};      // the running part of it
  milliseconds initial_remaining_{0};  // how much it may still grow

  std::deque<Pending> persisting_;
  std::uint64_t next_sequence_ = 1;
  bool persisted_ = false;
};

}  // namespace chronik::broker
