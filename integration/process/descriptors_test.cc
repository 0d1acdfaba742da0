// Too few file descriptors: newcomers are turned away, logs take turns, whoever is served is served
// on, and with the crowd gone all is as before.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

class Descriptors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own limits";
    broker_.stop();
    broker_.set_wrapper({"prlimit", "--nofile=200:200"});
    log_before_ = broker_.log().size();
    broker_.start();
  }

  RawConnection connect() const { return RawConnection(broker_.host(), broker_.port()); }
  static bool serves(RawConnection& connection) {
    return call(connection, protocol::MetadataRequest{}, 9).has_value();
  }
  std::vector<std::string> lines_with(const std::string& part) const {
    std::vector<std::string> found;
    std::istringstream log(broker_.log().substr(log_before_));
    for (std::string line; std::getline(log, line);) {
      if (line.find(part) != std::string::npos) found.push_back(line);
    }
    return found;
  }

  BrokerProcess broker_;
  std::size_t log_before_ = 0;
};

TEST_F(Descriptors, ACrowdIsTurnedAwayAndWhoWasThereIsServedOn) {
  RawConnection early = connect();
  ASSERT_TRUE(serves(early));
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<RawConnection> crowd;
    int served = 0;
    for (int i = 0; i < 400; ++i) {
      crowd.push_back(connect());
      if (i % 20 == 0) served += serves(crowd.back());
    }
    EXPECT_LT(served, 20) << "all of them were let in";
    EXPECT_TRUE(serves(early));
  }
  // The broker may have to notice first that they are gone.
  bool served = false;
  for (int i = 0; i < 50 && !served; ++i) {
    RawConnection late = connect();
    served = serves(late);
  }
  EXPECT_TRUE(served);
  EXPECT_TRUE(serves(early));
  const std::vector<std::string> said = lines_with("connections refused");
  ASSERT_FALSE(said.empty());
  EXPECT_NE(said.front().find("ulimit -n"), std::string::npos) << said.front();
  // Not a line for each of hundreds, but one a second.
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(said.size(), static_cast<std::size_t>(took / std::chrono::seconds(1)) + 2);
}

TEST_F(Descriptors, MorePartitionsThanFilesMayBeOpenAreWrittenReadAndDeleted) {
  constexpr int partitions = 600;
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "wide", .partitions = partitions}).ok());
  for (const char* value : {"first", "second"}) {
    Producer producer(broker_.bootstrap(), {{"linger.ms", "100"}});
    for (int i = 0; i < partitions; ++i) ASSERT_EQ(producer.produce("wide", i, value), 0);
    ASSERT_TRUE(producer.flush());
    EXPECT_EQ(producer.failures(), 0u);
  }
  ASSERT_TRUE(broker_.running());
  const auto expect_all = [&] {
    Consumer consumer(broker_.bootstrap(), "");
    std::vector<PartitionOffset> all;
    for (int i = 0; i < partitions; ++i) all.push_back({"wide", i, 0});
    consumer.assign(all);
    std::multiset<std::string> values;
    for (const Message& message : consumer.consume(2 * partitions)) values.insert(*message.value);
    EXPECT_EQ(values.count("first"), static_cast<std::size_t>(partitions));
    EXPECT_EQ(values.count("second"), static_cast<std::size_t>(partitions));
  };
  expect_all();
  EXPECT_LE(lines_with("no file descriptors left for the logs").size(), 10u)
      << "one a shard while it lasts, not one a partition";
  broker_.restart();
  expect_all();
  ASSERT_TRUE(admin.delete_topic("wide").ok());
  ASSERT_TRUE(admin.create_topic({.name = "next"}).ok());
  Producer producer(broker_.bootstrap());
  EXPECT_EQ(producer.send({.topic = "next", .partition = 0, .value = "x"}).error, 0);
}

}  // namespace
}  // namespace chronik::integration
