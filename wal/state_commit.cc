#include "wal/state_commit.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "wal/journal_commit.h"

namespace chronik::wal {

namespace {

/// Of one round: the first of thousands need not wait for the last. Without a journal each is a
/// sync of its own.
constexpr std::size_t in_frame_max = 512;
constexpr std::size_t in_place_max = 64;

}  // namespace

void StateCommit::add(std::vector<StateWrite> writes, Done done) {
  queue_.push_back({std::move(writes), std::move(done)});
}

void StateCommit::forget(const std::string& directory) {
  for (Asked& asked : queue_) {
    std::erase_if(asked.writes,
                  [&](const StateWrite& write) { return write.directory == directory; });
  }
}

void StateCommit::begin_round(bool with_journal) {
  if (failed_ || round_ != nullptr || queue_.empty()) return;
  round_ = std::make_shared<Round>();
  const bool journaled = with_journal && environment_.journal != nullptr;
  const std::size_t count_max = journaled ? in_frame_max : in_place_max;
  std::vector<StateWrite>& writes = round_->writes;
  while (!queue_.empty() && writes.size() < count_max) {
    Asked& asked = queue_.front();
    const std::size_t taken = std::min(asked.writes.size(), count_max - writes.size());
    const auto end = asked.writes.begin() + static_cast<std::ptrdiff_t>(taken);
    std::move(asked.writes.begin(), end, std::back_inserter(writes));
    asked.writes.erase(asked.writes.begin(), end);
    if (!asked.writes.empty()) break;
    round_->done.push_back(std::move(asked.done));
    queue_.pop_front();
  }
  if (journaled) round_->frame = journal_.place_for(writes, round_->frame_bytes);
  executor_.run(
      [round = round_, &environment = environment_] {
        const Result<void> written = round->write(environment.disk);
        if (written) return;
        round->failed = true;
        environment.on_fatal(written.error());
      },
      [self = shared_from_this()] { self->end_round(); });
}

Result<void> StateCommit::Round::write(Disk& disk) {
  for (const StateWrite& state : writes) TRY(state.write());
  SyncBatch batch;
  if (frame) {
    TRY(write_frame());
    batch.files.push_back(frame->file);
  } else {
    for (const StateWrite& state : writes) batch.files.push_back(state.file);
  }
  return disk.sync_all(batch);
}

Result<void> StateCommit::Round::write_frame() {
  JournalFrameBuilder builder;
  for (const StateWrite& state : writes) {
    const std::array<ByteView, 1> parts{state.bytes};
    builder.add(state.identity, state.directory_name(), state_segment, 0, parts);
  }
  frame->begun->store(frame->number.lsn, std::memory_order_release);
  return builder.write(*frame->file, frame->position, frame->number);
}

void StateCommit::end_round() {
  const std::shared_ptr<Round> round = std::exchange(round_, nullptr);
  failed_ = round->failed;
  if (failed_) return on_done_();
  if (round->frame) {
    journal_.take_frame(*round->frame, round->frame_bytes);
    for (const StateWrite& state : round->writes) {
      journal_.saved(state.path, round->frame->number.lsn);
    }
  }
  // The disk goes on before what follows the states is done.
  on_done_();
  for (const Done& done : round->done) done();
}

}  // namespace chronik::wal
