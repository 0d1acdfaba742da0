// The generated structs and the codec by way of a few messages, each a trap of the protocol.
#include <gtest/gtest.h>

#include "protocol/codec.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/records/consumer_group_member_metadata_value.h"

namespace chronik::protocol {
namespace {

TEST(Messages, RequestKnowsItsResponse) {
  static_assert(std::is_same_v<ProduceRequest::Response, ProduceResponse>);
  static_assert(ProduceRequest::api_key == 0 && ProduceRequest::first_flexible == 9);
}

TEST(Messages, FreshMessagesHoldKafkasDefaults) {
  FetchRequest request;
  EXPECT_EQ(request.max_bytes, 0x7fffffff);
  EXPECT_FALSE(request.cluster_id.has_value());
  ConsumerGroupMemberMetadataValue value;
  EXPECT_TRUE(value.classic_member_metadata.has_value()) << "its default is not null";
}

TEST(Messages, RecordsOfARequestAreASliceOfItsFrame) {
  ProduceRequest request;
  auto& partition = request.topic_data.emplace_back().partition_data.emplace_back();
  partition.records = RecordsField(SharedBytes::copy_of(as_bytes("some batch")));
  Writer writer;
  encode(writer, 9, request);
  Writer flat;
  const ByteChain chain = writer.take_chain();
  for (const auto& part : chain.parts()) flat.bytes(std::get<SharedBytes>(part).view());
  const SharedBytes frame = SharedBytes::adopt(flat.take_bytes());

  Reader reader(frame);
  ProduceRequest decoded;
  ASSERT_TRUE(decode(reader, 9, decoded));
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(decoded, request);
  const SharedBytes slice = decoded.topic_data[0].partition_data[0].records.slice();
  EXPECT_GE(slice.data(), frame.data());
  EXPECT_LT(slice.data(), frame.data() + frame.size());
}

TEST(Messages, WhatAVersionCannotCarryIsSaid) {
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  EXPECT_TRUE(check_encodable(4, request));
  const Result<> refused = check_encodable(3, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "MetadataRequest version 3: field allowAutoTopicCreation is set, but this version does "
            "not have it");
}

}  // namespace
}  // namespace chronik::protocol
