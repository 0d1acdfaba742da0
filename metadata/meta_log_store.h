// MetaLogStore: the MetadataStore of a node without a cluster: event sourcing on the partition log
// of ("__meta", 0). A proposal is one batch of that log; once it is durable it is applied, and its
// done is called. Snapshots bound the log and the start (metadata/format.md).
//
// Owned by the metadata shard; everything is called there. Group commit makes proposals durable
// together; snapshots are written on the I/O thread, in slices between flushes, from an image that
// never changes.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "metadata/meta_snapshots.h"
#include "metadata/metadata_store.h"
#include "metadata/state_machine.h"
#include "wal/group_commit.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"
#include "wal/partition_log.h"

namespace chronik::metadata {

/// The identity of the metadata log; its topic id is Kafka's for cluster metadata.
wal::LogIdentity metadata_log_identity();

struct MetaLogOptions {
  std::string directory;           // <data>/__meta-0
  std::function<Timestamp()> now;  // stamps records, for people who read the log
  std::uint64_t snapshot_log_bytes_min = 4u << 20;
  std::uint64_t pending_bytes_max = 64u << 20;  // proposals not yet durable; beyond: busy
  std::uint64_t segment_bytes = 16u << 20;
  BrokerId node = 0;  // who leads, as leadership() tells it
};

/// The settings of the metadata log: only snapshots shorten it.
wal::SharedLogSettings metadata_log_settings(const MetaLogOptions& options);

/// The error, and what a person may do about a metadata log that is damaged beyond its own means.
Error with_way_out(Error error);

class MetaLogStore final : public MetadataStore, private wal::DurableListener {
 public:
  /// What the start found; for the log line and for tests.
  struct Recovery {
    std::string snapshot;          // path; empty: none was there
    std::string damaged_snapshot;  // path of one that could not be read and was done without
    std::uint64_t replayed_entries = 0;
    std::uint64_t replayed_bytes = 0;
  };

  /// Opens the log, loads the newest snapshot and applies what follows it. The environment, the
  /// group and the executor outlive the store. Errors, each with a file and a way out: corrupt,
  /// unsupported (written by a newer build), io, and those of PartitionLog::open.
  static Result<std::unique_ptr<MetaLogStore>> open(wal::LogEnvironment& environment,
                                                    wal::GroupCommit& group,
                                                    wal::IoExecutor& executor,
                                                    MetaLogOptions options);
  /// Proposals that are not yet applied get `closed`; whether they take effect the next start
  /// shows. A snapshot under way is abandoned.
  ~MetaLogStore() override;

  std::shared_ptr<const Image> image() const override { return state_.image(); }
  using MetadataStore::propose;
  void propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
               ProposeDone done) override;
  Leadership leadership() const override { return {options_.node, 0, true}; }
  void add_observer(MetadataObserver& observer) override { state_.add_observer(observer); }
  void remove_observer(MetadataObserver& observer) override { state_.remove_observer(observer); }

  /// From now on proposals are refused with `closed`; those before are still applied once durable
  /// (GroupCommit::stop). No new snapshot begins.
  void close() {
    closed_ = true;
    snapshots_.stop();
  }

  const Recovery& recovery() const { return recovery_; }
  wal::PartitionLog& log() { return *log_; }
  /// Newest first; at most two. For tools and tests.
  const std::vector<SnapshotName>& snapshots() const { return snapshots_.names(); }
  bool snapshot_in_flight() const { return snapshots_.in_flight(); }

 private:
  struct Pending {
    EntryIndex index = 0;
    Offset next_offset = 0;
    std::size_t bytes = 0;
    std::vector<MetadataEvent> events;
    ProposeDone done;
  };

  MetaLogStore(wal::LogEnvironment& environment, wal::GroupCommit& group, wal::IoExecutor& executor,
               MetaLogOptions options);

  Result<void> recover();
  Result<void> check_reach() const;
  Result<void> replay();
  Result<void> replay_entry(ByteView batch);

  void on_durable(wal::PartitionLog& log) override;
  void on_snapshot_written();

  wal::LogEnvironment& environment_;
  wal::GroupCommit& group_;
  const MetaLogOptions options_;
  MetadataStateMachine state_;
  std::unique_ptr<wal::PartitionLog> log_;
  std::deque<Pending> pending_;
  std::size_t pending_bytes_ = 0;
  bool closed_ = false;

  Recovery recovery_;
  MetaSnapshots snapshots_;
};

}  // namespace chronik::metadata
