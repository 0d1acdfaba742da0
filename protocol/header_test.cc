#include "protocol/header.h"

#include <gtest/gtest.h>

#include "protocol/api_keys.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/init_producer_id.h"

namespace chronik::protocol {
namespace {

Bytes request(std::int16_t key, std::int16_t version, Bytes rest) {
  Writer writer;
  writer.i16(key);
  writer.i16(version);
  writer.i32(77);
  writer.bytes(rest);
  return writer.take_bytes();
}

TEST(Header, VersionFollowsApiKeyAndVersion) {
  EXPECT_EQ(request_header_version(1, 11), 1);
  EXPECT_EQ(request_header_version(1, 12), 2);
  EXPECT_EQ(response_header_version(1, 12), 1);
  EXPECT_EQ(request_header_version(4, 0), std::nullopt) << "LeaderAndIsr has no version any more";
  EXPECT_EQ(api_name(4), "UNKNOWN");
  EXPECT_EQ(api_name(1), "Fetch");
}

TEST(Header, ApiVersionsAnswersInVersionZeroAlways) {
  for (std::int16_t version = 0; version < 10; ++version) {
    EXPECT_EQ(response_header_version(ApiVersionsRequest::api_key, version), 0);
  }
}

TEST(Header, AnApiVersionsRequestOfTheFutureCanBeRead) {
  const Bytes bytes = request(ApiVersionsRequest::api_key, 99, {0, 1, 'c', 0});
  Reader reader{ByteView(bytes)};
  RequestHeader header;
  EXPECT_EQ(decode_header(reader, header), HeaderStatus::ok);
  EXPECT_EQ(header.api_version, 99);
  EXPECT_EQ(header.client_id, "c");
  EXPECT_TRUE(reader.finished());
}

TEST(Header, AnUnknownApiKeepsItsCorrelationId) {
  const Bytes bytes = request(12345, 0, {});
  Reader reader{ByteView(bytes)};
  RequestHeader header;
  EXPECT_EQ(decode_header(reader, header), HeaderStatus::unknown_api);
  EXPECT_EQ(header.correlation_id, 77);
}

TEST(Header, CutShortOrWithTagsThatDoNotAscendIsMalformed) {
  const Bytes whole = request(FetchRequest::api_key, 12, {0, 1, 'c', 2, 5, 0, 6, 0});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Reader reader(ByteView(whole).first(size));
    RequestHeader header;
    EXPECT_EQ(decode_header(reader, header), HeaderStatus::malformed) << size;
  }
  for (const std::uint8_t second : Bytes{5, 4}) {
    const Bytes bytes = request(FetchRequest::api_key, 12, {0, 1, 'c', 2, 5, 0, second, 0});
    Reader reader{ByteView(bytes)};
    RequestHeader header;
    EXPECT_EQ(decode_header(reader, header), HeaderStatus::malformed);
  }
}

TEST(ApiKeys, WhatMayStillChangeIsNotStable) {
  const ApiInfo* info = find_api(InitProducerIdRequest::api_key);
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->max_version, 6);
  EXPECT_EQ(info->max_stable_version, 5);
  EXPECT_EQ(api_table().size(), 91U);
}

}  // namespace
}  // namespace chronik::protocol
