#include "broker/settings/start_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chronik::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

StartSources file(std::string text) {
  StartSources sources;
  sources.file = {"server.properties", std::move(text)};
  return sources;
}

/// The one line with which the start fails, or what settings come out as "ok".
std::string outcome(const StartSources& sources) {
  const auto config = read_start_config(sources);
  if (!config) return config.error().message;
  const auto settings = start_settings(*config);
  return settings ? "ok" : settings.error().message;
}

Settings settings_of(const StartSources& sources) {
  const auto config = read_start_config(sources);
  CHECK_MSG(config.has_value(), config.error().message);
  const auto settings = start_settings(*config);
  CHECK_MSG(settings.has_value(), settings.error().message);
  return *settings;
}

TEST(StartConfig, WithoutAnythingIsKafkasDefaults) {
  const Settings settings = settings_of({});
  EXPECT_EQ(settings.node_id, 1);
  EXPECT_THAT(settings.listeners, ElementsAre(Listener{"PLAINTEXT", "", 9092}));
  EXPECT_EQ(settings.num_partitions, 1);
  EXPECT_EQ(settings.socket_request_max_bytes, 104857600);
  EXPECT_EQ(settings.group_initial_rebalance_delay_ms, milliseconds{3000});
  EXPECT_EQ(settings.offsets_retention_ms, std::chrono::days{7});
  EXPECT_EQ(settings.topic_defaults, TopicSettings{});
  EXPECT_TRUE(settings.topic_defaults.sync_before_ack);
  EXPECT_FALSE(settings.cluster_id.has_value());
}

TEST(StartConfig, FlagRulesOverEnvironmentOverFileOverCommand) {
  StartSources sources;
  sources.command = {{"num.partitions", "2"}};
  EXPECT_EQ(settings_of(sources).num_partitions, 2);
  sources.file = {"f", "num.partitions=3"};
  EXPECT_EQ(settings_of(sources).num_partitions, 3);
  sources.environment = {{"CHRONIK_NUM_PARTITIONS", "4"}};
  EXPECT_EQ(settings_of(sources).num_partitions, 4);
  sources.flags = {"--num.partitions=5"};
  EXPECT_EQ(settings_of(sources).num_partitions, 5);
}

TEST(StartConfig, AHigherSourceRulesWhateverUnitItUses) {
  StartSources sources = file("log.retention.ms=60000\nlog.dirs=/a\nbroker.id=4");
  sources.flags = {"--log.retention.hours=2", "--log.dir=/c", "--node.id=7"};
  const Settings settings = settings_of(sources);
  EXPECT_EQ(settings.topic_defaults.retention_ms, milliseconds{2 * 3600 * 1000});
  EXPECT_THAT(settings.log_dirs, ElementsAre("/c"));
  EXPECT_EQ(settings.node_id, 7);
}

TEST(StartConfig, WithinOneSourceTheFinerUnitRules) {
  const Settings settings =
      settings_of(file("log.retention.hours=5\nlog.retention.minutes=3\nlog.roll.hours=1\n"
                       "log.roll.jitter.ms=9"));
  EXPECT_EQ(settings.topic_defaults.retention_ms, milliseconds{180'000});
  EXPECT_EQ(settings.topic_defaults.segment_ms, milliseconds{3'600'000});
  EXPECT_EQ(settings.topic_defaults.segment_jitter_ms, milliseconds{9});
  EXPECT_EQ(settings_of(file("log.retention.hours=-1")).topic_defaults.retention_ms, std::nullopt);
}

TEST(StartConfig, KafkasOwnQuickstartFileWorks) {
  const Settings settings = settings_of(file(R"(
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
)"));
  EXPECT_THAT(settings.listeners, ElementsAre(Listener{"PLAINTEXT", "", 9092}));
  EXPECT_THAT(settings.advertised_listeners, ElementsAre(Listener{"PLAINTEXT", "localhost", 9092}));
  EXPECT_THAT(settings.log_dirs, ElementsAre("/tmp/kraft-combined-logs"));
}

TEST(StartConfig, ComposeFilesOfKafkaWork) {
  StartSources sources;
  sources.environment = {
      {"PATH", "/bin"},
      {"KAFKA_NODE_ID", "3"},
      {"KAFKA_PROCESS_ROLES", "broker,controller"},
      {"KAFKA_LISTENERS", "PLAINTEXT_HOST://:29092,PLAINTEXT://:9092,CONTROLLER://:9093"},
      {"KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT_HOST://localhost:29092,PLAINTEXT://broker:9092"},
      {"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
       "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT"},
      {"KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"},
      {"KAFKA_CONTROLLER_QUORUM_VOTERS", "3@broker:9093"},
      {"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"},
      {"KAFKA_ZOOKEEPER_CONNECT", "zookeeper:2181"},
      {"KAFKA_LOG_DIRS", ""},
      {"KAFKA_HEAP_OPTS", "-Xmx1g"},
      {"KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"},
      {"KAFKA_CFG_NUM_PARTITIONS", "6"},
      {"CLUSTER_ID", "MkU3OEVBNTcwNTJENDM2Qg"},
  };
  const auto config = read_start_config(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->warnings,
              ElementsAre("KAFKA_ZOOKEEPER_CONNECT: zookeeper.connect is ignored: ZooKeeper is not "
                          "used"));
  const Settings settings = settings_of(sources);
  EXPECT_EQ(settings.node_id, 3);
  EXPECT_EQ(settings.listeners.size(), 2u);
  EXPECT_THAT(settings.advertised_listeners,
              ElementsAre(Listener{"PLAINTEXT_HOST", "localhost", 29092},
                          Listener{"PLAINTEXT", "broker", 9092}));
  EXPECT_EQ(settings.num_partitions, 6);
  EXPECT_EQ(settings.cluster_id, Uuid::parse("MkU3OEVBNTcwNTJENDM2Qg"));
}

TEST(StartConfig, OwnVariablesRuleOverKafkas) {
  StartSources sources;
  sources.environment = {{"CHRONIK_NUM_PARTITIONS", "5"},
                         {"KAFKA_NUM_PARTITIONS", "6"},
                         {"KAFKA_CFG_NUM_PARTITIONS", "7"},
                         {"CHRONIK_SHARDS", "2"}};
  EXPECT_EQ(settings_of(sources).num_partitions, 5);
  EXPECT_EQ(settings_of(sources).shards, 2);
}

TEST(StartConfig, FlushNeverGivesPageCacheSemantics) {
  const Settings settings = settings_of(
      file("log.flush.interval.messages=9223372036854775807\nlog.flush.interval.ms=500"));
  EXPECT_FALSE(settings.topic_defaults.sync_before_ack);
  EXPECT_EQ(settings.topic_defaults.flush_ms, milliseconds{500});
  EXPECT_TRUE(
      settings_of(file("log.flush.interval.messages=10000")).topic_defaults.sync_before_ack);
}

struct Refused {
  const char* text;
  const char* line;
};

TEST(StartConfig, AMistakeInTheFileIsOneLine) {
  const Refused cases[] = {
      {"\nlog.retention.hour=1",
       "server.properties:2: log.retention.hour=1: unknown setting; did you mean "
       "log.retention.hours?"},
      {"retention.ms=1",
       "server.properties:1: retention.ms=1: unknown setting; did you mean log.retention.ms?"},
      {"max.message.bytes=1",
       "server.properties:1: max.message.bytes=1: unknown setting; did you mean "
       "message.max.bytes?"},
      {"frobnicate=1",
       "server.properties:1: frobnicate=1: unknown setting; `chronik config list` prints all"},
      {"num.partitions=many", "server.properties:1: num.partitions=many: Not a number of type INT"},
      {"num.partitions=0", "server.properties:1: num.partitions=0: Value must be at least 1"},
      {"num.partitions=1\nnum.partitions=2",
       "server.properties:2: num.partitions is set a second time; the first is in line 1"},
      {"ssl.key.password=hunter2\nnode.id=x",
       "server.properties:2: node.id=x: Not a number of "
       "type INT"},
      {"node.id=1\nbroker.id=2",
       "server.properties:2: broker.id=2: must equal node.id, which is 1"},
      {"broker.id=-1", "server.properties:1: broker.id=-1: must not be negative"},
      {"process.roles=controller",
       "server.properties:1: process.roles=controller: must contain broker; chronik needs no "
       "controllers of their own"},
      {"chronik.cluster.id=x",
       "server.properties:1: chronik.cluster.id=x: must be 22 characters of URL base64"},
      {"log.dirs=/a,/b",
       "server.properties:1: log.dirs=/a,/b: names 2 directories, but chronik keeps its data in "
       "one"},
      {"log.dir=", "server.properties:1: log.dir=: names no directory"},
      {"group.min.session.timeout.ms=10\ngroup.max.session.timeout.ms=9",
       "server.properties:1: group.min.session.timeout.ms=10: must not be more than "
       "group.max.session.timeout.ms, which is 9"},
      {"group.max.session.timeout.ms=9",
       "default: group.min.session.timeout.ms=6000: must not be more than "
       "group.max.session.timeout.ms, which is 9"},
      {"group.consumer.session.timeout.ms=1",
       "default: group.consumer.min.session.timeout.ms=45000: must not be more than "
       "group.consumer.session.timeout.ms, which is 1"},
      {"log.retention.hours=0",
       "server.properties:1: log.retention.hours=0: must be at least 1, or -1 to keep records for "
       "ever"},
      {"socket.send.buffer.bytes=0",
       "server.properties:1: socket.send.buffer.bytes=0: must be at least 1, or -1 for the "
       "system's choice"},
      {"max.connections.per.ip.overrides=a:b",
       "server.properties:1: max.connections.per.ip.overrides=a:b: a:b is not of the form "
       "address:count"},
  };
  for (const Refused& refused : cases) EXPECT_EQ(outcome(file(refused.text)), refused.line);
}

TEST(StartConfig, AMistakeInListenersIsOneLine) {
  const Refused cases[] = {
      {"listeners=:9092",
       "server.properties:1: listeners=:9092: :9092 is not of the form NAME://host:port"},
      {"listeners=PLAINTEXT://localhost",
       "server.properties:1: listeners=PLAINTEXT://localhost: PLAINTEXT://localhost is not of the "
       "form NAME://host:port"},
      {"listeners=PLAINTEXT://:70000",
       "server.properties:1: listeners=PLAINTEXT://:70000: the port in PLAINTEXT://:70000 must be "
       "0 to 65535"},
      {"listeners=PLAINTEXT://::1:9092",
       "server.properties:1: listeners=PLAINTEXT://::1:9092: the IPv6 address in "
       "PLAINTEXT://::1:9092 must stand in [ ]"},
      {"listeners=",
       "server.properties:1: listeners=: no listener for clients is left; name one, "
       "as PLAINTEXT://:9092"},
      {"listeners=FOO://:9092",
       "server.properties:1: listeners=FOO://:9092: FOO has no entry in "
       "listener.security.protocol.map"},
      {"listeners=SSL://:9092",
       "server.properties:1: listeners=SSL://:9092: SSL asks for SSL, but this version speaks "
       "PLAINTEXT only"},
      {"listeners=PLAINTEXT://:1,PLAINTEXT://:2",
       "server.properties:1: listeners=PLAINTEXT://:1,PLAINTEXT://:2: the listener PLAINTEXT "
       "stands in it twice"},
      {"listeners=A://:1,B://:1\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
       "server.properties:1: listeners=A://:1,B://:1: two listeners want port 1"},
      {"advertised.listeners=PLAINTEXT://0.0.0.0:9092",
       "server.properties:1: advertised.listeners=PLAINTEXT://0.0.0.0:9092: clients cannot connect "
       "to 0.0.0.0; name an address that they reach"},
      {"advertised.listeners=OTHER://a:9092",
       "server.properties:1: advertised.listeners=OTHER://a:9092: OTHER is not in listeners"},
      {"listener.security.protocol.map=PLAINTEXT",
       "server.properties:1: listener.security.protocol.map=PLAINTEXT: PLAINTEXT is not of the "
       "form NAME:PROTOCOL"},
  };
  for (const Refused& refused : cases) EXPECT_EQ(outcome(file(refused.text)), refused.line);
}

TEST(StartConfig, AMistakeInFlagsIsOneLine) {
  const Refused cases[] = {
      {"--num.partitions", "--num.partitions: a setting is given as --key=value"},
      {"num.partitions=1", "num.partitions=1: a setting is given as --key=value"},
      {"--=1", "--=1: a setting is given as --key=value"},
      {"--num.partition=1",
       "command line: num.partition=1: unknown setting; did you mean num.partitions?"},
      {"--num.partitions=", "command line: num.partitions=: Not a number of type INT"},
  };
  for (const Refused& refused : cases) {
    StartSources sources;
    sources.flags = {refused.text};
    EXPECT_EQ(outcome(sources), refused.line);
  }
  StartSources twice;
  twice.flags = {"--num.partitions=1", "--num.partitions=1"};
  EXPECT_EQ(outcome(twice), "--num.partitions: given twice");
}

TEST(StartConfig, AMistakeInTheEnvironmentIsOneLine) {
  const auto with = [](const char* variable, const char* value) {
    StartSources sources;
    sources.environment = {{variable, value}};
    return outcome(sources);
  };
  EXPECT_EQ(with("CHRONIK_NUM_PARTITION", "1"),
            "CHRONIK_NUM_PARTITION=1: there is no setting num.partition; did you mean "
            "num.partitions?");
  EXPECT_EQ(with("KAFKA_CFG_QWERTYUIOP", "1"),
            "KAFKA_CFG_QWERTYUIOP=1: there is no setting qwertyuiop; `chronik config list` prints "
            "all");
  EXPECT_EQ(with("KAFKA_LOG_RETENTON_MS", "1"),
            "KAFKA_LOG_RETENTON_MS=1: there is no setting log.retenton.ms; did you mean "
            "log.retention.ms?");
  EXPECT_EQ(with("KAFKA_NUM_PARTITIONS", "x"),
            "KAFKA_NUM_PARTITIONS: num.partitions=x: Not a number of type INT");
}

// A service with the name of the program: each of these stopped the start.
TEST(StartConfig, WhatKubernetesTellsOfAServiceNamedChronikIsNoSetting) {
  StartSources sources;
  sources.environment = {{"CHRONIK_SERVICE_HOST", "10.0.0.1"},
                         {"CHRONIK_SERVICE_PORT", "9092"},
                         {"CHRONIK_0_SERVICE_PORT_CLIENTS", "9092"},
                         {"CHRONIK_PORT", "tcp://10.0.0.1:9092"},
                         {"CHRONIK_PORT_9092_TCP", "tcp://10.0.0.1:9092"},
                         {"CHRONIK_PORT_9092_TCP_PROTO", "tcp"},
                         {"CHRONIK_PORT_9092_TCP_PORT", "9092"},
                         {"CHRONIK_0_PORT_9092_TCP_ADDR", "10.0.0.1"}};
  const auto config = read_start_config(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->warnings, IsEmpty());
  sources.environment = {{"CHRONIK_PORT", "9092"}};
  EXPECT_EQ(read_start_config(sources).value().warnings.size(), 1u) << "somebody's own";
  sources.environment = {{"CHRONIK_SERVICE", "x"}};
  EXPECT_FALSE(read_start_config(sources));
}

TEST(StartConfig, ForeignKafkaVariablesAreLeftOutWithAWarning) {
  StartSources sources;
  sources.environment = {{"KAFKA_SOMETHING_OF_OURS", "1"}, {"CLUSTER_ID", "production"}};
  const auto config = read_start_config(sources);
  ASSERT_TRUE(config);
  EXPECT_THAT(config->warnings,
              ElementsAre("KAFKA_SOMETHING_OF_OURS is ignored: there is no setting "
                          "something.of.ours",
                          "CLUSTER_ID is ignored: production is no id of a Kafka cluster"));
}

TEST(StartConfig, SecretsAreNotPrinted) {
  EXPECT_THAT(outcome(file("sasl.jaas.config=a\\\n b\nlistener.name.a.b.c.ssl.key.password=x")),
              HasSubstr("unknown setting"));
  StartSources sources;
  sources.environment = {{"KAFKA_CFG_SSL_KEY_PASSWORT", "hunter2"}};
  EXPECT_THAT(outcome(sources), testing::Not(HasSubstr("hunter2")));
}

TEST(StartConfig, OfTheReplicaSelectorsThoseThatAreKnownByWhatTheyDoAreTaken) {
  const std::string package = "replica.selector.class=org.apache.kafka.common.replica.";
  EXPECT_FALSE(settings_of({}).reads_in_rack);
  EXPECT_FALSE(settings_of(file("replica.selector.class=")).reads_in_rack);
  EXPECT_FALSE(settings_of(file(package + "LeaderSelector")).reads_in_rack);
  EXPECT_TRUE(settings_of(file(package + "RackAwareReplicaSelector")).reads_in_rack);
  const std::string refused = outcome(file("replica.selector.class=com.example.Nearest"));
  EXPECT_THAT(refused, HasSubstr("replica.selector.class"));
  EXPECT_THAT(refused, HasSubstr("com.example.Nearest cannot be loaded"));
  EXPECT_THAT(refused, HasSubstr("RackAwareReplicaSelector"));
}

TEST(StartConfig, HowLongAReplicaMayLagIsASetting) {
  EXPECT_EQ(settings_of({}).replica_lag_time_max_ms, milliseconds{30'000});
  EXPECT_EQ(settings_of(file("replica.lag.time.max.ms=1500")).replica_lag_time_max_ms,
            milliseconds{1'500});
}

TEST(StartConfig, NodeIdAndBrokerIdAreOne) {
  const auto config = read_start_config(file("broker.id=5"));
  ASSERT_TRUE(config);
  EXPECT_EQ(*config->values.find("node.id"), "5");
  EXPECT_EQ(*read_start_config({})->values.find("broker.id"), "1");
}

}  // namespace
}  // namespace chronik::broker
