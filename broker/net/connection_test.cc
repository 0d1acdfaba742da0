#include "broker/net/connection.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <numeric>

#include "broker/net/test_server.h"

namespace chronik::broker {
namespace {

std::int16_t heartbeat_error(const Bytes& frame) {
  return load_be<std::int16_t>(frame.data() + 8);  // correlation id, throttle time
}

TEST(ConnectionTest, AThousandPipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  TestClient client = server.connect();
  Bytes all;
  for (std::int32_t i = 0; i < 1000; ++i) {
    const Bytes frame = heartbeat_frame(i, static_cast<std::int16_t>(i));
    all.insert(all.end(), frame.begin(), frame.end());
  }
  ASSERT_TRUE(client.send(all));
  for (std::int32_t i = 0; i < 1000; ++i) {
    const std::optional<Bytes> frame = client.receive_frame();
    ASSERT_EQ(correlation_of(frame), i);
    ASSERT_EQ(heartbeat_error(*frame), i);
  }
}

TEST(ConnectionTest, ARequestMayArriveByteByByte) {
  TestServer server;
  TestClient client = server.connect();
  for (int round = 0; round < 3; ++round) {
    const Bytes frame = heartbeat_frame(round);
    for (std::uint8_t byte : frame) ASSERT_TRUE(client.send(ByteView(&byte, 1)));
    EXPECT_EQ(correlation_of(client.receive_frame()), round);
  }
}

TEST(ConnectionTest, ProduceBehindProduceRunsTogetherAndAnswersInOrder) {
  TestServer server;
  server.state.hold_produce = true;
  TestClient client = server.connect();
  for (std::int32_t i = 1; i <= 4; ++i) ASSERT_TRUE(client.send(produce_frame(i, i)));
  ASSERT_TRUE(client.send(heartbeat_frame(5)));
  server.state.await_waiting(4);
  {
    std::lock_guard lock(server.state.mutex);
    EXPECT_EQ(server.state.started, (std::vector<std::int32_t>{1, 2, 3, 4}));
  }
  for (std::int32_t tag : {4, 2, 3}) server.state.release(tag);
  // The first is still under way, so nothing may be answered, the heartbeat neither.
  EXPECT_FALSE(client.readable_within(50));
  server.state.release(1);
  for (std::int32_t i = 1; i <= 5; ++i) EXPECT_EQ(correlation_of(client.receive_frame()), i);
}

TEST(ConnectionTest, WhatIsNotPipelinedRunsAlone) {
  TestServer server;
  server.state.hold_produce = true;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(fetch_frame(1, 10, true, 77)));
  ASSERT_TRUE(client.send(produce_frame(2, 2)));
  server.state.await_waiting(1);
  EXPECT_FALSE(client.readable_within(50));
  {
    std::lock_guard lock(server.state.mutex);
    EXPECT_TRUE(server.state.started.empty());
  }
  server.state.release(77);
  server.state.release(2);
  EXPECT_EQ(correlation_of(client.receive_frame()), 1);
  EXPECT_EQ(correlation_of(client.receive_frame()), 2);
}

TEST(ConnectionTest, AcksZeroIsNotAnswered) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(produce_frame(1, 1, 0)));
  ASSERT_TRUE(client.send(heartbeat_frame(2)));
  EXPECT_EQ(correlation_of(client.receive_frame()), 2);
}

TEST(ConnectionTest, AcksZeroWithAnErrorClosesAfterTheEarlierAnswers) {
  TestServer server;
  TestClient client = server.connect();
  Bytes all;
  for (const Bytes& frame :
       {heartbeat_frame(1), produce_frame(2, 2, 0, 0, "fail"), heartbeat_frame(3)}) {
    all.insert(all.end(), frame.begin(), frame.end());
  }
  ASSERT_TRUE(client.send(all));
  EXPECT_EQ(correlation_of(client.receive_frame()), 1);
  EXPECT_TRUE(client.receive_end());
  server.await_closed(CloseReason::handler_closed, 1);
}

TEST(ConnectionTest, BigFramesArriveWholeAlsoBetweenSmallOnes) {
  TestServer server;
  server.state.keep_records = true;
  TestClient client = server.connect();
  Bytes all;
  const std::vector<std::size_t> sizes = {100,     1'000'000, 1'048'576, 7,         65'500,
                                          131'072, 200'000,   3,         2'500'000, 50'000};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const Bytes frame = produce_frame(id, id, -1, sizes[i]);
    all.insert(all.end(), frame.begin(), frame.end());
  }
  ASSERT_TRUE(client.send(all));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    ASSERT_EQ(correlation_of(client.receive_frame()), static_cast<std::int32_t>(i));
  }
  std::lock_guard lock(server.state.mutex);
  ASSERT_EQ(server.state.kept.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const ByteView records = server.state.kept[i].view();
    ASSERT_EQ(records.size(), sizes[i]);
    for (std::size_t at = 0; at < records.size(); ++at) {
      ASSERT_EQ(records[at], static_cast<std::uint8_t>(i + at)) << "frame " << i << " at " << at;
    }
  }
  server.state.kept.clear();
}

TEST(ConnectionTest, RecordsLeaveFromFilesAndFromMemory) {
  char path[] = "/tmp/chronik-connection-test-XXXXXX";
  ::close(::mkstemp(path));
  auto disk = PosixDisk();
  TestServer server;
  server.state.file = disk.open(path, OpenMode::read_write).value();
  ::unlink(path);
  Bytes content(3'000'000);
  for (std::size_t i = 0; i < content.size(); ++i) {
    content[i] = static_cast<std::uint8_t>(i * 7 + i / 1000);
  }
  server.state.file->write_at(0, content).value();
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(fetch_frame(1, 3'000'000, false)));
  ASSERT_TRUE(client.send(fetch_frame(2, 300'000, true)));
  ASSERT_TRUE(client.send(fetch_frame(3, 100, false)));
  const std::optional<Bytes> whole = client.receive_frame();
  ASSERT_EQ(correlation_of(whole), 1);
  ASSERT_GT(whole->size(), content.size());
  EXPECT_TRUE(std::equal(content.begin(), content.end(),
                         whole->end() - static_cast<std::ptrdiff_t>(content.size())));
  const std::optional<Bytes> memory = client.receive_frame();
  ASSERT_EQ(correlation_of(memory), 2);
  EXPECT_EQ(memory->back(), 'm');
  EXPECT_EQ(correlation_of(client.receive_frame()), 3);
}

TEST(ConnectionTest, AFileShorterThanPromisedClosesTheConnection) {
  MemoryDisk disk;
  TestServer server;
  server.state.file = disk.open("/short", OpenMode::create).value();
  server.state.file->write_at(0, as_bytes("twelve bytes")).value();
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(fetch_frame(1, 12, false)));
  EXPECT_EQ(correlation_of(client.receive_frame()), 1);
  ASSERT_TRUE(client.send(fetch_frame(2, 13, false)));
  EXPECT_EQ(client.receive_frame(), std::nullopt);
  server.await_closed(CloseReason::io_error, 1);
}

TEST(ConnectionTest, ASlowReaderIsNotServedAheadWithoutBound) {
  NetOptions options;
  options.output_bytes_max = 1 << 20;
  TestServer server(1, options);
  TestClient client = server.connect(32 << 10);
  Bytes all;
  for (std::int32_t i = 0; i < 200; ++i) {
    const Bytes frame = fetch_frame(i, 1 << 20, true);
    all.insert(all.end(), frame.begin(), frame.end());
  }
  ASSERT_TRUE(client.send(all));
  // Give the server every chance to run ahead: until the count stands still.
  Counter& fetches = server.shards().first().metrics().requests[1];
  std::uint64_t before = 0;
  while (fetches.value() == 0 || before != fetches.value()) {
    before = fetches.value();
    client.readable_within(0);
    ::poll(nullptr, 0, 100);
  }
  // What the sockets take (4 MiB or so) and what may wait; not 200.
  EXPECT_LE(fetches.value(), 16u);
  for (std::int32_t i = 0; i < 200; ++i) ASSERT_EQ(correlation_of(client.receive_frame()), i);
}

TEST(ConnectionTest, AHalfClosedPeerGetsItsAnswers) {
  TestServer server;
  TestClient client = server.connect();
  for (std::int32_t i = 0; i < 50; ++i) ASSERT_TRUE(client.send(heartbeat_frame(i)));
  client.shut_down_writing();
  for (std::int32_t i = 0; i < 50; ++i) ASSERT_EQ(correlation_of(client.receive_frame()), i);
  EXPECT_TRUE(client.receive_end());
}

TEST(ConnectionTest, APeerThatLeavesCancelsItsLongPoll) {
  TestServer server;
  TestClient orderly = server.connect();
  ASSERT_TRUE(orderly.send(fetch_frame(1, 1, true, 1)));
  server.state.await_waiting(1);
  orderly.close();
  server.await_connections(0);
  TestClient rude = server.connect();
  ASSERT_TRUE(rude.send(fetch_frame(1, 1, true, 2)));
  server.state.await_waiting(1);
  rude.reset();
  server.await_connections(0);
  EXPECT_EQ(server.state.cancelled.load(), 2);
}

TEST(ConnectionTest, StopAnswersWhatRunsAndEndsLongPolls) {
  TestServer server(2);
  server.state.hold_produce = true;
  TestClient producer = server.connect();
  TestClient consumer = server.connect();
  TestClient idle = server.connect();
  ASSERT_TRUE(producer.send(produce_frame(1, 1)));
  ASSERT_TRUE(consumer.send(fetch_frame(2, 1, true, 2)));
  server.state.await_waiting(2);
  std::thread stopping([&] { server.stop(); });
  // The long poll ends by itself, the produce when its write is done.
  EXPECT_EQ(correlation_of(consumer.receive_frame()), 2);
  EXPECT_TRUE(consumer.receive_end());
  EXPECT_TRUE(idle.receive_end());
  server.state.release(1);
  EXPECT_EQ(correlation_of(producer.receive_frame()), 1);
  EXPECT_TRUE(producer.receive_end());
  stopping.join();
}

TEST(ConnectionTest, BeforeAStopClientsReconnectBehindAResponse) {
  TestServer server(2);
  server.state.hold_produce = true;
  TestClient busy = server.connect();
  TestClient idle = server.connect();
  ASSERT_TRUE(busy.send(produce_frame(1, 1)));
  ASSERT_TRUE(busy.send(produce_frame(2, 2)));
  server.state.await_waiting(2);
  std::thread calling([&] { server.server().make_clients_reconnect(milliseconds(300)); });
  server.state.release(1);
  EXPECT_EQ(correlation_of(busy.receive_frame()), 1);
  EXPECT_FALSE(busy.readable_within(50)) << "ended with a request under way";
  server.state.release(2);
  EXPECT_EQ(correlation_of(busy.receive_frame()), 2);
  EXPECT_TRUE(busy.receive_end());
  TestClient again = server.connect();
  for (std::int32_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(again.send(heartbeat_frame(i)));
    EXPECT_EQ(correlation_of(again.receive_frame()), i);
  }
  calling.join();
  EXPECT_FALSE(idle.readable_within(0)) << "nothing was asked, and so nothing was lost";
}

TEST(ConnectionTest, BeforeAStopClientsGoBehindAResponseAndNoneComes) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(heartbeat_frame(1)));
  EXPECT_EQ(correlation_of(client.receive_frame()), 1);
  server.server().let_clients_go(milliseconds(1));
  ASSERT_TRUE(client.send(heartbeat_frame(2)));
  EXPECT_EQ(correlation_of(client.receive_frame()), 2);
  EXPECT_TRUE(client.receive_end());
  EXPECT_TRUE(server.connect().receive_end());
}

TEST(ConnectionTest, ConnectionsSpreadOverTheShards) {
  TestServer server(4);
  std::vector<TestClient> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(server.connect());
    ASSERT_TRUE(clients.back().send(heartbeat_frame(i)));
    ASSERT_EQ(correlation_of(clients.back().receive_frame()), i);
  }
  for (std::uint32_t id = 0; id < 4; ++id) {
    EXPECT_EQ(server.shards().at(id).metrics().connections.value(), 10u);
  }
}

TEST(ConnectionTest, TheNextProduceWaitsForMemoryAndIsServedThen) {
  NetOptions options;
  options.in_flight_bytes_max = 300'000;
  TestServer server(1, options);
  server.state.hold_produce = true;
  std::vector<TestClient> clients;
  for (std::int32_t i = 0; i < 5; ++i) {
    clients.push_back(server.connect());
    ASSERT_TRUE(clients.back().send(produce_frame(i, i + 1, -1, 100'000)));
  }
  server.state.await_waiting(2);
  EXPECT_FALSE(clients[4].readable_within(50));
  {
    std::lock_guard lock(server.state.mutex);
    EXPECT_EQ(server.state.started.size(), 2u);
  }
  for (int served = 0; served < 5; ++served) {
    const std::int32_t tag = server.state.await_any();
    server.state.release(tag);
    EXPECT_EQ(correlation_of(clients[static_cast<std::size_t>(tag - 1)].receive_frame()), tag - 1);
  }
  EXPECT_GE(server.shards().first().metrics().budget_waits.value(), 3u);
}

TEST(ConnectionTest, RequestsInFlightOfOneConnectionAreBounded) {
  NetOptions options;
  options.in_flight_requests_max = 10;
  TestServer server(1, options);
  server.state.hold_produce = true;
  TestClient client = server.connect();
  for (std::int32_t i = 0; i < 30; ++i) ASSERT_TRUE(client.send(produce_frame(i, i)));
  server.state.await_waiting(10);
  EXPECT_FALSE(client.readable_within(50));
  {
    std::lock_guard lock(server.state.mutex);
    EXPECT_EQ(server.state.started.size(), 10u);
  }
  for (std::int32_t i = 0; i < 30; ++i) server.state.release(i);
  for (std::int32_t i = 0; i < 30; ++i) ASSERT_EQ(correlation_of(client.receive_frame()), i);
}

// Small ones are not: that many of them are little, and wait for one sync of the disk.
TEST(ConnectionTest, OfLargeRequestsFewerAreInFlight) {
  NetOptions options;
  options.in_flight_large_requests_max = 4;
  options.in_flight_large_bytes = 10'000;
  TestServer server(1, options);
  server.state.hold_produce = true;
  TestClient client = server.connect();
  const auto frame = [](std::int32_t i) { return produce_frame(i, i, -1, i < 20 ? 0 : 3'000); };
  for (std::int32_t i = 0; i < 40; ++i) ASSERT_TRUE(client.send(frame(i)));
  // All that are small, and large ones up to the limit.
  server.state.await_waiting(24);
  EXPECT_FALSE(client.readable_within(50));
  {
    std::lock_guard lock(server.state.mutex);
    EXPECT_EQ(server.state.started.size(), 24u);
  }
  for (std::int32_t i = 0; i < 40; ++i) server.state.release(i);
  for (std::int32_t i = 0; i < 40; ++i) ASSERT_EQ(correlation_of(client.receive_frame()), i);
}

}  // namespace
}  // namespace chronik::broker
