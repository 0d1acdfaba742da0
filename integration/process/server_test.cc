// The program itself: starts that must be refused in one line that says what to do, and the end by
// a signal.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/raw_connection.h"

namespace chronik::integration {
namespace {

class Server : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own command line";
  }

  /// Starts the stopped broker, expects it to end by itself with an error, and gives what it said.
  static std::string refusal(BrokerProcess& broker) {
    const std::size_t before = broker.log().size();
    broker.launch();
    const int status = broker.wait_for_end();
    EXPECT_GT(status, 0);
    EXPECT_LT(status, 128) << "ended by a signal";
    return broker.log().substr(before);
  }
};

TEST_F(Server, SecondProcessOnADirectoryIsRefused) {
  BrokerProcess first;
  BrokerProcess second;
  second.stop();
  second.settings()["log.dirs"] = first.data_directory();
  const std::string said = refusal(second);
  EXPECT_NE(said.find(first.data_directory()), std::string::npos) << said;
  EXPECT_TRUE(first.running());
  RawConnection connection(first.host(), first.port());
  EXPECT_TRUE(connection.connected());
}

TEST_F(Server, PortInUseIsRefused) {
  BrokerProcess first;
  BrokerProcess second;
  second.stop();
  second.settings()["listeners"] = "PLAINTEXT://" + first.bootstrap();
  const std::string said = refusal(second);
  EXPECT_NE(said.find(std::to_string(first.port())), std::string::npos) << said;
}

TEST_F(Server, PortZeroIsAnyFreePort) {
  BrokerProcess broker;
  broker.stop();
  broker.settings()["listeners"] = "PLAINTEXT://" + broker.host() + ":0";
  const std::size_t before = broker.log().size();
  broker.launch();
  // It says where it listens.
  const std::string wanted = "listener=PLAINTEXT://" + broker.host() + ":";
  std::string said;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int port = 0;
  while (port == 0 && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(broker.wait_for_end(std::chrono::milliseconds(20)), -1) << said;
    said = broker.log().substr(before);
    const std::size_t at = said.find(wanted);
    if (at != std::string::npos) port = std::atoi(said.c_str() + at + wanted.size());
  }
  ASSERT_GT(port, 0) << said;
  Admin admin(broker.host() + ":" + std::to_string(port));
  EXPECT_TRUE(admin.create_topic({.name = "t"}).ok());
}

TEST_F(Server, DirectoryThatCannotBeWrittenIsRefused) {
  BrokerProcess broker;
  broker.stop();
  const std::string file = broker.directory() + "/a-file";
  std::ofstream(file) << "x";
  broker.settings()["log.dirs"] = file + "/data";
  const std::string said = refusal(broker);
  EXPECT_NE(said.find(file), std::string::npos) << said;
}

TEST_F(Server, UnknownSettingIsRefusedWithTheNearestName) {
  BrokerProcess broker;
  broker.stop();
  broker.settings()["num.partition"] = "3";
  const std::string said = refusal(broker);
  EXPECT_NE(said.find("num.partitions"), std::string::npos) << said;
}

TEST_F(Server, BadValueIsRefusedWithWhatIsAllowed) {
  BrokerProcess broker;
  broker.stop();
  broker.settings()["num.partitions"] = "many";
  const std::string said = refusal(broker);
  EXPECT_NE(said.find("num.partitions"), std::string::npos) << said;
  EXPECT_NE(said.find("many"), std::string::npos) << said;
}

/// What stands between `...` and begins with `command`, as words; the program by its path.
std::vector<std::string> advised_command(const std::string& text, const std::string& command) {
  const std::size_t begin = text.find("`" + command + " ");
  const std::size_t end = text.find('`', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return {};
  std::istringstream words(text.substr(begin + 1, end - begin - 1));
  std::vector<std::string> found{std::istream_iterator<std::string>(words), {}};
  found.front() = BrokerProcess::program();
  return found;
}

TEST_F(Server, ADamagedMiddleStopsTheStartAndTheWayOutIsACommandThatWorks) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  const std::string file = broker.data_directory() + "/t-0/00000000000000000000.log";
  std::vector<std::uintmax_t> ends;
  {
    Producer producer(broker.bootstrap());
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(producer.produce("t", 0, std::string(100, 'x')), 0);
      ASSERT_TRUE(producer.flush());
      ends.push_back(std::filesystem::file_size(file));
    }
  }
  broker.kill();
  std::fstream log(file, std::ios::in | std::ios::out | std::ios::binary);
  log.seekp(static_cast<std::streamoff>(ends[1]) - 20);
  log.put('y');
  log.close();

  const std::string said = refusal(broker);
  EXPECT_NE(said.find(file), std::string::npos) << said;
  EXPECT_NE(said.find("position " + std::to_string(ends[0])), std::string::npos) << said;
  EXPECT_EQ(std::filesystem::file_size(file), ends[2]) << "nothing is cut silently";
  const auto verify = advised_command(said, "chronik log verify");
  const auto repair = advised_command(said, "chronik log repair");
  ASSERT_EQ(verify.size(), 4u) << said;
  ASSERT_EQ(repair.size(), 4u) << said;
  const std::string output = broker.directory() + "/tools.log";
  EXPECT_EQ(run_program(verify, output), 1);
  EXPECT_EQ(run_program({BrokerProcess::program(), "log", "dump", broker.data_directory()}, output),
            1);
  EXPECT_EQ(run_program(repair, output), 0);
  EXPECT_EQ(run_program(verify, output), 0);
  EXPECT_EQ(std::filesystem::file_size(file + ".damaged"), ends[2] - ends[0]);

  broker.start();
  Producer producer(broker.bootstrap());
  ASSERT_EQ(producer.produce("t", 0, "after"), 0);
  ASSERT_TRUE(producer.flush());
  Consumer consumer(broker.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{0}, std::int64_t{2}));
}

TEST_F(Server, SigtermEndsCleanlyAndKeepsEverything) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  Producer producer(broker.bootstrap(), {{"acks", "1"}});
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(producer.produce("t", 0, std::to_string(i)), 0);
  ASSERT_TRUE(producer.flush());
  // A consumer that waits in a fetch does not hold the end up.
  Consumer consumer(broker.bootstrap(), "", {{"fetch.wait.max.ms", "60000"}});
  consumer.assign({{"t", 0, 0}});
  EXPECT_EQ(consumer.consume(1000).size(), 1000u);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(broker.stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  broker.start();
  EXPECT_EQ(consumer.watermarks("t", 0).second, 1000);
}

TEST_F(Server, HelpAndVersionAreShortAndTrue) {
  const std::string log =
      std::filesystem::temp_directory_path() / ("chronik-help-" + std::to_string(getpid()));
  for (const char* flag : {"--help", "--version"}) {
    EXPECT_EQ(run_program({BrokerProcess::program(), flag}, log), 0);
  }
  EXPECT_NE(run_program({BrokerProcess::program(), "no-such-command"}, log), 0);
  std::ifstream file(log);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  for (const char* word : {"serve", "dev", "config", "log", CHRONIK_VERSION}) {
    EXPECT_NE(text.find(word), std::string::npos) << word;
  }
  std::filesystem::remove(log);
}

}  // namespace
}  // namespace chronik::integration
