// ProposeEvent and ReadPath of a node without a cluster: what is acknowledged is durable, applied
// and told; what comes back after a start, and when a start is refused.
#include "metadata/meta_log_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "base/log.h"
#include "base/memory_disk.h"
#include "base/random.h"
#include "metadata/crash_run.h"
#include "metadata/event_source.h"
#include "metadata/image_events.h"
#include "protocol/record_builder.h"

namespace chronik::metadata {
namespace {

using protocol::ErrorCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* directory = "data/__meta-0";

// A node's disk and what one process life has on it.
class MetaLog : public ::testing::Test {
 protected:
  MetaLog() {
    EXPECT_TRUE(disk_.make_directories("data"));
    options_.directory = directory;
    options_.now = [] { return Timestamp{1'700'000'000'000}; };
  }
  ~MetaLog() override { kill(); }

  Result<void> open() {
    environment_ = std::make_unique<wal::LogEnvironment>(disk_);
    environment_->on_fatal = [this](const Error& error) { fatal_ = error.message; };
    group_ = std::make_unique<wal::GroupCommit>(*environment_, executor_);
    TRY_ASSIGN(store_, MetaLogStore::open(*environment_, *group_, executor_, options_));
    return {};
  }
  void must_open() {
    const Result<void> opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  // The process dies; what was written stays.
  void kill() {
    executor_.abandon();
    store_.reset();
    group_.reset();
    environment_.reset();
  }
  void stop() {
    store_->close();
    group_->stop([] {});
    executor_.run_all();
    kill();
  }
  void restart() {
    kill();
    must_open();
  }
  Error refused_open() {
    const Result<void> opened = open();
    EXPECT_FALSE(opened);
    return opened ? Error{Errc::closed, "opened"} : opened.error();
  }

  void propose(std::vector<MetadataEvent> events) {
    store_->propose(std::move(events), [this](Result<ApplyResults> results) {
      answers_.push_back(std::move(results));
    });
  }
  ApplyResults must_propose(std::vector<MetadataEvent> events) {
    const std::size_t before = answers_.size();
    propose(std::move(events));
    executor_.run_all();
    EXPECT_EQ(answers_.size(), before + 1);
    return *answers_.back();
  }
  // Enough of a history for several snapshots.
  void make_history(std::uint64_t seed, int batches) {
    EventSource source([random = Random(seed)]() mutable { return random.next(); });
    for (int i = 0; i < batches; ++i) must_propose(source.batch(5));
  }
  std::vector<std::string> files(const std::string& suffix) {
    std::vector<std::string> found;
    for (const std::string& file : disk_.files(directory)) {
      if (file.ends_with(suffix)) found.push_back(file);
    }
    return found;
  }

  MemoryDisk disk_;
  MetaLogOptions options_;
  wal::ManualIoExecutor executor_;
  std::unique_ptr<wal::LogEnvironment> environment_;
  std::unique_ptr<wal::GroupCommit> group_;
  std::unique_ptr<MetaLogStore> store_;
  std::string fatal_;
  std::vector<Result<ApplyResults>> answers_;
};

class ProposeEventToLog : public MetaLog {};
class ReadPathOfLog : public MetaLog {};

TEST_F(ProposeEventToLog, IsAnsweredOnceDurableAndNotSeenBefore) {
  must_open();
  propose({topic_created(1, "orders")});
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(store_->image()->topic("orders"), nullptr);
  executor_.run_all();
  ASSERT_EQ(answers_.size(), 1u);
  ASSERT_TRUE(answers_[0]);
  EXPECT_TRUE((*answers_[0])[0].ok());
  EXPECT_NE(store_->image()->topic("orders"), nullptr);
  EXPECT_EQ(store_->image()->applied_index(), 1);
  EXPECT_EQ(store_->image()->applied_offset(), 1);
  Random random(1);
  kill();
  disk_.crash(random, CrashModel::ordered);
  must_open();
  EXPECT_NE(store_->image()->topic("orders"), nullptr);
}

TEST_F(ProposeEventToLog, OfTwoRacingCreationsOneIsTold) {
  must_open();
  propose({topic_created(1, "orders")});
  propose({topic_created(2, "orders"), topic_created(3, "other")});
  executor_.run_all();
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_TRUE((*answers_[0])[0].ok());
  EXPECT_EQ((*answers_[1])[0].code, ErrorCode::topic_already_exists);
  EXPECT_TRUE((*answers_[1])[1].ok());
  EXPECT_EQ(store_->image()->topic("orders")->id, topic_id(1));
}

TEST_F(ProposeEventToLog, TenThousandTopicsAreOneEntryAndOneSync) {
  must_open();
  must_propose({ClusterCreated{"c", 1}});  // makes the files
  int writes = 0;
  int syncs = 0;
  disk_.set_hook([&](DiskOperation operation, const std::string& path) {
    if (!path.ends_with(".log")) return;
    writes += operation == DiskOperation::write ? 1 : 0;
    syncs += operation == DiskOperation::sync_data ? 1 : 0;
  });
  std::vector<MetadataEvent> events;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    events.emplace_back(topic_created(i, "topic-" + std::to_string(i)));
  }
  const ApplyResults results = must_propose(std::move(events));
  disk_.set_hook({});
  EXPECT_EQ(results.size(), 10'000u);
  EXPECT_EQ(store_->log().last_index(), 2);
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(syncs, 1);
  EXPECT_EQ(store_->image()->topic_count(), 10'000u);
  restart();
  EXPECT_EQ(store_->image()->topic_count(), 10'000u);
}

TEST_F(ProposeEventToLog, WhatCannotBeStoredAsItIsIsRefused) {
  must_open();
  propose({topic_created(1, std::string(40'000, 'x'))});
  propose({topic_created(1, "\xff")});
  propose({});
  ASSERT_EQ(answers_.size(), 3u);
  for (const auto& answer : answers_) EXPECT_EQ(answer.error().code, Errc::invalid_argument);
  GroupUpdated large = group_updated("g", 1);
  large.members[0].assignment.resize(entry_bytes_max);
  propose({large});
  EXPECT_EQ(answers_.back().error().code, Errc::too_large);
  EXPECT_EQ(store_->log().end_offset(), 0);
}

TEST_F(ProposeEventToLog, TooMuchThatWaitsForTheDiskIsRefused) {
  options_.pending_bytes_max = 1000;
  must_open();
  int taken = 0;
  while (answers_.empty() && taken < 1000) {
    ++taken;
    propose({topic_created(static_cast<std::uint64_t>(taken), "t" + std::to_string(taken))});
  }
  ASSERT_FALSE(answers_.empty());
  EXPECT_EQ(answers_[0].error().code, Errc::busy);
  EXPECT_GT(taken, 3);
  executor_.run_all();
  EXPECT_EQ(answers_.size(), static_cast<std::size_t>(taken));
  EXPECT_TRUE(must_propose({ClusterCreated{"c", 1}})[0].ok());
}

TEST_F(ProposeEventToLog, AClosedStoreFinishesWhatItHasAndTakesNoMore) {
  must_open();
  propose({topic_created(1, "t")});
  store_->close();
  propose({topic_created(2, "u")});
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].error().code, Errc::closed);
  executor_.run_all();
  EXPECT_TRUE(answers_[1]);
}

TEST_F(ProposeEventToLog, AFailedWriteOrSyncAnswersNothing) {
  for (std::uint64_t operation = 0; operation < 12; ++operation) {
    kill();
    disk_ = {};
    fatal_.clear();
    answers_.clear();
    ASSERT_TRUE(disk_.make_directories("data"));
    must_open();
    disk_.fail_operation(operation);
    propose({topic_created(1, "t")});
    executor_.run_all();
    if (!disk_.struck()) break;
    if (fatal_.empty()) continue;  // an operation behind the acknowledgement
    EXPECT_TRUE(answers_.empty()) << operation;
    EXPECT_EQ(store_->image()->topic("t"), nullptr);
    propose({topic_created(2, "u")});
    executor_.run_all();
    EXPECT_TRUE(answers_.empty()) << operation;
  }
}

class Recorder : public MetadataObserver {
 public:
  void on_image(const std::shared_ptr<const Image>& before,
                const std::shared_ptr<const Image>& after, const MetadataDelta& delta) override {
    steps.push_back(fmt::format("{}-{} topics {}", before->applied_index(), after->applied_index(),
                                delta.topics.size()));
    if (then) std::exchange(then, {})();
  }
  std::vector<std::string> steps;
  std::function<void()> then;
};

TEST_F(ProposeEventToLog, ObserversSeeEachImageBeforeTheProposerHears) {
  must_open();
  Recorder recorder;
  store_->add_observer(recorder);
  // An observer may propose in turn.
  recorder.then = [this] { propose({topic_created(4, "fourth")}); };
  for (std::uint64_t i = 1; i <= 3; ++i) {
    store_->propose({topic_created(i, "t" + std::to_string(i))},
                    [&, i](const Result<ApplyResults>&) {
                      recorder.steps.push_back("done " + std::to_string(i));
                    });
  }
  executor_.run_all();
  // The second and the third gather while the first is being written, and share an image.
  EXPECT_THAT(recorder.steps, ElementsAre("0-1 topics 1", "done 1", "1-3 topics 2", "done 2",
                                          "done 3", "3-4 topics 1"));
  EXPECT_EQ(answers_.size(), 1u);
  store_->remove_observer(recorder);
  must_propose({topic_created(5, "fifth")});
  EXPECT_EQ(recorder.steps.size(), 6u);
}

TEST_F(ReadPathOfLog, AStartFromASnapshotGivesWhatAFullReplayGives) {
  // One history without snapshots, the same one with many.
  options_.snapshot_log_bytes_min = 1u << 30;
  must_open();
  make_history(7, 400);
  const std::uint64_t hash = image_hash(store_->image());
  stop();
  must_open();
  EXPECT_EQ(image_hash(store_->image()), hash);
  EXPECT_EQ(store_->recovery().replayed_entries, 400u);
  EXPECT_TRUE(store_->recovery().snapshot.empty());
  stop();

  disk_ = {};
  ASSERT_TRUE(disk_.make_directories("data"));
  options_.snapshot_log_bytes_min = 3000;
  options_.segment_bytes = 4000;
  must_open();
  make_history(7, 400);
  EXPECT_EQ(image_hash(store_->image()), hash);
  EXPECT_EQ(store_->snapshots().size(), 2u);
  EXPECT_GT(store_->log().log_start_offset(), 0);
  stop();
  EXPECT_EQ(files(".snapshot").size(), 2u);
  must_open();
  EXPECT_EQ(image_hash(store_->image()), hash);
  EXPECT_FALSE(store_->recovery().snapshot.empty());
  EXPECT_LT(store_->recovery().replayed_entries, 200u);
}

TEST_F(ReadPathOfLog, ACleanStopSavesWhatTheStartHasScanned) {
  must_open();
  must_propose({topic_created(1, "t")});
  restart();
  EXPECT_GT(store_->log().recovery().scanned_bytes, 0u);
  stop();
  must_open();
  EXPECT_EQ(store_->log().recovery().scanned_bytes, 0u);
  EXPECT_EQ(store_->recovery().replayed_entries, 1u);
}

TEST_F(ReadPathOfLog, TheLogStaysBounded) {
  options_.snapshot_log_bytes_min = 20'000;
  options_.segment_bytes = 10'000;
  must_open();
  must_propose({topic_created(1, "t")});
  std::uint64_t largest = 0;
  for (int i = 0; i < 5000; ++i) {
    must_propose({offset_committed("g", 1, 0, i)});
    largest = std::max(largest, store_->log().size_bytes());
  }
  EXPECT_LT(largest, 80'000u);
  stop();
  must_open();
  EXPECT_EQ(store_->image()->committed("g", topic_id(1), 0)->offset, 4999);
  EXPECT_LT(store_->recovery().replayed_bytes, 25'000u);
}

class ReadPathOfDamage : public MetaLog {
 protected:
  void SetUp() override {
    options_.snapshot_log_bytes_min = 3000;
    options_.segment_bytes = 4000;
    must_open();
    make_history(8, 300);
    ASSERT_EQ(store_->snapshots().size(), 2u);
    hash_ = image_hash(store_->image());
    stop();
  }
  void damage(const std::string& file) { disk_.flip_bit(file, disk_.content(file).size() / 2, 3); }

  std::uint64_t hash_ = 0;
};

TEST_F(ReadPathOfDamage, ADamagedNewestSnapshotCostsALongerReplayAndNoData) {
  const std::vector<std::string> snapshots = files(".snapshot");
  ASSERT_EQ(snapshots.size(), 2u);
  damage(snapshots[1]);
  must_open();
  EXPECT_EQ(image_hash(store_->image()), hash_);
  EXPECT_THAT(store_->recovery().damaged_snapshot, HasSubstr(".snapshot"));
  EXPECT_NE(store_->recovery().snapshot, store_->recovery().damaged_snapshot);
  // A good one is written at once, and the damaged one goes.
  executor_.run_all();
  stop();
  EXPECT_EQ(files(".snapshot").size(), 2u);
  must_open();
  EXPECT_EQ(store_->recovery().damaged_snapshot, "");
  EXPECT_EQ(image_hash(store_->image()), hash_);
}

TEST_F(ReadPathOfDamage, WithoutAGoodSnapshotTheStartIsRefusedWithFileAndWayOut) {
  const std::vector<std::string> snapshots = files(".snapshot");
  for (const std::string& snapshot : snapshots) damage(snapshot);
  const Error error = refused_open();
  EXPECT_EQ(error.code, Errc::corrupt);
  EXPECT_THAT(error.message, HasSubstr(".snapshot: damaged snapshot of the metadata"));
  EXPECT_THAT(error.message, HasSubstr("backup"));
  // Nothing was removed.
  EXPECT_EQ(files(".snapshot"), snapshots);
}

TEST_F(ReadPathOfDamage, MissingSnapshotsAreNoticed) {
  for (const std::string& snapshot : files(".snapshot")) ASSERT_TRUE(disk_.remove(snapshot));
  const Error error = refused_open();
  EXPECT_EQ(error.code, Errc::corrupt);
  EXPECT_THAT(error.message, HasSubstr("no snapshot covers what came before it"));
}

TEST_F(ReadPathOfDamage, AnUnfinishedSnapshotIsRemoved) {
  disk_.set_content(snapshot_path(directory, 99'999) + ".new", Bytes(100));
  must_open();
  EXPECT_TRUE(files(".new").empty());
  EXPECT_EQ(image_hash(store_->image()), hash_);
}

TEST_F(ReadPathOfDamage, ALogThatEndsBeforeItsSnapshotIsRefused) {
  const std::string newest = files(".snapshot").back();
  const Bytes snapshot = disk_.content(newest);
  disk_ = {};
  ASSERT_TRUE(disk_.make_directories(directory));
  options_.snapshot_log_bytes_min = 1u << 30;
  must_open();
  must_propose({topic_created(1, "t")});
  stop();
  disk_.set_content(newest, snapshot);
  const Error error = refused_open();
  EXPECT_EQ(error.code, Errc::corrupt);
  EXPECT_THAT(error.message, HasSubstr("ends at offset 1, before its snapshot"));
}

TEST_F(ReadPathOfLog, AnEventOfANewerBuildStopsTheStartWithAClearWord) {
  must_open();
  must_propose({topic_created(1, "t")});
  protocol::BatchOptions batch_options;
  batch_options.base_offset = 1;
  batch_options.leader_epoch = 0;
  for (const std::uint8_t flags : {std::uint8_t{1}, std::uint8_t{0}}) {
    protocol::BatchBuilder batch(batch_options);
    batch.append(0, std::nullopt, Bytes{1, 99, 0, flags, 7});
    store_->log().append(batch.build());
    ASSERT_TRUE(store_->log().flush());
    kill();
    if (flags == 1) {
      must_open();  // ignorable
      EXPECT_EQ(store_->image()->applied_offset(), 2);
    }
    batch_options.base_offset = 2;
  }
  const Error error = refused_open();
  EXPECT_EQ(error.code, Errc::unsupported);
  EXPECT_THAT(error.message, HasSubstr("offset 2: a metadata event of the unknown kind 99"));
  EXPECT_THAT(error.message, HasSubstr("newer chronik"));
}

TEST_F(ReadPathOfLog, AFullDiskPutsTheSnapshotOffAndNothingElse) {
  options_.snapshot_log_bytes_min = 3000;
  must_open();
  bool full = true;
  disk_.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation != DiskOperation::write || !path.ends_with(".new")) return;
    disk_.set_capacity(full ? 0 : std::uint64_t{1} << 40);
  });
  EventSource source([random = Random(9)]() mutable { return random.next(); });
  for (int i = 0; i < 100; ++i) {
    disk_.set_capacity(std::uint64_t{1} << 40);
    must_propose(source.batch(5));
  }
  EXPECT_EQ(fatal_, "");
  EXPECT_TRUE(store_->snapshots().empty());
  full = false;
  disk_.set_capacity(std::uint64_t{1} << 40);
  for (int i = 0; i < 100; ++i) must_propose(source.batch(5));
  EXPECT_FALSE(store_->snapshots().empty());
  disk_.set_hook({});
}

TEST_F(MetaLog, ADirectoryOfAClusterIsNotOpenedAlone) {
  ASSERT_TRUE(disk_.make_directories(directory));
  ASSERT_TRUE(disk_.open(std::string(directory) + "/raft-state", OpenMode::create));
  const Error refused = refused_open();
  EXPECT_EQ(refused.code, Errc::invalid_argument);
  EXPECT_NE(refused.message.find("cluster.nodes"), std::string::npos) << refused.message;
}

// The program metadata_crash does the same for as long as one likes.
TEST(MetaLogCrash, WhatWasAcknowledgedIsThereAfterAnyCrash) {
  set_log_level(LogLevel::error);
  CrashCounts counts;
  for (std::uint64_t seed = 1; counts.points < 1000; ++seed) {
    CrashRun run(seed, counts);
    for (int life = 0; life < 100; ++life) {
      ASSERT_TRUE(run.life()) << "seed " << seed << ": " << run.problem();
    }
  }
  set_log_level(LogLevel::info);
  EXPECT_GT(counts.acknowledged, 1000u);
  EXPECT_GT(counts.in_recovery, 10u);
  EXPECT_GT(counts.in_snapshot, 10u);
  EXPECT_GT(counts.snapshots_started_from, 100u);
  EXPECT_GT(counts.trims, 50u);
}

}  // namespace
}  // namespace chronik::metadata
