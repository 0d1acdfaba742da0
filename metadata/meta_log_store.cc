#include "metadata/meta_log_store.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace chronik::metadata {

wal::LogIdentity metadata_log_identity() {
  Uuid id;
  id.bytes.back() = 1;
  return {"__meta", 0, id};
}

wal::SharedLogSettings metadata_log_settings(const MetaLogOptions& options) {
  auto settings = std::make_shared<wal::LogSettings>();
  settings->segment_bytes = options.segment_bytes;
  settings->delete_old = false;
  settings->retention_ms = std::nullopt;
  return settings;
}

MetaLogStore::MetaLogStore(wal::LogEnvironment& environment, wal::GroupCommit& group,
                           wal::IoExecutor& executor, MetaLogOptions options)
    : environment_(environment),
      group_(group),
      options_(std::move(options)),
      snapshots_(environment, executor, options_.directory, options_.snapshot_log_bytes_min,
                 [this](const SnapshotInfo&) { on_snapshot_written(); }) {}

MetaLogStore::~MetaLogStore() {
  if (log_ != nullptr) log_->set_listener(nullptr);
  for (Pending& pending : std::exchange(pending_, {})) {
    pending.done(Error{Errc::closed, "the broker is stopping"});
  }
}

Result<std::unique_ptr<MetaLogStore>> MetaLogStore::open(wal::LogEnvironment& environment,
                                                         wal::GroupCommit& group,
                                                         wal::IoExecutor& executor,
                                                         MetaLogOptions options) {
  std::unique_ptr<MetaLogStore> store(
      new MetaLogStore(environment, group, executor, std::move(options)));
  TRY(store->recover());
  store->log_->set_listener(store.get());
  store->snapshots_.maybe_write(store->image(), store->log_->last_epoch());
  return store;
}

void MetaLogStore::propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
                           ProposeDone done) {
  if (closed_) return done(Error{Errc::closed, "the broker is stopping"});
  if (options.only_in_term.value_or(0) != 0) {
    return done(Error{Errc::not_leader, "without a cluster there is no term but 0"});
  }
  Result<SharedBytes> entry = write_entry(events, options_.now());
  if (!entry) return done(std::move(entry).error());
  SharedBytes batch = std::move(*entry);
  if (pending_bytes_ + batch.size() > options_.pending_bytes_max && !pending_.empty()) {
    return done(
        Error{Errc::busy, fmt::format("{} bytes of metadata changes wait for the disk; retry later",
                                      pending_bytes_)});
  }
  const Offset base = log_->end_offset();
  protocol::set_base_offset(batch.mutable_view(), base);
  // Without a cluster there is one epoch; a log that comes from a cluster keeps its last.
  protocol::set_leader_epoch(batch.mutable_view(), std::max(log_->last_epoch(), LeaderEpoch{0}));
  Pending pending;
  pending.next_offset = base + static_cast<Offset>(events.size());
  pending.bytes = batch.size();
  pending.events = std::move(events);
  pending.done = std::move(done);
  log_->append(std::move(batch));
  pending.index = log_->last_index();
  CHECK(log_->end_offset() == pending.next_offset);
  pending_bytes_ += pending.bytes;
  pending_.push_back(std::move(pending));
  group_.mark_dirty(*log_);
}

void MetaLogStore::on_durable(wal::PartitionLog& log) {
  std::vector<std::pair<ProposeDone, ApplyResults>> finished;
  while (!pending_.empty() && pending_.front().next_offset <= log.durable_end_offset()) {
    Pending pending = std::move(pending_.front());
    pending_.pop_front();
    pending_bytes_ -= pending.bytes;
    snapshots_.add_log_bytes(pending.bytes);
    finished.emplace_back(std::move(pending.done),
                          state_.apply(pending.index, pending.next_offset, pending.events));
  }
  state_.publish();
  for (auto& [done, results] : finished) done(std::move(results));
  snapshots_.maybe_write(image(), log_->last_epoch());
}

void MetaLogStore::on_snapshot_written() {
  const std::optional<Offset> needed = snapshots_.log_needed_from();
  if (!needed || *needed <= log_->log_start_offset()) return;
  const Result<void> cut = log_->delete_before(*needed);
  CHECK_MSG(cut.has_value(), cut.error().message);
  group_.mark_dirty(*log_);
}

}  // namespace chronik::metadata
