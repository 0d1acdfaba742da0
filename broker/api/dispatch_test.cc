// What is overlooked behind the body of a request, and what is not ("Choices" in ARCHITECTURE.md).
#include <gtest/gtest.h>

#include "broker/api/test_broker.h"
#include "protocol/codec.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/metadata.h"

namespace chronik::broker {
namespace {

using protocol::DescribeClusterRequest;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

class DispatchTest : public testing::Test {
 protected:
  template <class Request>
  Reply reply_to(const Request& request, std::int16_t version, std::size_t surplus) {
    Writer writer;
    protocol::encode(writer, version, request);
    for (std::size_t i = 0; i < surplus; ++i) writer.u8(0);
    return broker_.call_bytes<Request>(SharedBytes::adopt(writer.take_bytes()), version);
  }

  /// The topics in the answer to exactly these bytes.
  std::size_t topics_of_metadata(Bytes body, std::int16_t version) {
    const Reply reply =
        broker_.call_bytes<MetadataRequest>(SharedBytes::adopt(std::move(body)), version);
    MetadataResponse response;
    Reader reader{ByteView(reply.bytes)};
    EXPECT_TRUE(protocol::decode(reader, version, response) && reader.finished()) << reply.reason;
    return response.topics.size();
  }

  TestBroker broker_;
};

// librdkafka 2.1 and later write the null array of "all topics" as four bytes, of which three count
// as what follows the array; so the last three of the request are left over. In versions 9 and 10
// they look like a tagged field.
TEST_F(DispatchTest, AnswersLibrdkafkaThatAsksForAllTopics) {
  metadata::TopicCreated topic;
  topic.topic_id = Uuid::from_random(1, 2);
  topic.name = "news";
  topic.partitions.push_back({0, {1}, 1, 0});
  broker_.store().propose({topic}, [](const Result<metadata::ApplyResults>&) {});
  for (const std::uint8_t create : {std::uint8_t{0}, std::uint8_t{1}}) {
    EXPECT_EQ(topics_of_metadata({0, 0, 0, 0, create, 0, 0, 0}, 9), 1u);
    EXPECT_EQ(topics_of_metadata({0, 0, 0, 0, create, 0, 0}, 12), 1u);
  }
}

// Any API may be the next: librdkafka has left up to three bytes behind four of them.
TEST_F(DispatchTest, OverlooksThreeBytesBehindAFlexibleVersion) {
  for (std::size_t surplus = 0; surplus <= 3; ++surplus) {
    EXPECT_EQ(reply_to(MetadataRequest{}, 13, surplus).kind, Reply::Kind::response);
    EXPECT_EQ(reply_to(DescribeClusterRequest{}, 0, surplus).kind, Reply::Kind::response);
  }
}

TEST_F(DispatchTest, RefusesMoreThanThatAndAnyByteBehindAnOlderVersion) {
  const Reply more = reply_to(DescribeClusterRequest{}, 0, 4);
  EXPECT_EQ(more.kind, Reply::Kind::malformed);
  EXPECT_EQ(more.reason, "4 bytes behind the body of DescribeCluster version 0");
  EXPECT_EQ(reply_to(MetadataRequest{}, 8, 0).kind, Reply::Kind::response);
  EXPECT_EQ(reply_to(MetadataRequest{}, 8, 1).kind, Reply::Kind::malformed);
}

}  // namespace
}  // namespace chronik::broker
