#include "broker/settings/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "broker/settings/settings.h"
#include "broker/settings/value.h"

namespace chronik::broker {
namespace {

const SettingTable* const tables[] = {&broker_settings(), &topic_settings(), &group_settings(),
                                      &client_metrics_settings(), &replication_throttle_settings()};

TEST(SettingTable, HasEverySettingOfKafka) {
  const auto own = [](auto* row) { return is_own_setting(row->name); };
  const auto& rows = broker_settings().rows();
  EXPECT_EQ(rows.size() - static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), own)),
            350u);
  EXPECT_EQ(topic_settings().rows().size(), 37u);
}

TEST(SettingTable, DefaultsAreCanonicalAndSatisfyTheirRules) {
  for (const SettingTable* table : tables) {
    for (const SettingDefinition* row : table->rows()) {
      if (!row->default_value) continue;
      const Result<std::string> value = canonical_value(*row, *row->default_value);
      ASSERT_TRUE(value) << row->name << ": " << value.error().message;
      EXPECT_EQ(*value, *row->default_value) << row->name;
    }
  }
}

TEST(SettingTable, EverySettingIsExplainedInOneSentence) {
  for (const SettingTable* table : tables) {
    for (const SettingDefinition* row : table->rows()) {
      EXPECT_TRUE(row->doc.ends_with('.')) << row->name;
      EXPECT_EQ(row->doc.find(". "), std::string_view::npos) << row->name;
    }
  }
}

// Read and checked, but in force only with replicas and the like.
constexpr std::string_view not_yet_in_force[] = {
    "file.delete.delay.ms",
    "preallocate",
};

TEST(SettingTable, SaysThatASettingAppliesExactlyWhereItIsRead) {
  std::set<std::string_view> read;
  for (const std::string_view name : settings_with_fields()) read.insert(name);
  for (const std::string_view name : not_yet_in_force) {
    EXPECT_EQ(topic_settings().find(name)->effect, Effect::listed) << name;
    for (const InheritedFrom& from : inherited_from(name)) read.erase(from.broker_name);
  }
  for (const SettingDefinition* row : broker_settings().rows()) {
    EXPECT_EQ(row->effect == Effect::applies, read.contains(row->name)) << row->name;
  }
  for (const SettingDefinition* row : topic_settings().rows()) {
    const bool later =
        std::count(std::begin(not_yet_in_force), std::end(not_yet_in_force), row->name) > 0;
    EXPECT_EQ(row->effect == Effect::applies, has_topic_field(row->name) && !later) << row->name;
  }
}

TEST(SettingTable, InheritanceLeadsToBrokerSettings) {
  for (const SettingDefinition* row : topic_settings().rows()) {
    for (const InheritedFrom& from : inherited_from(row->name)) {
      EXPECT_NE(broker_settings().find(from.broker_name), nullptr) << from.broker_name;
    }
  }
  EXPECT_THAT(
      unit_family("log.retention.hours"),
      testing::ElementsAre("log.retention.ms", "log.retention.minutes", "log.retention.hours"));
  EXPECT_THAT(unit_family("log.flush.interval.ms"), testing::ElementsAre("log.flush.interval.ms"));
  EXPECT_THAT(unit_family("num.partitions"), testing::ElementsAre("num.partitions"));
  EXPECT_EQ(group_inherited_from("consumer.session.timeout.ms"),
            "group.consumer.session.timeout.ms");
  EXPECT_EQ(group_inherited_from("share.auto.offset.reset"), "");
}

TEST(SettingTable, FindsTheNameThatWasMeant) {
  EXPECT_EQ(broker_settings().nearest("log.retention.hour"), "log.retention.hours");
  EXPECT_EQ(broker_settings().nearest("log.retenton.ms"), "log.retention.ms");
  EXPECT_EQ(broker_settings().nearest("num.partition"), "num.partitions");
  EXPECT_EQ(broker_settings().nearest("advertised.listener"), "advertised.listeners");
  EXPECT_EQ(topic_settings().nearest("retention"), "retention.ms");
  EXPECT_EQ(broker_settings().nearest("qwertyuiop"), "");
}

TEST(SettingTable, CountsChangesOfCharacters) {
  EXPECT_EQ(edit_distance("abc", "abc", 3), 0u);
  EXPECT_EQ(edit_distance("abc", "acb", 3), 1u);
  EXPECT_EQ(edit_distance("abc", "abcd", 3), 1u);
  EXPECT_EQ(edit_distance("", "abcd", 3), 4u);
  EXPECT_EQ(edit_distance("kitten", "sitting", 5), 3u);
}

TEST(SettingTable, KnowsListenersOwnValues) {
  ASSERT_NE(find_broker_setting("listener.name.internal.ssl.key.password"), nullptr);
  EXPECT_EQ(find_broker_setting("listener.name.internal.ssl.key.password")->name,
            "ssl.key.password");
  EXPECT_EQ(find_broker_setting("listener.name.a.scram-sha-256.sasl.jaas.config")->name,
            "sasl.jaas.config");
  EXPECT_EQ(find_broker_setting("listener.name.a"), nullptr);
  EXPECT_EQ(find_broker_setting("listener.name..ssl.key.password"), nullptr);
  EXPECT_EQ(find_broker_setting("listener.name.a.nothing"), nullptr);
}

TEST(SettingTable, IgnoresWhatWasOnceKafkas) {
  EXPECT_EQ(why_ignored("zookeeper.connect"), "ZooKeeper is not used");
  EXPECT_NE(why_ignored("log.message.format.version"), "");
  EXPECT_EQ(why_ignored("log.dirs"), "");
  for (const SettingDefinition* row : broker_settings().rows()) {
    EXPECT_EQ(why_ignored(row->name), "") << row->name;
  }
}

}  // namespace
}  // namespace chronik::broker
