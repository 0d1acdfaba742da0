#include "broker/settings/alter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chronik::broker {
namespace {

using Operation = ConfigChange::Operation;

metadata::ConfigMap map(std::initializer_list<std::pair<const char*, const char*>> entries) {
  metadata::ConfigMap result;
  for (const auto& [name, value] : entries) result.set(name, value);
  return result;
}

ConfigChange set(std::string name, std::string value) {
  return {std::move(name), Operation::set, std::move(value)};
}
ConfigChange append(std::string name, std::string value) {
  return {std::move(name), Operation::append, std::move(value)};
}
ConfigChange subtract(std::string name, std::string value) {
  return {std::move(name), Operation::subtract, std::move(value)};
}
ConfigChange remove(std::string name) { return {std::move(name), Operation::remove, std::nullopt}; }

/// "a=1 -b" for what is set and deleted, or "40: message".
std::string text(const ConfigOutcome& outcome) {
  if (const auto* refusal = std::get_if<ConfigRefusal>(&outcome)) {
    return std::to_string(static_cast<int>(refusal->code)) + ": " + refusal->message;
  }
  std::string result;
  for (const ConfigUpdate& update : std::get<std::vector<ConfigUpdate>>(outcome)) {
    if (!result.empty()) result += " ";
    result += update.value ? update.name + "=" + *update.value : "-" + update.name;
  }
  return result;
}

std::string topic(std::vector<ConfigChange> changes, const metadata::ConfigMap& current = {}) {
  return text(alter_topic(LiveConfig{}, current, changes, AlterMode::incremental));
}
std::string broker(std::vector<ConfigChange> changes, const ConfigLayers& layers = {}) {
  return text(alter_broker(layers, changes, AlterMode::incremental));
}
std::string cluster(std::vector<ConfigChange> changes, const ConfigLayers& layers = {}) {
  return text(alter_cluster_defaults(layers, changes, AlterMode::incremental));
}
std::string group(std::vector<ConfigChange> changes, const ConfigLayers& layers = {}) {
  return text(alter_group(layers, {}, changes, AlterMode::incremental));
}

TEST(AlterTopic, SetsAndDeletes) {
  EXPECT_EQ(topic({set("retention.ms", " 5000 "), set("preallocate", "TRUE"), remove("flush.ms")}),
            "retention.ms=5000 preallocate=true -flush.ms");
  EXPECT_EQ(topic({}), "");
  EXPECT_EQ(topic({remove("left.by.a.newer.version")}), "-left.by.a.newer.version");
}

TEST(AlterTopic, AppendsToAndSubtractsFromLists) {
  EXPECT_EQ(topic({append("cleanup.policy", "compact")}), "cleanup.policy=delete,compact");
  EXPECT_EQ(topic({append("cleanup.policy", "compact")}, map({{"cleanup.policy", "compact"}})),
            "cleanup.policy=compact");
  EXPECT_EQ(
      topic({subtract("cleanup.policy", "delete")}, map({{"cleanup.policy", "compact,delete"}})),
      "cleanup.policy=compact");
  EXPECT_EQ(topic({subtract("cleanup.policy", "delete")}), "cleanup.policy=");
  EXPECT_EQ(topic({append("leader.replication.throttled.replicas", "0:1,0:2")},
                  map({{"leader.replication.throttled.replicas", "0:1"}})),
            "leader.replication.throttled.replicas=0:1,0:2");
}

TEST(AlterTopic, RefusesInKafkasWords) {
  EXPECT_EQ(topic({set("retention.ms", "abc")}),
            "40: Invalid value abc for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(topic({set("segment.bytes", "1")}),
            "40: Invalid value 1 for configuration segment.bytes: Value must be at least 1048576");
  EXPECT_EQ(topic({append("cleanup.policy", "foo")}),
            "40: Invalid value delete,foo for configuration cleanup.policy: 'foo' must be one of: "
            "compact, delete");
  EXPECT_EQ(topic({{"retention.ms", Operation::set, std::nullopt}}),
            "42: Null value not supported for : retention.ms");
  EXPECT_EQ(topic({append("retention.ms", "5")}),
            "40: Can't APPEND to key retention.ms because its type is not LIST.");
  EXPECT_EQ(topic({subtract("retention.ms", "5")}),
            "40: Can't SUBTRACT to key retention.ms because its type is not LIST.");
  EXPECT_EQ(topic({append("nope", "x")}),
            "40: Can't APPEND to key nope because its type is not LIST.");
  EXPECT_EQ(topic({set("retention.ms", "1"), set("retention.ms", "2")}),
            "42: Error due to duplicate config keys");
  EXPECT_EQ(topic({set("min.compaction.lag.ms", "9999"), set("max.compaction.lag.ms", "5")}),
            "40: conflict topic config setting min.compaction.lag.ms (9999) > "
            "max.compaction.lag.ms (5)");
  EXPECT_EQ(topic({set("remote.storage.enable", "true")}),
            "40: Tiered Storage functionality is disabled in the broker. Topic cannot be "
            "configured with remote log storage.");
  EXPECT_EQ(topic({{"retention.ms", static_cast<Operation>(9), "1"}}),
            "42: Unknown config operation 9 for retention.ms");
}

TEST(AlterTopic, NamesTheSettingThatWasMeant) {
  EXPECT_EQ(topic({set("retention", "1")}),
            "40: Unknown topic config name: retention; did you mean retention.ms?");
  EXPECT_EQ(topic({set("log.retention.hours", "1")}),
            "40: Unknown topic config name: log.retention.hours; did you mean retention.ms?");
  EXPECT_EQ(topic({set("qwertyuiop", "1")}), "40: Unknown topic config name: qwertyuiop");
}

TEST(AlterTopic, OneMistakeRefusesAll) {
  EXPECT_EQ(topic({set("retention.ms", "1"), set("segment.ms", "x")}),
            "40: Invalid value x for configuration segment.ms: Not a number of type LONG");
}

TEST(AlterTopic, ReplaceForgetsTheRest) {
  const auto current = map({{"retention.ms", "1"}, {"min.compaction.lag.ms", "9999"}});
  const std::vector<ConfigChange> changes = {set("max.compaction.lag.ms", "5")};
  EXPECT_EQ(text(alter_topic(LiveConfig{}, current, changes, AlterMode::replace)),
            "max.compaction.lag.ms=5");
  const std::vector<ConfigUpdate> updates = {{"segment.ms", "7"}, {"retention.ms", std::nullopt}};
  EXPECT_EQ(updated(current, updates, AlterMode::incremental),
            map({{"min.compaction.lag.ms", "9999"}, {"segment.ms", "7"}}));
  EXPECT_EQ(updated(current, updates, AlterMode::replace), map({{"segment.ms", "7"}}));
}

TEST(NewTopic, IsCheckedLikeAnAlteration) {
  const auto check = [](std::vector<ConfigUpdate> configs) {
    return text(check_new_topic(LiveConfig{}, configs));
  };
  EXPECT_EQ(check({{"retention.ms", "01"}, {"cleanup.policy", ""}}),
            "retention.ms=1 cleanup.policy=");
  EXPECT_EQ(check({{"flush.messages", std::nullopt}}),
            "40: Null value not supported for topic configs: flush.messages");
  EXPECT_EQ(check({{"message.format.version", "3.0"}}),
            "40: Unknown topic config name: message.format.version");
}

TEST(AlterBroker, SetsWhatCanBeChangedAtRunTime) {
  EXPECT_EQ(broker({set("log.retention.ms", "5"), set("num.io.threads", "9")}),
            "log.retention.ms=5 num.io.threads=9");
  EXPECT_EQ(cluster({set("message.max.bytes", "2000000"),
                     set("leader.replication.throttled.rate", "100")}),
            "message.max.bytes=2000000 leader.replication.throttled.rate=100");
  EXPECT_EQ(broker({remove("node.id"), remove("nope")}), "-node.id -nope");
  EXPECT_EQ(broker({set("listener.name.internal.ssl.keystore.password", "x")}),
            "listener.name.internal.ssl.keystore.password=x");
  EXPECT_EQ(broker({append("log.cleanup.policy", "compact")}), "log.cleanup.policy=delete,compact");
}

TEST(AlterBroker, AppendsToTheLevelBelow) {
  ConfigLayers layers;
  layers.at_start = map({{"log.cleanup.policy", "compact"}});
  layers.cluster = map({{"log.cleanup.policy", ""}});
  EXPECT_EQ(broker({append("log.cleanup.policy", "delete")}, layers), "log.cleanup.policy=delete");
  layers.cluster = {};
  EXPECT_EQ(cluster({append("log.cleanup.policy", "delete")}, layers),
            "log.cleanup.policy=compact,delete");
}

TEST(AlterBroker, RefusesInKafkasWords) {
  EXPECT_EQ(broker({set("node.id", "7"), set("num.partitions", "7")}),
            "42: Cannot update these configs dynamically: [node.id,num.partitions]; set them in "
            "the file, the environment or on the command line, and restart");
  EXPECT_EQ(broker({set("log.retention.ms", "x")}),
            "42: Invalid value x for configuration log.retention.ms: Not a number of type LONG");
  EXPECT_EQ(broker({set("log.segment.bytes", "1")}),
            "42: Invalid value 1 for configuration log.segment.bytes: Value must be at least "
            "1048576");
  EXPECT_EQ(broker({set("ssl.keystore.password", "secret")}),
            "42: These security configs can be dynamically updated only per-listener using the "
            "listener prefix: [ssl.keystore.password]");
  EXPECT_EQ(cluster({set("sasl.enabled.mechanisms", "PLAIN")}),
            "42: Cannot update these configs at default cluster level, broker id must be "
            "specified: [sasl.enabled.mechanisms]");
  EXPECT_EQ(broker({set("log.retenton.ms", "1")}),
            "40: Unknown broker config name: log.retenton.ms; did you mean log.retention.ms?");
  EXPECT_EQ(broker({set("retention.ms", "1")}),
            "40: Unknown broker config name: retention.ms; did you mean log.retention.ms?");
  EXPECT_EQ(broker({set("max.connections.per.ip.overrides", "zz")}),
            "42: Invalid value zz for configuration max.connections.per.ip.overrides: zz is not "
            "of the form address:count");
}

TEST(AlterBroker, WhatCannotStandTogetherIsRefused) {
  ConfigLayers layers;
  layers.cluster = map({{"log.cleaner.max.compaction.lag.ms", "100"}});
  EXPECT_EQ(broker({set("log.cleaner.min.compaction.lag.ms", "200")}, layers),
            "42: Invalid value 200 for configuration log.cleaner.min.compaction.lag.ms: must not "
            "be more than log.cleaner.max.compaction.lag.ms, which is 100");
  EXPECT_EQ(broker({set("log.retention.ms", "0")}),
            "42: Invalid value 0 for configuration log.retention.ms: must be at least 1, or -1 to "
            "keep records for ever");
}

TEST(AlterBroker, SecretsDoNotComeBackInMessages) {
  const std::string answer = broker({set("ssl.key.password", "hunter2")});
  EXPECT_THAT(answer, testing::Not(testing::HasSubstr("hunter2")));
}

TEST(AlterGroup, StaysInTheBrokersBounds) {
  EXPECT_EQ(group({set("consumer.session.timeout.ms", "50000")}),
            "consumer.session.timeout.ms=50000");
  EXPECT_EQ(group({set("consumer.session.timeout.ms", "1")}),
            "40: consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.");
  EXPECT_EQ(group({set("streams.num.standby.replicas", "3")}),
            "40: streams.num.standby.replicas must be at most 2.");
  EXPECT_EQ(group({set("nope", "1")}), "40: Unknown group config name: nope");
  EXPECT_EQ(group({set("consumer.session.timeout.ms", "x")}),
            "40: Invalid value x for configuration consumer.session.timeout.ms: Not a number of "
            "type INT");
  ConfigLayers layers;
  layers.at_start = map({{"group.consumer.min.session.timeout.ms", "10"},
                         {"group.consumer.session.timeout.ms", "6000"}});
  EXPECT_EQ(group({set("consumer.session.timeout.ms", "5000")}, layers),
            "40: consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms.");
}

TEST(AlterGroup, KnowsWhereAShareGroupMayStart) {
  for (const char* value : {"latest", "earliest", "by_duration:PT5M", "by_duration:P1DT2H3M4.5S"}) {
    EXPECT_EQ(group({set("share.auto.offset.reset", value)}),
              std::string("share.auto.offset.reset=") + value);
  }
  for (const char* value : {"x", "", "by_duration:", "by_duration:P", "by_duration:PT"}) {
    EXPECT_THAT(group({set("share.auto.offset.reset", value)}),
                testing::HasSubstr("it must be earliest, latest, or by_duration:PnDTnHnMn.nS"));
  }
}

TEST(AlterClientMetrics, ChecksIntervalAndMatch) {
  const auto metrics = [](std::vector<ConfigChange> changes) {
    return text(alter_client_metrics({}, changes, AlterMode::incremental));
  };
  EXPECT_EQ(metrics({set("interval.ms", "1000"), set("metrics", "a, b"),
                     set("match", "client_id=a.*, client_software_name=librdkafka")}),
            "interval.ms=1000 metrics=a,b match=client_id=a.*,client_software_name=librdkafka");
  EXPECT_EQ(metrics({set("interval.ms", "1")}),
            "42: Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 "
            "hour)");
  EXPECT_EQ(metrics({set("nope", "1")}), "42: Unknown client metrics configuration: nope");
  EXPECT_EQ(metrics({set("match", "x")}), "40: Illegal client matching pattern: x");
  EXPECT_EQ(metrics({set("match", "client_id=(")}),
            "40: Illegal client matching pattern: client_id=(");
}

}  // namespace
}  // namespace chronik::broker
