#include "broker/settings/live_settings.h"

#include <gtest/gtest.h>

#include <thread>

#include "metadata/memory_store.h"

namespace chronik::broker {
namespace {

using metadata::ConfigChanged;

StartConfig start(std::string file) {
  StartSources sources;
  sources.file = {"f", std::move(file)};
  return read_start_config(sources).value();
}

std::unique_ptr<LiveSettings> live(std::string file) {
  StartConfig config = start(std::move(file));
  Settings settings = start_settings(config).value();
  return std::make_unique<LiveSettings>(std::move(config), std::move(settings));
}

void change(metadata::MetadataStore& store, std::string broker, std::string name,
            std::optional<std::string> value) {
  ConfigChanged event;
  event.resource_type = static_cast<std::int8_t>(metadata::ConfigResourceType::broker);
  event.resource_name = std::move(broker);
  event.changes.push_back({std::move(name), std::move(value)});
  store.propose({std::move(event)}, [](auto results) { ASSERT_TRUE(results.has_value()); });
}

milliseconds retention(const LiveSettings& settings) {
  return *settings.current()->settings.topic_defaults.retention_ms;
}

TEST(LiveSettings, FollowTheDynamicConfigsOfTheBrokerAndTheCluster) {
  metadata::MemoryMetadataStore store;
  const auto settings = live("node.id=3\nlog.retention.ms=1000");
  store.add_observer(*settings);
  const auto before = settings->current();
  EXPECT_EQ(retention(*settings), milliseconds{1000});
  change(store, "", "log.retention.ms", "2000");
  EXPECT_EQ(retention(*settings), milliseconds{2000});
  change(store, "4", "log.retention.ms", "4000");
  EXPECT_EQ(retention(*settings), milliseconds{2000});
  change(store, "3", "log.retention.ms", "3000");
  EXPECT_EQ(retention(*settings), milliseconds{3000});
  change(store, "3", "log.retention.ms", std::nullopt);
  change(store, "", "log.retention.ms", std::nullopt);
  EXPECT_EQ(retention(*settings), milliseconds{1000});
  EXPECT_EQ(before->settings.topic_defaults.retention_ms, milliseconds{1000});
  store.remove_observer(*settings);
}

TEST(LiveSettings, EachHasItsOwn) {
  const auto one = live("log.retention.ms=1000");
  const auto two = live("log.retention.ms=2000");
  EXPECT_EQ(retention(*one), milliseconds{1000});
  EXPECT_EQ(retention(*two), milliseconds{2000});
  EXPECT_EQ(retention(*one), milliseconds{1000});
}

TEST(LiveSettings, EveryThreadSeesAChange) {
  metadata::MemoryMetadataStore store;
  const auto settings = live("");
  store.add_observer(*settings);
  change(store, "", "log.retention.ms", "2000");
  std::thread([&] { EXPECT_EQ(retention(*settings), milliseconds{2000}); }).join();
  EXPECT_EQ(retention(*settings), milliseconds{2000});
  store.remove_observer(*settings);
}

TEST(LiveSettings, TakeWhatAnEarlierRunHasSet) {
  metadata::MemoryMetadataStore store;
  change(store, "1", "log.retention.ms", "2000");
  const auto settings = live("");
  settings->load(*store.image());
  EXPECT_EQ(retention(*settings), milliseconds{2000});
}

TEST(LiveSettings, LeaveOutWhatDoesNotFitAnyMore) {
  metadata::MemoryMetadataStore store;
  change(store, "", "log.cleaner.min.compaction.lag.ms", "200");
  change(store, "", "log.retention.ms", "2000");
  change(store, "1", "log.retention.ms", "3000");
  change(store, "1", "of.another.version", "1");
  const auto settings = live("log.cleaner.max.compaction.lag.ms=100");
  settings->load(*store.image());
  // Nothing of the cluster's values is taken, and the broker starts.
  EXPECT_EQ(retention(*settings), milliseconds{604'800'000});
}

}  // namespace
}  // namespace chronik::broker
