#include "broker/settings/topic_settings.h"

#include <gtest/gtest.h>

#include "broker/settings/settings.h"

namespace chronik::broker {
namespace {

metadata::ConfigMap map(std::initializer_list<std::pair<const char*, const char*>> entries) {
  metadata::ConfigMap result;
  for (const auto& [name, value] : entries) result.set(name, value);
  return result;
}

Settings settings_of(const ConfigLayers& layers) {
  auto made = make_settings(layers);
  CHECK(std::holds_alternative<Settings>(made));
  return std::get<Settings>(made);
}

TEST(TopicSettings, TopicRulesOverBrokerOverClusterOverStart) {
  ConfigLayers layers;
  layers.at_start = map({{"log.segment.bytes", "2000001"}});
  EXPECT_EQ(settings_of(layers).topic_defaults.segment_bytes, 2'000'001);
  layers.cluster = map({{"log.segment.bytes", "2000002"}});
  EXPECT_EQ(settings_of(layers).topic_defaults.segment_bytes, 2'000'002);
  layers.broker = map({{"log.segment.bytes", "2000003"}});
  const TopicSettings defaults = settings_of(layers).topic_defaults;
  EXPECT_EQ(defaults.segment_bytes, 2'000'003);
  EXPECT_EQ(resolve_topic_settings(defaults, map({{"segment.bytes", "2000004"}})).segment_bytes,
            2'000'004);
  EXPECT_EQ(resolve_topic_settings(defaults, {}), defaults);
}

TEST(TopicSettings, EveryOverrideReachesItsField) {
  const auto with = [](const char* name, const char* value) {
    return resolve_topic_settings(TopicSettings{}, map({{name, value}}));
  };
  EXPECT_TRUE(with("cleanup.policy", "compact").compact);
  EXPECT_FALSE(with("cleanup.policy", "compact").delete_old);
  EXPECT_TRUE(with("cleanup.policy", "compact,delete").delete_old);
  EXPECT_FALSE(with("cleanup.policy", "").delete_old);
  EXPECT_EQ(with("compression.type", "lz4").compression, protocol::Codec::lz4);
  EXPECT_EQ(with("compression.type", "uncompressed").compression, protocol::Codec::none);
  EXPECT_EQ(with("compression.type", "producer").compression, std::nullopt);
  EXPECT_EQ(with("compression.zstd.level", "7").compression_level(protocol::Codec::zstd), 7);
  EXPECT_EQ(with("compression.gzip.level", "9").compression_level(protocol::Codec::gzip), 9);
  EXPECT_EQ(with("compression.lz4.level", "1").compression_level(protocol::Codec::lz4), 1);
  EXPECT_EQ(with("compression.lz4.level", "1").compression_level(protocol::Codec::snappy), 0);
  EXPECT_EQ(with("retention.ms", "-1").retention_ms, std::nullopt);
  EXPECT_EQ(with("retention.ms", "0").retention_ms, milliseconds{0});
  EXPECT_EQ(with("retention.bytes", "5").retention_bytes, 5u);
  EXPECT_EQ(with("message.timestamp.type", "LogAppendTime").timestamp_type,
            protocol::TimestampType::log_append_time);
  EXPECT_FALSE(with("flush.messages", "9223372036854775807").sync_before_ack);
  EXPECT_TRUE(with("flush.messages", "9223372036854775806").sync_before_ack);
  EXPECT_EQ(with("flush.ms", "9").flush_ms, milliseconds{9});
  EXPECT_EQ(with("max.message.bytes", "9").max_message_bytes, 9);
  EXPECT_EQ(with("min.insync.replicas", "2").min_insync_replicas, 2);
  EXPECT_EQ(with("min.cleanable.dirty.ratio", "0.1").min_cleanable_dirty_ratio, 0.1);
}

TEST(TopicSettings, WhatThisBuildDoesNotUnderstandLeavesTheDefault) {
  const auto settings = resolve_topic_settings(
      TopicSettings{}, map({{"of.the.future", "1"}, {"segment.bytes", "1"}, {"segment.ms", "x"}}));
  EXPECT_EQ(settings, TopicSettings{});
}

TEST(TopicSettings, NamesTheReplicasThatAreThrottled) {
  const auto with = [](const char* value) {
    return resolve_topic_settings(TopicSettings{},
                                  map({{"leader.replication.throttled.replicas", value}}))
        .throttled_leaders;
  };
  EXPECT_EQ(with(""), ThrottledReplicas());
  EXPECT_TRUE(with("*").contains(7, 3));
  EXPECT_TRUE(with("0:1, 12:34").contains(12, 34));
  EXPECT_FALSE(with("0:1,12:34").contains(0, 34));
  EXPECT_FALSE(with("99999999999:1").contains(0, 1));
  EXPECT_FALSE(with("x").contains(0, 0)) << "which no version takes";
  const auto followers = resolve_topic_settings(
      TopicSettings{}, map({{"follower.replication.throttled.replicas", "0:1"}}));
  EXPECT_TRUE(followers.throttled_followers.contains(0, 1));
  EXPECT_FALSE(followers.throttled_leaders.contains(0, 1));
}

TEST(TopicSettings, CompactionLagsMustNotCross) {
  const auto crossed = resolve_topic_settings(
      TopicSettings{}, map({{"min.compaction.lag.ms", "9999"}, {"max.compaction.lag.ms", "5"}}));
  ASSERT_FALSE(check_topic_settings(crossed));
  EXPECT_EQ(check_topic_settings(crossed).error().message,
            "conflict topic config setting min.compaction.lag.ms (9999) > max.compaction.lag.ms "
            "(5)");
  EXPECT_TRUE(check_topic_settings(TopicSettings{}));
}

TEST(TopicSettings, DynamicBrokerConfigsReachTheDefaults) {
  ConfigLayers layers;
  layers.cluster = usable_dynamic_values(map({{"log.retention.ms", "5000"},
                                              {"node.id", "9"},
                                              {"of.the.future", "1"},
                                              {"log.segment.bytes", "oops"},
                                              {"leader.replication.throttled.rate", "7"}}));
  EXPECT_EQ(layers.cluster,
            map({{"log.retention.ms", "5000"}, {"leader.replication.throttled.rate", "7"}}));
  EXPECT_EQ(settings_of(layers).topic_defaults.retention_ms, milliseconds{5000});
}

}  // namespace
}  // namespace chronik::broker
