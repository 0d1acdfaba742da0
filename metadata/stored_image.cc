#include "metadata/stored_image.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "metadata/meta_log_store.h"
#include "metadata/snapshot_file.h"
#include "metadata/state_machine.h"
#include "raft/multi/state_file.h"
#include "wal/journal_view.h"
#include "wal/log_verify.h"
#include "wal/partition_scan.h"

namespace chronik::metadata {

namespace {

// Applies what lies behind a snapshot, up to an entry.
class Replay final : public wal::ScanVisitor {
 public:
  /// `chosen`: somebody wants the image after entry `end`.
  Replay(StoredImage& into, MetadataStateMachine& machine, EntryIndex end, bool chosen)
      : into_(into), machine_(machine), end_(end), chosen_(chosen) {}

  void on_entry(const wal::ScannedEntry& entry) override {
    if (entry.index != 0) into_.last_index = std::max(into_.last_index, entry.index);
    if (failed_ || entry.index == 0 || entry.index > end_) return;
    if (entry.index <= machine_.applied_index()) return;
    if (Result<void> applied = apply(entry); !applied) failed_ = std::move(applied).error();
  }
  void on_damage(const wal::LogDamage& damage) override {
    if (damage.torn_tail || damage.mends_itself || failed_) return;
    failed_ = Error{Errc::corrupt, wal::to_string(damage)};
  }

  /// Damage counts only where it hides something.
  Result<void> outcome() const {
    if (machine_.applied_index() < end_ && failed_) return *failed_;
    return {};
  }

 private:
  Result<void> apply(const wal::ScannedEntry& entry) {
    if (entry.index != machine_.applied_index() + 1) {
      // Of a place before the log's begin it may just be that the snapshot for it is gone.
      return Error{chosen_ ? Errc::out_of_range : Errc::corrupt,
                   fmt::format("what comes after entry {} of the metadata begins with entry {}: "
                               "what is between is not there",
                               machine_.applied_index(), entry.index)};
    }
    Bytes batch(entry.place->header.size());
    TRY_ASSIGN(const std::size_t size, entry.file->read_at(entry.place->position, batch));
    if (size != batch.size()) return Error{Errc::corrupt, "the metadata log became shorter"};
    TRY(machine_.apply(entry.index, ByteView(batch)));
    into_.term = entry.place->header.leader_epoch;
    return {};
  }

  StoredImage& into_;
  MetadataStateMachine& machine_;
  const EntryIndex end_;
  const bool chosen_;
  std::optional<Error> failed_;
};

struct Base {
  std::shared_ptr<const Image> image = std::make_shared<const Image>();
  EntryIndex newest = 0;  // of all snapshots
  LeaderEpoch term = no_leader_epoch;
};

/// The newest snapshot that does not go beyond `at`. One that is damaged does not count, as long as
/// another one or the log has the same.
Result<Base> find_base(Disk& disk, const std::string& directory, std::optional<EntryIndex> at) {
  TRY_ASSIGN(const FoundSnapshots found, find_snapshots(disk, directory));
  Base base;
  bool taken = false;
  for (const SnapshotName& name : found.snapshots) {
    Result<LoadedSnapshot> loaded = load_snapshot(disk, name.path);
    if (!loaded && loaded.error().code != Errc::corrupt) return std::move(loaded).error();
    if (!loaded) continue;
    base.newest = std::max(base.newest, loaded->info.index);
    if (taken || (at && loaded->info.index > *at)) continue;
    base.image = std::move(loaded->image);
    base.term = loaded->info.epoch;
    taken = true;
  }
  return base;
}

}  // namespace

Result<StoredImage> read_stored_image(Disk& of_node, const std::string& directory,
                                      std::optional<EntryIndex> at) {
  // What the next start would read.
  TRY_ASSIGN(const std::unique_ptr<wal::JournalView> view,
             wal::JournalView::open(of_node, directory));
  Disk& disk = *view;
  const wal::LogIdentity identity = metadata_log_identity();
  const raft::StateFile state_file(disk, directory, {identity.topic_id, identity.partition});
  TRY_ASSIGN(const std::optional<raft::ReplicaState> state, state_file.look());
  TRY_ASSIGN(Base base, find_base(disk, directory, at));
  StoredImage stored;
  stored.term = base.term;
  constexpr EntryIndex everything = std::numeric_limits<EntryIndex>::max();
  const EntryIndex known = state ? std::max(state->commit, base.newest) : everything;
  MetadataStateMachine machine(std::move(base.image));
  Replay replay(stored, machine, at.value_or(known), at.has_value());
  TRY_ASSIGN(wal::PartitionScan scan, wal::PartitionScan::open(disk, directory, replay));
  TRY(scan.run());
  TRY(replay.outcome());
  machine.publish();
  stored.image = machine.image();
  stored.index = machine.applied_index();
  stored.last_index = std::max({stored.last_index, stored.index, base.newest});
  stored.committed = state ? known : stored.last_index;
  if (!at && state && stored.index < known) {
    return Error{Errc::corrupt,
                 fmt::format("{}: entries up to {} were committed, and the log ends with entry {}",
                             directory, known, stored.index)};
  }
  if (!at || *at == stored.index) return stored;
  return Error{Errc::out_of_range,
               fmt::format("{}: there is no image after entry {}: the nearest that snapshots and "
                           "log give is after entry {}, and the log ends with entry {}",
                           directory, *at, stored.index, stored.last_index)};
}

}  // namespace chronik::metadata
