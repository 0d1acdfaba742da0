// The program itself: starts that must be refused in one line that says what to do, and the end by
// a signal.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

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
  for (const char* word : {"serve", "dev", "config", CHRONIK_VERSION}) {
    EXPECT_NE(text.find(word), std::string::npos) << word;
  }
  std::filesystem::remove(log);
}

}  // namespace
}  // namespace chronik::integration
