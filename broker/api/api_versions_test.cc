#include "broker/api/api_versions.h"

#include <gtest/gtest.h>

#include "broker/api/table.h"
#include "broker/broker.h"
#include "protocol/errors.h"

namespace chronik::broker {
namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ErrorCode;

Task<void> keep(Task<ApiVersionsResponse> task, ApiVersionsResponse* out) {
  *out = co_await std::move(task);
}

class ApiVersionsTest : public testing::Test {
 protected:
  ApiVersionsTest() {
    broker_.apis = &api_table();
    broker_.node.id = 3;
    broker_.node.cluster_id = "the-cluster";
  }

  ErrorCode ask(std::int16_t version, ApiVersionsRequest request) {
    RequestContext context(broker_, shard_, connection_);
    protocol::RequestHeader header;
    header.api_version = version;
    context.start(header, {});
    response_ = {};
    Gate gate;
    shard_.run([&] { spawn(keep(api_versions(context, std::move(request)), &response_), gate); });
    return static_cast<ErrorCode>(response_.error_code);
  }

  static ApiVersionsRequest named(std::string name, std::string version = "1.0") {
    ApiVersionsRequest request;
    request.client_software_name = std::move(name);
    request.client_software_version = std::move(version);
    return request;
  }
  static ApiVersionsRequest expecting(std::optional<std::string> cluster, BrokerId node) {
    ApiVersionsRequest request = named("client");
    request.cluster_id = std::move(cluster);
    request.node_id = node;
    return request;
  }

  ManualClock clock_;
  Shard shard_{0, clock_, Shard::Mode::manual};
  Broker broker_;
  ConnectionInfo connection_;
  ApiVersionsResponse response_;
};

TEST_F(ApiVersionsTest, ListsTheTableAndNothingElse) {
  EXPECT_EQ(ask(0, {}), ErrorCode::none);
  ASSERT_EQ(response_.api_keys.size(), api_table().entries().size());
  std::int16_t last = -1;
  for (const auto& range : response_.api_keys) {
    EXPECT_GT(range.api_key, last);
    last = range.api_key;
    const ApiEntry* entry = api_table().find(range.api_key);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(range.max_version, entry->max_version);
    EXPECT_LE(range.min_version, entry->min_version);
  }
}

// The answers of Apache Kafka 4.4.0 to the same requests.
TEST_F(ApiVersionsTest, SoftwareNamesAreCheckedFromVersion3On) {
  EXPECT_EQ(ask(2, named("")), ErrorCode::none);
  for (const char* good : {"a", "a.b", "A9-.z", "apache-kafka-java"}) {
    EXPECT_EQ(ask(3, named(good)), ErrorCode::none) << good;
  }
  EXPECT_EQ(connection_.software_name, "apache-kafka-java");
  for (const char* bad : {"", "-a", "a-", ".a", "a b", "a_b", "\xc3\xa4"}) {
    EXPECT_EQ(ask(3, named(bad)), ErrorCode::invalid_request) << bad;
    EXPECT_TRUE(response_.api_keys.empty());
  }
  EXPECT_EQ(ask(3, named("a", "")), ErrorCode::invalid_request);
}

TEST_F(ApiVersionsTest, AClientThatWantedAnotherClusterOrNodeBootstrapsAgain) {
  EXPECT_EQ(ask(5, expecting(std::nullopt, -1)), ErrorCode::none);
  EXPECT_EQ(ask(5, expecting("the-cluster", 3)), ErrorCode::none);
  EXPECT_EQ(ask(5, expecting("other", 3)), ErrorCode::rebootstrap_required);
  EXPECT_EQ(ask(5, expecting("the-cluster", 7)), ErrorCode::rebootstrap_required);
  EXPECT_EQ(ask(5, expecting("other", -1)), ErrorCode::invalid_request);
  EXPECT_EQ(ask(5, expecting("", -1)), ErrorCode::invalid_request);
  EXPECT_EQ(ask(5, expecting(std::nullopt, 3)), ErrorCode::invalid_request);
  // Before version 5 there is no such question.
  EXPECT_EQ(ask(4, expecting("other", 7)), ErrorCode::none);
}

}  // namespace
}  // namespace chronik::broker
