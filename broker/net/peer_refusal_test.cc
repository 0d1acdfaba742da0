// The cluster port under those who are no nodes of the cluster: mistaken, broken or hostile.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/net/test_peers.h"

namespace chronik::broker {
namespace {

using testing::HasSubstr;

/// What a node of the test cluster would say, for a raw client to say it.
PeerHello hello_from(NodeId node, NodeId to) {
  PeerHello hello = test_peer_options(node).self;
  hello.incarnation = test_uuid(5);
  hello.meant = to;
  return hello;
}

Bytes hello_bytes(const PeerHello& hello) {
  return peer_frame_bytes(PeerFrameKind::hello, encode_hello(hello));
}

std::optional<PeerFrame> receive(TestClient& client) {
  const std::optional<Bytes> bytes = client.receive_frame();
  return bytes ? decode_peer_frame(SharedBytes::copy_of(*bytes)) : std::nullopt;
}

std::optional<PeerObjection> receive_refusal(TestClient& client) {
  const std::optional<PeerFrame> frame = receive(client);
  if (!frame || frame->kind != PeerFrameKind::refusal) return std::nullopt;
  return decode_refusal(frame->payload.view());
}

/// Nodes 1 and 2 do not get together, both know why, and each says so once, however often they try.
void expect_refusal(TestPeers& peers, std::uint64_t lines_each) {
  peers.start_all();
  for (const NodeId node : {1, 2}) {
    const PeerMetrics& metrics = peers[node].metrics();
    while (metrics.refusals.value() + metrics.refused_by_others.value() < 8) {
      ASSERT_TRUE(await_counter(metrics.dials, metrics.dials.value() + 1));
    }
    EXPECT_LE(metrics.lines.value(), lines_each);
    EXPECT_GE(metrics.lines.value(), 1u);
    EXPECT_EQ(metrics.established.value(), 0u);
    EXPECT_EQ(peers[node].heard.count("up 2") + peers[node].heard.count("up 1"), 0u);
  }
}

TEST(PeerRefusal, ANodeOfAnotherCluster) {
  TestPeers peers(2, [](PeerOptions& options) {
    if (options.self.node == 2) options.self.cluster_id = test_uuid(2);
  });
  expect_refusal(peers, 2);
}

TEST(PeerRefusal, AClusterOfTheSameIdThatWasFormedApart) {
  TestPeers peers(2, [](PeerOptions& options) {
    options.self.founders = {{options.self.node, options.self.directory}};
  });
  expect_refusal(peers, 2);
}

TEST(PeerRefusal, AnAddressThatLeadsToAnotherNode) {
  TestPeers peers(3);
  PeerAddress wrong = peers[3].address();
  wrong.node = 2;
  peers[1].know({wrong});
  peers[1].start();
  peers[3].start();
  ASSERT_TRUE(await_counter(peers[3].metrics().refusals, 3));
  ASSERT_TRUE(await_counter(peers[1].metrics().refused_by_others, 3));
  // One of that, and one of node 3, which it does not know.
  EXPECT_LE(peers[1].metrics().lines.value(), 2u);
  EXPECT_FALSE(peers[1].is_up(2));
}

TEST(PeerRefusal, ANodeThatDialsItself) {
  TestPeer peer(test_peer_options(1));
  PeerAddress self = peer.address();
  self.node = 2;
  peer.know({self});
  peer.start();
  ASSERT_TRUE(await_counter(peer.metrics().refusals, 3));
  ASSERT_TRUE(await_counter(peer.metrics().refused_by_others, 3));
  // As the one who dialed and as the one who was.
  EXPECT_LE(peer.metrics().lines.value(), 2u);
  EXPECT_FALSE(peer.is_up(2));
}

TEST(PeerRefusal, ASecondNodeWithTheSameNumber) {
  TestPeers peers(2);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  PeerOptions options = test_peer_options(2);
  options.self.directory = test_uuid(999);
  TestPeer second(options);
  second.know({peers[1].address()});
  second.start();
  ASSERT_TRUE(await_counter(second.metrics().refused_by_others, 3));
  EXPECT_EQ(second.metrics().lines.value(), 1u);
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
  peers[1].send(2, "still you");
  EXPECT_TRUE(peers[2].heard.await_messages(1));
  // When the first one is gone, the second takes its place.
  peers[2].stop();
  PeerAddress address = second.address();
  peers[1].know({address});
  EXPECT_TRUE(peers[1].heard.await_event("up 2", 2));
}

TEST(PeerRefusal, TheNumberOfTheNodeItself) {
  TestPeers peers(1);
  peers.start_all();
  TestClient client = peers[1].connect();
  ASSERT_TRUE(client.send(hello_bytes(hello_from(1, 1))));
  const auto refusal = receive_refusal(client);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->refusal, PeerRefusal::own_number);
}

TEST(PeerRefusal, ANodeThatIsNotInTheList) {
  TestPeers peers(2);
  peers.start_all();
  TestClient client = peers[1].connect();
  ASSERT_TRUE(client.send(hello_bytes(hello_from(7, 1))));
  const auto refusal = receive_refusal(client);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->refusal, PeerRefusal::unknown_node);
  EXPECT_EQ(refusal->text, "node 1 does not know node 7: put it into cluster.nodes on all nodes");
  EXPECT_TRUE(client.receive_end());
}

TEST(PeerRefusal, AVersionOfAnotherTime) {
  TestPeers peers(2);
  peers.start_all();
  for (const std::uint16_t version : {std::uint16_t{0}, std::uint16_t{9}}) {
    PeerHello hello = hello_from(2, 1);
    hello.version_min = version;
    hello.version_max = version;
    TestClient client = peers[1].connect();
    ASSERT_TRUE(client.send(hello_bytes(hello)));
    const auto refusal = receive_refusal(client);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->refusal, PeerRefusal::version);
    EXPECT_THAT(refusal->text, HasSubstr("upgrade the older one"));
    EXPECT_TRUE(client.receive_end());
  }
}

TEST(PeerRefusal, ALaterVersionThatStillSpeaksThisOne) {
  TestPeers peers(2);
  peers[1].start();
  PeerHello hello = hello_from(2, 1);
  hello.version_max = 9;
  Bytes payload = encode_hello(hello);
  payload.insert(payload.end(), 100, 0xff);  // what it has to say besides
  TestClient client = peers[1].connect();
  ASSERT_TRUE(client.send(peer_frame_bytes(PeerFrameKind::hello, payload)));
  const auto answer = receive(client);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->kind, PeerFrameKind::hello);
}

Bytes text_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }

TEST(PeerRefusal, WhatIsNoHandshakeIsClosedWithoutAnAnswerAndLoggedOnce) {
  TestPeers peers(2);
  peers[1].start();
  Bytes damaged = hello_bytes(hello_from(2, 1));
  damaged.back() ^= 1;
  Bytes short_hello = encode_hello(hello_from(2, 1));
  short_hello.resize(short_hello.size() - 1);
  const std::vector<Bytes> cases = {
      text_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      request_frame(18, 0, 1, {}),           // a Kafka client
      {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3},  // TLS
      {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},  // a negative length
      {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0},  // a huge one
      {0, 0, 0, 4, 0, 0, 0, 0},              // one too small for a frame
      damaged,
      peer_frame_bytes(PeerFrameKind::hello, text_bytes("hello")),
      peer_frame_bytes(PeerFrameKind::hello, short_hello),
      peer_frame_bytes(PeerFrameKind::message, text_bytes("a message without a handshake")),
      peer_frame_bytes(PeerFrameKind::ping, {}),
      peer_frame_bytes(static_cast<PeerFrameKind>(77), {}),
  };
  for (const Bytes& bytes : cases) {
    TestClient client = peers[1].connect();
    client.send(bytes);
    EXPECT_TRUE(client.receive_end());
  }
  EXPECT_EQ(peers[1].metrics().refusals.value(), cases.size());
  EXPECT_LE(peers[1].metrics().lines.value(), 2u);  // one is of the absent node 2
  EXPECT_EQ(peers[1].metrics().messages_received.value(), 0u);
}

TEST(PeerRefusal, HalfAHandshakeIsClosedInTime) {
  TestPeers peers(1, [](PeerOptions& options) { options.handshake_max = milliseconds(100); });
  peers.start_all();
  const Bytes hello = hello_bytes(hello_from(2, 1));
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, hello.size() - 1}) {
    TestClient client = peers[1].connect();
    client.send(ByteView(hello).first(size));
    EXPECT_TRUE(client.receive_end());
  }
  EXPECT_EQ(peers[1].metrics().refusals.value(), 3u);
  EXPECT_EQ(peers[1].metrics().lines.value(), 1u);
}

TEST(PeerRefusal, ANodeThatDoesNotConfirmIsNotUp) {
  TestPeers peers(2, [](PeerOptions& options) { options.handshake_max = milliseconds(100); });
  peers[1].start();
  TestClient client = peers[1].connect();
  ASSERT_TRUE(client.send(hello_bytes(hello_from(2, 1))));
  const auto answer = receive(client);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->kind, PeerFrameKind::hello);
  EXPECT_TRUE(client.receive_end());
  EXPECT_EQ(peers[1].metrics().established.value(), 0u);
}

TEST(PeerRefusal, AnEstablishedNodeThatTurnsBadIsDisconnected) {
  TestPeers peers(2);
  peers[1].start();
  Bytes damaged = peer_frame_bytes(PeerFrameKind::message, text_bytes("x"));
  damaged[5] ^= 1;
  Bytes huge = peer_frame_bytes(PeerFrameKind::message, {});
  store_be<std::int32_t>(huge.data(), (1 << 20) + 6);
  PeerHello another = hello_from(2, 1);
  another.incarnation = test_uuid(6);
  for (const Bytes& bad : {damaged, huge, hello_bytes(another),
                           peer_frame_bytes(static_cast<PeerFrameKind>(77), {})}) {
    const std::uint64_t established = peers[1].metrics().established.value();
    TestClient client = peers[1].connect();
    ASSERT_TRUE(client.send(hello_bytes(hello_from(2, 1))));
    ASSERT_TRUE(receive(client));
    ASSERT_TRUE(client.send(peer_frame_bytes(PeerFrameKind::ping, {})));
    ASSERT_TRUE(await_counter(peers[1].metrics().established, established + 1));
    client.send(bad);
    std::optional<PeerFrame> frame = receive(client);
    while (frame && frame->kind == PeerFrameKind::ping) frame = receive(client);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->kind, PeerFrameKind::refusal);
    EXPECT_TRUE(client.receive_end());
  }
  EXPECT_EQ(peers[1].metrics().messages_received.value(), 0u);
}

TEST(PeerRefusal, AFloodOfStrangersTakesNoMoreThanItsPlaces) {
  constexpr std::size_t places = 16;
  TestPeers peers(2, [](PeerOptions& options) {
    options.strangers_max = places;
    options.handshake_max = milliseconds(60'000);
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  Bytes half(4 + 1000);
  store_be<std::int32_t>(half.data(), peer_stranger_bytes_max);
  std::vector<TestClient> strangers;
  for (int i = 0; i < 200; ++i) {
    strangers.push_back(peers[1].connect());
    strangers.back().send(half);
  }
  ASSERT_TRUE(await_counter(peers[1].metrics().accepted, 201));
  std::size_t open = 0;
  for (TestClient& stranger : strangers) open += stranger.readable_within(0) ? 0 : 1;
  EXPECT_LE(open, places + 1);
  // Nodes are not kept out, and those that are in do not notice.
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
  peers[2].restart();
  EXPECT_TRUE(peers[1].heard.await_event("up 2", 2));
}

TEST(PeerRefusal, ALineForEachAddressAndReasonAndAFewASecond) {
  PeerLog log;
  const SteadyTime now{};
  EXPECT_TRUE(log.admit("node 2", "cluster", now));
  EXPECT_FALSE(log.admit("node 2", "cluster", now));
  EXPECT_TRUE(log.admit("node 2", "version", now));
  EXPECT_TRUE(log.admit("node 3", "cluster", now));
  EXPECT_TRUE(log.admit("node 2", "cluster", now + PeerLog::said_again_after));
  log.forget("node 2");
  EXPECT_TRUE(log.admit("node 2", "cluster", now + PeerLog::said_again_after));
  EXPECT_EQ(log.take_suppressed(), 1u);

  std::uint32_t lines = 0;
  const SteadyTime later = now + std::chrono::hours(1);
  for (int i = 0; i < 1000; ++i) {
    if (log.admit(std::to_string(i), "not_a_node", later)) ++lines;
  }
  EXPECT_EQ(lines, PeerLog::lines_per_second_max);
  EXPECT_TRUE(log.admit("the next", "not_a_node", later + std::chrono::seconds(1)));
}

}  // namespace
}  // namespace chronik::broker
