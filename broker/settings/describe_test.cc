#include "broker/settings/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/testing/source_tree.h"
#include "broker/settings/start_config.h"
#include "broker/settings/table.h"

namespace chronik::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<ConfigEntry> describe_topic(const ConfigLayers& layers,
                                        const metadata::ConfigMap& overrides,
                                        const DescribeOptions& options) {
  return TopicDescriber(layers, options.synonyms, options.documentation)
      .describe(overrides, options.keys);
}

const DescribeOptions everything{.keys = {}, .synonyms = true, .documentation = true};

/// As kafka-configs --describe --all prints it.
std::string line(const ConfigEntry& entry) {
  std::string text = entry.name + "=" + entry.value.value_or("null") +
                     " sensitive=" + (entry.sensitive ? "true" : "false") + " synonyms={";
  for (const ConfigSynonym& synonym : entry.synonyms) {
    if (&synonym != &entry.synonyms.front()) text += ", ";
    text += std::string(to_string(synonym.source)) + ":" + synonym.name + "=" +
            synonym.value.value_or("null");
  }
  return text + "}";
}

std::set<std::string> lines(const std::vector<ConfigEntry>& entries) {
  std::set<std::string> result;
  for (const ConfigEntry& entry : entries) {
    if (!is_own_setting(entry.name)) result.insert(line(entry));
  }
  return result;
}

/// What Apache Kafka 4.4 answered to kafka-configs --describe --all.
std::set<std::string> golden(const std::string& name) {
  std::ifstream in(in_source_tree("broker/settings/testdata/" + name));
  std::set<std::string> result;
  for (std::string text; std::getline(in, text);) result.insert(text);
  return result;
}

std::set<std::string> difference(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> result;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(result, result.end()));
  return result;
}

metadata::ConfigMap map(std::initializer_list<std::pair<const char*, const char*>> entries) {
  metadata::ConfigMap result;
  for (const auto& [name, value] : entries) result.set(name, value);
  return result;
}

/// The configuration with which the golden lists were made.
ConfigLayers layers_of_the_golden_broker() {
  StartSources sources;
  sources.file = {"server.properties", R"(
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:19093
listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093
advertised.listeners=PLAINTEXT://127.0.0.1:19092
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=<dir>
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
)"};
  ConfigLayers layers;
  layers.at_start = read_start_config(sources).value().values;
  return layers;
}

// Lines that differ from Kafka's on purpose, ours beside Kafka's:
// - log.flush.interval.messages is 1: acknowledged means on disk;
// - log.dir is not under /tmp;
// - node.id and process.roles have defaults, so that a broker starts without a file;
// - min.insync.replicas is Kafka's default, and not a cluster-wide value that formatting a cluster
//   with eligible leader replicas has set.
TEST(DescribeBroker, EqualsKafkaLineByLine) {
  const auto ours = lines(describe_broker(layers_of_the_golden_broker(), everything));
  const auto kafkas = golden("kafka-4.4-broker-configs.txt");
  EXPECT_EQ(kafkas.size(), 350u);
  EXPECT_THAT(
      difference(ours, kafkas),
      ElementsAre(
          "log.dir=/var/lib/chronik sensitive=false "
          "synonyms={DEFAULT_CONFIG:log.dir=/var/lib/chronik}",
          "log.flush.interval.messages=1 sensitive=false "
          "synonyms={DEFAULT_CONFIG:log.flush.interval.messages=1}",
          "min.insync.replicas=1 sensitive=false synonyms={DEFAULT_CONFIG:min.insync.replicas=1}",
          "node.id=1 sensitive=false "
          "synonyms={STATIC_BROKER_CONFIG:node.id=1, DEFAULT_CONFIG:node.id=1}",
          "process.roles=broker,controller sensitive=false "
          "synonyms={STATIC_BROKER_CONFIG:process.roles=broker,controller, "
          "DEFAULT_CONFIG:process.roles=broker,controller}"));
  EXPECT_EQ(difference(kafkas, ours).size(), 5u);
}

TEST(DescribeTopic, EqualsKafkaLineByLine) {
  const auto ours = lines(describe_topic(layers_of_the_golden_broker(), {}, everything));
  const auto kafkas = golden("kafka-4.4-topic-configs.txt");
  EXPECT_EQ(kafkas.size(), 37u);
  EXPECT_THAT(
      difference(ours, kafkas),
      ElementsAre(
          "flush.messages=1 sensitive=false "
          "synonyms={DEFAULT_CONFIG:log.flush.interval.messages=1}",
          "min.insync.replicas=1 sensitive=false synonyms={DEFAULT_CONFIG:min.insync.replicas=1}"));
  EXPECT_EQ(difference(kafkas, ours).size(), 2u);
}

const ConfigEntry& entry_of(const std::vector<ConfigEntry>& entries, std::string_view name) {
  for (const ConfigEntry& entry : entries) {
    if (entry.name == name) return entry;
  }
  CHECK_MSG(false, std::string(name));
  return entries.front();
}

TEST(DescribeTopic, ShowsEveryLevelOfTheValue) {
  ConfigLayers layers;
  layers.broker = map({{"log.retention.ms", "123456"}});
  layers.cluster = map({{"log.retention.ms", "234567"}});
  const auto overridden = describe_topic(layers, map({{"retention.ms", "77"}}), everything);
  EXPECT_EQ(line(entry_of(overridden, "retention.ms")),
            "retention.ms=77 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=77, "
            "DYNAMIC_BROKER_CONFIG:log.retention.ms=123456, "
            "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=234567, "
            "DEFAULT_CONFIG:log.retention.hours=168}");
  const auto inherited = describe_topic(layers, {}, everything);
  EXPECT_EQ(entry_of(inherited, "retention.ms").value, "123456");
  EXPECT_EQ(entry_of(inherited, "retention.ms").source, ConfigSource::dynamic_broker);
  EXPECT_EQ(entry_of(inherited, "segment.ms").value, "604800000");
  EXPECT_EQ(entry_of(inherited, "segment.ms").source, ConfigSource::default_config);
  EXPECT_EQ(entry_of(inherited, "segment.ms").type, static_cast<std::int8_t>(SettingType::int64));
}

TEST(DescribeTopic, ConvertsUnitsOfWhatItInherits) {
  ConfigLayers layers;
  layers.at_start = map({{"log.retention.hours", "2"}, {"log.roll.hours", "1"}});
  const auto entries = describe_topic(layers, {}, everything);
  EXPECT_EQ(entry_of(entries, "retention.ms").value, "7200000");
  EXPECT_EQ(entry_of(entries, "segment.ms").value, "3600000");
  layers.at_start = map({{"log.retention.hours", "-1"}});
  EXPECT_EQ(entry_of(describe_topic(layers, {}, everything), "retention.ms").value, "-1");
}

TEST(DescribeTopic, GivesOnlyWhatIsAskedFor) {
  const std::vector<std::string> keys = {"retention.ms", "nothing", "retention.ms"};
  const auto entries = describe_topic({}, {}, {.keys = keys});
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_THAT(entries[0].synonyms, IsEmpty());
  EXPECT_EQ(entries[0].documentation, std::nullopt);
  EXPECT_EQ(describe_topic({}, {}, {}).size(), 37u);
}

TEST(DescribeTopic, AnOverrideThatIsNoValueIsNotShownAsOne) {
  const auto entries = describe_topic({}, map({{"retention.ms", "oops"}}), everything);
  EXPECT_EQ(entry_of(entries, "retention.ms").value, "604800000");
  EXPECT_EQ(entry_of(entries, "retention.ms").source, ConfigSource::default_config);
}

TEST(DescribeBroker, NeverShowsASecret) {
  ConfigLayers layers;
  layers.at_start = map({{"ssl.key.password", "hunter2"}});
  layers.broker = map({{"listener.name.internal.ssl.keystore.password", "hunter2"}});
  const auto entries = describe_broker(layers, everything);
  EXPECT_EQ(line(entry_of(entries, "ssl.key.password")),
            "ssl.key.password=null sensitive=true "
            "synonyms={STATIC_BROKER_CONFIG:ssl.key.password=null}");
  EXPECT_EQ(line(entry_of(entries, "listener.name.internal.ssl.keystore.password")),
            "listener.name.internal.ssl.keystore.password=null sensitive=true "
            "synonyms={DYNAMIC_BROKER_CONFIG:listener.name.internal.ssl.keystore.password=null}");
}

TEST(DescribeBroker, ShowsThrottlesOnceSet) {
  ConfigLayers layers;
  layers.cluster = map({{"leader.replication.throttled.rate", "100"}});
  EXPECT_EQ(describe_broker(layers, {}).size(), describe_broker({}, {}).size() + 1);
  EXPECT_FALSE(
      entry_of(describe_broker(layers, {}), "leader.replication.throttled.rate").read_only);
}

TEST(DescribeBroker, SaysWhatCanBeChangedAtRunTime) {
  const auto entries = describe_broker({}, everything);
  EXPECT_FALSE(entry_of(entries, "log.retention.ms").read_only);
  EXPECT_TRUE(entry_of(entries, "log.retention.hours").read_only);
  EXPECT_TRUE(entry_of(entries, "listeners").read_only);
  EXPECT_EQ(entry_of(entries, "num.io.threads").documentation,
            "Kafka's request threads; chronik runs one shard per core instead, see "
            "chronik.shards. Listed for tools; no effect in chronik.");
}

TEST(DescribeClusterDefaults, ShowsOnlyWhatIsSet) {
  EXPECT_THAT(describe_cluster_defaults({}, everything), IsEmpty());
  ConfigLayers layers;
  layers.broker = map({{"log.retention.ms", "1"}});
  layers.cluster = map({{"log.retention.ms", "2"}});
  const auto entries = describe_cluster_defaults(layers, everything);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(line(entries[0]),
            "log.retention.ms=2 sensitive=false "
            "synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=2}");
}

TEST(DescribeGroup, InheritsFromTheBroker) {
  ConfigLayers layers;
  layers.at_start = map({{"group.consumer.session.timeout.ms", "50000"}});
  const auto entries =
      describe_group(layers, map({{"consumer.heartbeat.interval.ms", "6000"}}), everything);
  EXPECT_EQ(line(entry_of(entries, "consumer.session.timeout.ms")),
            "consumer.session.timeout.ms=50000 sensitive=false "
            "synonyms={STATIC_BROKER_CONFIG:group.consumer.session.timeout.ms=50000, "
            "DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}");
  EXPECT_EQ(entry_of(entries, "consumer.heartbeat.interval.ms").source, ConfigSource::group);
  EXPECT_EQ(entry_of(entries, "streams.assignor.name").value, "sticky");
}

TEST(DescribeClientMetrics, ShowsItsThreeSettings) {
  const auto entries = describe_client_metrics(map({{"interval.ms", "1000"}}), everything);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].value, "1000");
  EXPECT_EQ(entries[0].source, ConfigSource::client_metrics);
  EXPECT_EQ(entries[1].source, ConfigSource::default_config);
}

}  // namespace
}  // namespace chronik::broker
