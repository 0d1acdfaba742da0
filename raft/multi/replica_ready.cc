// The part of Replica that does what a Ready says.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "raft/multi/replica.h"

namespace chronik::raft {

namespace {

/// How long the answer of a leader may still be on its way when another one leads.
constexpr milliseconds late_answer{500};

}  // namespace

bool Replica::take_ready(std::optional<Save>& save) {
  if (broken_ || (!raft_.has_ready() && !save_base_)) return false;
  CHECK(!taken_);
  taken_ = std::make_unique<Ready>(raft_.ready());
  Ready& ready = *taken_;
  state_.commit = std::max(state_.commit, ready.commit_durable);
  if (ready.hard_state) state_.hard = *ready.hard_state;
  if (ready.install) state_.install = MembershipAt{ready.install->index, ready.install->membership};
  if (ready.hard_state || ready.install || save_base_) {
    save = Save{state_file_->write_of(state_), self_, ready.number};
  }
  return true;
}

void Replica::carry_out() {
  CHECK(taken_);
  Ready ready = std::move(*taken_);
  taken_.reset();
  if (std::exchange(save_base_, false)) host_.group_commit().mark_dirty(store_->log());
  if (ready.number != 0) {
    Persisting persisting;
    persisting.number = ready.number;
    persisting.state_saved = !ready.hard_state && !ready.install;
    if (!write_log(ready, persisting)) return;
    persisting.messages = std::move(ready.messages_when_durable);
    persisting_.push_back(std::move(persisting));
  } else {
    CHECK(ready.messages_when_durable.empty());
  }
  for (const Message& message : ready.messages) send(message);
  for (Message& beat : ready.heartbeats) host_.send_beat({group_, std::move(beat)});
  for (const LogRead& read : ready.log_reads) read_log(read);
  if (ready.fetch) transfers().fetcher.start(*ready.fetch);
  if (!ready.committed.empty()) apply(ready.committed);
  if (!delivers_) commit_to(ready.committed_to);
  advance();
  answer_reads(ready);
  tell_leadership();
  if (ready.soft_state) {
    if (raft_.leader() != no_node) {
      proposals_.on_leader(raft_.leader(), host_.now_ticks() + host_.ticks_of(late_answer));
    }
    drive();
    drive_reads();
  }
  touch();
}

bool Replica::write_log(Ready& ready, Persisting& persisting) {
  if (ready.install) {
    CHECK(fetched_ != nullptr);
    persisting.install = std::move(fetched_);
    persisting.meta = *ready.install;
    wal::Checkpoint begin = persisting.install->log_begin();
    commit_offsets_.restart(persisting.meta.index, begin.end_offset);
    store_->restart(persisting.meta, std::move(begin));
    for (Persisting& earlier : persisting_) earlier.last = 0;
    persisting.last = persisting.meta.index;
  }
  if (ready.entries.empty()) return true;
  persisting.last = ready.entries.back().index;
  const Result<Index> cut = store_->append(ready.entries, delivers_ ? nullptr : &commit_offsets_);
  if (!cut) {
    fail_to_cut(cut.error());
    return false;
  }
  if (*cut == 0) return true;
  for (Persisting& earlier : persisting_) earlier.last = std::min(earlier.last, *cut - 1);
  return true;
}

void Replica::on_state_saved(std::uint64_t number) {
  for (Persisting& persisting : persisting_) {
    if (persisting.number == number) persisting.state_saved = true;
  }
  touch();
}

void Replica::on_durable(wal::PartitionLog&) {
  machine_.on_log_durable();
  touch();
  host_.settle();
}

bool Replica::is_durable(Persisting& front) {
  if (!front.state_saved || store_->log().durable_last_index() < front.last) return false;
  if (front.install == nullptr) return true;
  if (store_->log().cut_pending()) return false;
  if (!front.publishing) publish(front);
  return front.published;
}

/// Tells Raft of all Readys that are durable now, and sends what waited for that.
void Replica::advance() {
  if (broken_) return;
  std::vector<Message> messages;
  std::uint64_t number = 0;
  while (!persisting_.empty() && is_durable(persisting_.front())) {
    Persisting front = std::move(persisting_.front());
    persisting_.pop_front();
    if (front.install != nullptr) {
      state_.base = {front.meta.index, front.meta.membership};
      state_.install.reset();
      machine_.restore(front.meta, *front.install);
      applied_ = {front.meta.term, front.meta.index};
      proposals_.on_restored(applied_.index);
    }
    number = front.number;
    std::ranges::move(front.messages, std::back_inserter(messages));
  }
  if (number == 0) return;
  raft_.on_persisted(number);
  for (const Message& message : messages) send(message);
}

/// The log begins behind the snapshot, durably: now the snapshot may take its final name.
void Replica::publish(Persisting& front) {
  front.publishing = true;
  auto outcome = std::make_shared<Result<void>>();
  host_.executor().run(
      [outcome, install = front.install, &environment = host_.environment()] {
        *outcome = install->publish();
        if (!*outcome) environment.on_fatal(outcome->error());
      },
      [outcome, number = front.number, self = self_] {
        if (*self == nullptr || !*outcome) return;
        Replica& replica = **self;
        for (Persisting& persisting : replica.persisting_) {
          if (persisting.number == number) persisting.published = true;
        }
        replica.touch();
        replica.host_.settle();
      });
}

void Replica::send(const Message& message) {
  host_.send(message.to, encode_message(group_, message));
}

void Replica::apply(const std::vector<Entry>& entries) {
  machine_.apply(entries);
  applied_ = {entries.back().term, entries.back().index};
  raft_.on_applied(applied_.index);
  proposals_.on_applied(entries);
}

/// The machine has no use for the entries themselves.
void Replica::commit_to(Index index) {
  if (index <= applied_.index) return;
  applied_ = {store_->term(index), index};
  raft_.on_applied(index);
  // Where the log goes on behind a snapshot, nobody knows what stood at earlier places.
  proposals_.on_restored(store_->first_index() - 1);
  proposals_.on_committed(index, [this](Index at) { return store_->term(at); });
  machine_.on_committed(applied_, commit_offsets_.advance(index));
}

void Replica::answer_reads(const Ready& ready) {
  std::vector<std::pair<ReadDone, Index>> answers;
  for (const ReadReady& at : ready.reads) {
    const auto read = std::ranges::find_if(reads_, [&](const Read& r) { return r.id == at.id; });
    if (read == reads_.end()) continue;  // its time was over
    answers.emplace_back(std::move(read->done), at.index);
    reads_.erase(read);
  }
  for (const ReadId lost : ready.reads_lost) {
    for (Read& read : reads_) {
      if (read.id == lost) read.id.reset();
    }
  }
  for (auto& [done, index] : answers) done(index);
}

/// For another node, which may be one that is behind: then only so many as may go.
void Replica::read_log(const LogRead& read) {
  if (read.reader == host_.node()) return read_log_now(read, {{}, read.bytes_max});
  host_.catch_up().ask({group_, read.reader, CatchUpAsk::Kind::entries, read.bytes_max,
                        [this, node = read.reader] { return limits_of(node); },
                        [this, read](const CatchUpGrant& grant) {
                          // It may have waited for long.
                          const bool leads = raft_.role() == Role::leader;
                          if (leads && raft_.term() == read.term) return read_log_now(read, grant);
                          host_.catch_up().sent(read.reader, grant, 0);
                        }});
}

/// Entries that are not in memory: read from their files on the I/O thread.
void Replica::read_log_now(const LogRead& read, const CatchUpGrant& grant) {
  struct Work {
    ByteChain chain;
    std::uint64_t cuts = 0;
    Result<SharedBytes> bytes{SharedBytes{}};
  };
  Result<wal::EntrySlice> slice = store_->slice(read.begin, grant.bytes);
  if (!slice && slice.error().code != Errc::out_of_range) meet_damage(slice.error());
  auto work = std::make_shared<Work>();
  work->cuts = store_->cuts();
  if (slice) work->chain = std::move(slice->bytes);
  host_.executor().run([work] { work->bytes = wal::gather(work->chain); },
                       [work, read, grant, self = self_] {
                         if (*self == nullptr) return;
                         Replica& replica = **self;
                         std::vector<Entry> entries;
                         if (!work->bytes) {
                           replica.meet_damage(work->bytes.error());
                         } else if (work->cuts == replica.store_->cuts()) {
                           Result<std::vector<Entry>> parsed =
                               replica.store_->parse(*work->bytes, read.begin, read.end);
                           if (parsed) {
                             entries = std::move(*parsed);
                           } else {
                             replica.meet_damage(parsed.error());
                           }
                         }
                         std::uint64_t bytes = 0;
                         for (const Entry& entry : entries) bytes += entry.bytes();
                         replica.host_.catch_up().sent(read.reader, grant, bytes);
                         replica.raft_.on_entries_read(read, std::move(entries));
                         replica.touch();
                         replica.host_.settle();
                       });
}

/// The log cannot be read. Where it is damaged, nothing that it says is to be trusted from here on:
/// the next start sets it aside and copies it from the other nodes. A disk that fails says nothing
/// of what is on it; the next start will see. Too few descriptors pass: Raft asks again.
void Replica::meet_damage(const Error& error) {
  if (error.code == Errc::busy) return;
  if (error.code == Errc::io) return host_.environment().on_fatal(error);
  ReplicaState damaged = state_;
  // Where a change is not committed, those it adds may have nothing yet.
  const Log& log = raft_.log();
  damaged.log_damaged = !is_alone(log.membership_at(log.commit()), host_.node());
  log_error("a log is damaged", {{"group", group_.to_string()}, {"why", error.message}});
  // The process ends when that is on disk.
  std::vector<wal::StateWrite> writes;
  writes.push_back(state_file_->write_of(damaged));
  host_.group_commit().save_states(std::move(writes), [&environment = host_.environment(), error] {
    environment.on_fatal(error);
  });
}

/// What the leader takes for replaced is still in the log: an answer to anybody, even to what came
/// before, could be taken for a promise of entries that are not here.
void Replica::fail_to_cut(Error error) {
  broken_ = true;
  close();
  if (error.code == Errc::busy) error.code = Errc::io;
  meet_damage(error);
}

}  // namespace chronik::raft
