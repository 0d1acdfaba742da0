#include "broker/api/unclean_election.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/coding.h"
#include "base/log.h"
#include "broker/api/describe_replicas.h"
#include "broker/api/other_nodes.h"
#include "broker/api/proposal_outcome.h"
#include "broker/api/replica_lists.h"
#include "broker/api/survivor.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "broker/runtime/on.h"
#include "protocol/codec.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;

constexpr milliseconds ask_timeout{5'000};

/// What the node says; nothing: it cannot be asked.
Task<std::optional<DescribeReplicasResponse>> ask(RequestContext& context, BrokerId node,
                                                  DescribeReplicasRequest request) {
  Broker& broker = context.broker();
  if (node == broker.node.id) {
    Task<DescribeReplicasResponse> here = describe_replicas(context, std::move(request));
    co_return co_await std::move(here);
  }
  if (broker.nodes == nullptr) co_return std::nullopt;
  constexpr std::int16_t version = DescribeReplicasRequest::max_version;
  Writer writer;
  protocol::encode(writer, version, request);
  SharedBytes body = SharedBytes::adopt(writer.take_bytes());
  auto work = [&] {
    return broker.nodes->ask_node(node, DescribeReplicasRequest::api_key, version, std::move(body),
                                  ask_timeout);
  };
  auto hop = on(broker.shards->first(), work);
  Result<SharedBytes> answer = co_await hop;
  DescribeReplicasResponse response;
  if (!answer) co_return std::nullopt;
  Reader reader(std::move(*answer));
  const bool good = protocol::decode(reader, version, response) && response.broker_id == node &&
                    response.replicas.size() == request.partitions.size();
  co_return good ? std::optional(std::move(response)) : std::nullopt;
}

using Heard = std::vector<std::vector<HeardReplica>>;  // in the order of the elections

/// All replicas of all partitions, one node after the other.
Task<Heard> ask_all(RequestContext& context, const std::vector<UncleanElection>& elections) {
  std::map<BrokerId, std::vector<std::size_t>> by_node;
  const std::shared_ptr<const metadata::Image> image = context.broker().metadata->image();
  for (std::size_t i = 0; i < elections.size(); ++i) {
    const metadata::Topic* topic = image->topic(elections[i].topic_id);
    if (topic == nullptr) continue;
    const auto at = static_cast<std::size_t>(elections[i].partition);
    for (const BrokerId replica : topic->partitions[at].replicas) by_node[replica].push_back(i);
  }
  Heard heard(elections.size());
  for (const auto& [node, places] : by_node) {
    DescribeReplicasRequest request;
    for (const std::size_t i : places) {
      request.partitions.push_back({elections[i].topic_id, elections[i].partition});
    }
    auto asking = ask(context, node, std::move(request));
    const std::optional<DescribeReplicasResponse> answer = co_await std::move(asking);
    if (!answer) continue;
    for (std::size_t n = 0; n < places.size(); ++n) {
      if (!answer->replicas[n].is_open) continue;
      heard[places[n]].push_back({node, answer->directory, answer->replicas[n]});
    }
  }
  co_return heard;
}

/// A leader that is waited for.
struct Awaited {
  std::size_t election = 0;
  LeaderEpoch behind = -1;
};

bool leads(const MetadataView& view, const UncleanElection& election, LeaderEpoch behind) {
  const metadata::Topic* topic = view.image()->topic(election.topic_id);
  if (topic == nullptr || !topic->has_partition(election.partition)) return true;
  const PartitionLeader now = view.leader_of(*topic, election.partition);
  return now.leader >= 0 && now.epoch > behind;
}

/// The survivors' events; in `awaited` what will have a leader without one.
std::vector<metadata::MetadataEvent> choose(RequestContext& context,
                                            std::vector<UncleanElection>& elections,
                                            const Heard& heard, std::vector<std::size_t>& chosen,
                                            std::vector<Awaited>& awaited) {
  const MetadataView& view = *context.broker().metadata;
  std::vector<metadata::MetadataEvent> events;
  for (std::size_t i = 0; i < elections.size(); ++i) {
    UncleanElection& election = elections[i];
    const metadata::Topic* topic = view.image()->topic(election.topic_id);
    if (topic == nullptr || !topic->has_partition(election.partition)) {
      election.error = ErrorCode::unknown_topic_or_partition;
      continue;
    }
    Survivor survivor = choose_survivor(*topic, election.partition, heard[i],
                                        [&](BrokerId broker) { return is_gone(view, broker); });
    election.error = survivor.error;
    election.message = std::move(survivor.message);
    if (survivor.elects_itself) awaited.push_back({i, -1});
    if (survivor.error != ErrorCode::none) continue;
    survivor.event.recovered_ms = context.broker().clock->now_ms();
    events.emplace_back(std::move(survivor.event));
    chosen.push_back(i);
  }
  return events;
}

Task<void> await_elected(RequestContext& context, std::vector<UncleanElection>& elections,
                         std::vector<Awaited> awaited, SteadyTime limit) {
  MetadataView& view = *context.broker().metadata;
  const auto over = [&](const Awaited& one) {
    return leads(view, elections[one.election], one.behind);
  };
  while (std::erase_if(awaited, over), !awaited.empty() && context.shard().now() < limit) {
    Task<void> news = view.leader_news(limit);
    co_await std::move(news);
  }
  for (const Awaited& one : awaited) {
    UncleanElection& election = elections[one.election];
    election.error = ErrorCode::request_timed_out;
    election.message += " No leader has shown itself in time.";
  }
}

}  // namespace

Task<void> elect_uncleanly(RequestContext& context, std::vector<UncleanElection>& elections,
                           SteadyTime limit, bool rehearsed) {
  Task<Heard> asking = ask_all(context, elections);
  const Heard heard = co_await std::move(asking);
  std::vector<std::size_t> chosen;
  std::vector<Awaited> awaited;
  std::vector<metadata::MetadataEvent> events = choose(context, elections, heard, chosen, awaited);
  if (rehearsed) co_return;
  if (!events.empty()) {
    for (std::size_t n = 0; n < chosen.size(); ++n) {
      const auto& event = std::get<metadata::PartitionRecovered>(events[n]);
      awaited.push_back({chosen[n], event.term});
      log_warn("an unclean election, by an administrator's word",
               {{"topic", event.name},
                {"partition", event.partition_index},
                {"recovery", event.recovery},
                {"what", elections[chosen[n]].message}});
    }
    auto proposal = context.broker().metadata->propose(std::move(events));
    const Result<metadata::ApplyResults> applied = co_await std::move(proposal);
    report_refusals(
        applied, chosen, [&](std::size_t place, ErrorCode error, const std::string& message) {
          elections[place].error = error;
          elections[place].message = message;
          std::erase_if(awaited, [&](const Awaited& one) { return one.election == place; });
        });
  }
  Task<void> waiting = await_elected(context, elections, std::move(awaited), limit);
  co_await std::move(waiting);
}

}  // namespace chronik::broker
