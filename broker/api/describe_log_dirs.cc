// DescribeLogDirs (key 35): the data directory, its room, and what each partition takes of it
// (KIP-113, KIP-827).
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/on.h"
#include "protocol/errors.h"
#include "protocol/messages/describe_log_dirs.h"

namespace chronik::broker {

namespace {

using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;
using Sizes = std::map<std::string, std::map<PartitionId, std::uint64_t>>;
using Wanted = std::map<std::string, std::set<PartitionId>>;

/// The partitions of broker `self`. One that nothing was written to has no files; it is listed with
/// size 0 all the same.
Sizes sizes_in_metadata(const metadata::Image& image, BrokerId self,
                        const std::optional<Wanted>& wanted) {
  Sizes sizes;
  const auto add = [&](const metadata::Topic& topic) {
    for (PartitionId index = 0; index < topic.partition_count(); ++index) {
      const std::vector<BrokerId>& replicas =
          topic.partitions[static_cast<std::size_t>(index)].replicas;
      if (std::ranges::find(replicas, self) == replicas.end()) continue;
      if (wanted && !wanted->at(topic.name).contains(index)) continue;
      sizes[topic.name][index] = 0;
    }
  };
  if (!wanted) {
    image.for_each_topic([&](const std::shared_ptr<const metadata::Topic>& topic) { add(*topic); });
    return sizes;
  }
  for (const auto& [name, partitions] : *wanted) {
    if (const metadata::Topic* topic = image.topic(name)) add(*topic);
  }
  return sizes;
}

void add_sizes(ShardData& data, Sizes& sizes) {
  data.partitions.for_each([&sizes](Partition& partition) {
    const auto topic = sizes.find(partition.identity().topic);
    if (topic == sizes.end()) return;
    const auto entry = topic->second.find(partition.identity().partition);
    if (entry != topic->second.end()) entry->second = partition.log().size_bytes();
  });
}

}  // namespace

Task<DescribeLogDirsResponse> describe_log_dirs(RequestContext& context,
                                                DescribeLogDirsRequest request) {
  DescribeLogDirsResponse response;
  Broker& broker = context.broker();
  std::optional<Wanted> wanted;
  if (request.topics) {
    wanted.emplace();
    for (const auto& topic : *request.topics) {
      (*wanted)[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
    }
  }
  Sizes sizes = sizes_in_metadata(broker.data(context.shard()).image(), broker.node.id, wanted);
  for (std::uint32_t id = 0; id < broker.shards->count(); ++id) {
    Shard& shard = broker.shards->at(id);
    auto work = [&broker, &shard, &sizes] { add_sizes(broker.data(shard), sizes); };
    auto hop = on(shard, work);
    co_await hop;
  }
  DescribeLogDirsResponse::DescribeLogDirsResult& result = response.results.emplace_back();
  result.log_dir = broker.data_directory;
  const Result<DiskSpace> space = broker.disk->space(broker.data_directory);
  if (space) {
    result.total_bytes = static_cast<std::int64_t>(space->total_bytes);
    result.usable_bytes = static_cast<std::int64_t>(space->usable_bytes);
  }
  for (const auto& [name, partitions] : sizes) {
    auto& topic = result.topics.emplace_back();
    topic.name = name;
    for (const auto& [index, size] : partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = index;
      partition.partition_size = static_cast<std::int64_t>(size);
    }
  }
  co_return response;
}

}  // namespace chronik::broker
