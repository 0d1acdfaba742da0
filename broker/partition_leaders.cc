#include "broker/partition_leaders.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "broker/runtime/blocking.h"
#include "protocol/codec.h"
#include "protocol/messages/delete_records.h"

namespace chronik::broker {

namespace {

// A follower in sync has what is committed within this, or is told again.
constexpr milliseconds begin_timeout{5'000};

}  // namespace

PartitionLeaders::PartitionLeaders(Shards& shards, MetadataView& view, ClusterMember& member,
                                   std::vector<Partitions*> partitions)
    : shards_(shards), view_(view), member_(member), partitions_(std::move(partitions)) {}

void PartitionLeaders::start(const NodeInfo& node, milliseconds lag_max) {
  own_ = node.id;
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    ClusterSeat seat;
    seat.groups = &member_.rafts(id).groups();
    seat.shard_count = shards_.count();
    seat.node = node.id;
    seat.directory = node.directory_id;
    seat.lag_max = lag_max;
    seat.image = [this] { return view_.image(); };
    seat.on_led = [this](const Partition& partition) { on_led(partition); };
    seat.on_left = [this](const Uuid& topic_id, PartitionId index) {
      view_.forget_replica(topic_id, index);
    };
    seat.tell_begins = [this, id](BrokerId follower, const std::vector<LogBeginning>& begins,
                                  ClusterSeat::Told done) {
      tell_begins(id, follower, begins, std::move(done));
    };
    seat.on_reassigned = [this](const metadata::Topic& topic, PartitionId index) {
      complete_reassignment(topic, index);
    };
    call_on(shards_.at(id), [&] { partitions_[id]->join_cluster(std::move(seat)); });
  }
  call_on(shards_.first(), [this] {
    member_.watch_leaders(
        [this](BrokerId leader, const std::vector<LeaderNews>& news) {
          for (const LeaderNews& one : news) {
            view_.tell_leader(one.topic_id, one.partition, {leader, one.epoch, one.in_sync});
          }
        },
        [this] { tell_all(); });
  });
}

/// On the partition's shard.
void PartitionLeaders::on_led(const Partition& partition) {
  const raft::Leadership& now = partition.leadership();
  const wal::LogIdentity& at = partition.identity();
  PartitionLeader leader{now.leader, now.term, {}};
  // Who came before it is ready would be sent away.
  if (now.leader == own_ && !now.ready) leader.leader = -1;
  if (now.ready) leader.in_sync = partition.in_sync_replicas();
  view_.tell_leader_by_replica(at.topic_id, at.partition, leader);
  if (now.ready) member_.announce({at.topic_id, at.partition, now.term, std::move(leader.in_sync)});
}

/// On the partition's shard. Where another reassignment has begun meanwhile this one is refused.
void PartitionLeaders::complete_reassignment(const metadata::Topic& topic, PartitionId index) {
  const metadata::Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
  metadata::PartitionReplicasChanged event;
  event.topic_id = topic.id;
  event.name = topic.name;
  event.partition_index = index;
  event.before = partition.replicas;
  event.replicas = partition.target();
  shards_.first().post([this, event = std::move(event)]() mutable {
    member_.store().propose({std::move(event)}, {.idempotent = true},
                            [](const Result<metadata::ApplyResults>&) {});
  });
}

namespace {

/// Asked for as a client would, in the order of `begins`: one topic each.
protocol::DeleteRecordsRequest request_of(const std::vector<LogBeginning>& begins) {
  protocol::DeleteRecordsRequest request;
  request.timeout_ms = static_cast<std::int32_t>(begin_timeout.count());
  for (const LogBeginning& at : begins) {
    auto& topic = request.topics.emplace_back();
    topic.name = at.log.topic;
    topic.partitions.push_back({at.log.partition, at.begin});
  }
  return request;
}

std::vector<std::optional<Offset>> begins_in(Result<SharedBytes> answer, std::size_t count) {
  std::vector<std::optional<Offset>> begins(count);
  protocol::DeleteRecordsResponse response;
  if (!answer) return begins;
  Reader reader(*std::move(answer));
  if (!protocol::decode(reader, protocol::DeleteRecordsRequest::max_version, response)) {
    return begins;
  }
  for (std::size_t i = 0; i < std::min(count, response.topics.size()); ++i) {
    const auto& partitions = response.topics[i].partitions;
    if (partitions.size() == 1 && partitions[0].error_code == 0) {
      begins[i] = partitions[0].low_watermark;
    }
  }
  return begins;
}

}  // namespace

/// On the partitions' shard.
void PartitionLeaders::tell_begins(std::uint32_t shard, BrokerId follower,
                                   const std::vector<LogBeginning>& begins,
                                   ClusterSeat::Told done) {
  Writer writer;
  protocol::encode(writer, protocol::DeleteRecordsRequest::max_version, request_of(begins));
  NodeRequest request;
  request.api_key = protocol::DeleteRecordsRequest::api_key;
  request.version = protocol::DeleteRecordsRequest::max_version;
  request.body = SharedBytes::adopt(writer.take_bytes());
  shards_.first().post([this, shard, follower, count = begins.size(), request = std::move(request),
                        done = std::move(done)]() mutable {
    member_.ask(follower, std::move(request), begin_timeout + milliseconds(1000),
                [&at = shards_.at(shard), count,
                 done = std::move(done)](Result<SharedBytes> answer) mutable {
                  at.post([done = std::move(done), begins = begins_in(std::move(answer), count)] {
                    done(begins);
                  });
                });
  });
}

/// A node has come that knows nothing yet.
void PartitionLeaders::tell_all() {
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    shards_.at(id).post([partitions = partitions_[id]] { partitions->tell_led(); });
  }
}

}  // namespace chronik::broker
