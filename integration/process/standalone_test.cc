// A node without a cluster pays nothing for what a cluster needs: what it took before there were
// clusters it takes now. The bounds are what the last version without them was measured to take.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"

namespace chronik::integration {
namespace {

class Standalone : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own costs";
  }
};

std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string place_of(const BrokerProcess& broker) { return "/proc/" + std::to_string(broker.id()); }

/// By name, "shard-1" as "shard".
std::map<std::string, int> threads_of(const BrokerProcess& broker) {
  std::map<std::string, int> threads;
  for (const auto& task : std::filesystem::directory_iterator(place_of(broker) + "/task")) {
    const std::string name = text_of(task.path() / "comm");
    ++threads[name.substr(0, name.find_first_of("-\n"))];
  }
  return threads;
}

int listeners_of(const BrokerProcess& broker) {
  const std::string sockets =
      text_of(place_of(broker) + "/net/tcp") + text_of(place_of(broker) + "/net/tcp6");
  int listeners = 0;
  for (const auto& file : std::filesystem::directory_iterator(place_of(broker) + "/fd")) {
    const std::string target = std::filesystem::read_symlink(file.path());
    if (!target.starts_with("socket:[")) continue;
    const std::string inode = target.substr(8, target.size() - 9);
    // The state of a socket that listens is 0A; the inode stands behind six more columns.
    const std::regex listens(" 0A( +[^ \n]+){5} +" + inode + " ");
    listeners += std::regex_search(sockets, listens) ? 1 : 0;
  }
  return listeners;
}

TEST_F(Standalone, HasNoThreadAndNoListenerOfACluster) {
  BrokerProcess broker;
  ASSERT_TRUE(Admin(broker.bootstrap()).create_topic({.name = "t"}).ok());
  std::map<std::string, int> threads = threads_of(broker);
  for (const auto& [name, count] : threads) {
    // "sync": more threads for the disk where it is slow.
    EXPECT_TRUE(name == "chronik" || name == "cleaner" || name == "shard" || name == "disk" ||
                name == "sync")
        << name;
  }
  // Those that nobody had work for are not there yet.
  EXPECT_LE(threads["cleaner"], 1);
  EXPECT_LE(threads["disk"], threads["shard"]);
  EXPECT_EQ(listeners_of(broker), 1);
}

TEST_F(Standalone, StartsAsLightAsItAlwaysDid) {
  if (std::getenv("TEST_PROGRAM") != nullptr) {
    GTEST_SKIP() << "skipped: the bounds are of the release build";
  }
  BrokerProcess broker;
  std::istringstream numbers(text_of(place_of(broker) + "/stat"));
  const std::vector<std::string> fields{std::istream_iterator<std::string>(numbers), {}};
  const double ticks = std::stod(fields.at(13)) + std::stod(fields.at(14));
  EXPECT_LE(ticks / static_cast<double>(sysconf(_SC_CLK_TCK)), 0.05) << "CPU seconds of a start";
  const std::string status = text_of(place_of(broker) + "/status");
  std::smatch kib;
  ASSERT_TRUE(std::regex_search(status, kib, std::regex("VmRSS:\\s+(\\d+) kB")));
  EXPECT_LE(std::stoi(kib[1]), 10 * 1024) << "KiB of memory";
}

/// The syncs of a broker that starts, makes `topics` topics, and stops.
std::size_t syncs_of(int topics) {
  BrokerProcess broker(BrokerProcess::NotStarted{}, {});
  const std::string calls = broker.directory() + "/calls";
  broker.set_wrapper({"strace", "-D", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", calls});
  broker.start();
  Admin admin(broker.bootstrap());
  for (int i = 0; i < topics; ++i) {
    EXPECT_TRUE(admin.create_topic({.name = "t" + std::to_string(i)}).ok());
  }
  // Not its status: the check for leaks of a sanitizer's build does not work under strace.
  broker.stop();
  EXPECT_NE(broker.log().find(" info stopped"), std::string::npos) << broker.log();
  const std::string said = text_of(calls);
  // A call that another thread's call interrupts takes two lines; the second one has no "(".
  static const std::regex call("f(data)?sync\\(");
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(said.begin(), said.end(), call), std::sregex_iterator()));
}

TEST_F(Standalone, MakesATopicWithTheSyncsItAlwaysTook) {
  REQUIRE_PEER(
      run_program({"strace", "-D", "-f", "-qq", "-o", "/dev/null", "true"}, "/dev/null") == 0,
      "there is no strace, or it may not trace");
  constexpr int topics = 20;
  const std::size_t without = syncs_of(0);
  const std::size_t with = syncs_of(topics);
  EXPECT_EQ(with - without, topics * 1u) << "of " << topics << " topics";
}

}  // namespace
}  // namespace chronik::integration
