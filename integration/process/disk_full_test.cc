// A disk that runs full: produce is refused before anything breaks, everything else goes on, and
// produce comes back with the space.
#include <gtest/gtest.h>

#include <filesystem>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

constexpr rd_kafka_resp_err_t no_error = RD_KAFKA_RESP_ERR_NO_ERROR;

/// Restarts the broker on an empty file system of `size`, which nobody else sees.
bool start_on_small_disk(BrokerProcess& broker, const std::string& size) {
  const std::string log = broker.directory() + "/probe.log";
  const std::vector<std::string> own_mounts{"unshare", "--map-root-user", "--mount"};
  std::vector<std::string> probe = own_mounts;
  for (const char* word : {"mount", "-t", "tmpfs", "none", "/mnt"}) probe.emplace_back(word);
  if (run_program(probe, log) != 0) return false;
  broker.stop();
  std::filesystem::remove_all(broker.data_directory());
  std::filesystem::create_directory(broker.data_directory());
  std::vector<std::string> wrapper = own_mounts;
  for (const std::string& word :
       {std::string("sh"), std::string("-c"),
        "mount -t tmpfs -o size=" + size + " none " + broker.data_directory() + " && exec \"$@\"",
        std::string("sh")}) {
    wrapper.push_back(word);
  }
  broker.set_wrapper(wrapper);
  broker.start();
  return true;
}

TEST(DiskFull, ProduceIsRefusedUntilThereIsRoomAndTheRestGoesOn) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka ends on a full disk";
  BrokerProcess broker(
      Settings{{"chronik.disk.reserve.bytes", "16777216"}, {"log.segment.delete.delay.ms", "0"}});
  REQUIRE_PEER(start_on_small_disk(broker, "96m"), "mount namespaces are not allowed here");

  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "full"}).ok());
  ASSERT_TRUE(admin.create_topic({.name = "other"}).ok());
  std::size_t acknowledged = 0;
  rd_kafka_resp_err_t error = no_error;
  {
    Producer producer(broker.bootstrap(), {{"message.send.max.retries", "0"}});
    for (int i = 0; i < 200 && error == no_error; ++i) {
      error = producer.send({.topic = "full", .partition = 0, .value = std::string(900'000, 'x')})
                  .error;
      if (error == no_error) ++acknowledged;
    }
  }
  EXPECT_NE(error, no_error);
  EXPECT_GT(acknowledged, 40u);
  ASSERT_TRUE(broker.running());

  // Reads, commits and topics go on.
  {
    Consumer consumer(broker.bootstrap(), "g");
    consumer.assign({{"full", 0, 0}});
    EXPECT_EQ(consumer.consume(acknowledged).size(), acknowledged);
    EXPECT_EQ(consumer.commit({{"full", 0, 5}}), no_error);
  }
  EXPECT_TRUE(admin.create_topic({.name = "third"}).ok());

  ASSERT_TRUE(admin.delete_topic("full").ok());
  Producer producer(broker.bootstrap());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(
        producer.send({.topic = "other", .partition = 0, .value = std::string(900'000, 'y')}).error,
        no_error);
  }
}

}  // namespace
}  // namespace chronik::integration
