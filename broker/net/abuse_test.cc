// What a hostile or broken peer may send, and what it must not cost: the connection ends, one line
// is logged, the reason is counted, everybody else is served on.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "broker/net/test_server.h"

namespace chronik::broker {
namespace {

class AbuseTest : public testing::Test {
 protected:
  void expect_served(std::uint16_t port) {
    TestClient client(port);
    ASSERT_TRUE(client.send(heartbeat_frame(99)));
    EXPECT_EQ(correlation_of(client.receive_frame()), 99);
  }

  /// A good request, then `bad`, then a good one: the first is answered, then it ends.
  void expect_refused(ByteView bad, CloseReason reason, const NetOptions& options = {}) {
    TestServer server(1, options);
    TestClient client = server.connect();
    Bytes all = heartbeat_frame(1);
    all.insert(all.end(), bad.begin(), bad.end());
    const Bytes good = heartbeat_frame(3);
    all.insert(all.end(), good.begin(), good.end());
    ASSERT_TRUE(client.send(all));
    EXPECT_EQ(correlation_of(client.receive_frame()), 1);
    EXPECT_TRUE(client.receive_end());
    server.await_closed(reason, 1);
    expect_served(server.port());
  }
};

Bytes frame_of(ByteView content) {
  Writer writer;
  writer.i32(static_cast<std::int32_t>(content.size()));
  writer.bytes(content);
  return writer.take_bytes();
}

Bytes length_prefix(std::int32_t length) {
  Writer writer;
  writer.i32(length);
  return writer.take_bytes();
}

TEST_F(AbuseTest, UnknownKey) {
  expect_refused(request_frame(126, 0, 2, {}), CloseReason::unknown_api);
  expect_refused(request_frame(-1, 0, 2, {}), CloseReason::unknown_api);
  expect_refused(request_frame(32767, 0, 2, {}), CloseReason::unknown_api);
  // Known to Kafka, not served here.
  expect_refused(request_frame(11, 0, 2, {}), CloseReason::unknown_api);
}

TEST_F(AbuseTest, VersionOutOfRange) {
  expect_refused(request_frame(12, 5, 2, {}), CloseReason::bad_version);
  expect_refused(request_frame(12, -1, 2, {}), CloseReason::bad_version);
  // Advertised for librdkafka's sake, and refused as Kafka does.
  expect_refused(request_frame(0, 2, 2, {}), CloseReason::bad_version);
}

TEST_F(AbuseTest, NegativeFrameLength) {
  expect_refused(length_prefix(-1), CloseReason::bad_frame);
  expect_refused(length_prefix(INT32_MIN), CloseReason::bad_frame);
}

TEST_F(AbuseTest, OversizedFrameLength) {
  expect_refused(length_prefix(INT32_MAX), CloseReason::bad_frame);
  expect_refused(as_bytes("GET / HTTP/1.1\r\n\r\n"), CloseReason::bad_frame);
  NetOptions options;
  options.request_bytes_max = 1000;
  expect_refused(length_prefix(1001), CloseReason::bad_frame, options);
}

TEST_F(AbuseTest, TooShortForAHeader) {
  for (std::size_t size = 0; size < 10; ++size) {
    Bytes start = heartbeat_frame(2);
    expect_refused(frame_of(ByteView(start).subspan(4, size)), CloseReason::bad_request);
  }
}

TEST_F(AbuseTest, UndecodableHeader) {
  Writer writer;  // a client id longer than the frame
  writer.i16(12);
  writer.i16(2);
  writer.i32(2);
  writer.i16(1000);
  writer.text("short");
  expect_refused(frame_of(writer.take_bytes()), CloseReason::bad_request);
}

TEST_F(AbuseTest, UndecodableBody) {
  expect_refused(request_frame(12, 2, 2, as_bytes("\x7f\xff nonsense")), CloseReason::bad_request);
}

TEST_F(AbuseTest, CountsThatPromiseGigabytes) {
  Writer body;
  body.i16(-1);          // transactional id: null
  body.i16(-1);          // acks
  body.i32(1000);        // timeout
  body.i32(0x7fffffff);  // topics
  expect_refused(request_frame(0, 3, 2, body.take_bytes()), CloseReason::bad_request);
}

TEST_F(AbuseTest, TrailingBytes) {
  Bytes frame = heartbeat_frame(2);
  frame.push_back(0);
  store_be(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
  expect_refused(frame, CloseReason::bad_request);
}

TEST_F(AbuseTest, AnUnservedApiVersionsIsAnswered) {
  TestServer server;
  TestClient client = server.connect();
  for (std::int16_t version : {std::int16_t{99}, std::int16_t{6}, std::int16_t{-1}}) {
    ASSERT_TRUE(client.send(request_frame(18, version, 7, as_bytes("whatever"), version > 0)));
    const std::optional<Bytes> frame = client.receive_frame();
    ASSERT_EQ(correlation_of(frame), 7);
    Reader reader(ByteView(*frame).subspan(4));
    protocol::ApiVersionsResponse response;
    ASSERT_TRUE(protocol::decode(reader, 0, response) && reader.finished());
    EXPECT_EQ(response.error_code, 35);
    ASSERT_EQ(response.api_keys.size(), 1u);
    EXPECT_EQ(response.api_keys[0].api_key, 18);
    EXPECT_EQ(response.api_keys[0].max_version, 5);
  }
  ASSERT_TRUE(client.send(heartbeat_frame(8)));
  EXPECT_EQ(correlation_of(client.receive_frame()), 8);
}

TEST_F(AbuseTest, FiveThousandConnectionsOpenedAndDropped) {
  TestServer server(2);
  for (int i = 0; i < 5000; ++i) {
    TestClient client = server.connect();
    ASSERT_TRUE(client.connected());
    if (i % 3 == 1) client.send_some(length_prefix(100));
    if (i % 3 == 2) client.reset();
  }
  server.await_connections(0);
  expect_served(server.port());
}

TEST_F(AbuseTest, ASlowDripIsClosed) {
  NetOptions options;
  options.frame_time = milliseconds(50);
  TestServer server(1, options);
  TestClient drip = server.connect();
  ASSERT_TRUE(drip.send(length_prefix(200)));
  TestClient prefix = server.connect();
  ASSERT_TRUE(prefix.send(as_bytes("ab")));
  TestClient idle = server.connect();
  EXPECT_TRUE(drip.receive_end());
  EXPECT_TRUE(prefix.receive_end());
  server.await_closed(CloseReason::slow_request, 2);
  // Silence between requests is no drip.
  ASSERT_TRUE(idle.send(heartbeat_frame(1)));
  EXPECT_EQ(correlation_of(idle.receive_frame()), 1);
}

TEST_F(AbuseTest, APromiseThatHoldsTheMemoryIsClosedWhenOthersWait) {
  NetOptions options;
  options.in_flight_bytes_max = 1 << 20;
  options.frame_time_under_pressure = milliseconds(100);
  options.pressure_check = milliseconds(50);
  TestServer server(1, options);
  TestClient hoarder = server.connect();
  ASSERT_TRUE(hoarder.send(length_prefix((1 << 20) - 1024)));
  server.await_connections(1);
  while (server.shards().first().metrics().bytes_received.value() < 4) std::this_thread::yield();
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(produce_frame(1, 1, -1, 100'000)));
  EXPECT_EQ(correlation_of(client.receive_frame()), 1);
  EXPECT_TRUE(hoarder.receive_end());
}

TEST_F(AbuseTest, ASlowFrameIsLeftAloneWhileTheLineForMemoryMoves) {
  NetOptions options;
  options.in_flight_bytes_max = 300'000;
  options.frame_time_under_pressure = milliseconds(1);
  options.frame_bytes_per_second_min_under_pressure = 1 << 30;
  options.pressure_check = milliseconds(500);
  TestServer server(1, options);
  server.state.hold_produce = true;
  TestClient slow = server.connect();
  constexpr std::int32_t slow_tag = 1'000'000'000;
  const Bytes frame = produce_frame(7, slow_tag, -1, 100'000);
  ASSERT_TRUE(slow.send(ByteView(frame).first(50'000)));
  while (server.shards().first().metrics().bytes_received.value() < 50'000) {
    std::this_thread::yield();
  }
  // Of three clients one is served while two wait: never the same one first at two looks.
  std::vector<TestClient> clients;
  for (std::int32_t tag = 0; tag < 3; ++tag) {
    clients.push_back(server.connect());
    ASSERT_TRUE(clients.back().send(produce_frame(tag, tag, -1, 100'000)));
  }
  const auto serve_one = [&] {
    const std::int32_t tag = server.state.await_any();
    server.state.release(tag);
    EXPECT_EQ(correlation_of(clients[static_cast<std::size_t>(tag % 3)].receive_frame()), tag);
    return tag;
  };
  const auto end = std::chrono::steady_clock::now() + 3 * options.pressure_check;
  while (std::chrono::steady_clock::now() < end) {
    const std::int32_t next = serve_one() + 3;
    TestClient& client = clients[static_cast<std::size_t>(next % 3)];
    ASSERT_TRUE(client.send(produce_frame(next, next, -1, 100'000)));
  }
  EXPECT_GE(server.shards().first().metrics().budget_waits.value(), 3u);
  ASSERT_FALSE(slow.readable_within(0));
  // And it is served in the end.
  for (int i = 0; i < 3; ++i) serve_one();
  ASSERT_TRUE(slow.send(ByteView(frame).subspan(50'000)));
  server.state.release(slow_tag);
  EXPECT_EQ(correlation_of(slow.receive_frame()), 7);
}

// Whole lines of such promises, each of which would have its time.
TEST_F(AbuseTest, SmallRequestsAreServedWhilePromisesHoldTheMemory) {
  NetOptions options;
  options.in_flight_bytes_max = 1 << 20;
  options.frame_time_under_pressure = std::chrono::hours(1);
  TestServer server(1, options);
  std::vector<TestClient> hoarders;
  for (int i = 0; i < 5; ++i) {
    hoarders.push_back(server.connect());
    ASSERT_TRUE(hoarders.back().send(length_prefix((1 << 20) - 1024)));
  }
  const ShardMetrics& metrics = server.shards().first().metrics();
  while (metrics.budget_waits.value() < hoarders.size() - 1) std::this_thread::yield();
  expect_served(server.port());
}

TEST_F(AbuseTest, IdleAndHalfOpenPeersAreClosed) {
  NetOptions options;
  options.idle_max = milliseconds(100);
  TestServer server(1, options);
  TestClient idle = server.connect();
  TestClient waiting = server.connect();
  ASSERT_TRUE(waiting.send(fetch_frame(1, 1, true, 5)));
  EXPECT_TRUE(idle.receive_end());
  server.await_closed(CloseReason::idle, 1);
  // It is not idle whose answer we owe.
  server.state.release(5);
  EXPECT_EQ(correlation_of(waiting.receive_frame()), 1);
  EXPECT_TRUE(waiting.receive_end());
}

TEST_F(AbuseTest, AReaderThatNeverReadsIsClosed) {
  NetOptions options;
  options.idle_max = milliseconds(200);
  TestServer server(1, options);
  TestClient client = server.connect(8 << 10);
  for (std::int32_t i = 0; i < 30; ++i) ASSERT_TRUE(client.send(fetch_frame(i, 1 << 20, true)));
  server.await_closed(CloseReason::slow_reader, 1);
  expect_served(server.port());
}

TEST_F(AbuseTest, TooManyConnectionsAreRefused) {
  NetOptions options;
  options.connections.per_ip_max = 3;
  TestServer server(2, options);
  std::vector<TestClient> clients;
  clients.reserve(3);
  for (int i = 0; i < 3; ++i) clients.push_back(server.connect());
  server.await_connections(3);
  TestClient refused = server.connect();
  EXPECT_TRUE(refused.receive_end());
  server.await_closed(CloseReason::too_many, 1);
  clients.pop_back();
  server.await_connections(2);
  expect_served(server.port());
}

TEST_F(AbuseTest, NoFileDescriptorsLeft) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  TestServer server(2);
  std::vector<TestClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(server.connect());
    ASSERT_TRUE(clients.back().send(heartbeat_frame(i)));
    ASSERT_EQ(correlation_of(clients.back().receive_frame()), i);
  }
  // Five descriptors are left, for clients and accepted sockets together: some must be shed.
  const int highest = ::open("/dev/null", O_RDONLY);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(highest) + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  std::vector<int> fillers{highest};
  for (int fd = 0; fd >= 0;) {
    fd = ::open("/dev/null", O_RDONLY);
    if (fd >= 0) fillers.push_back(fd);
  }
  ASSERT_GE(fillers.size(), 5u);
  for (int i = 0; i < 5; ++i) {
    ::close(fillers.back());
    fillers.pop_back();
  }
  std::vector<TestClient> late;
  late.reserve(4);
  for (int i = 0; i < 4; ++i) late.push_back(server.connect());
  int shed = 0;
  for (TestClient& client : late) {
    if (!client.connected()) continue;
    client.send(heartbeat_frame(1));
    if (correlation_of(client.receive_frame()) != 1) ++shed;
  }
  EXPECT_GE(shed, 1);
  // Those who were there are served meanwhile, and all are when there are descriptors again.
  ASSERT_TRUE(clients[0].send(heartbeat_frame(42)));
  EXPECT_EQ(correlation_of(clients[0].receive_frame()), 42);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  for (int fd : fillers) ::close(fd);
  expect_served(server.port());
  std::uint64_t counted = 0;
  for (std::uint32_t id = 0; id < 2; ++id) {
    counted += server.shards().at(id).metrics().connections_shed.value();
  }
  EXPECT_GE(counted, 1u);
}

TEST_F(AbuseTest, APortInUseIsSaidInOneLine) {
  TestServer server;
  SystemClock clock;
  Shards shards(1, clock, 1);
  Broker broker;
  const std::array<ApiEntry, 1> entries = {api_versions_entry()};
  const ApiTable apis(entries);
  {
    NetServer second(shards, broker, apis, {});
    const Result<void> opened = second.open({Listener{"PLAINTEXT", "127.0.0.1", server.port()}});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::busy);
    EXPECT_NE(opened.error().message.find("in use"), std::string::npos);
    EXPECT_EQ(opened.error().message.find('\n'), std::string::npos);
  }
  shards.stop();
}

}  // namespace
}  // namespace chronik::broker
