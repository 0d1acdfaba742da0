#include "integration/harness/node_disks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "integration/harness/child_process.h"

namespace chronik::integration {

namespace {

namespace fs = std::filesystem;

constexpr const char* taken = "/not-the-brokers";
constexpr std::uint64_t smallest_size = std::uint64_t{64} << 20;

Error cannot(const std::string& what) { return {Errc::unsupported, what}; }

Result<void> run(const std::vector<std::string>& command, const std::string& log) {
  if (run_program(command, log) == 0) return {};
  std::stringstream said;
  said << std::ifstream(log).rdbuf();
  return cannot(fmt::format("{}: {}", fmt::join(command, " "), said.str()));
}

}  // namespace

Result<std::unique_ptr<NodeDisks>> NodeDisks::open() {
  if (unshare(CLONE_NEWNS) != 0) {
    return cannot(fmt::format("no mount namespace can be made: {}", std::strerror(errno)));
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return cannot(fmt::format("mounts cannot be made private: {}", std::strerror(errno)));
  }
  std::unique_ptr<NodeDisks> disks(new NodeDisks());
  // Whether it can be done shows now, not in the middle of a test.
  std::string probe = fs::temp_directory_path() / "chronik-disk-XXXXXX";
  CHECK(mkdtemp(probe.data()) != nullptr);
  const Result<void> added = disks->add(probe + "/data", smallest_size);
  if (added) umount2((probe + "/data").c_str(), MNT_DETACH);
  disks->directories_.clear();
  fs::remove_all(probe);
  TRY(added);
  return disks;
}

NodeDisks::~NodeDisks() {
  for (const std::string& directory : directories_) umount2(directory.c_str(), MNT_DETACH);
}

Result<void> NodeDisks::add(const std::string& directory, std::uint64_t bytes) {
  fs::create_directories(directory);
  const std::string image = directory + ".image";
  const std::string log = directory + ".log";
  TRY(run({"truncate", "--size=" + std::to_string(bytes), image}, log));
  // Nothing kept for root, and no work behind the first mount.
  TRY(run({"mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image},
          log));
  TRY(run({"mount", "-o", "loop", image, directory}, log));
  directories_.push_back(directory);
  fs::remove(image);
  fs::remove(log);
  fs::remove(directory + "/lost+found");
  return {};
}

void NodeDisks::fill(const std::string& directory) {
  const int file = ::open((directory + taken).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(file >= 0);
  off_t size = 0;
  // What it needs to note the blocks is on the same disk, so the last ones are taken in small
  // steps.
  for (off_t step = off_t{1} << 30; step >= 4096;) {
    if (fallocate(file, 0, size, step) == 0) {
      size += step;
    } else {
      step /= 2;
    }
  }
  close(file);
}

void NodeDisks::release(const std::string& directory) { fs::remove(directory + taken); }

}  // namespace chronik::integration
