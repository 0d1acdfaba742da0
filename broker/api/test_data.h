// TestData: gives a TestBroker a data directory on the fake disk, for the tests of handlers that
// touch partitions. Flushes happen when the test says so.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/memory_disk.h"
#include "broker/api/test_broker.h"
#include "broker/partition/shard_data.h"
#include "protocol/record_builder.h"
#include "wal/io_executor.h"

namespace chronik::broker {

class TestData {
 public:
  explicit TestData(TestBroker& broker) : broker_(broker) {
    directory_ = wal::LogDirectory::open(disk_, "/data", {}).value();
    broker_.shard().run([&] {
      Shard& shard = broker_.shard();
      storage_ = std::make_unique<ShardStorage>(shard, disk_, io_);
      partitions_ = std::make_unique<Partitions>(
          shard, *storage_, *directory_, [this](const metadata::Topic&) { return settings_; },
          milliseconds(300'000));
      sessions_ = std::make_unique<FetchSessions>(1000, shard.random());
    });
    Broker& services = broker_.broker();
    services.shard_data.push_back(std::unique_ptr<ShardData>(
        new ShardData{broker_.shard(), *services.metadata, *partitions_, *sessions_}));
    services.disk = &disk_;
    services.data_directory = "/data";
  }
  TestData(const TestData&) = delete;
  TestData& operator=(const TestData&) = delete;
  ~TestData() {
    io_.abandon();
    broker_.shard().run([&] {
      broker_.broker().shard_data.clear();
      partitions_.reset();
      storage_.reset();
    });
  }

  /// Returns the id of the new topic.
  Uuid create(const std::string& name, PartitionId partitions = 1) {
    metadata::TopicCreated topic;
    topic.topic_id = Uuid::from_random(++topics_, 2);
    topic.name = name;
    for (PartitionId i = 0; i < partitions; ++i) topic.partitions.push_back({i, {1}, 1, 0});
    propose(topic);
    return topic.topic_id;
  }
  /// As the server does: the image changes, then each shard lets go of the partitions.
  void remove(const Uuid& id) {
    metadata::TopicChange change;
    const metadata::Topic* topic = broker_.image()->topic(id);
    change.before = std::make_shared<metadata::Topic>(*topic);
    metadata::TopicDeleted event;
    event.topic_id = id;
    event.name = topic->name;
    propose(event);
    broker_.shard().run([&] { partitions_->on_topic_change(change); });
  }
  /// An event that is not refused.
  void propose(metadata::MetadataEvent event) {
    broker_.store().propose({std::move(event)}, [](Result<metadata::ApplyResults> results) {
      CHECK(results && results->at(0).ok());
    });
    broker_.shard().step();
  }
  /// Not flushed.
  void append(const Uuid& id, int count, PartitionId index = 0) {
    broker_.shard().run(
        [&] { partition(id, index).append(records(count), {.now = broker_.clock().now_ms()}); });
  }
  static SharedBytes records(int count) {
    protocol::BatchBuilder builder({});
    for (int i = 0; i < count; ++i) {
      builder.append(1'700'000'000'000 + i, std::nullopt, as_bytes("value " + std::to_string(i)));
    }
    return builder.build();
  }
  Partition& partition(const Uuid& id, PartitionId index = 0) {
    return *partitions_->get(*broker_.image()->topic(id), index);
  }
  void flush() {
    while (!io_.idle()) broker_.shard().run([&] { io_.run_all(); });
  }
  void pass_time(milliseconds time) {
    broker_.clock().advance(time);
    broker_.shard().step();
  }
  /// Of all partitions that are touched from now on.
  void set_settings(std::shared_ptr<const PartitionSettings> settings) {
    settings_ = std::move(settings);
  }
  static std::shared_ptr<PartitionSettings> make_settings(wal::LogSettings log = {}) {
    auto settings = std::make_shared<PartitionSettings>();
    settings->log = std::make_shared<wal::LogSettings>(log);
    return settings;
  }

 private:
  TestBroker& broker_;
  MemoryDisk disk_;
  wal::ManualIoExecutor io_;
  std::unique_ptr<wal::LogDirectory> directory_;
  std::unique_ptr<ShardStorage> storage_;
  std::unique_ptr<Partitions> partitions_;
  std::unique_ptr<FetchSessions> sessions_;
  std::shared_ptr<const PartitionSettings> settings_ = make_settings();
  std::uint64_t topics_ = 0;
};

}  // namespace chronik::broker
