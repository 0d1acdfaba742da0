#include "broker/net/peer_handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "broker/net/peer_dialer.h"
#include "broker/net/peer_frame.h"

namespace chronik::broker {
namespace {

Uuid id(std::uint64_t number) { return Uuid::from_random(number, 1); }

PeerHello hello_of(NodeId node) {
  PeerHello hello;
  hello.cluster_id = id(1);
  hello.node = node;
  hello.meant = 3 - node;
  hello.directory = id(10 + static_cast<std::uint64_t>(node));
  hello.incarnation = id(20 + static_cast<std::uint64_t>(node));
  hello.frame_bytes_max = 1000;
  return hello;
}

TEST(PeerFrame, WhatIsPutIntoAFrameComesOut) {
  const Bytes payload = to_bytes(as_bytes("something"));
  const auto head = peer_frame_head(PeerFrameKind::message, payload);
  Bytes bytes(head.begin() + 4, head.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  const auto frame = decode_peer_frame(SharedBytes::copy_of(bytes));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->kind, PeerFrameKind::message);
  EXPECT_EQ(as_text(frame->payload.view()), "something");
  // Any flipped bit is found.
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(decode_peer_frame(SharedBytes::copy_of(flipped))) << bit;
  }
}

TEST(PeerHandshake, WhatANodeSaysOfItselfIsUnderstood) {
  PeerHello said = hello_of(1);
  said.observer = true;
  said.proposal = id(30);
  said.founders = {{1, id(11)}, {2, id(12)}, {3, id(13)}};
  PeerHello heard;
  EXPECT_EQ(decode_hello(encode_hello(said), heard), HelloStatus::ok);
  EXPECT_EQ(heard, said);
}

TEST(PeerHandshake, WhatIsCutShortOrSenselessIsNoHello) {
  PeerHello heard;
  PeerHello said = hello_of(1);
  said.founders = {{1, id(11)}, {2, id(12)}};
  const Bytes bytes = encode_hello(said);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_hello(ByteView(bytes).first(size), heard), HelloStatus::not_a_node) << size;
  }
  const auto outcome = [&](auto change) {
    PeerHello hello = hello_of(1);
    change(hello);
    return decode_hello(encode_hello(hello), heard);
  };
  EXPECT_EQ(outcome([](PeerHello& hello) { hello.node = -1; }), HelloStatus::not_a_node);
  EXPECT_EQ(outcome([](PeerHello& hello) { hello.directory = {}; }), HelloStatus::not_a_node);
  EXPECT_EQ(outcome([](PeerHello& hello) { hello.incarnation = {}; }), HelloStatus::not_a_node);
  EXPECT_EQ(outcome([](PeerHello& hello) { hello.frame_bytes_max = 0; }), HelloStatus::not_a_node);
  EXPECT_EQ(outcome([](PeerHello& hello) { hello.version_min = 2; }), HelloStatus::not_a_node);
  EXPECT_EQ(outcome([](PeerHello& hello) {
              hello.founders = {{2, Uuid()}, {1, Uuid()}};
            }),
            HelloStatus::not_a_node);
}

TEST(PeerHandshake, OfAnotherVersionOnlyTheVersionsAreRead) {
  PeerHello heard;
  PeerHello said = hello_of(1);
  said.version_min = 7;
  said.version_max = 9;
  EXPECT_EQ(decode_hello(encode_hello(said), heard), HelloStatus::other_version);
  EXPECT_EQ(heard.version_max, 9);
  EXPECT_EQ(heard.node, 0);
}

std::optional<PeerRefusal> refusal_of(const PeerHello& own, const PeerHello& theirs,
                                      std::optional<NodeId> dialed = std::nullopt) {
  const auto objection = object_to(own, HelloStatus::ok, theirs, dialed);
  if (!objection) return std::nullopt;
  return objection->refusal;
}

TEST(PeerHandshake, NodesOfOneClusterHaveNothingAgainstEachOther) {
  EXPECT_EQ(refusal_of(hello_of(1), hello_of(2)), std::nullopt);
  EXPECT_EQ(refusal_of(hello_of(1), hello_of(2), 2), std::nullopt);
  // One of them may not know yet where it belongs.
  PeerHello fresh = hello_of(2);
  fresh.cluster_id = {};
  EXPECT_EQ(refusal_of(hello_of(1), fresh), std::nullopt);
  EXPECT_EQ(refusal_of(fresh, hello_of(1)), std::nullopt);
}

TEST(PeerHandshake, EveryMistakeHasItsName) {
  const PeerHello own = hello_of(1);
  PeerHello theirs = hello_of(2);
  theirs.cluster_id = id(2);
  EXPECT_EQ(refusal_of(own, theirs), PeerRefusal::cluster);
  EXPECT_EQ(refusal_of(own, own), PeerRefusal::itself);
  theirs = hello_of(1);
  theirs.incarnation = id(99);
  EXPECT_EQ(refusal_of(own, theirs), PeerRefusal::own_number);
  EXPECT_EQ(refusal_of(own, hello_of(2), 3), PeerRefusal::wrong_address);
  theirs = hello_of(2);
  theirs.meant = 3;
  EXPECT_EQ(refusal_of(own, theirs), PeerRefusal::wrong_address);
  EXPECT_EQ(object_to(own, HelloStatus::not_a_node, {}, std::nullopt)->refusal,
            PeerRefusal::not_a_node);
  EXPECT_EQ(object_to(own, HelloStatus::other_version, {}, std::nullopt)->refusal,
            PeerRefusal::version);
}

TEST(PeerHandshake, ARefusalTellsItsReasonInALine) {
  const PeerObjection said{PeerRefusal::cluster, std::string(5000, 'x')};
  const auto heard = decode_refusal(encode_refusal(said));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->refusal, PeerRefusal::cluster);
  EXPECT_EQ(heard->text, std::string(400, 'x'));
  EXPECT_FALSE(decode_refusal(Bytes{0, 4, 0, 1}));
}

TEST(PeerBackoff, PausesGrowToTheLongestAndAreDrawnFromTheUpperHalf) {
  Random random(1);
  PeerBackoff backoff(milliseconds(50), milliseconds(1000));
  for (const int longest : {50, 100, 200, 400, 800, 1000, 1000}) {
    const milliseconds pause = backoff.next(random);
    EXPECT_GE(pause, milliseconds(longest / 2));
    EXPECT_LE(pause, milliseconds(longest));
  }
  backoff.reset();
  EXPECT_LE(backoff.next(random), milliseconds(50));
  backoff.slow_down();
  EXPECT_GE(backoff.next(random), milliseconds(500));
}

}  // namespace
}  // namespace chronik::broker
