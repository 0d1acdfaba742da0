// TestRegister: the smallest state machine worth replicating: the list of all values proposed, in
// order, with snapshots in a file; and a NodeSetup that runs one group of it on each node. Tests
// only.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "protocol/record_builder.h"
#include "protocol/record_reader.h"
#include "raft/multi/test_cluster.h"

namespace chronik::raft::testing {

inline SharedBytes batch_of(const std::string& value) {
  protocol::BatchBuilder batch{protocol::BatchOptions{}};
  batch.append(1, std::nullopt, as_bytes(value));
  return batch.build();
}

inline std::string value_of(const SharedBytes& batch) {
  protocol::RecordScratch scratch;
  auto reader = protocol::RecordReader::open(batch.view(), scratch).value();
  protocol::Record record;
  CHECK(reader.next(record));
  return std::string(as_text(*record.value));
}

class TestRegister final : public StateMachine {
 public:
  struct State {
    Position applied;
    Offset offset = 0;
    std::vector<std::string> values;
  };

  TestRegister(Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}

  State state;
  Leadership leadership;
  int changes_of_leadership = 0;
  int restores = 0;

  std::string path(Index index) const {
    return directory_ + "/" + std::to_string(index) + ".values";
  }
  /// Loads the newest one that is there; a received one counts once the log begins behind it.
  void load(Index log_begin) {
    const std::vector<DirectoryEntry> before = disk_.list(directory_).value();
    for (const DirectoryEntry& entry : before) {
      if (entry.name == "received" && read(directory_ + "/received").applied.index == log_begin &&
          log_begin > 0) {
        CHECK(disk_.rename(directory_ + "/received", path(log_begin)));
      }
    }
    const std::vector<DirectoryEntry> entries = disk_.list(directory_).value();
    for (const DirectoryEntry& entry : entries) {
      if (!entry.name.ends_with(".values")) continue;
      State found = read(directory_ + "/" + entry.name);
      if (found.applied.index > state.applied.index) state = std::move(found);
    }
  }
  Result<std::optional<ReceivedSnapshot>> received() {
    std::optional<ReceivedSnapshot> found;
    if (!disk_.exists(directory_ + "/received").value()) return found;
    const State state_received = read(directory_ + "/received");
    if (state_received.applied.index > 0) {
      found = {state_received.applied.index, state_received.applied.term, state_received.offset};
    }
    return found;
  }
  /// Its snapshots count no more.
  void forget() {
    const std::vector<DirectoryEntry> entries = disk_.list(directory_).value();
    for (const DirectoryEntry& entry : entries) {
      if (entry.name.ends_with(".values")) CHECK(disk_.remove(directory_ + "/" + entry.name));
    }
    state = {};
  }
  /// Here and now.
  Index write_snapshot() {
    const std::shared_ptr<File> file =
        disk_.open(path(state.applied.index), OpenMode::create).value();
    const Bytes bytes = encode();
    CHECK(file->truncate(0) && file->write_at(0, bytes) && file->sync_data());
    CHECK(disk_.sync_directory(directory_));
    return state.applied.index;
  }

  void apply(std::span<const Entry> entries) override {
    for (const Entry& entry : entries) {
      CHECK(entry.index == state.applied.index + 1 && entry.term >= state.applied.term);
      state.applied = {entry.term, entry.index};
      if (entry.kind != EntryKind::data) continue;
      state.values.push_back(value_of(entry.payload));
      state.offset = protocol::read_batch_header(entry.payload.view()).next_offset();
    }
  }
  void on_leadership(const Leadership& now) override {
    leadership = now;
    ++changes_of_leadership;
  }
  std::shared_ptr<SnapshotReader> open_snapshot(Index index) override {
    auto file = disk_.open(path(index), OpenMode::read);
    if (!file) return nullptr;
    return std::make_shared<Reader>(*file);
  }
  std::shared_ptr<SnapshotReceiver> receive_snapshot(const SnapshotMeta&) override {
    return std::make_shared<Receiver>(*this);
  }
  void restore(const SnapshotMeta& meta, SnapshotReceiver& received) override {
    state = static_cast<Receiver&>(received).state;
    CHECK(state.applied.index == meta.index);
    ++restores;
  }

 private:
  class Reader final : public SnapshotReader {
   public:
    explicit Reader(std::shared_ptr<File> file) : file_(std::move(file)) {}
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read(std::uint64_t position, MutableByteView out) override {
      return file_->read_at(position, out);
    }

   private:
    std::shared_ptr<File> file_;
  };
  class Receiver final : public SnapshotReceiver {
   public:
    explicit Receiver(TestRegister& owner) : owner_(owner) {}
    Result<void> write(std::uint64_t position, ByteView bytes) override {
      if (file_ == nullptr || position == 0) {
        TRY_ASSIGN(file_, owner_.disk_.open(owner_.directory_ + "/received", OpenMode::create));
        TRY(file_->truncate(0));
      }
      return file_->write_at(position, bytes);
    }
    Result<void> finish() override {
      TRY(file_->sync_data());
      TRY(owner_.disk_.sync_directory(owner_.directory_));
      state = owner_.read(owner_.directory_ + "/received");
      return {};
    }
    wal::Checkpoint log_begin() const override {
      return wal::nothing_before(state.offset, state.applied.index, state.applied.term);
    }
    Result<void> publish() override {
      TRY(owner_.disk_.rename(owner_.directory_ + "/received", owner_.path(state.applied.index)));
      return owner_.disk_.sync_directory(owner_.directory_);
    }
    State state;

   private:
    TestRegister& owner_;
    std::shared_ptr<File> file_;
  };

  Bytes encode() const {
    Writer writer;
    writer.i32(state.applied.term);
    writer.i64(state.applied.index);
    writer.i64(state.offset);
    for (const std::string& value : state.values) {
      writer.u32(static_cast<std::uint32_t>(value.size()));
      writer.text(value);
    }
    return writer.take_bytes();
  }
  State read(const std::string& file_path) {
    const std::shared_ptr<File> file = disk_.open(file_path, OpenMode::read).value();
    Bytes bytes(file->size().value());
    CHECK(file->read_at(0, MutableByteView(bytes)).value() == bytes.size());
    chronik::Reader reader{ByteView(bytes)};
    State found;
    found.applied.term = reader.i32();
    found.applied.index = reader.i64();
    found.offset = reader.i64();
    while (reader.remaining() != 0) found.values.emplace_back(reader.text(reader.u32()));
    // One that is being received may be a part; the log then does not begin behind it.
    return reader.ok() ? found : State{};
  }

  Disk& disk_;
  const std::string directory_;
};

/// One group of a TestRegister on each node.
class RegisterSetup final : public NodeSetup {
 public:
  Membership bootstrap{{1, 2, 3}, {}, {}, {}, false};
  std::uint64_t segment_bytes = 16u << 20;
  std::map<NodeId, std::unique_ptr<TestRegister>> machines;
  std::map<NodeId, Replica*> replicas;
  std::map<NodeId, Recovery> recoveries;  // as nodes that start know them

  static std::string directory() { return "data/r-0"; }
  static wal::LogIdentity identity() { return {"r", 0, Uuid::from_random(1, 2)}; }

  Result<void> start(TestNode& node) override {
    auto settings = std::make_shared<wal::LogSettings>();
    settings->segment_bytes = segment_bytes;
    settings->retention_ms = std::nullopt;
    auto machine = std::make_unique<TestRegister>(node.disk, directory());
    ReplicaPlace place{
        node.id(), directory(), identity(), settings, nullptr, bootstrap, [&machine] {
          return machine->received();
        }};
    if (const auto known = recoveries.find(node.id()); known != recoveries.end()) {
      place.recovery = known->second;
    }
    TRY_ASSIGN(ReplicaFiles files,
               open_replica_files(*node.environment, *node.group_commit, place));
    const wal::PartitionLog& log = files.store->log();
    machine->load(log.start_index() - 1);
    if (machine->state.applied.index > log.last_index()) {
      TRY(give_up_log(files, *node.environment, *node.group_commit, place));
      machine->forget();
    }
    const Index applied = machine->state.applied.index;
    machines[node.id()] = std::move(machine);
    replicas[node.id()] =
        &node.manager->add(std::move(place), std::move(files), *machines[node.id()], applied);
    return {};
  }
  void stop(TestNode& node) override {
    replicas.erase(node.id());
    machines.erase(node.id());
  }
};

}  // namespace chronik::raft::testing
