// What a leader sends to its followers: Appends as their windows permit, snapshots, heartbeats.
// Appends leave from ready() only, so that all that was proposed before it shares them.
#include <algorithm>

#include "raft/core/raft.h"

namespace chronik::raft {

void Raft::replicate() {
  replicate_wanted_ = false;
  for (Progress& peer : progress_) replicate_to(peer);
}

bool Raft::is_paused(const Progress& peer) const {
  if (peer.reading) return true;
  switch (peer.state) {
    case ProgressState::probe:
      return peer.probe_sent;
    case ProgressState::replicate:
      return peer.window.count() >= options_.inflight_messages_max ||
             peer.window.bytes() >= options_.inflight_bytes_max;
    case ProgressState::snapshot:
      return true;
  }
  UNREACHABLE();
}

/// By an Append of its own. Who belongs to the group everybody learns at once.
bool Raft::tells_commit(const Progress& peer) const {
  const Index commit = shown_commit();
  if (!options_.commit_with_heartbeats) return peer.sent_commit < commit;
  const Index membership = log_.membership().index;
  return peer.sent_commit < membership && membership <= commit;
}

void Raft::replicate_to(Progress& peer) {
  while (!is_paused(peer)) {
    if (peer.next > log_.last_index()) {
      if (peer.state == ProgressState::probe || tells_commit(peer)) send_append(peer, {});
      return;
    }
    if (peer.next < log_.first_index() || !log_.term(peer.next - 1)) return offer_snapshot(peer);
    const bool held = options_.is_held_back && options_.is_held_back(peer.id);
    // What is not durable yet is asked for with the next answer.
    if (held && peer.next > log_.durable()) return;
    std::optional<std::vector<Entry>> entries;
    if (!held) {
      entries = log_.entries(peer.next, log_.last_index() + 1, options_.append_bytes_max);
    }
    if (!entries) {
      peer.reading = true;
      log_reads_.push_back(
          LogRead{peer.id, hard_.term, peer.next, log_.durable() + 1, options_.append_bytes_max});
      return;
    }
    send_append(peer, std::move(*entries));
  }
}

void Raft::send_append(Progress& peer, std::vector<Entry> entries) {
  const Position prev{log_.term(peer.next - 1).value(), peer.next - 1};
  peer.sent_commit = shown_commit();
  if (peer.state == ProgressState::probe) {
    peer.probe_sent = true;
  } else if (!entries.empty()) {
    std::uint64_t bytes = 0;
    for (const Entry& entry : entries) bytes += entry.bytes();
    peer.next = entries.back().index + 1;
    peer.appended = ticks_;
    peer.window.add(entries.back().index, bytes);
  }
  send(peer.id, Append{prev, shown_commit(), std::move(entries)});
}

void Raft::offer_snapshot(Progress& peer) {
  SnapshotMeta meta = log_.snapshot();
  CHECK(meta.index >= log_.first_index() - 1);
  // Who gets it counts for nothing before it has the entry that says who belongs to the group:
  // until then the membership of that entry serves as well as the one that is not known here.
  if (meta.membership.voters.empty()) {
    const Membership* known = log_.first_committed_membership();
    if (known == nullptr) return;  // the next answer of the member tries again
    meta.membership = *known;
  }
  peer.become_snapshot(ticks_);
  send(peer.id, SnapshotOffer{std::move(meta)});
}

void Raft::on_entries_read(const LogRead& read, std::vector<Entry> entries) {
  CHECK(entries.empty() || entries.front().index == read.begin);
  if (read.reader == options_.id) {
    if (!reading_committed_ || read.begin != log_.applying() + 1) return;
    reading_committed_ = false;
    read_committed_ = std::move(entries);
    return;
  }
  if (role_ != Role::leader || read.term != hard_.term) return;
  Progress* peer = find_progress(read.reader);
  if (peer == nullptr || !peer->reading) return;
  peer->reading = false;
  replicate_wanted_ = true;
  // Meanwhile it may have gone on, or the log's begin may have moved.
  if (entries.empty() || is_paused(*peer) || peer->next != read.begin) return;
  if (!log_.term(peer->next - 1)) return;
  send_append(*peer, std::move(entries));
}

/// What goes between the two anyway says as much as a heartbeat and its answer. Now and then they
/// go all the same: only they tell of votes that are withheld.
bool Raft::needs_heartbeat(const Progress& peer) const {
  constexpr std::int64_t left_out_max = 4;
  const bool is_busy = peer.state == ProgressState::replicate && peer.appended + 1 >= ticks_ &&
                       peer.heard + 1 >= ticks_;
  return !is_busy || peer.beaten + left_out_max < ticks_;
}

/// With a round of its own. Not `to_all`: where neither a read nor a lease nor a rest waits for the
/// answers, it goes to those who need it.
void Raft::broadcast_heartbeat(bool to_all) {
  to_all = to_all || !options_.commit_with_heartbeats || options_.lease_reads ||
           !read_queue_.empty() || rest_.asked_from > 0;
  heartbeat_elapsed_ = 0;
  ++round_;
  round_ticks_.push_back(ticks_);
  while (round_ticks_.front() + options_.election_ticks < ticks_) round_ticks_.pop_front();
  for (Progress& peer : progress_) {
    if (!to_all && !needs_heartbeat(peer)) continue;
    peer.beaten = ticks_;
    if (options_.commit_with_heartbeats) peer.sent_commit = shown_commit();
    send(peer.id, Heartbeat{round_, shown_commit(), rest_.now || rest_.asked_from > 0});
  }
}

}  // namespace chronik::raft
