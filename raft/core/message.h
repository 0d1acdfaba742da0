// What replicas of one group say to each other: one plain struct a kind, and the variant of all.
// Messages may be lost, repeated, reordered and delayed by any time; none of that may do harm.
//
// Every kind belongs to a term. Of an older term than the receiver's it is dropped, with a
// TermNotice to those who still take themselves for leader or candidate; of a later one it moves
// the receiver to that term (pre-votes excepted, which speak of a term nobody is in yet).
#pragma once

#include <variant>
#include <vector>

#include "raft/core/types.h"

namespace chronik::raft {

/// Asks for a vote in Message::term. `pre`: would you vote for me, if I began that term?
struct Vote {
  bool pre = false;
  bool transfer =
      false;      // the old leader asked for this election: its lease does not stand against
  Position last;  // of the candidate's log
};

struct VoteAnswer {
  bool pre = false;
  bool granted = false;
};

/// Entries behind `prev`, which must match; none: only asks whether `prev` does, and tells the
/// commit.
struct Append {
  Position prev;
  Index commit = 0;
  std::vector<Entry> entries;
};

/// Sent when what it speaks of is durable. Accepted: the sender holds the leader's log up to
/// `index`. Refused: its log has not what `index` (the refused prev) says; `hint` is the last place
/// it has that could match: at or before prev, and of no later term than prev.
struct AppendAnswer {
  bool accepted = false;
  Index index = 0;
  Position hint;
};

/// Keeps followers from electing; numbered, so that an answer proves when the leader still led.
/// `rest`: all have everything up to `commit`, where the log ends; who has it may rest (rest.h).
struct Heartbeat {
  Round round = 0;
  Index commit = 0;
  bool rest = false;
};

/// `received`: up to where the sender's log is known to be the leader's, durable or not. A hint
/// from which the leader sees that an Append was lost; it never counts for a commit. `durable`:
/// what of that is durable, so that a lost AppendAnswer does not matter. `withheld`: the sender
/// would not vote, or a crash would make it so. `rests`: the sender rests; round 0: it did, and
/// something has woken it.
struct HeartbeatAnswer {
  Round round = 0;
  Index received = 0;
  Index durable = 0;
  bool withheld = false;
  bool rests = false;
};

/// The log no longer reaches back to what the receiver needs: fetch this snapshot from the sender.
struct SnapshotOffer {
  SnapshotMeta meta;
};

/// Installed and durable up to `index`, or given up.
struct SnapshotAnswer {
  bool installed = false;
  Index index = 0;
};

/// The receiver shall campaign at once: leadership is handed to it.
struct TimeoutNow {};

struct ReadIndex {
  ReadId id = 0;
};

/// What was committed when the leader got the question `id`, after it proved to be the leader.
struct ReadIndexAnswer {
  ReadId id = 0;
  Index index = 0;
};

/// Proposals of a follower (Options::forward_proposals). Not kept from being appended twice when
/// the network repeats it.
struct Propose {
  std::vector<SharedBytes> payloads;
};

/// Answers a message of an older term: there is a later one.
struct TermNotice {};

using MessageBody =
    std::variant<Vote, VoteAnswer, Append, AppendAnswer, Heartbeat, HeartbeatAnswer, SnapshotOffer,
                 SnapshotAnswer, TimeoutNow, ReadIndex, ReadIndexAnswer, Propose, TermNotice>;

struct Message {
  NodeId from = no_node;
  NodeId to = no_node;
  Term term = 0;
  MessageBody body;

  template <class Kind>
  bool is() const {
    return std::holds_alternative<Kind>(body);
  }
};

}  // namespace chronik::raft
