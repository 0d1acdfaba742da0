// The handlers that touch partitions: what they answer, and when.
#include <gtest/gtest.h>

#include "broker/api/handlers.h"
#include "broker/api/test_data.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"

namespace chronik::broker {
namespace {

using namespace protocol;  // NOLINT: the messages of seven APIs

ErrorCode code(std::int16_t error) { return static_cast<ErrorCode>(error); }

class PartitionsApiTest : public testing::Test {
 protected:
  ProduceRequest producing(std::int32_t timeout_ms, std::int16_t acks = -1) {
    ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = timeout_ms;
    auto& topic = request.topic_data.emplace_back();
    topic.topic_id = news_;
    auto& partition = topic.partition_data.emplace_back();
    partition.records.null = false;
    partition.records.chain.append(TestData::records(2));
    return request;
  }
  static const ProduceResponse::PartitionProduceResponse& only(const ProduceResponse& response) {
    return response.responses.at(0).partition_responses.at(0);
  }

  DeleteRecordsRequest deleting(Offset offset, const std::string& topic = "news",
                                PartitionId partition = 0) {
    DeleteRecordsRequest request;
    request.timeout_ms = 1000;
    request.topics.emplace_back().name = topic;
    request.topics[0].partitions.emplace_back();
    request.topics[0].partitions[0].partition_index = partition;
    request.topics[0].partitions[0].offset = offset;
    return request;
  }
  static const DeleteRecordsResponse::DeleteRecordsPartitionResult& only(
      const DeleteRecordsResponse& response) {
    return response.topics.at(0).partitions.at(0);
  }

  TestBroker broker_;
  TestData data_{broker_};
  const Uuid news_ = data_.create("news", 2);
};

TEST_F(PartitionsApiTest, ProduceIsAnsweredWhenTheDiskHasTheBatch) {
  const auto pending = broker_.start<produce>(producing(30'000));
  EXPECT_FALSE(pending->response);
  data_.flush();
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(code(only(*pending->response).error_code), ErrorCode::none);
  EXPECT_EQ(only(*pending->response).base_offset, 0);
}

TEST_F(PartitionsApiTest, ProduceIsToldThatTheDiskTookTooLong) {
  const auto pending = broker_.start<produce>(producing(1500));
  data_.pass_time(milliseconds(1499));
  EXPECT_FALSE(pending->response);
  data_.pass_time(milliseconds(1));
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(code(only(*pending->response).error_code), ErrorCode::request_timed_out);
  EXPECT_EQ(only(*pending->response).base_offset, 0) << "the batch is in the log, as in Kafka";
  // What was refused so may be repeated: it is there when the disk wakes up.
  data_.flush();
  EXPECT_EQ(data_.partition(news_).high_watermark(), 2);
}

TEST_F(PartitionsApiTest, OnlyAcksAllWithATimeoutIsLimited) {
  const auto of_leader = broker_.start<produce>(producing(1500, 1));
  const auto unlimited = broker_.start<produce>(producing(0));
  data_.pass_time(milliseconds(3'600'000));
  EXPECT_FALSE(of_leader->response);
  EXPECT_FALSE(unlimited->response);
  data_.flush();
  EXPECT_EQ(code(only(*of_leader->response).error_code), ErrorCode::none);
  EXPECT_EQ(code(only(*unlimited->response).error_code), ErrorCode::none);
}

TEST_F(PartitionsApiTest, ProduceIsToldWhenItsTopicIsDeletedMeanwhile) {
  const auto pending = broker_.start<produce>(producing(30'000));
  data_.remove(news_);
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(code(only(*pending->response).error_code), ErrorCode::unknown_topic_or_partition);
}

TEST_F(PartitionsApiTest, DeletedRecordsAreGoneForGoodBeforeTheAnswer) {
  data_.append(news_, 5);
  data_.flush();
  const auto pending = broker_.start<delete_records>(deleting(3));
  EXPECT_FALSE(pending->response) << "a power cut would bring them back";
  data_.flush();
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(code(only(*pending->response).error_code), ErrorCode::none);
  EXPECT_EQ(only(*pending->response).low_watermark, 3);
  // Before what is gone already: nothing to do, and the answer says where the log starts.
  const auto again = broker_.call<delete_records>(deleting(1));
  EXPECT_EQ(code(only(again).error_code), ErrorCode::none);
  EXPECT_EQ(only(again).low_watermark, 3);
}

TEST_F(PartitionsApiTest, MinusOneDeletesUpToTheHighWatermark) {
  data_.append(news_, 5);
  data_.flush();
  data_.append(news_, 2);  // not acknowledged yet, so not deleted
  const auto pending = broker_.start<delete_records>(deleting(-1));
  data_.flush();
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(only(*pending->response).low_watermark, 5);
}

TEST_F(PartitionsApiTest, DeleteRecordsRefusesWhatIsNotThere) {
  data_.append(news_, 5);
  data_.flush();
  for (const Offset offset : {Offset{6}, Offset{-2}}) {
    const auto response = broker_.call<delete_records>(deleting(offset));
    EXPECT_EQ(code(only(response).error_code), ErrorCode::offset_out_of_range);
    EXPECT_EQ(only(response).low_watermark, -1);
  }
  EXPECT_EQ(code(only(broker_.call<delete_records>(deleting(1, "none"))).error_code),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(code(only(broker_.call<delete_records>(deleting(1, "news", 2))).error_code),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(data_.partition(news_).log_start_offset(), 0);
}

TEST_F(PartitionsApiTest, DeleteRecordsIsToldThatTheDiskTookTooLong) {
  data_.append(news_, 5);
  data_.flush();
  const auto pending = broker_.start<delete_records>(deleting(3));
  data_.pass_time(milliseconds(1000));
  ASSERT_TRUE(pending->response);
  EXPECT_EQ(code(only(*pending->response).error_code), ErrorCode::request_timed_out);
  EXPECT_EQ(only(*pending->response).low_watermark, -1);
}

TEST_F(PartitionsApiTest, LogDirsListEveryPartitionWithItsSize) {
  data_.append(news_, 5);
  data_.flush();
  data_.create("empty");
  DescribeLogDirsRequest request;
  request.topics.reset();
  const DescribeLogDirsResponse response = broker_.call<describe_log_dirs>(request);
  ASSERT_EQ(response.results.size(), 1u);
  const auto& directory = response.results[0];
  EXPECT_EQ(directory.log_dir, "/data");
  EXPECT_GT(directory.total_bytes, 0);
  EXPECT_GT(directory.usable_bytes, 0);
  ASSERT_EQ(directory.topics.size(), 2u);
  EXPECT_EQ(directory.topics[0].name, "empty");
  EXPECT_EQ(directory.topics[0].partitions.at(0).partition_size, 0);
  EXPECT_EQ(directory.topics[1].name, "news");
  ASSERT_EQ(directory.topics[1].partitions.size(), 2u);
  EXPECT_EQ(directory.topics[1].partitions[0].partition_size,
            static_cast<std::int64_t>(TestData::records(5).size()));
  EXPECT_EQ(directory.topics[1].partitions[1].partition_size, 0);
}

TEST_F(PartitionsApiTest, LogDirsListOnlyWhatWasAskedFor) {
  DescribeLogDirsRequest request;
  request.topics.emplace();
  request.topics->emplace_back().topic = "news";
  request.topics->back().partitions = {1, 7};
  request.topics->emplace_back().topic = "none";
  request.topics->back().partitions = {0};
  const DescribeLogDirsResponse response = broker_.call<describe_log_dirs>(request);
  ASSERT_EQ(response.results.at(0).topics.size(), 1u);
  ASSERT_EQ(response.results[0].topics[0].partitions.size(), 1u);
  EXPECT_EQ(response.results[0].topics[0].partitions[0].partition_index, 1);
}

TEST_F(PartitionsApiTest, OffsetsAreThoseOfWhatIsAcknowledged) {
  data_.append(news_, 5);
  data_.flush();
  data_.append(news_, 3);
  const auto find = [&](Timestamp timestamp, std::int16_t version = 11) {
    ListOffsetsRequest request;
    request.topics.emplace_back().name = "news";
    request.topics[0].partitions.emplace_back().timestamp = timestamp;
    request.topics[0].partitions[0].current_leader_epoch = -1;
    return broker_.call<list_offsets>(request, version).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(find(-1).offset, 5);
  EXPECT_EQ(find(-2).offset, 0);
  EXPECT_EQ(find(-3).offset, 4);
  EXPECT_EQ(find(-3).timestamp, 1'700'000'000'004);
  EXPECT_EQ(find(1'700'000'000'002).offset, 2);
  EXPECT_EQ(find(1'700'000'000'005).offset, -1);
  EXPECT_EQ(code(find(-3, 6).error_code), ErrorCode::unsupported_version);
  EXPECT_EQ(code(find(-9).error_code), ErrorCode::unsupported_version);
}

TEST_F(PartitionsApiTest, ARepeatedPartitionOfListOffsetsIsRefused) {
  ListOffsetsRequest request;
  request.topics.emplace_back().name = "news";
  request.topics[0].partitions.resize(3);
  request.topics[0].partitions[2].partition_index = 1;
  for (auto& partition : request.topics[0].partitions) partition.timestamp = -1;
  const auto partitions = broker_.call<list_offsets>(request).topics.at(0).partitions;
  EXPECT_EQ(code(partitions[0].error_code), ErrorCode::invalid_request);
  EXPECT_EQ(code(partitions[2].error_code), ErrorCode::none);
}

TEST_F(PartitionsApiTest, AClientAheadOfTheLeaderEpochIsToldSo) {
  data_.append(news_, 5);
  data_.flush();
  OffsetForLeaderEpochRequest request;
  request.topics.emplace_back().topic = "news";
  auto& asked = request.topics[0].partitions.emplace_back();
  asked.leader_epoch = 0;
  asked.current_leader_epoch = 0;
  const auto answer = [&] {
    return broker_.call<offset_for_leader_epoch>(request).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(answer().end_offset, 5);
  asked.current_leader_epoch = 7;
  EXPECT_EQ(code(answer().error_code), ErrorCode::unknown_leader_epoch);
}

TEST_F(PartitionsApiTest, AWaitingFetchIsAnsweredWhenOneOfItsTopicsGoes) {
  const Uuid other = data_.create("other");
  data_.partition(other);
  data_.partition(news_);
  FetchRequest request;
  request.max_wait_ms = 60'000;
  request.min_bytes = 1;
  request.max_bytes = 1 << 20;
  for (const Uuid& id : {news_, other}) {
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    topic.partitions.emplace_back().partition_max_bytes = 1 << 20;
    topic.partitions.back().current_leader_epoch = -1;
    topic.partitions.back().last_fetched_epoch = -1;
  }
  request.session_epoch = -1;
  const auto pending = broker_.start<fetch>(request);
  EXPECT_FALSE(pending->response);
  data_.remove(other);
  ASSERT_TRUE(pending->response) << "Kafka answers at once";
  ASSERT_EQ(pending->response->responses.size(), 2u);
  EXPECT_EQ(code(pending->response->responses[1].partitions.at(0).error_code),
            ErrorCode::unknown_topic_id);
}

}  // namespace
}  // namespace chronik::broker
