// The program itself: starts that must be refused in one line that says what to do, and the end by
// a signal.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/crc32c.h"
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

  /// Starts the stopped broker, expects it to end by itself with an error, and gives the one line
  /// that it said.
  static std::string refusal(BrokerProcess& broker) {
    const std::size_t before = broker.log().size();
    broker.launch();
    const int status = broker.wait_for_end();
    EXPECT_GT(status, 0);
    EXPECT_LT(status, 128) << "ended by a signal";
    std::string said = broker.log().substr(before);
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_TRUE(said.starts_with("chronik: ")) << said;
    return said;
  }
  /// Each of the parts that `said` lacks is a failure.
  static void expect_said(const std::string& said, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) EXPECT_NE(said.find(part), std::string::npos) << said;
  }
};

TEST_F(Server, SecondProcessOnADirectoryIsRefused) {
  BrokerProcess first;
  BrokerProcess second;
  second.stop();
  second.settings()["log.dirs"] = first.data_directory();
  expect_said(refusal(second), {first.data_directory(), "id " + std::to_string(first.id()),
                                "stop the other process"});
  EXPECT_TRUE(first.running());
  RawConnection connection(first.host(), first.port());
  EXPECT_TRUE(connection.connected());
}

TEST_F(Server, PortInUseIsRefused) {
  BrokerProcess first;
  BrokerProcess second;
  second.stop();
  second.settings()["listeners"] = "PLAINTEXT://" + first.bootstrap();
  expect_said(refusal(second), {first.bootstrap(), "in use", "listeners"});
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
  expect_said(refusal(broker), {file, "Not a directory", "log.dirs"});
  broker.settings()["log.dirs"] = file;
  expect_said(refusal(broker), {file, "log.dirs"});
}

TEST_F(Server, ALimitOfTooFewOpenFilesIsRefused) {
  BrokerProcess broker;
  broker.stop();
  broker.set_wrapper({"prlimit", "--nofile=100:100"});
  expect_said(refusal(broker), {"limit of open files is 100", "200", "ulimit -n"});
}

TEST_F(Server, ADirectoryThatIsMountedReadOnlyIsRefused) {
  BrokerProcess broker;
  broker.stop();
  const std::vector<std::string> own_mounts{"unshare", "--map-root-user", "--mount"};
  const std::string mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && ";
  std::vector<std::string> probe = own_mounts;
  for (const std::string& word :
       {std::string("sh"), std::string("-c"), mount + "true", broker.data_directory()}) {
    probe.push_back(word);
  }
  REQUIRE_PEER(run_program(probe, broker.directory() + "/probe.log") == 0,
               "mount namespaces are not allowed here");
  std::vector<std::string> wrapper = own_mounts;
  for (const std::string& word :
       {std::string("sh"), std::string("-c"), mount + "exec \"$@\"", broker.data_directory()}) {
    wrapper.push_back(word);
  }
  broker.set_wrapper(wrapper);
  expect_said(refusal(broker), {broker.data_directory(), "Read-only file system", "writable"});
}

TEST_F(Server, ALogOfANewerFormatIsRefusedAndLeftAsItIs) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  {
    Producer producer(broker.bootstrap());
    ASSERT_EQ(producer.produce("t", 0, "value"), 0);
    ASSERT_TRUE(producer.flush());
  }
  broker.stop();
  const auto content = [](const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  };
  const auto write = [](const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  };
  // The data directory as a whole, and one log in it: both have a version up front.
  const std::string stamp = broker.data_directory() + "/chronik.stamp";
  const std::string good_stamp = content(stamp);
  ASSERT_TRUE(good_stamp.starts_with("format=1\n"));
  write(stamp, "format=2" + good_stamp.substr(8));
  expect_said(refusal(broker), {stamp, "newer chronik", "use that version"});
  write(stamp, good_stamp);

  const std::string checkpoint = broker.data_directory() + "/t-0/checkpoint";
  const std::string good_checkpoint = content(checkpoint);
  constexpr std::size_t version_at = 8, crc_at = 12, body_at = 16;  // wal/format.md
  std::string newer = good_checkpoint;
  ASSERT_GT(newer.size(), body_at);
  newer[version_at] = 0x7f;
  const ByteView bytes = as_bytes(newer);
  const std::uint32_t crc = crc32c_extend(crc32c(bytes.first(crc_at)), bytes.subspan(body_at));
  for (std::size_t i = 0; i < 4; ++i) newer[crc_at + i] = static_cast<char>(crc >> (24 - 8 * i));
  write(checkpoint, newer);
  expect_said(refusal(broker), {checkpoint, "newer chronik", "use that version"});
  EXPECT_EQ(content(checkpoint), newer);
  write(checkpoint, good_checkpoint);

  broker.start();
  Consumer consumer(broker.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{0}, std::int64_t{1}));
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
  // The consumer's own question could wait on its connection behind a fetch of a minute.
  EXPECT_EQ(Consumer(broker.bootstrap(), "", {}).watermarks("t", 0).second, 1000);
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
