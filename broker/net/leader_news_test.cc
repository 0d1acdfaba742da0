#include "broker/net/leader_news.h"

#include <gtest/gtest.h>

#include "broker/net/node_request.h"
#include "raft/multi/wire.h"
#include "wal/log_slice.h"

namespace chronik::broker {
namespace {

TEST(LeaderNews, ComesBackAsItWasAndIsNoOtherFrame) {
  const std::vector<LeaderNews> news{{Uuid::from_random(1, 2), 0, 7, {1, 2, 3}},
                                     {Uuid::from_random(3, 4), 11, 0, {}}};
  const SharedBytes frame = wal::gather(encode(news)).value();
  EXPECT_TRUE(is_leader_news(frame.view()));
  EXPECT_FALSE(is_node_frame(frame.view()));
  EXPECT_FALSE(raft::decode_frame(1, 2, frame));
  EXPECT_EQ(decode_leader_news(frame.view()), news);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(decode_leader_news(frame.view().first(size))) << size;
  }
}

TEST(LeaderNews, ACountThatPromisesMoreThanThereIsIsRefused) {
  Bytes frame{0xc2, 1, 0xff, 0xff, 0xff, 0xff};
  frame.resize(100);
  EXPECT_FALSE(decode_leader_news(frame));
}

}  // namespace
}  // namespace chronik::broker
