// The codec's rules, each on the message that shows it, and properties over every golden vector.
#include "protocol/codec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/posix_disk.h"
#include "base/testing/source_tree.h"
#include "protocol/catalog.h"
#include "protocol/decode_oracle.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/records/consumer_group_member_metadata_value.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol {
namespace {

// Bytes of `write`, decoded.
template <class M>
bool accepts(std::int16_t version, const std::function<void(Writer&)>& write, M& message,
             std::string* reason = nullptr) {
  Writer writer;
  write(writer);
  const Bytes bytes = writer.take_bytes();
  Reader reader{ByteView(bytes)};
  DecodeFailure failure;
  const bool good = decode(reader, version, message, &failure) && reader.finished();
  if (reason != nullptr) *reason = std::string(failure.field) + ": " + failure.reason;
  return good;
}

template <class M>
std::string reason(std::int16_t version, const std::function<void(Writer&)>& write) {
  M message;
  std::string text;
  return accepts(version, write, message, &text) ? "accepted" : text;
}

TEST(Decode, CountsThatPromiseMoreThanThereIsAreRefused) {
  EXPECT_EQ(reason<MetadataRequest>(1, [](Writer& w) { w.i32(100); }),
            "topics: an array of more elements than the bytes that follow can hold");
  EXPECT_EQ(reason<MetadataRequest>(1, [](Writer& w) { w.i32(0x7fffffff); }),
            "topics: an array of more than 1,000,000 elements");
  EXPECT_EQ(reason<MetadataRequest>(9, [](Writer& w) { w.uvarint(0xffffffff); }),
            "topics: an array of more than 1,000,000 elements");
}

TEST(Decode, AMillionElementsAreTheMost) {
  const auto isr = [](std::int32_t count) {
    return [count](Writer& w) {
      w.i32(0);  // brokers
      w.i32(0);  // controller
      w.i32(1);  // topics
      w.i16(0);
      w.text(std::string_view("\0\1t\0", 4));
      w.i32(1);  // partitions
      w.i16(0);
      w.i32(0);
      w.i32(0);
      w.i32(count);  // replicas
      w.bytes(Bytes(static_cast<std::size_t>(count) * 4));
      w.i32(0);
    };
  };
  EXPECT_EQ(reason<MetadataResponse>(1, isr(1'000'000)), "accepted");
  EXPECT_EQ(reason<MetadataResponse>(1, isr(1'000'001)),
            "replicaNodes: an array of more than 1,000,000 elements");
}

TEST(Decode, NullOnlyWhereTheVersionAllowsIt) {
  MetadataRequest request;
  EXPECT_EQ(reason<MetadataRequest>(0, [](Writer& w) { w.i32(-1); }),
            "topics: null, which is not allowed here");
  ASSERT_TRUE(accepts(
      1, [](Writer& w) { w.i32(-1); }, request));
  EXPECT_FALSE(request.topics.has_value());
  EXPECT_EQ(reason<HeartbeatRequest>(0, [](Writer& w) { w.i16(-1); }),
            "groupId: null, which is not allowed here");
}

const auto heartbeat_v4 = [](const std::function<void(Writer&)>& tags) {
  return [tags](Writer& w) {
    w.uvarint(1);  // group
    w.i32(1);
    w.uvarint(1);  // member
    w.uvarint(0);  // instance: null
    tags(w);
  };
};

void tag(Writer& writer, std::uint32_t number, std::uint32_t size) {
  writer.uvarint(number);
  writer.uvarint(size);
  writer.bytes(Bytes(size, 7));
}

TEST(Decode, UnknownTagsAreKeptAndWrittenBack) {
  HeartbeatRequest request;
  const auto write = heartbeat_v4([](Writer& w) {
    w.uvarint(2);
    tag(w, 3, 300);
    tag(w, 70'000, 0);
  });
  ASSERT_TRUE(accepts(4, write, request));
  EXPECT_EQ(request.unknown_tags.count(), 2U);
  Writer expected;
  write(expected);
  EXPECT_EQ(encode_to_bytes(4, request), expected.take_bytes());
  HeartbeatRequest copy = request;
  EXPECT_EQ(copy, request);
  copy.unknown_tags = {};
  EXPECT_FALSE(copy == request);
}

TEST(Decode, TagsThatDoNotAscendAreRefused) {
  for (const std::uint32_t second : {3U, 2U}) {
    EXPECT_EQ(reason<HeartbeatRequest>(4, heartbeat_v4([second](Writer& w) {
                                         w.uvarint(2);
                                         tag(w, 3, 1);
                                         tag(w, second, 1);
                                       })),
              "groupInstanceId: tags that do not ascend");
  }
}

TEST(Decode, TenThousandTagsAreTheMost) {
  const auto tags = [](std::uint32_t count) {
    return heartbeat_v4([count](Writer& w) {
      w.uvarint(count);
      for (std::uint32_t i = 0; i < count; ++i) tag(w, i, 0);
    });
  };
  EXPECT_EQ(reason<HeartbeatRequest>(4, tags(10'000)), "accepted");
  EXPECT_EQ(reason<HeartbeatRequest>(4, tags(10'001)),
            "groupInstanceId: more than 10,000 tagged fields");
  EXPECT_EQ(reason<HeartbeatRequest>(4, heartbeat_v4([](Writer& w) {
                                       w.uvarint(1);
                                       w.uvarint(5);
                                       w.uvarint(1'000'000'000);
                                     })),
            "groupInstanceId: a tagged field longer than the bytes that follow");
}

TEST(Decode, AKnownTaggedFieldFillsItsSize) {
  const auto cluster_id = [](std::uint32_t size) {
    return [size](Writer& w) {
      for (int i = 0; i < 3; ++i) w.i32(0);  // wait, min, max bytes
      w.bytes(Bytes{0, 0, 0, 0, 0});         // isolation, session id
      w.i32(-1);
      w.uvarint(1);
      w.uvarint(1);
      w.uvarint(1);
      w.uvarint(1);
      w.uvarint(0);
      w.uvarint(size);
      w.bytes(Bytes{3, 'i', 'd'});
    };
  };
  EXPECT_EQ(reason<FetchRequest>(15, cluster_id(3)), "accepted");
  EXPECT_EQ(reason<FetchRequest>(15, cluster_id(2)), "clusterId: a tagged field of another size");
  EXPECT_NE(reason<FetchRequest>(15, cluster_id(4)), "accepted");
}

TEST(Decode, VarintsHaveFiveBytesAtMost) {
  EXPECT_NE(reason<HeartbeatRequest>(4,
                                     [](Writer& w) {
                                       w.bytes(Bytes{0x81, 0x80, 0x80, 0x80, 0x80, 0x00});
                                     }),
            "accepted");
  EXPECT_EQ(reason<HeartbeatRequest>(4,
                                     [](Writer& w) {
                                       // An empty group id in three bytes instead of one.
                                       w.bytes(Bytes{0x81, 0x80, 0x00, 0, 0, 0, 1, 1, 0, 0});
                                     }),
            "accepted");
}

TEST(Decode, StringsHave32767BytesAtMostAndAreValidAfterwards) {
  const auto group = [](const std::string& id) {
    return [id](Writer& w) {
      w.uvarint(static_cast<std::uint32_t>(id.size()) + 1);
      w.text(id);
      w.i32(1);
      w.uvarint(1);
      w.uvarint(0);
      w.uvarint(0);
    };
  };
  EXPECT_EQ(reason<HeartbeatRequest>(4, group(std::string(32767, 'a'))), "accepted");
  EXPECT_EQ(reason<HeartbeatRequest>(4, group(std::string(32768, 'a'))),
            "groupId: a string of more than 32,767 bytes");
  HeartbeatRequest request;
  ASSERT_TRUE(accepts(4, group("a\xff"), request));
  EXPECT_EQ(request.group_id, "a\xef\xbf\xbd");
  EXPECT_NE(reason<HeartbeatRequest>(4, group(std::string(32767, '\xff'))), "accepted");
}

TEST(Encode, WhatAVersionCannotSayIsWrittenAsEmptyAndReported) {
  MetadataRequest request;
  request.topics.reset();
  EXPECT_EQ(encode_to_bytes(0, request), (Bytes{0, 0, 0, 0}));
  EXPECT_EQ(check_encodable(0, request).error().message,
            "MetadataRequest version 0: field topics is null, which this version does not allow");
  EXPECT_TRUE(check_encodable(1, request));
}

TEST(Encode, LossyFieldsAreDroppedWithoutAWord) {
  ProduceResponse response;
  response.throttle_time_ms = 5;
  auto& partition = response.responses.emplace_back().partition_responses.emplace_back();
  partition.log_start_offset = 9;
  partition.error_message = "why";
  EXPECT_TRUE(check_encodable(3, response));
  Reader reader(SharedBytes::adopt(encode_to_bytes(3, response)));
  ProduceResponse back;
  ASSERT_TRUE(decode(reader, 3, back));
  EXPECT_EQ(back.responses[0].partition_responses[0].log_start_offset, -1);
}

TEST(Encode, TextOver32767BytesIsCutBetweenCharacters) {
  ProduceResponse response;
  auto& partition = response.responses.emplace_back().partition_responses.emplace_back();
  std::string text = "x";
  while (text.size() < 40'000) text += "\xe2\x82\xac";
  partition.error_message = text;
  EXPECT_FALSE(check_encodable(8, response));
  for (const std::int16_t version : {std::int16_t{8}, std::int16_t{9}}) {
    Reader reader(SharedBytes::adopt(encode_to_bytes(version, response)));
    ProduceResponse back;
    ASSERT_TRUE(decode(reader, version, back));
    EXPECT_EQ(back.responses[0].partition_responses[0].error_message, text.substr(0, 32'767));
  }
}

TEST(Encode, ATaggedNullIsWrittenWhereNullIsNotTheDefault) {
  ConsumerGroupMemberMetadataValue value;
  value.classic_member_metadata.reset();
  Reader reader(SharedBytes::adopt(encode_to_bytes(0, value)));
  ConsumerGroupMemberMetadataValue back;
  ASSERT_TRUE(decode(reader, 0, back));
  EXPECT_FALSE(back.classic_member_metadata.has_value());
}

TEST(Print, IsOneLineOfJson) {
  ProduceRequest request;
  request.transactional_id = "a\"\\\n\x01\xff";
  auto& topic = request.topic_data.emplace_back();
  topic.name = "t";
  topic.partition_data.emplace_back().records =
      RecordsField(SharedBytes::copy_of(as_bytes("0123456789")));
  topic.partition_data.emplace_back().index = 1;
  EXPECT_EQ(to_json(9, request),
            R"({"transactionalId":"a\"\\\u000a\u0001)"
            "\xef\xbf\xbd"
            R"(","acks":0,"timeoutMs":0,"topicData":[{"name":"t","partitionData":[)"
            R"({"index":0,"recordsSizeInBytes":10},{"index":1,"records":null}]}]})");
  EXPECT_NE(to_json(9, request, RecordsText::hex).find(R"("records":"30313233343536373839")"),
            std::string::npos);
}

TEST(Records, AreEqualHoweverTheyAreCut) {
  RecordsField whole(SharedBytes::copy_of(as_bytes("abcdef")));
  RecordsField cut(SharedBytes::copy_of(as_bytes("abc")));
  EXPECT_FALSE(whole == cut);
  cut.chain.append(SharedBytes::copy_of(as_bytes("def")));
  EXPECT_TRUE(whole == cut);
  EXPECT_FALSE(RecordsField() == RecordsField(SharedBytes()));
}

// Each vector the tests carry, as bytes.
void for_each_vector(
    const std::function<void(const MessageType&, std::int16_t version, const SharedBytes&,
                             const std::string& where)>& body) {
  PosixDisk disk;
  std::ostringstream out;
  wire_check::Report report(out);
  const std::string wire = in_source_tree("protocol/testdata/wire/");
  for (const char* folder : {"messages", "messages_other"}) {
    for (const std::string& file : wire_check::files_in(disk, wire + folder, ".jsonl")) {
      const MessageType* type = find_message_type(wire_check::message_name(file));
      ASSERT_NE(type, nullptr) << file;
      wire_check::for_each_line(
          disk, fmt::format("{}{}/{}", wire, folder, file), report,
          [&](const std::string& where, const boost::json::object& line) {
            const Bytes bytes = wire_check::from_hex(wire_check::text_of(line, "hex")).value();
            body(*type, static_cast<std::int16_t>(wire_check::number_of(line, "v")),
                 SharedBytes::copy_of(bytes), where);
          });
    }
  }
}

TEST(Vectors, NoPrefixOfAMessageIsAMessage) {
  std::int64_t decoded = 0;
  for_each_vector([&](const MessageType& type, std::int16_t version, const SharedBytes& bytes,
                      const std::string& where) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      Reader reader(bytes.slice(0, size));
      EXPECT_FALSE(type.make()->decode(reader, version)) << where << " " << size;
      ++decoded;
    }
  });
  EXPECT_GT(decoded, 100'000);
}

TEST(Vectors, WithAByteChangedAreRefusedOrStable) {
  std::int64_t accepted = 0;
  for_each_vector([&](const MessageType& type, std::int16_t version, const SharedBytes& bytes,
                      const std::string&) {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const std::uint8_t change : {std::uint8_t{0x01}, std::uint8_t{0x80}}) {
        Bytes bent = to_bytes(bytes.view());
        bent[at] ^= change;
        accepted += check_any_body(type, version, bent) ? 1 : 0;
      }
    }
  });
  EXPECT_GT(accepted, 10'000);
}

// What the fuzzers kept, through their own oracle. Returns how many files were accepted.
int replay(const std::string& target, bool (*check)(ByteView), int& files) {
  PosixDisk disk;
  const std::string folder = in_source_tree("protocol/testdata/corpus/" + target + "/");
  int accepted = 0;
  for (const std::string& name : wire_check::files_in(disk, folder, "")) {
    const auto file = disk.open(folder + name, OpenMode::read).value();
    Bytes bytes(file->size().value());
    bytes.resize(file->read_at(0, bytes).value());
    accepted += check(bytes) ? 1 : 0;
    ++files;
  }
  return accepted;
}

TEST(Corpus, KeepsWhatTheOracleAsks) {
  int files = 0;
  EXPECT_GT(replay("message_fuzz", check_any_message, files), 20);
  EXPECT_GT(replay("frame_fuzz", check_any_frame, files), 20);
  EXPECT_GT(files, 100);
}

}  // namespace
}  // namespace chronik::protocol
