// States of many replicas by way of the journal: whenever the power goes, each file says what was
// told last, or what was being written then.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <array>
#include <memory>

#include "base/memory_disk.h"
#include "raft/multi/state_file.h"
#include "wal/group_commit.h"
#include "wal/journal.h"
#include "wal/journal_replay.h"

namespace chronik::raft {
namespace {

constexpr std::size_t group_count = 5;

/// A node with a few replicas, of which only the states are there.
class StateMachine {
 public:
  explicit StateMachine(std::uint64_t seed) : random_(seed) {
    CHECK(disk.make_directories("/data"));
    options_.file_bytes = 4 * wal::journal_block_bytes;
    options_.bytes_max = 3 * options_.file_bytes;
    options_.logs_min = 2;
    options_.writeback_logs_max = 2;
    start();
  }
  ~StateMachine() { end(); }

  void start() {
    environment_ = std::make_unique<wal::LogEnvironment>(disk);
    environment_->on_fatal = [](const Error&) {};
    replay = wal::replay_journals(disk, "/data", StateFile::take_into(disk)).value();
    const std::shared_ptr<wal::JournalHome> home =
        wal::begin_journals(disk, "/data", 1, random_.next()).value();
    journal_ = wal::Journal::open(home, 0, options_).value();
    environment_->journal = journal_.get();
    group_commit_ = std::make_unique<wal::GroupCommit>(*environment_, executor_);
    for (std::size_t i = 0; i < group_count; ++i) open(i);
  }

  /// Some replicas have new states; they are on their way.
  void save_some() {
    std::vector<wal::StateWrite> writes;
    std::vector<std::pair<std::size_t, ReplicaState>> saved;
    for (std::size_t i = 0; i < group_count; ++i) {
      if (random_.below(3) == 0) continue;
      Replica& replica = replicas_[i];
      ReplicaState next = replica.asked;
      ++next.hard.term;
      next.hard.vote = static_cast<NodeId>(random_.below(3));
      next.base.membership =
          random_.below(12) == 0 ? large() : Membership{{1, 2, 3}, {}, {}, {}, false};
      replica.asked = next;
      writes.push_back(replica.file->write_of(next));
      saved.emplace_back(i, next);
    }
    const std::uint64_t life = life_;
    group_commit_->save_states(std::move(writes), [this, life, saved = std::move(saved)] {
      if (life != life_) return;
      for (const auto& [i, state] : saved) {
        // Of a replica that was replaced meanwhile nothing is told any more.
        if (state.hard.term > replicas_[i].told.hard.term &&
            state.recovery == replicas_[i].asked.recovery) {
          replicas_[i].told = state;
        }
      }
    });
  }
  bool step() { return executor_.step(); }

  /// The replica leaves, as its log's deletion makes it, and comes back with nothing.
  void replace(std::size_t i) {
    while (executor_.step()) {
    }
    Replica& replica = replicas_[i];
    replica.file.reset();
    replica.replaced = true;
    if (!disk.rename(directory(i), fmt::format("/data/gone-{}", removed_++)) ||
        !disk.sync_directory("/data")) {
      return;
    }
    ReplicaState first;
    first.recovery = replica.asked.recovery + 1;
    first.base = {0, {{1, 2, 3}, {}, {}, {}, false}};
    replica.asked = first;
    replica.told = {};
    auto file = std::make_unique<StateFile>(disk, directory(i), group(i), journal_.get());
    if (!file->save(first)) return;
    replica.file = std::move(file);
    replica.told = first;
    replica.replaced = false;
  }

  void crash(CrashModel model) {
    end();
    ++life_;
    disk.crash(random_, model);
    start();
  }

  MemoryDisk disk;
  wal::JournalReplay replay;

 private:
  struct Replica {
    std::unique_ptr<StateFile> file;
    ReplicaState told;
    ReplicaState asked;
    bool replaced = false;  // its first state may not be there
  };

  static std::string directory(std::size_t i) { return fmt::format("/data/t-{}", i); }
  static GroupId group(std::size_t i) {
    return {Uuid::from_random(7, 7), static_cast<PartitionId>(i)};
  }

  /// Too large for one sector.
  static Membership large() {
    Membership membership;
    for (NodeId id = 1; id <= 32; ++id) {
      membership.voters.push_back(id);
      membership.directories.push_back({id, Uuid::from_random(7, 8)});
    }
    return membership;
  }

  void open(std::size_t i) {
    Replica& replica = replicas_[i];
    replica.file = std::make_unique<StateFile>(disk, directory(i), group(i), journal_.get());
    const std::optional<ReplicaState> found = replica.file->load().value();
    if (!found) {
      ASSERT_TRUE(life_ == 0 || replica.replaced) << "the state of " << i << " is lost";
      replica.asked.base = {0, {{1, 2, 3}, {}, {}, {}, false}};
      ASSERT_TRUE(replica.file->save(replica.asked));
    } else if (replica.replaced) {
      replica.asked = *found;  // the old one or the new one: nobody was told
    } else {
      ASSERT_EQ(found->recovery, replica.asked.recovery) << i;
      ASSERT_GE(found->hard.term, replica.told.hard.term) << i;
      ASSERT_LE(found->hard.term, replica.asked.hard.term) << i;
      const bool is_told = found->hard.term == replica.told.hard.term;
      ASSERT_TRUE(!is_told || *found == replica.told) << i;
      const bool is_asked = found->hard.term == replica.asked.hard.term;
      ASSERT_TRUE(!is_asked || *found == replica.asked) << i;
      replica.asked = *found;
    }
    replica.told = replica.asked;
    replica.replaced = false;
  }

  void end() {
    executor_.abandon();
    group_commit_.reset();
    for (Replica& replica : replicas_) replica.file.reset();
    environment_.reset();
    journal_.reset();
  }

  Random random_;
  wal::JournalOptions options_;
  wal::ManualIoExecutor executor_;
  std::unique_ptr<wal::LogEnvironment> environment_;
  std::unique_ptr<wal::Journal> journal_;
  std::unique_ptr<wal::GroupCommit> group_commit_;
  std::array<Replica, group_count> replicas_;
  std::uint64_t life_ = 0;
  int removed_ = 0;
};

TEST(JournaledState, NoStateThatWasToldIsLostAtAnyCutOfPower) {
  std::uint64_t replayed = 0;
  for (std::uint64_t seed = 0; seed < 400 && !::testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    StateMachine machine(seed);
    for (int round = 0; round < 6 && !::testing::Test::HasFatalFailure(); ++round) {
      machine.disk.power_off_after(random.below(120));
      for (int n = 0; n < 40 && !machine.disk.struck(); ++n) {
        if (random.below(15) == 0) machine.replace(random.below(group_count));
        if (machine.disk.struck()) break;
        machine.save_some();
        for (std::uint64_t steps = random.below(4); steps > 0; --steps) machine.step();
      }
      machine.crash(random.below(2) == 0 ? CrashModel::reordered : CrashModel::ordered);
      replayed += machine.replay.states;
    }
  }
  EXPECT_GT(replayed, 500u) << "hardly any state came out of the journal";
}

}  // namespace
}  // namespace chronik::raft
