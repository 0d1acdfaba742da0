// The contract of base/file.h, on both implementations; then what only the fake can do.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/memory_disk.h"
#include "base/posix_disk.h"

namespace chronik {
namespace {

Bytes read_all(File& file) {
  Bytes bytes(file.size().value());
  bytes.resize(file.read_at(0, bytes).value());
  return bytes;
}

std::string text_of(File& file) { return std::string(as_text(read_all(file))); }

class DiskContract : public testing::TestWithParam<bool> {
 protected:
  DiskContract() {
    if (GetParam()) {
      disk_ = std::make_unique<PosixDisk>();
      char name[] = "/tmp/chronik_disk_XXXXXX";
      root_ = ::mkdtemp(name);
    } else {
      disk_ = std::make_unique<MemoryDisk>();
      root_ = "/data";
      EXPECT_TRUE(disk_->make_directories(root_));
    }
  }
  ~DiskContract() override {
    if (GetParam()) std::filesystem::remove_all(root_);
  }

  std::unique_ptr<Disk> disk_;
  std::string root_;
};

TEST_P(DiskContract, GathersManyPartsIntoOneFile) {
  auto file = disk_->open(root_ + "/a", OpenMode::create).value();
  std::vector<Bytes> owned;
  std::vector<ByteView> parts;
  std::string expected = "??";
  for (int i = 0; i < 3000; ++i) {
    owned.push_back(to_bytes(as_bytes(std::to_string(i % 7 == 0 ? 0 : i))));
    if (i % 11 == 0) owned.back().clear();
    expected += as_text(owned.back());
  }
  parts.reserve(owned.size());
  for (const Bytes& bytes : owned) parts.emplace_back(bytes);
  ASSERT_TRUE(file->write_at(0, as_bytes("??")));
  ASSERT_TRUE(file->write_at(2, std::span<const ByteView>(parts)));
  ASSERT_TRUE(file->sync_data());
  EXPECT_EQ(text_of(*file), expected);
  ASSERT_TRUE(file->truncate(5));
  EXPECT_EQ(text_of(*file), expected.substr(0, 5));
  ASSERT_TRUE(file->truncate(7));
  EXPECT_EQ(read_all(*file)[6], 0);
}

TEST_P(DiskContract, WhatIsWrittenBackIsAsItWas) {
  auto file = disk_->open(root_ + "/a", OpenMode::create).value();
  const std::string text(100'000, 'x');
  ASSERT_TRUE(file->write_at(0, as_bytes(text)));
  file->start_writeback(0, text.size());
  ASSERT_TRUE(file->finish_writeback(0, text.size()));
  EXPECT_EQ(text_of(*file), text);
  file->drop_cache(0, text.size());
  EXPECT_EQ(text_of(*file), text);
  EXPECT_TRUE(file->finish_writeback(50'000, 1'000'000)) << "beyond the end";
}

TEST_P(DiskContract, WholeBlocksAndOtherBytesAreOneFile) {
  constexpr std::size_t block = File::block_bytes;
  auto file = disk_->open(root_ + "/blocks", OpenMode::create).value();
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> memory(
      static_cast<std::uint8_t*>(std::aligned_alloc(block, 3 * block)), &std::free);
  std::fill_n(memory.get(), 3 * block, std::uint8_t{'b'});
  ASSERT_TRUE(file->write_at(0, Bytes(4 * block, 'a')));
  ASSERT_TRUE(file->sync_data());
  ASSERT_TRUE(file->write_blocks(block, ByteView(memory.get(), 2 * block)));
  EXPECT_EQ(text_of(*file),
            std::string(block, 'a') + std::string(2 * block, 'b') + std::string(block, 'a'));
  ASSERT_TRUE(file->write_at(block + 1, as_bytes("c")));
  ASSERT_TRUE(file->write_blocks(4 * block, ByteView(memory.get(), 3 * block)));
  ASSERT_TRUE(file->sync_data());
  EXPECT_EQ(text_of(*file), std::string(block, 'a') + "bc" + std::string(2 * block - 2, 'b') +
                                std::string(block, 'a') + std::string(3 * block, 'b'));
}

TEST_P(DiskContract, ReadsEndAtTheEndOfTheFile) {
  auto file = disk_->open(root_ + "/a", OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("abc")));
  Bytes out(10);
  EXPECT_EQ(file->read_at(1, out).value(), 2u);
  EXPECT_EQ(file->read_at(3, out).value(), 0u);
  EXPECT_EQ(file->read_at(100, out).value(), 0u);
}

TEST_P(DiskContract, NamesAreMadeListedRenamedAndRemoved) {
  ASSERT_TRUE(disk_->make_directories(root_ + "/x/y"));
  ASSERT_TRUE(disk_->make_directories(root_ + "/x/y"));
  ASSERT_TRUE(disk_->make_directory(root_ + "/x/z"));
  ASSERT_TRUE(disk_->make_directory(root_ + "/x/z"));
  disk_->open(root_ + "/x/f", OpenMode::create).value();
  auto entries = disk_->list(root_ + "/x").value();
  std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.name < b.name; });
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "f");
  EXPECT_FALSE(entries[0].is_directory);
  EXPECT_TRUE(entries[1].is_directory);
  ASSERT_TRUE(disk_->rename(root_ + "/x", root_ + "/w"));
  ASSERT_TRUE(disk_->sync_directory(root_));
  EXPECT_FALSE(disk_->exists(root_ + "/x/f").value());
  EXPECT_TRUE(disk_->exists(root_ + "/w/f").value());
  EXPECT_FALSE(disk_->remove(root_ + "/w"));
  ASSERT_TRUE(disk_->remove(root_ + "/w/f"));
  EXPECT_EQ(disk_->remove(root_ + "/w/f").error().code, Errc::not_found);
  EXPECT_EQ(disk_->open(root_ + "/w/f", OpenMode::read).error().code, Errc::not_found);
  EXPECT_EQ(disk_->list(root_ + "/nowhere").error().code, Errc::not_found);
  EXPECT_FALSE(disk_->make_directory(root_ + "/no/parent"));
}

TEST_P(DiskContract, ARemovedFileStaysReadableWhileItIsOpen) {
  auto file = disk_->open(root_ + "/a", OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("kept")));
  ASSERT_TRUE(disk_->remove(root_ + "/a"));
  EXPECT_EQ(text_of(*file), "kept");
}

TEST_P(DiskContract, ALockIsHeldOnce) {
  auto lock = disk_->lock(root_ + "/lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(disk_->lock(root_ + "/lock").error().code, Errc::busy);
  lock = Error{Errc::closed, ""};
  EXPECT_TRUE(disk_->lock(root_ + "/lock"));
}

TEST_P(DiskContract, SpaceIsReported) {
  const DiskSpace space = disk_->space(root_).value();
  EXPECT_GT(space.total_bytes, 0u);
  EXPECT_LE(space.usable_bytes, space.total_bytes);
}

TEST_P(DiskContract, ABatchSyncsFilesAndDirectories) {
  ASSERT_TRUE(disk_->sync_all({}));
  SyncBatch batch;
  for (int i = 0; i < 40; ++i) {
    batch.files.push_back(disk_->open(root_ + "/" + std::to_string(i), OpenMode::create).value());
    ASSERT_TRUE(batch.files.back()->write_at(0, as_bytes("kept")));
  }
  batch.directories.push_back(root_);
  ASSERT_TRUE(disk_->sync_all(batch));
  if (!GetParam()) {
    Random random(1);
    static_cast<MemoryDisk&>(*disk_).crash(random, CrashModel::reordered);
  }
  for (int i = 0; i < 40; ++i) {
    auto file = disk_->open(root_ + "/" + std::to_string(i), OpenMode::read).value();
    EXPECT_EQ(text_of(*file), "kept");
  }
  batch.directories.push_back(root_ + "/nowhere");
  EXPECT_FALSE(disk_->sync_all(batch));
}

INSTANTIATE_TEST_SUITE_P(Disks, DiskContract, testing::Bool(),
                         [](const auto& info) { return info.param ? "posix" : "memory"; });

TEST_P(DiskContract, AFileSystemIsSyncedAsAWhole) {
  EXPECT_EQ(disk_->file_system_sync(root_ + "/nowhere").error().code, Errc::not_found);
  const Result<std::unique_ptr<FileSystemSync>> whole = disk_->file_system_sync(root_);
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  // In memory, on FUSE and others, where each file is synced by itself.
  if (*whole == nullptr) GTEST_SKIP() << "skipped: /tmp's file system does not tell what failed";
  const auto file = disk_->open(root_ + "/f", OpenMode::create).value();
  const Bytes bytes(4 << 20);
  ASSERT_TRUE(file->write_at(0, ByteView(bytes)));
  if (GetParam()) {
    EXPECT_GE((*whole)->unsynced_bytes(), bytes.size() / 2);
  }
  EXPECT_TRUE((*whole)->sync());
  ASSERT_TRUE(disk_->make_directories(root_ + "/within"));
  EXPECT_TRUE((*whole)->covers(root_));
  EXPECT_TRUE((*whole)->covers(root_ + "/within"));
  EXPECT_FALSE((*whole)->covers(root_ + "/nowhere"));
}

TEST(PosixDisk, ALinkToAnotherFileSystemIsNotCovered) {
  std::string here = "/tmp/chronik_here_XXXXXX";
  std::string elsewhere = "/dev/shm/chronik_elsewhere_XXXXXX";
  if (::mkdtemp(elsewhere.data()) == nullptr) GTEST_SKIP() << "skipped: /dev/shm takes no files";
  ASSERT_NE(::mkdtemp(here.data()), nullptr);
  PosixDisk disk;
  const std::unique_ptr<FileSystemSync> whole = disk.file_system_sync(here).value();
  if (whole != nullptr) {
    std::filesystem::create_directory_symlink(elsewhere, here + "/t-0");
    EXPECT_TRUE(disk.list(here).value().at(0).is_directory) << "a log may lie there";
    EXPECT_FALSE(whole->covers(here + "/t-0"));
  }
  std::filesystem::remove_all(here);
  std::filesystem::remove_all(elsewhere);
  if (whole == nullptr) GTEST_SKIP() << "skipped: /tmp's file system does not tell what failed";
}

TEST(PosixDisk, TheSecondHolderOfALockIsToldTheFirst) {
  char name[] = "/tmp/chronik_lock_XXXXXX";
  const std::string root = ::mkdtemp(name);
  PosixDisk disk;
  auto lock = disk.lock(root + "/lock").value();
  const Error error = disk.lock(root + "/lock").error();
  EXPECT_NE(error.message.find(std::to_string(::getpid())), std::string::npos) << error.message;
  std::filesystem::remove_all(root);
}

class FakeDisk : public testing::Test {
 protected:
  FakeDisk() { EXPECT_TRUE(disk_.make_directories("/d")); }
  std::shared_ptr<File> file(const std::string& name) {
    auto made = disk_.open("/d/" + name, OpenMode::create).value();
    EXPECT_TRUE(disk_.sync_directory("/d"));
    return made;
  }
  MemoryDisk disk_;
};

TEST_F(FakeDisk, APowerCutNeverTakesWhatWasSynced) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    auto disk = disk_.clone();
    Random random(seed);
    auto f = disk->open("/d/f", OpenMode::create).value();
    ASSERT_TRUE(disk->sync_directory("/d"));
    const Bytes durable(random.below(3000), 1);
    ASSERT_TRUE(f->write_at(0, ByteView(durable)));
    ASSERT_TRUE(f->sync_data());
    const Bytes lost(1 + random.below(3000), 2);
    ASSERT_TRUE(f->write_at(durable.size(), ByteView(lost)));
    disk->crash(random, seed % 2 == 0 ? CrashModel::ordered : CrashModel::reordered);
    const Bytes after = disk->content("/d/f");
    ASSERT_GE(after.size(), durable.size());
    ASSERT_TRUE(std::equal(durable.begin(), durable.end(), after.begin()));
    ASSERT_LE(after.size(), durable.size() + lost.size());
    Bytes out(1);
    ASSERT_FALSE(f->read_at(0, out)) << "a handle outlived the crash";
  }
}

TEST_F(FakeDisk, APowerCutLosesTearsAndReordersWhatWasNot) {
  int whole = 0, nothing = 0, torn = 0, holes = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    auto disk = disk_.clone();
    Random random(seed);
    auto f = disk->open("/d/f", OpenMode::create).value();
    ASSERT_TRUE(disk->sync_directory("/d"));
    ASSERT_TRUE(f->write_at(0, ByteView(Bytes(4096, 7))));
    disk->crash(random, CrashModel::reordered);
    const Bytes after = disk->content("/d/f");
    const auto zeros = std::count(after.begin(), after.end(), 0);
    if (after.empty()) ++nothing;
    if (after.size() == 4096 && zeros == 0) ++whole;
    if (!after.empty() && after.size() < 4096) ++torn;
    if (zeros != 0) ++holes;
  }
  EXPECT_GT(whole, 50);
  EXPECT_GT(nothing, 50);
  EXPECT_GT(torn, 50);
  EXPECT_GT(holes, 50);
}

TEST_F(FakeDisk, AnUnsyncedNameMayBeLostASyncedOneNot) {
  int kept = 0, lost = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto disk = disk_.clone();
    Random random(seed);
    disk->open("/d/synced", OpenMode::create).value();
    ASSERT_TRUE(disk->sync_directory("/d"));
    auto f = disk->open("/d/new", OpenMode::create).value();
    ASSERT_TRUE(f->write_at(0, as_bytes("data")));
    ASSERT_TRUE(f->sync_data());
    disk->crash(random, CrashModel::ordered);
    ASSERT_TRUE(disk->exists("/d/synced").value());
    const bool there = disk->exists("/d/new").value();
    if (there) {
      ASSERT_EQ(as_text(disk->content("/d/new")), "data");
    }
    ++(there ? kept : lost);
  }
  EXPECT_GT(kept, 20);
  EXPECT_GT(lost, 20);
}

TEST_F(FakeDisk, ARenameIsThereWholeOrNotAtAll) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto disk = disk_.clone();
    Random random(seed);
    auto old_file = disk->open("/d/c", OpenMode::create).value();
    ASSERT_TRUE(old_file->write_at(0, as_bytes("old")));
    ASSERT_TRUE(old_file->sync_data());
    ASSERT_TRUE(disk->sync_directory("/d"));
    auto f = disk->open("/d/c.new", OpenMode::create).value();
    ASSERT_TRUE(f->write_at(0, as_bytes("new")));
    ASSERT_TRUE(f->sync_data());
    ASSERT_TRUE(disk->rename("/d/c.new", "/d/c"));
    disk->crash(random, seed % 2 == 0 ? CrashModel::ordered : CrashModel::reordered);
    const Bytes after = disk->content("/d/c");
    ASSERT_TRUE(as_text(after) == "old" || as_text(after) == "new");
  }
}

// What ext4 and XFS leave: pages are lost without a trace once the cache forgets them, and the size
// of a file that grew may be the new one, with zeros, or the old one.
TEST_F(FakeDisk, AFailedSyncLosesPagesAndTheNextOneSucceeds) {
  constexpr std::uint64_t sector = MemoryDisk::sector_bytes;
  const std::string old_text(sector, 'o');
  const std::string new_text(2 * sector, 'n');
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto disk = disk_.clone();
    auto f = disk->open("/d/f", OpenMode::create).value();
    ASSERT_TRUE(f->write_at(0, as_bytes(old_text)));
    ASSERT_TRUE(f->sync_data());
    ASSERT_TRUE(f->write_at(sector, as_bytes(new_text)));
    disk->fail_operation(0, seed);
    EXPECT_EQ(f->sync_data().error().code, Errc::io);
    EXPECT_TRUE(disk->struck());
    EXPECT_EQ(text_of(*f), old_text + new_text) << "the cache shows what is lost";
    ASSERT_TRUE(f->sync_data());
    f->drop_cache(0, 0);
    std::string outcome;
    const std::string after = text_of(*f);
    ASSERT_EQ(after.size() % sector, 0u);
    for (std::size_t at = 0; at < after.size(); at += sector) {
      ASSERT_EQ(after.substr(at, sector), std::string(sector, after[at]));
      outcome.push_back(after[at] == '\0' ? '0' : after[at]);
    }
    outcomes.insert(outcome);
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"o", "o00", "o0n", "on0", "onn"}));
}

TEST_F(FakeDisk, ASyncOfAllCoversWhatWasWrittenBefore) {
  auto f = file("f");
  auto g = file("g");
  ASSERT_TRUE(disk_.sync_directory("/d"));
  const auto whole = disk_.file_system_sync("/d").value();
  ASSERT_TRUE(f->write_at(0, as_bytes("one")));
  ASSERT_TRUE(g->write_at(0, as_bytes("two")));
  ASSERT_TRUE(whole->sync());
  Random random(1);
  disk_.crash(random, CrashModel::ordered);
  EXPECT_EQ(disk_.content("/d/f"), to_bytes(as_bytes("one")));
  EXPECT_EQ(disk_.content("/d/g"), to_bytes(as_bytes("two")));
  EXPECT_FALSE(whole->sync()) << "of a process that is gone";
}

TEST_F(FakeDisk, ASyncOfAllDoesNotReachWhatIsMounted) {
  ASSERT_TRUE(disk_.make_directories("/d/elsewhere"));
  const auto file = disk_.open("/d/elsewhere/f", OpenMode::create).value();
  ASSERT_TRUE(disk_.sync_directory("/d/elsewhere"));
  disk_.mount("/d/elsewhere");
  const auto whole = disk_.file_system_sync("/d").value();
  EXPECT_TRUE(whole->covers("/d"));
  EXPECT_FALSE(whole->covers("/d/elsewhere"));
  ASSERT_TRUE(file->write_at(0, as_bytes("one")));
  ASSERT_TRUE(whole->sync_with_names());
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const std::unique_ptr<MemoryDisk> crashed = disk_.clone();
    crashed->crash(random, CrashModel::reordered);
    lost = lost || crashed->content("/d/elsewhere/f").empty();
  }
  EXPECT_TRUE(lost);
}

TEST_F(FakeDisk, NamesAreSyncedOnlyWhereThatIsAskedFor) {
  const auto whole = disk_.file_system_sync("/d").value();
  ASSERT_TRUE(disk_.open("/d/f", OpenMode::create));
  ASSERT_TRUE(whole->sync());
  const std::unique_ptr<MemoryDisk> without = disk_.clone();
  ASSERT_TRUE(whole->sync_with_names());
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto survives = [&](const MemoryDisk& disk) {
      Random random(seed);
      const std::unique_ptr<MemoryDisk> crashed = disk.clone();
      crashed->crash(random, CrashModel::reordered);
      return crashed->exists("/d/f").value();
    };
    EXPECT_TRUE(survives(disk_));
    lost = lost || !survives(*without);
  }
  EXPECT_TRUE(lost);
}

// The pages are lost: who comes later must hear of it.
TEST_F(FakeDisk, ASyncOfAllFailsWhereAnEarlierOneOfAFileHas) {
  const auto whole = disk_.file_system_sync("/d").value();
  auto f = file("f");
  ASSERT_TRUE(f->write_at(0, as_bytes("text")));
  disk_.fail_operation(0);
  EXPECT_FALSE(f->sync_data());
  EXPECT_TRUE(f->sync_data());
  EXPECT_EQ(whole->sync().error().code, Errc::io);
  EXPECT_TRUE(disk_.file_system_sync("/d").value()->sync());
}

TEST_F(FakeDisk, WritingBackMakesNothingDurableAndMayFail) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto disk = disk_.clone();
    auto f = disk->open("/d/f", OpenMode::create).value();
    ASSERT_TRUE(disk->sync_directory("/d"));
    ASSERT_TRUE(f->write_at(0, as_bytes("text")));
    ASSERT_TRUE(f->finish_writeback(0, 4));
    Random random(seed);
    disk->crash(random, CrashModel::reordered);
    lost = lost || disk->content("/d/f").empty();
  }
  EXPECT_TRUE(lost);
  auto f = file("f");
  ASSERT_TRUE(f->write_at(0, as_bytes("text")));
  disk_.fail_operation(0);
  EXPECT_EQ(f->finish_writeback(0, 4).error().code, Errc::io);
}

TEST_F(FakeDisk, AFailedSyncLosesNoCut) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto disk = disk_.clone();
    auto f = disk->open("/d/f", OpenMode::create).value();
    ASSERT_TRUE(f->write_at(0, as_bytes("abcdef")));
    ASSERT_TRUE(f->sync_data());
    ASSERT_TRUE(f->truncate(3));
    disk->fail_operation(0, seed);
    EXPECT_FALSE(f->sync_data());
    ASSERT_TRUE(f->sync_data());
    f->drop_cache(0, 0);
    EXPECT_EQ(text_of(*f), "abc");
  }
}

TEST_F(FakeDisk, PowerOffFailsEverythingUntilTheCrash) {
  auto f = file("f");
  disk_.power_off_after(1);
  EXPECT_TRUE(f->write_at(0, as_bytes("a")));
  EXPECT_FALSE(f->write_at(1, as_bytes("b")));
  EXPECT_FALSE(f->sync_data());
  EXPECT_FALSE(f->size());
  EXPECT_FALSE(disk_.list("/d"));
  Random random(1);
  disk_.crash(random, CrashModel::kill);
  EXPECT_TRUE(disk_.open("/d/f", OpenMode::read));
}

TEST_F(FakeDisk, RunsFullAndRecovers) {
  auto f = file("f");
  disk_.set_capacity(10);
  EXPECT_TRUE(f->write_at(0, as_bytes("12345678")));
  EXPECT_EQ(f->write_at(8, as_bytes("90a")).error().code, Errc::no_space);
  EXPECT_EQ(f->size().value(), 8u);
  EXPECT_EQ(disk_.space("/d").value().usable_bytes, 2u);
  ASSERT_TRUE(f->truncate(0));
  EXPECT_TRUE(f->write_at(0, as_bytes("1234567890")));
  ASSERT_TRUE(disk_.remove("/d/f"));
  EXPECT_EQ(disk_.used_bytes(), 10u) << "an open file keeps its space";
  f.reset();
  Random random(1);
  disk_.crash(random, CrashModel::ordered);
}

TEST_F(FakeDisk, RunsOutOfDescriptors) {
  auto f = file("f");
  disk_.set_open_files_max(1);
  EXPECT_EQ(disk_.open("/d/f", OpenMode::read).error().code, Errc::busy);
  EXPECT_EQ(disk_.list("/d").error().code, Errc::busy);
  EXPECT_EQ(disk_.sync_directory("/d").error().code, Errc::busy);
  f.reset();
  EXPECT_TRUE(disk_.open("/d/f", OpenMode::read));
}

TEST_F(FakeDisk, FlipsBitsAndCallsTheHook) {
  auto f = file("f");
  ASSERT_TRUE(f->write_at(0, as_bytes("a")));
  ASSERT_TRUE(f->sync_data());
  disk_.flip_bit("/d/f", 0, 1);
  EXPECT_EQ(text_of(*f), "c");
  int writes = 0;
  disk_.set_hook([&](DiskOperation operation, const std::string&) {
    if (operation == DiskOperation::write) ++writes;
  });
  ASSERT_TRUE(f->write_at(0, as_bytes("b")));
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(disk_.files("/d"), std::vector<std::string>{"/d/f"});
}

}  // namespace
}  // namespace chronik
