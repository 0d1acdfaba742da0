#include "broker/cli/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/memory_disk.h"
#include "base/uuid.h"

namespace chronik::broker::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Run : public testing::Test {
 protected:
  int run(const std::vector<std::string>& arguments) {
    const Programs programs{.serve = [this](Start start, bool dev) {
      start_ = std::move(start);
      dev_ = dev;
      return 7;
    }};
    std::ostringstream out, err;
    const int code = cli::run(arguments, {environment_, disk_, programs, {out, err, terminal_}});
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  void write(const std::string& path, std::string_view text) {
    const auto file = disk_.open(path, OpenMode::create).value();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    ASSERT_TRUE(file->write_at(0, ByteView(bytes, text.size())));
  }

  MemoryDisk disk_;
  Environment environment_ = {{"HOME", "/users/eva"}};
  std::optional<Start> start_;
  bool dev_ = false;
  bool terminal_ = false;
  std::string out_;
  std::string err_;
};

TEST_F(Run, ABrokerThatIsNotThereIsSaidWithTheWayOut) {
  EXPECT_EQ(run({"cluster", "status", "--bootstrap-server", "127.0.0.1:1"}), exit_failed);
  EXPECT_THAT(err_, AllOf(StartsWith("chronik: no broker answers at 127.0.0.1:1"),
                          HasSubstr("--bootstrap-server")));
  EXPECT_EQ(run({"cluster", "add", "4", "--bootstrap-server", "nonsense"}), exit_failed);
  EXPECT_THAT(err_, HasSubstr("host:port"));
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(Run, ServeReadsFileEnvironmentAndFlags) {
  write("/broker.properties", "num.partitions=3\nlog.dirs=/data\nzookeeper.connect=z:2181\n");
  environment_.emplace_back("CHRONIK_NODE_ID", "4");
  EXPECT_EQ(run({"serve", "--config=/broker.properties", "--log.dirs=/other"}), 7);
  ASSERT_TRUE(start_.has_value());
  EXPECT_EQ(start_->settings.num_partitions, 3);
  EXPECT_EQ(start_->settings.node_id, 4);
  EXPECT_THAT(start_->settings.log_dirs, ElementsAre("/other"));
  EXPECT_EQ(start_->config.warnings.size(), 1u);
  EXPECT_FALSE(dev_);
  EXPECT_EQ(err_, "");
}

TEST_F(Run, DevNeedsNothing) {
  EXPECT_EQ(run({"dev"}), 7);
  ASSERT_TRUE(start_.has_value());
  EXPECT_TRUE(dev_);
  EXPECT_THAT(start_->settings.listeners, ElementsAre(Listener{"PLAINTEXT", "127.0.0.1", 9092}));
  EXPECT_THAT(start_->settings.log_dirs, ElementsAre("/users/eva/.local/state/chronik"));
  EXPECT_EQ(start_->settings.group_initial_rebalance_delay_ms, milliseconds{0});
  environment_.emplace_back("XDG_STATE_HOME", "/state");
  run({"dev"});
  EXPECT_THAT(start_->settings.log_dirs, ElementsAre("/state/chronik"));
  run({"dev", "--log.dirs=/elsewhere", "--listeners=PLAINTEXT://127.0.0.1:0"});
  EXPECT_THAT(start_->settings.log_dirs, ElementsAre("/elsewhere"));
  EXPECT_EQ(start_->settings.listeners[0].port, 0);
}

TEST_F(Run, DevWithoutAHomeAsksWhereTheDataGoes) {
  environment_.clear();
  EXPECT_EQ(run({"dev"}), exit_misused);
  EXPECT_EQ(err_,
            "chronik: neither XDG_STATE_HOME nor HOME is set; say where the data goes with "
            "--log.dirs=DIR\n");
  EXPECT_EQ(run({"dev", "--log.dir=/x"}), 7);
}

TEST_F(Run, AMistakeInASettingIsOneLine) {
  EXPECT_EQ(run({"serve", "--num.partition=1"}), exit_misused);
  EXPECT_EQ(err_,
            "chronik: command line: num.partition=1: unknown setting; did you mean "
            "num.partitions?\n");
  EXPECT_EQ(out_, "");
  write("/f", "num.partitions=0");
  EXPECT_EQ(run({"serve", "--config=/f"}), exit_misused);
  EXPECT_EQ(err_, "chronik: /f:1: num.partitions=0: Value must be at least 1\n");
  EXPECT_FALSE(start_.has_value());
}

TEST_F(Run, AMissingFileIsOneLine) {
  EXPECT_EQ(run({"serve", "--config=/nowhere"}), exit_misused);
  EXPECT_EQ(err_,
            "chronik: --config=/nowhere: there is no such file; `chronik config list --properties` "
            "prints one to start from\n");
}

TEST_F(Run, AHugeFileIsRefusedUnread) {
  const auto file = disk_.open("/huge", OpenMode::create).value();
  ASSERT_TRUE(file->truncate(std::uint64_t{1} << 21));
  EXPECT_EQ(run({"serve", "--config=/huge"}), exit_misused);
  EXPECT_THAT(err_, HasSubstr("are no file of settings"));
}

TEST_F(Run, ConfigListPrintsTheReference) {
  EXPECT_EQ(run({"config", "list"}), exit_fine);
  EXPECT_THAT(out_, HasSubstr("\nlog.retention.ms\n"));
  EXPECT_EQ(run({"config", "list", "retention.minutes"}), exit_fine);
  EXPECT_THAT(out_, StartsWith("Settings of the broker\n\nlog.retention.minutes\n"));
  EXPECT_EQ(run({"config", "list", "qwerty"}), exit_misused);
  EXPECT_EQ(err_, "chronik: no setting has qwerty in its name\n");
  EXPECT_EQ(run({"config", "list", "--properties"}), exit_fine);
  EXPECT_THAT(out_, HasSubstr("\n#log.retention.ms=\n"));
}

TEST_F(Run, LogVerifyTellsDamageAndTheWayOut) {
  ASSERT_TRUE(disk_.make_directories("/data/t-0"));
  write("/data/chronik.lock", "");
  write("/data/t-0/" + Uuid::from_random(1, 2).to_string() + ".topic", "");
  EXPECT_EQ(run({"log", "verify", "/data"}), exit_fine);
  EXPECT_EQ(out_,
            "/data: 1 partition, 0 segments, 0 batches, 0 records, 0 bytes\n"
            "no damage\n");
  EXPECT_EQ(err_, "");
  write("/data/t-0/checkpoint", "nonsense");
  terminal_ = true;
  EXPECT_EQ(run({"log", "verify", "/data/"}), exit_failed);
  EXPECT_THAT(out_, AllOf(StartsWith("/data/t-0/checkpoint position 0: DAMAGE: "),
                          HasSubstr("\n1 damage\n"), EndsWith("  chronik log repair /data/t-0\n")));
  EXPECT_EQ(run({"log", "dump", "/data"}), exit_failed);
  EXPECT_THAT(out_, HasSubstr("DAMAGE"));
  EXPECT_EQ(err_, "chronik: 1 damage met; `chronik log verify /data` tells what to do\n");
  EXPECT_EQ(run({"log", "repair", "/data/t-0"}), exit_fine);
  EXPECT_THAT(out_, StartsWith("first damage: /data/t-0/checkpoint position 0"));
  EXPECT_THAT(out_, HasSubstr("The checkpoint was lost"));
  EXPECT_EQ(run({"log", "verify", "/data"}), exit_fine);
  EXPECT_EQ(run({"log", "repair", "/data/t-0"}), exit_fine);
  EXPECT_EQ(out_, "/data/t-0: no damage; nothing was changed\n");
}

TEST_F(Run, LogCommandsOnNoDataDirectoryFailInOneLine) {
  for (const char* verb : {"dump", "verify", "repair"}) {
    EXPECT_EQ(run({"log", verb, "/nowhere"}), exit_failed);
    EXPECT_EQ(err_, "chronik: /nowhere: no such directory\n");
    EXPECT_EQ(out_, "");
  }
}

TEST_F(Run, LogCommandsSayThatABrokerIsRunning) {
  ASSERT_TRUE(disk_.make_directories("/data/t-0"));
  write("/data/t-0/" + Uuid::from_random(1, 2).to_string() + ".topic", "");
  const auto lock = disk_.lock("/data/chronik.lock");
  for (const char* path : {"/data", "/data/t-0"}) {
    EXPECT_EQ(run({"log", "verify", path}), exit_fine);
    EXPECT_THAT(err_, HasSubstr("a broker is using this directory"));
  }
  EXPECT_EQ(run({"log", "repair", "/data/t-0"}), exit_failed);
}

TEST_F(Run, MetadataDumpOfNoDataDirectoryFailsInOneLine) {
  EXPECT_EQ(run({"metadata", "dump", "/nowhere"}), exit_failed);
  EXPECT_EQ(err_, "chronik: /nowhere: no data directory of a broker: there is no __meta-0 in it\n");
  ASSERT_TRUE(disk_.make_directories("/data/__meta-0"));
  for (const char* path : {"/data", "/data/__meta-0"}) {
    EXPECT_EQ(run({"metadata", "dump", path}), exit_fine);
    EXPECT_THAT(out_, StartsWith("index=0 term=-1 committed=0 last_index=0 hash="));
    EXPECT_EQ(run({"metadata", "dump", path, "--at", "1"}), exit_failed);
    EXPECT_THAT(err_, HasSubstr("there is no image after entry 1"));
  }
}

TEST_F(Run, HelpGoesToOutAndMistakesToErr) {
  EXPECT_EQ(run({"--help"}), exit_fine);
  EXPECT_THAT(out_, HasSubstr("Usage: "));
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run({"frobnicate"}), exit_misused);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, EndsWith("see `chronik --help`\n"));
}

TEST(HowToConnect, NamesAddressAndDirectory) {
  const std::string text = how_to_connect("127.0.0.1:9092", "/data");
  EXPECT_THAT(text, HasSubstr("kcat -b 127.0.0.1:9092 -L"));
  EXPECT_THAT(text, HasSubstr("--bootstrap-server 127.0.0.1:9092"));
  EXPECT_THAT(text, HasSubstr("/data"));
}

}  // namespace
}  // namespace chronik::broker::cli
