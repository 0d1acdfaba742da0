#include "broker/net/node_request.h"

#include <gtest/gtest.h>

#include "raft/multi/wire.h"
#include "wal/log_slice.h"

namespace chronik::broker {
namespace {

SharedBytes bytes_of(const ByteChain& chain) { return wal::gather(chain).value(); }

TEST(NodeRequest, ComesBackAsItWasAndIsNoneOfRaft) {
  NodeRequest request;
  request.id = 77;
  request.api_key = 55;
  request.version = 2;
  request.body = SharedBytes::copy_of(as_bytes("what is asked"));
  const SharedBytes frame = bytes_of(encode(request));
  ASSERT_TRUE(is_node_frame(frame.view()));
  EXPECT_FALSE(raft::decode_frame(1, 2, frame));
  const auto decoded = decode_node_frame(frame);
  ASSERT_TRUE(decoded);
  const auto& again = std::get<NodeRequest>(*decoded);
  EXPECT_EQ(again.id, 77u);
  EXPECT_EQ(again.api_key, 55);
  EXPECT_EQ(again.version, 2);
  EXPECT_EQ(as_text(again.body.view()), "what is asked");
  for (std::size_t size = 0; size < frame.size() - request.body.size(); ++size) {
    EXPECT_FALSE(decode_node_frame(frame.slice(0, size))) << size;
  }
}

TEST(NodeRequest, ARefusalIsAnAnswerWithoutABody) {
  const auto decoded = decode_node_frame(bytes_of(encode(NodeAnswer{9, false, {}})));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<NodeAnswer>(*decoded).id, 9u);
  EXPECT_FALSE(std::get<NodeAnswer>(*decoded).answered);
  EXPECT_FALSE(is_node_frame(bytes_of(raft::encode(raft::SnapshotRequest{})).view()));
}

}  // namespace
}  // namespace chronik::broker
