// The config APIs together, against a store in memory: what is altered is described.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/api/acls.h"
#include "broker/api/alter_configs.h"
#include "broker/api/config_resource.h"
#include "broker/api/describe_configs.h"
#include "broker/api/incremental_alter_configs.h"
#include "broker/api/list_config_resources.h"
#include "broker/api/test_broker.h"

namespace chronik::broker {
namespace {

using testing::IsEmpty;

constexpr std::int8_t topic_type = 2;
constexpr std::int8_t broker_type = 4;
constexpr std::int8_t logger_type = 8;
constexpr std::int8_t metrics_type = 16;
constexpr std::int8_t group_type = 32;

class Configs : public testing::Test {
 protected:
  Configs() { create_topic("t1"); }
  ~Configs() override { set_log_level(LogLevel::info); }

  void create_topic(std::string name) {
    metadata::TopicCreated event;
    event.topic_id = Uuid::from_random(++topics_, 1);
    event.name = std::move(name);
    event.partitions.emplace_back().replicas = {1};
    broker_.shard().run([&] { broker_.store().propose({std::move(event)}, [](auto) {}); });
  }

  struct Change {
    std::string name;
    int operation;
    std::optional<std::string> value;
  };

  /// "0", or "code: message".
  std::string alter(std::int8_t type, const std::string& name, const std::vector<Change>& changes,
                    bool validate_only = false) {
    protocol::IncrementalAlterConfigsRequest request;
    request.validate_only = validate_only;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    for (const Change& change : changes) {
      auto& config = resource.configs.emplace_back();
      config.name = change.name;
      config.config_operation = static_cast<std::int8_t>(change.operation);
      config.value = change.value;
    }
    const auto response = broker_.call<incremental_alter_configs>(std::move(request));
    return text(response.responses.at(0));
  }

  template <class Answer>
  static std::string text(const Answer& answer) {
    if (answer.error_code == 0) return answer.error_message ? "0: not null" : "0";
    return std::to_string(answer.error_code) + ": " + answer.error_message.value_or("null");
  }

  std::string replace(std::int8_t type, const std::string& name,
                      const std::vector<std::pair<std::string, std::string>>& configs,
                      bool validate_only = false) {
    protocol::AlterConfigsRequest request;
    request.validate_only = validate_only;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    for (auto& [key, value] : configs) {
      auto& config = resource.configs.emplace_back();
      config.name = key;
      config.value = value;
    }
    return text(broker_.call<alter_configs>(std::move(request)).responses.at(0));
  }

  protocol::DescribeConfigsResponse::DescribeConfigsResult describe(
      std::int8_t type, std::string name, std::vector<std::string> keys = {}) {
    protocol::DescribeConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = std::move(name);
    resource.configuration_keys = std::move(keys);
    return broker_.call<describe_configs>(std::move(request)).results.at(0);
  }

  /// "value/source" of one config.
  std::string value(std::int8_t type, std::string name, const std::string& key) {
    const auto result = describe(type, std::move(name), {key});
    if (result.configs.empty()) return "none";
    return result.configs[0].value.value_or("null") + "/" +
           std::to_string(result.configs[0].config_source);
  }

  TestBroker broker_;
  std::uint64_t topics_ = 0;
};

constexpr int set = 0, remove = 1, append = 2, subtract = 3;

TEST_F(Configs, WhatIsSetIsDescribed) {
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "604800000/5");
  EXPECT_EQ(alter(topic_type, "t1", {{"retention.ms", set, "5000"}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "5000/1");
  EXPECT_EQ(alter(topic_type, "t1", {{"retention.ms", remove, std::nullopt}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "604800000/5");
  EXPECT_EQ(alter(topic_type, "t1", {}), "0");
}

TEST_F(Configs, ListsGrowAndShrink) {
  EXPECT_EQ(alter(topic_type, "t1", {{"cleanup.policy", append, "compact"}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "cleanup.policy"), "delete,compact/1");
  EXPECT_EQ(alter(topic_type, "t1", {{"cleanup.policy", subtract, "delete"}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "cleanup.policy"), "compact/1");
}

TEST_F(Configs, ValidateOnlyChangesNothing) {
  EXPECT_EQ(alter(topic_type, "t1", {{"retention.ms", set, "5000"}}, true), "0");
  EXPECT_EQ(alter(topic_type, "t1", {{"retention.ms", set, "x"}}, true),
            "40: Invalid value x for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(alter(logger_type, "1", {{"root", set, "ERROR"}}, true), "0");
  EXPECT_EQ(current_log_level(), "INFO");
  EXPECT_EQ(replace(topic_type, "t1", {{"retention.ms", "7"}}, true), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "604800000/5");
}

TEST_F(Configs, ReplacingForgetsWhatIsNotNamed) {
  alter(topic_type, "t1", {{"retention.ms", set, "5000"}, {"segment.ms", set, "1000"}});
  EXPECT_EQ(replace(topic_type, "t1", {{"retention.ms", "7000"}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "7000/1");
  EXPECT_EQ(value(topic_type, "t1", "segment.ms"), "604800000/5");
  EXPECT_EQ(replace(topic_type, "t1", {}), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "604800000/5");
  EXPECT_EQ(replace(topic_type, "nope", {}), "3: The topic 'nope' does not exist.");
  EXPECT_EQ(replace(logger_type, "1", {{"root", "INFO"}}), "42: Unknown resource type 8");
}

TEST_F(Configs, BrokerConfigsReachTopicsThatDoNotOverrideThem) {
  EXPECT_EQ(alter(broker_type, "", {{"log.retention.ms", set, "234567"}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "234567/3");
  EXPECT_EQ(alter(broker_type, "1", {{"log.retention.ms", set, "123456"}}), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "123456/2");
  EXPECT_EQ(broker_.broker().settings->current()->settings.topic_defaults.retention_ms,
            milliseconds{123456});
  EXPECT_EQ(value(broker_type, "1", "log.retention.ms"), "123456/2");
  EXPECT_EQ(value(broker_type, "", "log.retention.ms"), "234567/3");
  EXPECT_EQ(describe(broker_type, "").configs.size(), 1u);
  alter(broker_type, "1", {{"log.retention.ms", remove, std::nullopt}});
  alter(broker_type, "", {{"log.retention.ms", remove, std::nullopt}});
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "604800000/5");
}

TEST_F(Configs, ResourcesThatCannotBeAlteredAreRefusedInKafkasWords) {
  EXPECT_EQ(alter(topic_type, "nope", {{"retention.ms", set, "1"}}),
            "3: The topic 'nope' does not exist.");
  EXPECT_EQ(alter(topic_type, "a/b", {{"retention.ms", set, "1"}}),
            "17: Topic name is invalid: 'a/b' contains one or more characters other than ASCII "
            "alphanumerics, '.', '_' and '-'");
  EXPECT_EQ(alter(topic_type, "", {{"retention.ms", set, "1"}}),
            "42: Default topic resources are not allowed.");
  EXPECT_EQ(alter(broker_type, "2", {{"log.retention.ms", set, "1"}}),
            "42: Unexpected broker id, expected 1, but received 2");
  EXPECT_EQ(alter(broker_type, "x", {{"log.retention.ms", set, "1"}}),
            "42: Node id must be an integer, but it is: x");
  EXPECT_EQ(alter(metrics_type, "", {{"interval.ms", set, "1000"}}),
            "42: Subscription name can't be empty");
  EXPECT_EQ(alter(group_type, "", {}), "42: Default group resources are not allowed.");
  EXPECT_EQ(alter(1, "x", {{"a", set, "1"}}), "42: Unknown resource type 1");
  EXPECT_EQ(alter(99, "x", {{"a", set, "1"}}), "42: Unknown resource type 99");
}

TEST_F(Configs, EachResourceIsJudgedForItself) {
  protocol::IncrementalAlterConfigsRequest request;
  for (const char* name : {"t1", "t1", "nope", "t2"}) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = topic_type;
    resource.resource_name = name;
    resource.configs.emplace_back().name = "retention.ms";
    resource.configs.back().value = "9";
  }
  create_topic("t2");
  const auto response = broker_.call<incremental_alter_configs>(std::move(request));
  ASSERT_EQ(response.responses.size(), 4u);
  EXPECT_EQ(text(response.responses[0]), "42: Each resource must appear at most once.");
  EXPECT_EQ(text(response.responses[1]), "42: Each resource must appear at most once.");
  EXPECT_EQ(text(response.responses[2]), "3: The topic 'nope' does not exist.");
  EXPECT_EQ(text(response.responses[3]), "0");
  EXPECT_EQ(value(topic_type, "t1", "retention.ms"), "604800000/5");
  EXPECT_EQ(value(topic_type, "t2", "retention.ms"), "9/1");
}

TEST_F(Configs, TheLogLevelIsAConfigToo) {
  const auto described = describe(logger_type, "1");
  ASSERT_EQ(described.configs.size(), 1u);
  EXPECT_EQ(described.configs[0].name, "root");
  EXPECT_EQ(value(logger_type, "1", "root"), "INFO/6");
  EXPECT_EQ(alter(logger_type, "1", {{"root", set, "WARN"}}), "0");
  EXPECT_EQ(value(logger_type, "1", "root"), "WARN/6");
  EXPECT_EQ(alter(logger_type, "1", {{"root", set, "info"}}),
            "40: Cannot set the log level of root to info as it is not a supported log level. "
            "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN");
  EXPECT_EQ(alter(logger_type, "1", {{"nope.x", set, "DEBUG"}}),
            "40: Logger nope.x does not exist!");
  EXPECT_EQ(alter(logger_type, "1", {{"root", remove, std::nullopt}}),
            "42: Removing the log level of the root logger is not allowed");
  EXPECT_EQ(alter(logger_type, "1", {{"root", append, "DEBUG"}}),
            "42: APPEND operation is not allowed for the BROKER_LOGGER resource");
  EXPECT_EQ(alter(logger_type, "1", {{"root", set, std::nullopt}}),
            "42: Null value not supported for : root");
  EXPECT_EQ(alter(logger_type, "2", {{"root", set, "INFO"}}),
            "42: Unexpected node id. Expected 1, but received 2");
  EXPECT_EQ(alter(logger_type, "", {{"root", set, "INFO"}}),
            "42: Node id must be an integer, but it is: ");
}

TEST_F(Configs, GroupsAndClientMetricsNeedNotExist) {
  EXPECT_EQ(alter(group_type, "g1", {{"consumer.session.timeout.ms", set, "50000"}}), "0");
  EXPECT_EQ(value(group_type, "g1", "consumer.session.timeout.ms"), "50000/8");
  EXPECT_EQ(value(group_type, "g2", "consumer.session.timeout.ms"), "45000/5");
  EXPECT_EQ(alter(metrics_type, "s1", {{"interval.ms", set, "1000"}}), "0");
  EXPECT_EQ(value(metrics_type, "s1", "interval.ms"), "1000/7");
}

TEST_F(Configs, WhatCannotBeDescribedIsRefusedInKafkasWords) {
  const auto refusal = [this](std::int8_t type, const char* name) {
    return text(describe(type, name));
  };
  EXPECT_EQ(refusal(topic_type, "nope"), "3: ");
  EXPECT_EQ(refusal(topic_type, ""), "17: Topic name is invalid: the empty string is not allowed");
  EXPECT_EQ(refusal(broker_type, "2"),
            "42: Unexpected broker id, expected 1 or empty string, but received 2");
  EXPECT_EQ(refusal(broker_type, "x"), "42: Broker id must be an integer, but it is: x");
  EXPECT_EQ(refusal(logger_type, "2"), "42: Unexpected broker id, expected 1 but received 2");
  EXPECT_EQ(refusal(logger_type, ""), "42: Broker id must not be empty");
  EXPECT_EQ(refusal(metrics_type, ""), "42: Client metrics subscription name must not be empty");
  EXPECT_EQ(refusal(group_type, ""), "42: Group name must not be empty");
  EXPECT_EQ(describe(99, "x").error_code, 42);
}

TEST_F(Configs, DescriptionsCarryWhatWasAskedFor) {
  protocol::DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = topic_type;
  resource.resource_name = "t1";
  resource.configuration_keys.reset();
  auto result = broker_.call<describe_configs>(request).results.at(0);
  EXPECT_EQ(result.error_message, "");
  EXPECT_EQ(result.configs.size(), 37u);
  EXPECT_EQ(result.configs[0].name, "cleanup.policy");
  EXPECT_EQ(result.configs[0].config_type, 7);
  EXPECT_EQ(result.configs[0].documentation, std::nullopt);
  EXPECT_THAT(result.configs[0].synonyms, IsEmpty());
  request.include_synonyms = true;
  request.include_documentation = true;
  result = broker_.call<describe_configs>(request).results.at(0);
  EXPECT_EQ(result.configs[0].synonyms.size(), 1u);
  EXPECT_NE(result.configs[0].documentation, std::nullopt);
}

TEST_F(Configs, ThousandsOfResourcesAreDescribedInTurns) {
  protocol::DescribeConfigsRequest request;
  for (int i = 0; i < 1000; ++i) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = topic_type;
    resource.resource_name = "t1";
  }
  const auto response = broker_.call<describe_configs>(std::move(request));
  ASSERT_EQ(response.results.size(), 1000u);
  for (const auto& result : response.results) EXPECT_EQ(result.configs.size(), 37u);
}

TEST_F(Configs, ResourcesAreListedByType) {
  alter(group_type, "g2", {{"consumer.session.timeout.ms", set, "50000"}});
  alter(group_type, "g1", {{"consumer.session.timeout.ms", set, "50000"}});
  alter(metrics_type, "s1", {{"interval.ms", set, "1000"}});
  const auto list = [this](std::vector<std::int8_t> types, std::int16_t version = 1) {
    protocol::ListConfigResourcesRequest request;
    request.resource_types = std::move(types);
    const auto response = broker_.call<list_config_resources>(std::move(request), version);
    if (response.error_code != 0) return std::to_string(response.error_code);
    std::string text;
    for (const auto& resource : response.config_resources) {
      text += std::to_string(resource.resource_type) + ":" + resource.resource_name + " ";
    }
    return text;
  };
  EXPECT_EQ(list({}), "32:g1 32:g2 16:s1 8:1 4:1 2:t1 ");
  EXPECT_EQ(list({topic_type, group_type}), "32:g1 32:g2 2:t1 ");
  EXPECT_EQ(list({99}), "35");
  EXPECT_EQ(list({}, 0), "16:s1 ");
}

TEST_F(Configs, AclsNeedAnAuthorizer) {
  const auto described = broker_.call<describe_acls>(protocol::DescribeAclsRequest());
  EXPECT_EQ(text(described), "54: No Authorizer is configured on the broker");
  protocol::CreateAclsRequest create;
  create.creations.resize(2);
  const auto created = broker_.call<create_acls>(std::move(create));
  ASSERT_EQ(created.results.size(), 2u);
  EXPECT_EQ(text(created.results[1]), "54: No Authorizer is configured.");
  protocol::DeleteAclsRequest erase;
  erase.filters.resize(1);
  const auto erased = broker_.call<delete_acls>(std::move(erase));
  ASSERT_EQ(erased.filter_results.size(), 1u);
  EXPECT_EQ(text(erased.filter_results[0]), "54: No Authorizer is configured.");
  EXPECT_THAT(erased.filter_results[0].matching_acls, IsEmpty());
}

}  // namespace
}  // namespace chronik::broker
