#include "broker/api/create_topics.h"

#include <gtest/gtest.h>

#include "broker/api/test_broker.h"

namespace chronik::broker {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::ErrorCode;

CreateTopicsRequest::CreatableTopic wish(std::string name, std::int32_t partitions = 1,
                                         std::int16_t replication = 1) {
  CreateTopicsRequest::CreatableTopic topic;
  topic.name = std::move(name);
  topic.num_partitions = partitions;
  topic.replication_factor = replication;
  return topic;
}

CreateTopicsRequest::CreatableTopic by_hand(std::string name,
                                            std::vector<std::vector<BrokerId>> replicas) {
  CreateTopicsRequest::CreatableTopic topic = wish(std::move(name), -1, -1);
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    CreateTopicsRequest::CreatableReplicaAssignment assignment;
    assignment.partition_index = static_cast<PartitionId>(i);
    assignment.broker_ids = replicas[i];
    topic.assignments.push_back(std::move(assignment));
  }
  return topic;
}

class CreateTopicsTest : public testing::Test {
 protected:
  CreateTopicsResponse create(std::vector<CreateTopicsRequest::CreatableTopic> topics,
                              bool validate_only = false, std::int16_t version = 7) {
    CreateTopicsRequest request;
    request.topics = std::move(topics);
    request.validate_only = validate_only;
    return broker_.call<create_topics>(std::move(request), version);
  }
  CreateTopicsResponse::CreatableTopicResult create_one(CreateTopicsRequest::CreatableTopic topic) {
    return create({std::move(topic)}).topics.at(0);
  }
  ErrorCode error_of(CreateTopicsRequest::CreatableTopic topic) {
    auto result = create_one(std::move(topic));
    EXPECT_EQ(result.error_code == 0, !result.error_message.has_value());
    return static_cast<ErrorCode>(result.error_code);
  }

  TestBroker broker_;
};

TEST_F(CreateTopicsTest, AnswersWhatWasMade) {
  const auto result = create_one(wish("orders", 3));
  EXPECT_EQ(result.error_code, 0);
  EXPECT_EQ(result.error_message, std::nullopt);
  EXPECT_EQ(result.num_partitions, 3);
  EXPECT_EQ(result.replication_factor, 1);
  ASSERT_TRUE(result.configs.has_value());
  EXPECT_GT(result.configs->size(), 30u);
  const metadata::Topic* topic = broker_.image()->topic("orders");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->id, result.topic_id);
  EXPECT_EQ(topic->partition_count(), 3);
  EXPECT_EQ(topic->partitions[2].leader, 1);
}

TEST_F(CreateTopicsTest, MinusOneTakesTheDefaults) {
  TestBroker broker({"--num.partitions=4"});
  CreateTopicsRequest request;
  request.topics.push_back(wish("defaults", -1, -1));
  const auto response = broker.call<create_topics>(std::move(request));
  EXPECT_EQ(response.topics.at(0).error_code, 0);
  EXPECT_EQ(response.topics.at(0).num_partitions, 4);
}

TEST_F(CreateTopicsTest, EachRefusalHasKafkasCode) {
  EXPECT_EQ(error_of(wish("../escape")), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of(wish("")), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of(wish("none", 0)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(wish("negative", -2)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(wish("wide", 1, 3)), ErrorCode::invalid_replication_factor);
  EXPECT_EQ(error_of(wish("wide", 1, 0)), ErrorCode::invalid_replication_factor);
  EXPECT_EQ(error_of(wish("gigabytes", INT32_MAX)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(wish("taken")), ErrorCode::none);
  EXPECT_EQ(error_of(wish("taken")), ErrorCode::topic_already_exists);
  EXPECT_EQ(error_of(wish("a.b")), ErrorCode::none);
  EXPECT_EQ(error_of(wish("a_b")), ErrorCode::invalid_topic_exception);
  auto configured = wish("configured");
  configured.configs.push_back({"no.such.config", "1", {}});
  EXPECT_EQ(error_of(configured), ErrorCode::invalid_config);
  EXPECT_EQ(broker_.image()->topic_count(), 2u);
}

TEST_F(CreateTopicsTest, AssignmentsByHandAreChecked) {
  EXPECT_EQ(error_of(by_hand("good", {{1}, {1}})), ErrorCode::none);
  EXPECT_EQ(broker_.image()->topic("good")->partition_count(), 2);
  EXPECT_EQ(error_of(by_hand("unknown", {{2}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(by_hand("doubled", {{1, 1}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(by_hand("empty", {{}})), ErrorCode::invalid_replica_assignment);
  auto gap = by_hand("gap", {{1}, {1}});
  gap.assignments[1].partition_index = 2;
  EXPECT_EQ(error_of(gap), ErrorCode::invalid_replica_assignment);
  auto both = by_hand("both", {{1}});
  both.num_partitions = 1;
  EXPECT_EQ(error_of(both), ErrorCode::invalid_request);
}

TEST_F(CreateTopicsTest, ADoubledNameIsRefusedOnceAndTheOthersAreMade) {
  const auto response = create({wish("twice"), wish("once"), wish("twice")});
  ASSERT_EQ(response.topics.size(), 2u);
  EXPECT_EQ(response.topics[0].name, "twice");
  EXPECT_EQ(response.topics[0].error_code, static_cast<std::int16_t>(ErrorCode::invalid_request));
  EXPECT_EQ(response.topics[1].error_code, 0);
  EXPECT_EQ(broker_.image()->topic("twice"), nullptr);
}

TEST_F(CreateTopicsTest, ValidateOnlyJudgesAndMakesNothing) {
  ASSERT_EQ(error_of(wish("taken")), ErrorCode::none);
  const auto response = create({wish("taken"), wish("free", 5)}, true);
  EXPECT_EQ(response.topics[0].error_code,
            static_cast<std::int16_t>(ErrorCode::topic_already_exists));
  EXPECT_EQ(response.topics[1].error_code, 0);
  EXPECT_EQ(response.topics[1].num_partitions, 5);
  EXPECT_EQ(broker_.image()->topic("free"), nullptr);
}

TEST_F(CreateTopicsTest, OverridesAreKeptAndShown) {
  auto topic = wish("configured");
  topic.configs.push_back({"retention.ms", "1234567", {}});
  const auto result = create_one(topic);
  ASSERT_EQ(result.error_code, 0);
  for (const auto& config : *result.configs) {
    if (config.name == "retention.ms") {
      EXPECT_EQ(config.value, "1234567");
    }
  }
  EXPECT_EQ(broker_.image()->topic("configured")->configs.find("retention.ms") != nullptr, true);
}

}  // namespace
}  // namespace chronik::broker
