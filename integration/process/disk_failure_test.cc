// A disk that fails under a running broker: the first failed write or sync ends the process, and
// who was waiting for it hears nothing that is not true. strace plays the disk.
#include <gtest/gtest.h>

#include <filesystem>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/produce_request.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/create_topics.h"

namespace chronik::integration {
namespace {

constexpr int exit_disk_failure = 74;

class DiskFailure : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own files";
    REQUIRE_PEER(run_program({"strace", "-D", "-f", "-qq", "-o", "/dev/null", "true"},
                             broker_.directory() + "/probe.log") == 0,
                 "there is no strace, or it may not trace");
    Admin admin(broker_.bootstrap());
    for (const char* name : {"sound", "failing"}) {
      ASSERT_TRUE(admin.create_topic({.name = name}).ok());
      ASSERT_EQ(produce(name, "before", -1), std::optional<std::int16_t>(0));
    }
  }

  /// From the next start on `system_call` fails with `error` when it is about `file`.
  void start_failing(const std::string& system_call, const std::string& error,
                     const std::string& file) {
    broker_.stop();
    broker_.set_wrapper({"strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P",
                         broker_.data_directory() + "/" + file, "-e", "trace=" + system_call, "-e",
                         "inject=" + system_call + ":error=" + error});
    broker_.start();
  }
  void start_sound() {
    broker_.set_wrapper({});
    broker_.start();
  }

  /// The error code of the answer; nothing when there was none.
  std::optional<std::int16_t> produce(const std::string& topic, const std::string& value,
                                      std::int16_t acks) const {
    RawConnection connection(broker_.host(), broker_.port());
    const auto response = call(connection, produce_request(topic, one_record(value), acks), 9);
    if (!response) return std::nullopt;
    return response->responses.at(0).partition_responses.at(0).error_code;
  }

  void expect_ended(const std::string& file, const std::string& why) {
    EXPECT_EQ(broker_.wait_for_end(), exit_disk_failure);
    std::string said = broker_.log();
    said.erase(0, said.find('\n', said.rfind(" info listening ")) + 1);
    // Said beside the first requests, one of which may have ended it.
    if (const std::size_t started = said.find(" info started "); started != std::string::npos) {
      const std::size_t line = said.rfind('\n', started) + 1;
      said.erase(line, said.find('\n', started) + 1 - line);
    }
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    for (const std::string& word : {std::string("the disk failed"), file, why}) {
      EXPECT_NE(said.find(word), std::string::npos) << said;
    }
  }
  void expect_values(const std::string& topic, const std::vector<std::string>& acknowledged) {
    Consumer consumer(broker_.bootstrap(), "");
    consumer.assign({{topic, 0, 0}});
    const std::vector<Message> read = consumer.consume(acknowledged.size());
    ASSERT_EQ(read.size(), acknowledged.size());
    for (std::size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i].value, acknowledged[i]);
  }

  BrokerProcess broker_;
};

TEST_F(DiskFailure, AFailedSyncOrWriteAcknowledgesNothingAndEndsTheProcess) {
  const std::string file = "failing-0/00000000000000000000.log";
  std::vector<std::string> acknowledged{"before"};
  int run = 0;
  for (const char* system_call : {"fdatasync", "pwritev"}) {
    for (const std::int16_t acks : {std::int16_t{-1}, std::int16_t{1}}) {
      SCOPED_TRACE(std::string(system_call) + " acks " + std::to_string(acks));
      start_failing(system_call, "EIO", file);
      // Others' records are taken until then.
      acknowledged.push_back(std::to_string(++run));
      EXPECT_EQ(produce("sound", acknowledged.back(), -1), std::optional<std::int16_t>(0));
      EXPECT_EQ(produce("failing", "not acknowledged", acks), std::nullopt);
      expect_ended(broker_.data_directory() + "/" + file, "Input/output error");
      start_sound();
      expect_values("sound", acknowledged);
      expect_values("failing", {"before"});
    }
  }
}

TEST_F(DiskFailure, ATopicThatTheDiskDidNotTakeIsNotAnswered) {
  const std::string file = "__meta-0/00000000000000000000.log";
  start_failing("fdatasync", "EIO", file);
  RawConnection connection(broker_.host(), broker_.port());
  protocol::CreateTopicsRequest request;
  request.timeout_ms = 5000;
  protocol::CreateTopicsRequest::CreatableTopic& topic = request.topics.emplace_back();
  topic.name = "new";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  EXPECT_FALSE(call(connection, request).has_value());
  expect_ended(broker_.data_directory() + "/" + file, "Input/output error");
  start_sound();
  expect_values("sound", {"before"});
}

TEST_F(DiskFailure, ANameThatIsNotDurableIsNoPlaceForRecords) {
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "new"}).ok());
  start_failing("fsync", "EIO", "new-0");
  EXPECT_EQ(produce("new", "not acknowledged", -1), std::nullopt);
  expect_ended(broker_.data_directory() + "/new-0", "Input/output error");
  start_sound();
  EXPECT_EQ(produce("new", "after", -1), std::optional<std::int16_t>(0));
}

}  // namespace
}  // namespace chronik::integration
