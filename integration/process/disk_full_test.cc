// A disk that runs full: produce is refused before anything breaks, everything else goes on, and
// produce comes back with the space.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/produce_request.h"
#include "integration/harness/protocol_client.h"
#include "protocol/errors.h"
#include "protocol/messages/offset_commit.h"

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

std::size_t lines_with(const std::string& log, const std::string& part) {
  std::istringstream lines(log);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(part) != std::string::npos;
  return count;
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
  // Each is told what is the matter; the log says it once.
  for (int i = 0; i < 20; ++i) {
    RawConnection connection(broker.host(), broker.port());
    const auto response =
        call(connection, produce_request("other", one_record(std::string(900'000, 'x'))), 9);
    ASSERT_TRUE(response.has_value());
    const auto& refused = response->responses.at(0).partition_responses.at(0);
    EXPECT_EQ(refused.error_code, static_cast<int>(protocol::ErrorCode::kafka_storage_error));
    const std::string said = refused.error_message.value_or("");
    EXPECT_NE(said.find("nearly full"), std::string::npos) << said;
    EXPECT_NE(said.find("free some space"), std::string::npos) << said;
  }
  EXPECT_EQ(lines_with(broker.log(), "the disk is nearly full"), 1u);
  EXPECT_EQ(lines_with(broker.log(), "the disk has space again"), 0u);

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
  EXPECT_EQ(lines_with(broker.log(), "the disk is nearly full"), 1u);
  EXPECT_EQ(lines_with(broker.log(), "the disk has space again"), 1u);
}

// Somebody else takes the last byte, and what was kept in reserve is used up too: nothing more can
// be made durable, so nothing is acknowledged, but nothing is lost and the broker does not end.
TEST(DiskFull, WhatCannotBeWrittenAtAllWaitsForRoom) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka ends on a full disk";
  BrokerProcess broker(Settings{{"chronik.disk.reserve.bytes", "1048576"}});
  REQUIRE_PEER(start_on_small_disk(broker, "32m"), "mount namespaces are not allowed here");
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  RawConnection producer(broker.host(), broker.port());
  const auto produce = [&] {
    const auto response = call(producer, produce_request("t", one_record("value")), 9);
    return response ? response->responses.at(0).partition_responses.at(0).error_code : -99;
  };
  ASSERT_EQ(produce(), 0);

  // The broker's mounts are seen through /proc.
  const std::string foreign = "/proc/" + std::to_string(broker.id()) + "/root" +
                              broker.data_directory() + "/not-the-brokers";
  {
    std::ofstream file(foreign, std::ios::binary);
    const std::string block(65536, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  Consumer consumer(broker.bootstrap(), "g");
  const std::string metadata(4000, 'm');
  int committed = 0;
  RawConnection committing(broker.host(), broker.port());
  protocol::OffsetCommitRequest request;
  request.group_id = "g";
  request.generation_id_or_member_epoch = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back().committed_metadata = metadata;
  while (committed < 2000) {
    topic.partitions.front().committed_offset = committed + 1;
    ASSERT_TRUE(committing.send_frame(encode_request(request, 8, 1)));
    if (!committing.receive_frame(std::chrono::seconds(2))) break;
    ++committed;
  }
  ASSERT_LT(committed, 2000) << "the disk is not full";
  ASSERT_TRUE(broker.running());
  EXPECT_NE(produce(), 0);
  consumer.assign({{"t", 0, 0}});
  EXPECT_EQ(consumer.consume(1).size(), 1u);
  // A shard says it once; the records and the commits may be of two.
  const std::size_t said = lines_with(broker.log(), "the disk is full: what was taken waits");
  EXPECT_GE(said, 1u);
  EXPECT_LE(said, 2u);

  std::filesystem::remove(foreign);
  // The commit that waited is answered, and all is as before.
  EXPECT_TRUE(committing.receive_frame().has_value());
  EXPECT_EQ(produce(), 0);
}

}  // namespace
}  // namespace chronik::integration
