#include "broker/server.h"

#include <gtest/gtest.h>

#include "base/memory_disk.h"
#include "broker/net/test_client.h"
#include "protocol/codec.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/metadata.h"

namespace chronik::broker {
namespace {

class ServerTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Server>> start(std::vector<std::string> flags = {}) {
    StartSources sources;
    // What the command sets by itself gives way to flags.
    sources.command = {{"listeners", "PLAINTEXT://127.0.0.1:0"}, {"log.dirs", "/data"}};
    sources.flags = std::move(flags);
    StartConfig config = read_start_config(sources).value();
    Settings settings = start_settings(config).value();
    return Server::start(std::move(config), std::move(settings), disk_, clock_);
  }

  template <class Request>
  static typename Request::Response ask(Server& server, const Request& request,
                                        std::int16_t version) {
    TestClient client(server.listeners().front().port);
    const Bytes body = protocol::encode_to_bytes(version, request);
    const bool flexible = version >= Request::first_flexible;
    EXPECT_TRUE(client.send(request_frame(Request::api_key, version, 5, body, flexible)));
    const std::optional<Bytes> frame = client.receive_frame();
    EXPECT_TRUE(frame.has_value());
    typename Request::Response response;
    if (!frame) return response;
    const std::size_t header = flexible && Request::api_key != 18 ? 5 : 4;
    Reader reader(ByteView(*frame).subspan(header));
    EXPECT_TRUE(protocol::decode(reader, version, response) && reader.finished());
    return response;
  }

  static void create(Server& server, std::string name) {
    protocol::CreateTopicsRequest request;
    protocol::CreateTopicsRequest::CreatableTopic topic;
    topic.name = std::move(name);
    topic.num_partitions = 2;
    topic.replication_factor = 1;
    request.topics.push_back(std::move(topic));
    const auto response = ask(server, request, 7);
    EXPECT_EQ(response.topics.at(0).error_code, 0);
  }

  static protocol::MetadataResponse all_topics(Server& server) {
    protocol::MetadataRequest request;
    request.topics.reset();
    return ask(server, request, 13);
  }

  MemoryDisk disk_;
  SystemClock clock_;
};

TEST_F(ServerTest, TopicsAndTheClusterSurviveARestart) {
  std::string cluster_id;
  {
    auto server = start({"--chronik.shards=3"}).value();
    cluster_id = server->cluster_id();
    for (const char* name : {"a", "b", "c"}) create(*server, name);
    EXPECT_EQ(all_topics(*server).topics.size(), 3u);
    server->stop(milliseconds(1000));
  }
  auto server = start().value();
  EXPECT_EQ(server->cluster_id(), cluster_id);
  const protocol::MetadataResponse response = all_topics(*server);
  EXPECT_EQ(response.cluster_id, cluster_id);
  EXPECT_EQ(response.topics.size(), 3u);
  EXPECT_EQ(response.brokers.at(0).port, server->listeners().front().port);
}

TEST_F(ServerTest, ATopicIsSeenByAllShardsOnceItIsAnswered) {
  auto server = start({"--chronik.shards=4"}).value();
  for (int i = 0; i < 40; ++i) {
    create(*server, "topic-" + std::to_string(i));
    // Each request is a new connection, so on another shard.
    ASSERT_EQ(all_topics(*server).topics.size(), static_cast<std::size_t>(i) + 1);
  }
}

TEST_F(ServerTest, StartsThatMustBeRefusedSayWhatToDo) {
  auto first = start().value();
  const auto second = start();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().message.find("/data"), std::string::npos);
  first->stop(milliseconds(0));

  const auto other_node = start({"--node.id=2"});
  ASSERT_FALSE(other_node);
  EXPECT_NE(other_node.error().message.find("2"), std::string::npos);

  EXPECT_TRUE(start());
}

TEST_F(ServerTest, ALostMetadataLogDoesNotRemoveThePartitions) {
  start().value()->stop(milliseconds(0));
  const std::string mark = "/data/a-0/" + Uuid::from_random(1, 2).to_string() + ".topic";
  ASSERT_TRUE(disk_.make_directories("/data/a-0"));
  ASSERT_TRUE(disk_.open(mark, OpenMode::create));
  ASSERT_TRUE(disk_.rename("/data/__meta-0", "/data/saved"));

  const auto without = start();
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().message.find("/data/__meta-0"), std::string::npos);
  EXPECT_NE(without.error().message.find("/data/a-0"), std::string::npos);
  EXPECT_TRUE(disk_.exists(mark).value());
}

TEST_F(ServerTest, APortInUseLeavesNothingBehind) {
  auto first = start({"--log.dirs=/one"}).value();
  const std::string port = std::to_string(first->listeners().front().port);
  const auto second = start({"--listeners=PLAINTEXT://127.0.0.1:" + port});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().message.find(port), std::string::npos);
  // The directory is free again.
  EXPECT_TRUE(start());
}

}  // namespace
}  // namespace chronik::broker
