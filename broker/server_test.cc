#include "broker/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/memory_disk.h"
#include "broker/net/test_client.h"
#include "protocol/codec.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/record_builder.h"

namespace chronik::broker {
namespace {

/// The system's clocks, of which somebody turns the one on the wall.
class TurnedClock final : public Clock {
 public:
  Timestamp now_ms() const override { return system_.now_ms() + turned_ms_; }
  SteadyTime steady_now() const override { return system_.steady_now(); }
  void turn(milliseconds step) { turned_ms_ += step.count(); }

 private:
  SystemClock system_;
  std::atomic<std::int64_t> turned_ms_{0};
};

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
    send(client, request, version);
    return receive<Request>(client, version);
  }
  template <class Request>
  static void send(TestClient& client, const Request& request, std::int16_t version) {
    Writer writer;
    protocol::encode(writer, version, request);
    Bytes body;
    const ByteChain chain = writer.take_chain();
    for (const auto& part : chain.parts()) {
      const ByteView view = std::get<SharedBytes>(part).view();
      body.insert(body.end(), view.begin(), view.end());
    }
    const bool flexible = version >= Request::first_flexible;
    EXPECT_TRUE(client.send(request_frame(Request::api_key, version, 5, body, flexible)));
  }
  template <class Request>
  static typename Request::Response receive(TestClient& client, std::int16_t version) {
    const bool flexible = version >= Request::first_flexible;
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

  static void produce(Server& server, const std::string& topic, Timestamp timestamp) {
    protocol::BatchBuilder batch({});
    batch.append(timestamp, std::nullopt, as_bytes("value"));
    protocol::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 10'000;
    protocol::ProduceRequest::PartitionProduceData partition;
    partition.records = protocol::RecordsField(batch.build());
    protocol::ProduceRequest::TopicProduceData data;
    data.name = topic;
    data.partition_data.push_back(std::move(partition));
    request.topic_data.push_back(std::move(data));
    const auto response = ask(server, request, 9);
    EXPECT_EQ(response.responses.at(0).partition_responses.at(0).error_code, 0);
  }

  static Offset earliest_offset(Server& server, const std::string& topic) {
    protocol::ListOffsetsRequest request;
    protocol::ListOffsetsRequest::ListOffsetsTopic wanted;
    wanted.name = topic;
    wanted.partitions.emplace_back().timestamp = -2;
    request.topics.push_back(std::move(wanted));
    return ask(server, request, 7).topics.at(0).partitions.at(0).offset;
  }

  static protocol::FetchRequest fetch(const std::string& topic, Offset from, milliseconds wait) {
    protocol::FetchRequest request;
    request.max_wait_ms = static_cast<std::int32_t>(wait.count());
    request.min_bytes = 1;
    protocol::FetchRequest::FetchTopic wanted;
    wanted.topic = topic;
    protocol::FetchRequest::FetchPartition& partition = wanted.partitions.emplace_back();
    partition.fetch_offset = from;
    partition.partition_max_bytes = 1 << 20;
    request.topics.push_back(std::move(wanted));
    return request;
  }

  MemoryDisk disk_;
  TurnedClock clock_;
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

// A month ahead, then as far back: waits last as long as they were asked to, nothing is dropped,
// records are taken and read.
TEST_F(ServerTest, TheClockMayJumpEitherWay) {
  auto server = start({"--chronik.shards=1", "--log.retention.check.interval.ms=5",
                       "--log.retention.ms=86400000"})
                    .value();
  create(*server, "kept");
  create(*server, "old");
  const Timestamp today = clock_.now_ms();
  produce(*server, "kept", today);
  Offset end = 1;
  Offset end_of_old = 0;
  for (const int days : {30, -60, 30}) {
    constexpr milliseconds wait{200};
    TestClient waiting(server->listeners().front().port);
    const SteadyTime begin = clock_.steady_now();
    send(waiting, fetch("kept", end, wait), 12);
    clock_.turn(std::chrono::hours(24 * days));
    const auto nothing = receive<protocol::FetchRequest>(waiting, 12);
    EXPECT_EQ(nothing.responses.at(0).partitions.at(0).high_watermark, end);
    EXPECT_GE(clock_.steady_now() - begin, wait);

    // Retention has looked at all once this record, old by any clock, is gone.
    produce(*server, "old", 0);
    ++end_of_old;
    while (earliest_offset(*server, "old") != end_of_old) std::this_thread::yield();
    EXPECT_EQ(earliest_offset(*server, "kept"), 0);
    produce(*server, "kept", std::min(today, clock_.now_ms()));
    ++end;
  }
  const auto all = ask(*server, fetch("kept", 0, milliseconds(0)), 12);
  EXPECT_EQ(all.responses.at(0).partitions.at(0).high_watermark, 4);
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
  EXPECT_NE(other_node.error().message.find('2'), std::string::npos);

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
