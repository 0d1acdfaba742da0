#include "broker/api/metadata.h"

#include <gtest/gtest.h>

#include "broker/api/authorized_operations.h"
#include "broker/api/create_topics.h"
#include "broker/api/describe_cluster.h"
#include "broker/api/test_broker.h"

namespace chronik::broker {
namespace {

using protocol::ErrorCode;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

MetadataRequest about(std::vector<std::string> names, bool create = false) {
  MetadataRequest request;
  for (std::string& name : names) {
    MetadataRequest::MetadataRequestTopic topic;
    topic.name = std::move(name);
    request.topics->push_back(std::move(topic));
  }
  request.allow_auto_topic_creation = create;
  return request;
}

class MetadataTest : public testing::Test {
 protected:
  MetadataTest() {
    protocol::CreateTopicsRequest request;
    for (const char* name : {"a", "b"}) {
      protocol::CreateTopicsRequest::CreatableTopic topic;
      topic.name = name;
      topic.num_partitions = 2;
      topic.replication_factor = 1;
      request.topics.push_back(std::move(topic));
    }
    broker_.call<create_topics>(std::move(request));
  }

  MetadataResponse ask(MetadataRequest request, std::int16_t version = 13) {
    return broker_.call<metadata_request>(std::move(request), version);
  }

  TestBroker broker_;
};

TEST_F(MetadataTest, TellsTheClusterAndItsTopics) {
  const MetadataResponse response = ask(about({"a"}));
  ASSERT_EQ(response.brokers.size(), 1u);
  EXPECT_EQ(response.brokers[0].host, "broker.example");
  EXPECT_EQ(response.brokers[0].port, 9092);
  EXPECT_EQ(response.cluster_id, "test-cluster");
  EXPECT_EQ(response.controller_id, 1);
  ASSERT_EQ(response.topics.size(), 1u);
  EXPECT_EQ(response.topics[0].topic_id, broker_.image()->topic("a")->id);
  ASSERT_EQ(response.topics[0].partitions.size(), 2u);
  EXPECT_EQ(response.topics[0].partitions[1].partition_index, 1);
  EXPECT_EQ(response.topics[0].partitions[1].leader_id, 1);
  EXPECT_EQ(response.topics[0].partitions[1].isr_nodes, std::vector<std::int32_t>{1});
}

TEST_F(MetadataTest, WithoutAnAdvertisedHostTheClientsWayIsToldBack) {
  broker_.broker().node.listeners[0].host.clear();
  broker_.connection().local_host = "10.1.2.3";
  EXPECT_EQ(ask(about({})).brokers.at(0).host, "10.1.2.3");
}

TEST_F(MetadataTest, AllTopicsAreAskedForInTwoWays) {
  MetadataRequest null;
  null.topics.reset();
  EXPECT_EQ(ask(null, 1).topics.size(), 2u);
  EXPECT_EQ(ask(null, 13).topics.size(), 2u);
  EXPECT_EQ(ask(about({}), 0).topics.size(), 2u);
  EXPECT_EQ(ask(about({}), 1).topics.size(), 0u);
}

TEST_F(MetadataTest, UnknownAndImpossibleTopics) {
  const MetadataResponse response = ask(about({"missing", "../x"}));
  EXPECT_EQ(response.topics[0].error_code,
            static_cast<std::int16_t>(ErrorCode::unknown_topic_or_partition));
  EXPECT_EQ(response.topics[0].name, "missing");
  EXPECT_EQ(response.topics[1].error_code,
            static_cast<std::int16_t>(ErrorCode::invalid_topic_exception));
  EXPECT_EQ(broker_.image()->topic("missing"), nullptr);
}

TEST_F(MetadataTest, TheFirstUseCreatesATopicWhereThatIsAllowed) {
  const MetadataResponse response = ask(about({"new", "new", "../x"}, true));
  EXPECT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[0].partitions.size(), 1u);
  EXPECT_NE(broker_.image()->topic("new"), nullptr);
  EXPECT_EQ(response.topics[2].error_code,
            static_cast<std::int16_t>(ErrorCode::invalid_topic_exception));

  TestBroker strict({"--auto.create.topics.enable=false"});
  const MetadataResponse refused = strict.call<metadata_request>(about({"new"}, true));
  EXPECT_EQ(refused.topics[0].error_code,
            static_cast<std::int16_t>(ErrorCode::unknown_topic_or_partition));
}

TEST_F(MetadataTest, TopicsAreFoundByTheirIds) {
  MetadataRequest request;
  MetadataRequest::MetadataRequestTopic by_id;
  by_id.name.reset();
  by_id.topic_id = broker_.image()->topic("b")->id;
  request.topics->push_back(by_id);
  by_id.topic_id = Uuid::from_random(1, 2);
  request.topics->push_back(by_id);
  const MetadataResponse response = ask(request, 12);
  EXPECT_EQ(response.topics[0].name, "b");
  EXPECT_EQ(response.topics[1].error_code, static_cast<std::int16_t>(ErrorCode::unknown_topic_id));
  EXPECT_EQ(response.topics[1].name, std::nullopt);
  // Before version 12 that is no valid request.
  EXPECT_EQ(ask(request, 11).topics[0].error_code,
            static_cast<std::int16_t>(ErrorCode::invalid_request));
}

TEST_F(MetadataTest, OperationsAreToldToThoseWhoAsk) {
  MetadataRequest request = about({"a"});
  EXPECT_EQ(ask(request).topics[0].topic_authorized_operations, operations_not_asked);
  request.include_topic_authorized_operations = true;
  EXPECT_EQ(ask(request).topics[0].topic_authorized_operations, all_topic_operations);
  request.include_cluster_authorized_operations = true;
  EXPECT_EQ(ask(request, 10).cluster_authorized_operations, all_cluster_operations);
}

TEST_F(MetadataTest, DescribeClusterTellsTheSame) {
  protocol::DescribeClusterRequest request;
  auto response = broker_.call<describe_cluster>(request);
  EXPECT_EQ(response.error_code, 0);
  EXPECT_EQ(response.cluster_id, "test-cluster");
  ASSERT_EQ(response.brokers.size(), 1u);
  EXPECT_EQ(response.brokers[0].host, "broker.example");
  request.endpoint_type = 2;
  EXPECT_EQ(broker_.call<describe_cluster>(request).error_code,
            static_cast<std::int16_t>(ErrorCode::mismatched_endpoint_type));
  request.endpoint_type = 9;
  EXPECT_EQ(broker_.call<describe_cluster>(request).error_code,
            static_cast<std::int16_t>(ErrorCode::unsupported_endpoint_type));
}

}  // namespace
}  // namespace chronik::broker
