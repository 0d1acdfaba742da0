#include "broker/net/peer_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "broker/net/test_peers.h"

namespace chronik::broker {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(PeerTransport, NodesFindEachOtherWhateverTheOrderOfTheirStart) {
  for (const auto& order : {std::vector<NodeId>{1, 2, 3}, {3, 2, 1}, {2, 1, 3}}) {
    TestPeers peers(3);
    for (const NodeId node : order) {
      peers[node].start();
      // Each has tried before the next one is there.
      ASSERT_TRUE(await_counter(peers[node].metrics().dials, 2));
    }
    EXPECT_TRUE(peers.await_all_up());
  }
}

TEST(PeerTransport, MessagesArriveInOrderAndWhole) {
  TestPeers peers(3);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  constexpr int count = 1000;
  for (const NodeId from : {1, 2, 3}) {
    for (int i = 0; i < count; ++i) {
      for (const NodeId to : {1, 2, 3}) {
        if (to != from) peers[from].send(to, fmt::format("{} to {}: {}", from, to, i));
      }
    }
  }
  for (const NodeId to : {1, 2, 3}) {
    ASSERT_TRUE(peers[to].heard.await_messages(2 * count));
    std::map<NodeId, int> next;
    for (const auto& [from, text] : peers[to].heard.take_messages()) {
      EXPECT_EQ(text, fmt::format("{} to {}: {}", from, to, next[from]++));
    }
  }
}

TEST(PeerTransport, MessagesOfAllSizesArrive) {
  TestPeers peers(2);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  std::uint64_t bytes = 0;
  for (const std::size_t size : {0u, 1u, 4096u, 4097u, 65535u, 65536u, 1u << 20}) {
    peers[1].send(2, std::string(size, 'x'));
    bytes += size;
  }
  EXPECT_TRUE(peers[2].heard.await([&](const HeardOfPeers& heard) {
    return heard.messages.size() == 7 && heard.message_bytes == bytes;
  }));
}

TEST(PeerTransport, AMessageLongerThanTheOtherNodeTakesIsDroppedAlone) {
  TestPeers peers(2);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  peers[1].send(2, std::string((1 << 20) + 1, 'x'));
  peers[1].send(2, "after it");
  ASSERT_TRUE(peers[2].heard.await_messages(1));
  EXPECT_THAT(peers[2].heard.take_messages(), ElementsAre(Pair(1, "after it")));
  EXPECT_EQ(peers[1].metrics().dropped_down.value(), 1u);
  EXPECT_EQ(peers[2].heard.count("down 1"), 0u);
}

TEST(PeerTransport, MessagesOfOneTurnLeaveTogether) {
  TestPeers peers(2);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  const PeerTraffic& traffic = peers[1].transport().traffic();
  const std::uint64_t pings = peers[1].metrics().pings.value();
  const std::uint64_t before = traffic.sends.value();
  peers[1].on_shard([&] {
    for (int i = 0; i < 500; ++i) {
      peers[1].transport().send(2, SharedBytes::copy_of(as_bytes("small")));
    }
  });
  ASSERT_TRUE(peers[2].heard.await_messages(500));
  const std::uint64_t pings_since = peers[1].metrics().pings.value() - pings;
  // What the new connections still had to tell may have left meanwhile.
  constexpr std::uint64_t others_max = 4;
  EXPECT_LE(traffic.sends.value() - before, 1 + others_max + pings_since);
}

TEST(PeerTransport, TheEndOfANodeIsNoticedByAllOthers) {
  TestPeers peers(3);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  peers[2].stop();
  EXPECT_TRUE(peers[1].heard.await_event("down 2"));
  EXPECT_TRUE(peers[3].heard.await_event("down 2"));
  EXPECT_EQ(peers[1].heard.count("down 3"), 0u);
  // At once, not by its silence.
  EXPECT_EQ(peers[1].metrics().silent.value(), 0u);
  peers[1].send(2, "nobody is there");
  EXPECT_EQ(peers[1].metrics().dropped_down.value(), 1u);
}

TEST(PeerTransport, ANodeThatComesBackIsFoundAgain) {
  TestPeers peers(3);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  for (std::size_t round = 1; round <= 3; ++round) {
    peers[2].restart();
    ASSERT_TRUE(peers[1].heard.await_event("up 2", 1 + round));
    ASSERT_TRUE(peers[3].heard.await_event("up 2", 1 + round));
    ASSERT_TRUE(peers[2].heard.await_event("up 1", 1 + round));
    EXPECT_EQ(peers[1].heard.count("down 2"), round);
  }
  peers[1].send(2, "welcome");
  EXPECT_TRUE(peers[2].heard.await_messages(1));
}

/// Keeps a node's thread from its work, as SIGSTOP does, until it goes out of scope.
class Paused {
 public:
  explicit Paused(TestPeer& peer) {
    peer.shard().post([gates = gates_] {
      gates->began.count_down();
      gates->go_on.wait();
    });
    gates_->began.wait();
  }
  ~Paused() { gates_->go_on.count_down(); }

 private:
  struct Gates {
    std::latch began{1};
    std::latch go_on{1};
  };
  // The shard may still look at it when this object is gone.
  const std::shared_ptr<Gates> gates_ = std::make_shared<Gates>();
};

TEST(PeerTransport, ANodeThatFallsSilentIsDownUntilItSpeaksAgain) {
  TestPeers peers(2, [](PeerOptions& options) {
    if (options.self.node == 1) options.silence_max = milliseconds(300);
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  {
    Paused paused(peers[2]);
    ASSERT_TRUE(peers[1].heard.await_event("down 2"));
    EXPECT_GE(peers[1].metrics().silent.value(), 1u);
  }
  EXPECT_TRUE(peers[1].heard.await_event("up 2", 2));
}

TEST(PeerTransport, ANodeThatWasKeptFromItsWorkDoesNotBlameTheOthers) {
  TestPeers peers(2, [](PeerOptions& options) {
    if (options.self.node == 1) options.silence_max = milliseconds(200);
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  {
    Paused paused(peers[1]);
    // Meanwhile node 2 has shown often enough that it lives.
    ASSERT_TRUE(await_counter(peers[2].metrics().beats, peers[2].metrics().beats.value() + 10));
  }
  const std::uint64_t beats = peers[1].metrics().beats.value();
  ASSERT_TRUE(await_counter(peers[1].metrics().beats, beats + 3));
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
}

/// Makes every turn of a node's thread a long one, as too little of a processor does, until it goes
/// out of scope.
class Slowed {
 public:
  Slowed(TestPeer& peer, milliseconds turn) : peer_(peer), turn_(turn) { next(); }
  ~Slowed() {
    // What is under way has ended, and nothing follows, when this has had its turn.
    peer_.on_shard([this] { ended_ = true; });
    ended_turn_.wait();
  }

 private:
  void next() {
    peer_.shard().post([this] {
      const auto end = std::chrono::steady_clock::now() + turn_;
      while (std::chrono::steady_clock::now() < end) {
      }
      ended_ ? ended_turn_.count_down() : next();
    });
  }

  TestPeer& peer_;
  const milliseconds turn_;
  bool ended_ = false;  // on the shard
  std::latch ended_turn_{1};
};

TEST(PeerTransport, ANodeWhoseTurnsTakeLongerThanAHandshakeMayIsFoundNevertheless) {
  TestPeers peers(3, [](PeerOptions& options) { options.handshake_max = milliseconds(100); });
  const Slowed slowed(peers[2], milliseconds(150));
  peers.start_all();
  EXPECT_TRUE(peers.await_all_up());
  EXPECT_EQ(peers[1].heard.count("down 3"), 0u);
}

TEST(PeerTransport, QuietNodesKeepEachOtherUpByPings) {
  TestPeers peers(2, [](PeerOptions& options) {
    options.heartbeat_interval = milliseconds(20);
    options.silence_max = milliseconds(2000);
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  const std::uint64_t beats = peers[1].metrics().beats.value();
  // Longer than the silence that would end a connection.
  ASSERT_TRUE(await_counter(peers[1].metrics().beats, beats + 120));
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
  // One a beat and connection, no more.
  EXPECT_LE(peers[1].metrics().pings.value(), 2 * peers[1].metrics().beats.value());
}

// What comes and leaves takes the beats along. That may neither stop them, which would look like a
// death, nor make many of them.
TEST(PeerTransport, BeatsKeepTheirPaceUnderTraffic) {
  constexpr milliseconds interval(40);
  TestPeers peers(2, [&](PeerOptions& options) {
    options.heartbeat_interval = interval;
    options.silence_max = milliseconds(2000);
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  constexpr std::uint64_t wanted = 80;  // longer than the silence that would end a connection
  const std::uint64_t beats = peers[1].metrics().beats.value();
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t sent = 0; peers[1].metrics().beats.value() < beats + wanted;) {
    peers[1].send(2, "busy");
    ASSERT_TRUE(peers[2].heard.await_messages(++sent));
  }
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(elapsed, (wanted - 1) * (interval - interval / 8));
  // The connection that carries no message.
  EXPECT_GE(peers[1].metrics().pings.value(), wanted - 2);
  EXPECT_EQ(peers[2].heard.count("down 1"), 0u);
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
}

TEST(PeerTransport, WhatANodeDoesNotTakeIsDroppedInWholeMessages) {
  constexpr std::uint64_t queue = 4u << 20;
  TestPeers peers(2, [](PeerOptions& options) {
    options.queued_bytes_max = queue;
    options.silence_max = milliseconds(60'000);
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  constexpr int count = 600;  // of 64 KiB: more than queue and sockets hold
  std::uint64_t queued_max = 0;
  {
    Paused paused(peers[2]);
    for (int i = 0; i < count; ++i) {
      std::string text(64 << 10, 'x');
      text.replace(0, 10, fmt::format("{:<10}", i));
      peers[1].send(2, text);
      queued_max = std::max(
          queued_max, peers[1].on_shard([&] { return peers[1].transport().queued_bytes(2); }));
    }
  }
  EXPECT_LE(queued_max, queue);
  const std::uint64_t dropped = peers[1].metrics().dropped_full.value();
  ASSERT_GT(dropped, 0u);
  // Those that were not dropped arrive, in order; and so does what comes later.
  ASSERT_TRUE(peers[2].heard.await_messages(count - dropped));
  int before = -1;
  for (const auto& [from, text] : peers[2].heard.take_messages()) {
    const int number = std::stoi(text.substr(0, 10));
    EXPECT_LT(before, number);
    before = number;
  }
  peers[1].send(2, "after it");
  ASSERT_TRUE(peers[2].heard.await_messages(1));
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
}

TEST(PeerTransport, AnAbsentNodeIsDialedEverMoreSlowly) {
  TestPeers peers(2, [](PeerOptions& options) {
    options.backoff_min = milliseconds(40);
    options.backoff_max = milliseconds(400);
  });
  const auto begin = std::chrono::steady_clock::now();
  peers[2].stop();
  peers[1].start();
  ASSERT_TRUE(await_counter(peers[1].metrics().dials, 6));
  // Pauses of 40, 80, 160, 320 and 400 ms, each at least half.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(500));
  EXPECT_LE(peers[1].metrics().lines.value(), 1u);
  // Nobody is connected, so nothing wakes the thread between attempts.
  EXPECT_LE(peers[1].metrics().beats.value(), 6u);
}

TEST(PeerTransport, NodesThatAreTakenOffTheListAreDisconnected) {
  TestPeers peers(3);
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  peers[1].know({peers[2].address()});
  EXPECT_TRUE(peers[3].heard.await_event("down 1"));
  EXPECT_TRUE(peers[1].heard.await_event("down 3"));
  // It may knock again, and is told that it is not known.
  EXPECT_TRUE(await_counter(peers[3].metrics().refused_by_others, 1));
  peers[1].know({peers[2].address(), peers[3].address()});
  EXPECT_TRUE(peers[1].heard.await_event("up 3", 2));
  EXPECT_EQ(peers[1].heard.count("down 2"), 0u);
}

TEST(PeerTransport, HostNamesAreResolved) {
  TestPeer first(test_peer_options(1));
  PeerOptions options = test_peer_options(2);
  TestPeer second(options);
  // Nobody answers to the name at that port, and the thread that asks for it is left behind.
  first.know({{2, "localhost", second.port()}});
  first.start();
  EXPECT_TRUE(await_counter(first.metrics().dials, 2));
  first.know({{2, "no-such-host.invalid", 1}});
  EXPECT_TRUE(await_counter(first.metrics().dials, 3));
}

}  // namespace
}  // namespace chronik::broker
