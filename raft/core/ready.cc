#include "raft/core/ready.h"

#include <utility>

#include "raft/core/raft.h"

namespace chronik::raft {

bool Raft::has_ready() const {
  if (!messages_.empty() || !heartbeats_.empty() || !when_durable_.empty()) return true;
  if (hard_ != handed_hard_ || log_.has_unwritten() || log_.commit() != told_commit_) return true;
  if (told_soft_ != SoftState{role_, leader_, hard_.term}) return true;
  if (!reads_lost_.empty() || own_reads_.has_ready(log_.readable())) return true;
  if (!log_reads_.empty() || fetch_from_ != no_node || !read_committed_.empty()) return true;
  if (role_ == Role::leader && (replicate_wanted_ || read_queue_.wanted() > round_)) return true;
  return !reading_committed_ && log_.applying() < log_.may_apply_to() &&
         apply_bytes_ < options_.apply_bytes_max;
}

Ready Raft::ready() {
  Ready ready;
  if (role_ == Role::leader && read_queue_.wanted() > round_) broadcast_heartbeat(true);
  if (role_ == Role::leader && replicate_wanted_) replicate();
  take_committed(ready);
  ready.messages = std::exchange(messages_, {});
  ready.heartbeats = std::exchange(heartbeats_, {});
  take_durable_part(ready);
  ready.commit = told_commit_ = log_.commit();
  ready.commit_durable = log_.may_apply_to();
  ready.committed_to = log_.applying();
  ready.reads = own_reads_.take_ready(log_.readable());
  ready.reads_lost = std::exchange(reads_lost_, {});
  ready.log_reads = std::exchange(log_reads_, {});
  if (fetch_from_ != no_node) {
    ready.fetch = SnapshotFetch{std::exchange(fetch_from_, no_node), *fetching_};
  }
  const SoftState soft{role_, leader_, hard_.term};
  if (soft != told_soft_) ready.soft_state = told_soft_ = soft;
  return ready;
}

void Raft::take_durable_part(Ready& ready) {
  if (hard_ != handed_hard_) ready.hard_state = handed_hard_ = hard_;
  ready.install = log_.take_install();
  ready.entries = log_.take_unwritten();
  const bool writes = ready.hard_state || ready.install || !ready.entries.empty();
  if (!writes && in_flight_.empty()) {
    // Nothing is on its way to the disk, so what these messages promise is durable already.
    for (Message& message : when_durable_) ready.messages.push_back(std::move(message));
    when_durable_.clear();
    return;
  }
  if (!writes && when_durable_.empty()) return;
  ready.number = ++last_number_;
  ready.messages_when_durable = std::exchange(when_durable_, {});
  in_flight_.push_back(Batch{ready.number, log_.written(), ready.install.has_value(), hard_});
}

void Raft::on_persisted(std::uint64_t number) {
  CHECK(number > persisted_number_ && number <= last_number_);
  persisted_number_ = number;
  const Index shown_before = shown_commit();
  while (!in_flight_.empty() && in_flight_.front().number <= number) {
    const Batch batch = in_flight_.front();
    in_flight_.pop_front();
    durable_hard_ = batch.hard_state;
    log_.persisted(batch.last, batch.installs);
  }
  release_if_complete();
  if (role_ == Role::leader) maybe_commit();
  if (role_ == Role::leader && shown_commit() > shown_before) replicate_wanted_ = true;
  const bool voted = durable_hard_.term == hard_.term && durable_hard_.vote == options_.id;
  if (role_ == Role::candidate && voted && votes_.emplace(options_.id, true).second) count_votes();
}

void Raft::take_committed(Ready& ready) {
  const Index to = log_.may_apply_to();
  if (!options_.deliver_committed) {
    if (to > log_.applying()) log_.applying_to(to);
    return;
  }
  if (!read_committed_.empty()) {
    ready.committed = std::exchange(read_committed_, {});
  } else if (to > log_.applying() && !reading_committed_ &&
             apply_bytes_ < options_.apply_bytes_max) {
    const std::uint64_t bytes_max = options_.apply_bytes_max - apply_bytes_;
    auto entries = log_.entries(log_.applying() + 1, to + 1, bytes_max);
    if (!entries) {
      reading_committed_ = true;
      log_reads_.push_back(
          LogRead{options_.id, hard_.term, log_.applying() + 1, to + 1, bytes_max});
      return;
    }
    ready.committed = std::move(*entries);
  }
  if (ready.committed.empty()) return;
  std::uint64_t bytes = 0;
  for (const Entry& entry : ready.committed) bytes += entry.bytes();
  log_.applying_to(ready.committed.back().index);
  in_apply_.emplace_back(log_.applying(), bytes);
  apply_bytes_ += bytes;
}

void Raft::on_applied(Index index) {
  log_.applied_to(index);
  while (!in_apply_.empty() && in_apply_.front().first <= index) {
    apply_bytes_ -= in_apply_.front().second;
    in_apply_.pop_front();
  }
}

}  // namespace chronik::raft
