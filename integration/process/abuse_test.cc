// Peers that do not play by the rules: the broker closes their connection, keeps its memory, and
// serves everybody else.
#include <gtest/gtest.h>
#include <signal.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/crc32c.h"
#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/produce_request.h"
#include "integration/harness/protocol_client.h"
#include "protocol/errors.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"

namespace chronik::integration {
namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ErrorCode;
using protocol::MetadataRequest;
using protocol::ProduceRequest;

constexpr std::int16_t code(ErrorCode error) { return static_cast<std::int16_t>(error); }

class Abuse : public ::testing::Test {
 protected:
  RawConnection connect() const { return RawConnection(broker_.host(), broker_.port()); }

  /// Somebody who behaves gets an answer.
  bool serves() const {
    RawConnection connection = connect();
    return call(connection, MetadataRequest{}, 9).has_value();
  }

  void expect_closed(RawConnection& connection) {
    EXPECT_TRUE(connection.closed_by_peer());
    EXPECT_TRUE(serves());
  }

  /// Kilobytes of the line `name` of the broker's /proc/<id>/status.
  std::int64_t memory_kib(const std::string& name) const {
    std::ifstream file("/proc/" + std::to_string(broker_.id()) + "/status");
    std::string word;
    std::int64_t value = 0;
    while (file >> word) {
      if (word == name + ":" && file >> value) return value;
    }
    return -1;
  }

  ApiVersionsRequest versions_request() const {
    ApiVersionsRequest request;
    request.client_software_name = "raw";
    request.client_software_version = "1";
    return request;
  }

  BrokerProcess broker_;
};

/// A v2 batch with one record of `value`, as a producer without idempotence makes it.
Bytes batch_of(const std::string& value) {
  Writer record;
  record.i8(0);
  record.varlong(0);
  record.varint(0);
  record.varint(-1);
  record.varint(static_cast<std::int32_t>(value.size()));
  record.text(value);
  record.varint(0);
  const Bytes record_bytes = record.take_bytes();

  Writer body;
  body.i16(0);                  // attributes
  body.i32(0);                  // last offset delta
  body.i64(1'700'000'000'000);  // base timestamp
  body.i64(1'700'000'000'000);  // max timestamp
  body.i64(-1);                 // producer id
  body.i16(-1);                 // producer epoch
  body.i32(-1);                 // base sequence
  body.i32(1);                  // records
  body.varint(static_cast<std::int32_t>(record_bytes.size()));
  body.bytes(record_bytes);
  const Bytes checked = body.take_bytes();

  Writer batch;
  batch.i64(0);                                              // base offset
  batch.i32(static_cast<std::int32_t>(checked.size()) + 9);  // length after this field
  batch.i32(-1);                                             // leader epoch
  batch.i8(2);                                               // magic
  batch.u32(crc32c(checked));
  batch.bytes(checked);
  return batch.take_bytes();
}

TEST_F(Abuse, UnknownApiKeyClosesTheConnection) {
  for (const std::int16_t key : {std::int16_t{-1}, std::int16_t{999}, std::int16_t{32767}}) {
    RawConnection connection = connect();
    ASSERT_TRUE(connection.send_frame(request_frame_body(key, 0, 1)));
    expect_closed(connection);
  }
}

TEST_F(Abuse, VersionOutOfRangeClosesTheConnection) {
  for (const std::int16_t version : {std::int16_t{-1}, std::int16_t{2}, std::int16_t{99}}) {
    RawConnection connection = connect();
    ASSERT_TRUE(
        connection.send_frame(request_frame_body(ProduceRequest::api_key, version, 1, Bytes(64))));
    expect_closed(connection);
  }
}

TEST_F(Abuse, ApiVersionsOfTheFutureIsAnsweredInVersionZero) {
  RawConnection connection = connect();
  const Bytes no_tags{0};  // a flexible header ends in tagged fields
  ASSERT_TRUE(
      connection.send_frame(request_frame_body(ApiVersionsRequest::api_key, 77, 5, no_tags)));
  const std::optional<Bytes> frame = connection.receive_frame();
  ASSERT_TRUE(frame.has_value());
  const auto response =
      decode_response<ApiVersionsResponse>(*frame, ApiVersionsRequest::api_key, 0, 5);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->error_code, code(ErrorCode::unsupported_version));
  // The connection is as good as before.
  const auto again = call(connection, versions_request(), 3);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->error_code, code(ErrorCode::none));
  EXPECT_GT(again->api_keys.size(), 20u);
}

TEST_F(Abuse, FrameLengthsOutOfRangeCloseTheConnection) {
  for (const std::int32_t length : {-1, std::numeric_limits<std::int32_t>::min(), 2'000'000'000}) {
    RawConnection connection = connect();
    Writer writer;
    writer.i32(length);
    writer.text("something");
    ASSERT_TRUE(connection.send(writer.take_bytes()));
    expect_closed(connection);
  }
  EXPECT_LT(memory_kib("VmHWM"), BrokerProcess::is_kafka() ? 1'500'000 : 300'000);
}

TEST_F(Abuse, BodiesThatCannotBeReadCloseTheConnection) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka lets bytes behind a body pass";
  RawConnection asking = connect();
  const auto served = call(asking, versions_request(), 3);
  ASSERT_TRUE(served.has_value());
  // No array is that long, no string of that length is there, no tag has that number; and where a
  // body has none of these, it is too long.
  const Bytes body(64, 0xff);
  for (const auto& api : served->api_keys) {
    for (std::int16_t version = api.min_version; version <= api.max_version; ++version) {
      SCOPED_TRACE("api " + std::to_string(api.api_key) + " version " + std::to_string(version));
      RawConnection connection = connect();
      Bytes frame = request_frame_body(api.api_key, version, 1);
      const std::int16_t header = *protocol::request_header_version(api.api_key, version);
      if (header == 2) frame.push_back(0);  // no tags
      frame.insert(frame.end(), body.begin(), body.end());
      ASSERT_TRUE(connection.send_frame(frame));
      EXPECT_TRUE(connection.closed_by_peer());
    }
  }
  EXPECT_TRUE(serves());
}

TEST_F(Abuse, EachClosedConnectionIsOneLineWithItsPeerAndTheReason) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own log";
  const auto framed = [](Bytes body) {
    Writer writer;
    writer.i32(static_cast<std::int32_t>(body.size()));
    writer.bytes(body);
    return writer.take_bytes();
  };
  Bytes surplus = encode_request(MetadataRequest{}, 8, 1);
  surplus.push_back(0);
  const std::int16_t produce = ProduceRequest::api_key;
  const std::vector<std::pair<Bytes, std::string>> cases{
      {framed(request_frame_body(999, 0, 1)), "unknown_api"},
      {framed(request_frame_body(produce, 99, 1, Bytes(64))), "bad_version"},
      {Bytes{0xff, 0xff, 0xff, 0xff}, "bad_frame"},
      {Bytes{0x7f, 0xff, 0xff, 0xff}, "bad_frame"},
      {framed(request_frame_body(produce, 8, 1, Bytes(64, 0xff))), "bad_request"},
      {framed(surplus), "bad_request"},
  };
  for (const auto& [bytes, reason] : cases) {
    RawConnection connection = connect();
    ASSERT_TRUE(connection.send(bytes));
    expect_closed(connection);
    const std::string peer = " peer=" + connection.local_address() + " ";
    std::istringstream log(broker_.log());
    std::vector<std::string> said;
    for (std::string line; std::getline(log, line);) {
      if (line.find(peer) != std::string::npos) said.push_back(line);
    }
    ASSERT_EQ(said.size(), 1u) << reason << peer;
    EXPECT_NE(said.front().find("reason=" + reason), std::string::npos) << said.front();
    EXPECT_NE(said.front().find("detail="), std::string::npos) << said.front();
  }
}

TEST_F(Abuse, BytesBehindTheBodyCloseTheConnection) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka lets them pass";
  // Up to three behind a flexible version are librdkafka's (broker/api/dispatch_test.cc).
  const auto expect_refused = [this](Bytes body, std::size_t surplus) {
    RawConnection connection = connect();
    body.resize(body.size() + surplus);
    ASSERT_TRUE(connection.send_frame(body));
    expect_closed(connection);
  };
  expect_refused(encode_request(protocol::DescribeClusterRequest{}, 0, 1), 4);
  expect_refused(encode_request(MetadataRequest{}, 8, 1), 1);
}

TEST_F(Abuse, CountsThatPromiseGigabytesCostNothing) {
  Writer body;
  body.i16(-1);             // transactional id
  body.i16(-1);             // acks
  body.i32(1000);           // timeout
  body.i32(2'000'000'000);  // topics
  RawConnection connection = connect();
  ASSERT_TRUE(
      connection.send_frame(request_frame_body(ProduceRequest::api_key, 3, 1, body.take_bytes())));
  expect_closed(connection);
  if (!BrokerProcess::is_kafka()) {
    EXPECT_LT(memory_kib("VmHWM"), 300'000);
  }
}

TEST_F(Abuse, PromisesOfLargeFramesKeepNobodyWaiting) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka takes the memory at once";
  std::vector<RawConnection> hoarders;
  Writer promise;
  promise.i32(100 << 20);
  promise.i32(ProduceRequest::api_key << 16 | 9);
  const Bytes bytes = promise.take_bytes();
  for (int i = 0; i < 20; ++i) {
    hoarders.push_back(connect());
    ASSERT_TRUE(hoarders.back().send(bytes));
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(serves());
  EXPECT_LT(memory_kib("VmHWM"), 300'000);
}

TEST_F(Abuse, SlowAndHalfOpenPeersKeepNobodyWaiting) {
  const Bytes body = encode_request(MetadataRequest{}, 9, 1);
  Writer writer;
  writer.i32(static_cast<std::int32_t>(body.size()));
  writer.bytes(body);
  const Bytes frame = writer.take_bytes();
  std::vector<RawConnection> peers;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().send(ByteView(frame).first(i)));
    if (i % 2 == 1) peers.back().finish_sending();
  }
  EXPECT_TRUE(serves());
  // Byte by byte is slow, not wrong.
  RawConnection slow = connect();
  for (const std::uint8_t& byte : frame) {
    ASSERT_TRUE(slow.send(ByteView(&byte, 1)));
    EXPECT_TRUE(serves());
  }
  EXPECT_TRUE(slow.receive_frame().has_value());
}

TEST_F(Abuse, AThousandPipelinedRequestsAreAnsweredInOrder) {
  RawConnection connection = connect();
  for (std::int32_t i = 0; i < 1000; ++i) {
    const bool metadata = i % 2 == 0;
    ASSERT_TRUE(connection.send_frame(metadata ? encode_request(MetadataRequest{}, 9, i)
                                               : encode_request(versions_request(), 3, i)));
  }
  for (std::int32_t i = 0; i < 1000; ++i) {
    const std::optional<Bytes> frame = connection.receive_frame();
    ASSERT_TRUE(frame.has_value());
    Reader reader{ByteView(*frame)};
    ASSERT_EQ(reader.i32(), i);
  }
}

TEST_F(Abuse, PeerThatNeverReadsItsAnswersStopsOnlyItself) {
  RawConnection connection = connect();
  // Far more than socket buffers hold. The broker stops reading when its answers do not leave.
  const Bytes request = encode_request(versions_request(), 3, 1);
  connection.set_send_limit(std::chrono::milliseconds(500));
  std::size_t sent = 0;
  while (sent < 200'000 && connection.send_frame(request)) ++sent;
  EXPECT_LT(sent, 200'000u);
  EXPECT_TRUE(serves());
  if (!BrokerProcess::is_kafka()) {
    EXPECT_LT(memory_kib("VmHWM"), 300'000);
  }
}

TEST_F(Abuse, ThousandsOfConnectionsComeAndGo) {
  std::vector<RawConnection> held;
  for (int i = 0; i < 5000; ++i) {
    RawConnection connection = connect();
    ASSERT_TRUE(connection.connected());
    if (i % 3 == 0) connection.send_frame(encode_request(versions_request(), 3, i));
    if (i % 10 == 0) held.push_back(std::move(connection));
  }
  EXPECT_TRUE(serves());
}

TEST_F(Abuse, TopicNamesOutsideTheRuleAreRefused) {
  RawConnection connection = connect();
  protocol::CreateTopicsRequest request;
  request.timeout_ms = 5000;
  const std::vector<std::string> names{
      "../x", "a/b", "", ".", "..", "a b", "\xc3\xa4", "a\n", std::string(250, 'a')};
  for (const std::string& name : names) {
    protocol::CreateTopicsRequest::CreatableTopic topic;
    topic.name = name;
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    request.topics.push_back(topic);
  }
  const auto response = call(connection, request);
  ASSERT_TRUE(response.has_value());
  ASSERT_EQ(response->topics.size(), names.size());
  for (const auto& topic : response->topics) {
    EXPECT_EQ(topic.error_code, code(ErrorCode::invalid_topic_exception)) << topic.name;
  }
  Admin admin(broker_.bootstrap());
  EXPECT_EQ(admin.topics().size(), 0u);
}

TEST_F(Abuse, BadBatchesGetTheirErrorAndLeaveNoTrace) {
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t"}).ok());
  RawConnection connection = connect();
  const auto produce = [&](Bytes batch) {
    const auto response =
        call(connection, produce_request("t", SharedBytes::adopt(std::move(batch))), 9);
    EXPECT_TRUE(response.has_value());
    return response ? response->responses.at(0).partition_responses.at(0).error_code : -99;
  };
  Bytes flipped = batch_of("x");
  flipped.back() ^= 1;
  EXPECT_EQ(produce(flipped), code(ErrorCode::corrupt_message));
  Bytes old_magic = batch_of("x");
  old_magic[16] = 1;
  EXPECT_NE(produce(old_magic), code(ErrorCode::none));
  Bytes cut = batch_of("x");
  cut.resize(cut.size() - 3);
  EXPECT_NE(produce(cut), code(ErrorCode::none));
  EXPECT_NE(produce(Bytes(61)), code(ErrorCode::none));
  EXPECT_EQ(produce(batch_of("good")), code(ErrorCode::none));

  Consumer consumer(broker_.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), std::make_pair(std::int64_t{0}, std::int64_t{1}));
  consumer.assign({{"t", 0, 0}});
  const std::vector<Message> read = consumer.consume(1);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read.front().value, "good");
}

TEST_F(Abuse, BatchThatUnpacksToGigabytesIsRefusedAtTheLimit) {
  if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: Kafka's heap hides what this looks at";
  Admin admin(broker_.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .configs = {{"compression.type", "lz4"}}}).ok());

  // 1 GiB of zeros in gzip: about a megabyte. Behind a full flush a mebibyte looks like the one
  // before; the end of the stream is never reached.
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  const Bytes zeros(1 << 20);
  Bytes packed(4 << 20);
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  const auto pack_a_mebibyte = [&] {
    stream.next_in = const_cast<Bytef*>(zeros.data());
    stream.avail_in = static_cast<uInt>(zeros.size());
    return deflate(&stream, Z_FULL_FLUSH) == Z_OK && stream.avail_in == 0;
  };
  ASSERT_TRUE(pack_a_mebibyte());
  const auto first = static_cast<std::ptrdiff_t>(stream.total_out);
  ASSERT_TRUE(pack_a_mebibyte());
  packed.resize(stream.total_out);
  const Bytes second(packed.begin() + first, packed.end());
  for (int i = 2; i < 1024; ++i) packed.insert(packed.end(), second.begin(), second.end());
  deflateEnd(&stream);

  Bytes batch = batch_of("");
  batch.resize(61);
  batch.insert(batch.end(), packed.begin(), packed.end());
  batch[22] = 1;  // attributes: gzip
  store_be(batch.data() + 8, static_cast<std::int32_t>(batch.size() - 12));
  store_be(batch.data() + 17, crc32c(ByteView(batch).subspan(21)));
  RawConnection connection = connect();
  const auto response = call(connection, produce_request("t", SharedBytes::adopt(std::move(batch))),
                             9, std::chrono::seconds(60));
  ASSERT_TRUE(response.has_value());
  EXPECT_NE(response->responses.at(0).partition_responses.at(0).error_code, code(ErrorCode::none));
  // Another program may be one of a sanitizer, which keeps what was freed for a while.
  if (std::getenv("TEST_PROGRAM") == nullptr) {
    EXPECT_LT(memory_kib("VmHWM"), 420'000);
  }
  EXPECT_TRUE(serves());
}

}  // namespace
}  // namespace chronik::integration
