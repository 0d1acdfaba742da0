#include <algorithm>

#include "raft/core/raft.h"

namespace chronik::raft {

void Raft::hear_leader(NodeId from) {
  if (role_ != Role::follower || leader_ != from) return become_follower(hard_.term, from);
  election_elapsed_ = 0;
}

void Raft::follow_commit(Index leader_commit) { commit_to(std::min(leader_commit, matched_)); }

void Raft::on_append(NodeId from, const Append& append) {
  hear_leader(from);
  be_told(append.commit);
  Position prev = append.prev;
  std::span<const Entry> entries = append.entries;
  if (prev.index < log_.commit()) {
    // What is committed here is the leader's as well; our log may not even reach back to prev.
    const auto known = static_cast<std::size_t>(log_.commit() - prev.index);
    entries = entries.subspan(std::min(known, entries.size()));
    prev = {*log_.term(log_.commit()), log_.commit()};
  }
  if (!log_.holds(prev)) {
    return send(from, AppendAnswer{false, prev.index, log_.last_at_most(prev)});
  }
  const Index cut = log_.merge(entries);
  if (cut > 0) {
    CHECK(cut > matched_);
    for (Batch& batch : in_flight_) batch.last = std::min(batch.last, cut - 1);
  }
  matched_ = std::max(matched_, prev.index + static_cast<Index>(entries.size()));
  follow_commit(append.commit);
  send_when_durable(from, AppendAnswer{true, matched_, {}});
}

void Raft::on_heartbeat(NodeId from, const Heartbeat& heartbeat) {
  hear_leader(from);
  be_told(heartbeat.commit);
  follow_commit(heartbeat.commit);
  release_if_complete();
  rest_.now = heartbeat.rest && may_rest_under(heartbeat);
  send(from, answer_to(heartbeat.round));
}

HeartbeatAnswer Raft::answer_to(Round round) const {
  // Of a term that a crash would take back nothing is promised.
  const bool promises = durable_hard_.term == hard_.term;
  const Index durable = promises ? std::min(matched_, log_.durable()) : 0;
  const bool withheld = is_withheld() || durable_hard_.withheld_until > 0;
  return {round, matched_, durable, withheld, rest_.now};
}

void Raft::on_snapshot_offer(NodeId from, const SnapshotOffer& offer) {
  hear_leader(from);
  const SnapshotMeta& meta = offer.meta;
  if (meta.index <= log_.commit() || log_.holds({meta.term, meta.index})) {
    // A snapshot is of committed entries, so what is here up to it is the leader's.
    matched_ = std::max(matched_, meta.index);
    commit_to(meta.index);
    return send_when_durable(from, AppendAnswer{true, matched_, {}});
  }
  // What was fetched lies under the fetch's name until the log begins behind it on the disk: the
  // next fetch would write over it.
  if (fetching_ || log_.installing()) return;
  fetching_ = meta;
  fetch_from_ = from;
}

void Raft::on_snapshot_fetched(const SnapshotMeta& meta) {
  CHECK(fetching_ && *fetching_ == meta);
  fetching_.reset();
  if (meta.index > log_.commit() && !log_.holds({meta.term, meta.index})) {
    CHECK(role_ != Role::leader);  // it would have what was committed before its term
    if (role_ != Role::follower) become_follower(hard_.term, no_node);
    log_.restore(meta);
    for (Batch& batch : in_flight_) batch.last = 0;
    in_apply_.clear();
    apply_bytes_ = 0;
    read_committed_.clear();
    reading_committed_ = false;
  } else if (role_ != Role::leader) {
    commit_to(meta.index);
  }
  if (role_ != Role::follower) return;
  matched_ = std::max(matched_, meta.index);
  if (leader_ != no_node) send_when_durable(leader_, SnapshotAnswer{true, meta.index});
}

void Raft::on_snapshot_failed(const SnapshotMeta& meta) {
  CHECK(fetching_ && *fetching_ == meta);
  fetching_.reset();
  if (role_ == Role::follower && leader_ != no_node) {
    send(leader_, SnapshotAnswer{false, meta.index});
  }
}

}  // namespace chronik::raft
