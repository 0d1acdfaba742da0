#include "broker/api/forward_produce.h"

#include <map>
#include <utility>

#include "broker/api/other_nodes.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "broker/runtime/scatter.h"
#include "protocol/codec.h"
#include "protocol/errors.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::ProduceRequest;
using protocol::ProduceResponse;

// What one leader is sent at once at most; a client that writes more finds it by itself.
constexpr std::size_t forwarded_bytes_max = 4u << 20;
constexpr milliseconds answer_timeout{5'000};

using Batches = std::vector<const RefusedBatch*>;

std::map<BrokerId, Batches> by_leader(const Broker& broker,
                                      const std::vector<RefusedBatch>& batches) {
  const metadata::Image& image = *broker.metadata->image();
  std::map<BrokerId, Batches> leaders;
  std::map<BrokerId, std::size_t> bytes;
  for (const RefusedBatch& batch : batches) {
    const metadata::Topic* topic = image.topic(batch.topic_id);
    if (topic == nullptr || !topic->has_partition(batch.partition)) continue;
    const BrokerId leader = broker.metadata->leader_of(*topic, batch.partition).leader;
    if (leader < 0 || leader == broker.node.id) continue;
    leaders[leader].push_back(&batch);
    bytes[leader] += batch.records.size();
  }
  std::erase_if(leaders, [&](const auto& of) { return bytes[of.first] > forwarded_bytes_max; });
  return leaders;
}

/// One topic for each batch, so that the answer has them in the same order.
ProduceRequest request_of(const Batches& batches, std::int16_t acks) {
  ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = static_cast<std::int32_t>(answer_timeout.count());
  for (const RefusedBatch* batch : batches) {
    auto& topic = request.topic_data.emplace_back();
    topic.topic_id = batch->topic_id;
    auto& partition = topic.partition_data.emplace_back();
    partition.index = batch->partition;
    partition.records.null = false;
    partition.records.chain = batch->records;
  }
  return request;
}

SharedBytes encoded(const ProduceRequest& request, std::int16_t version) {
  Writer writer;
  protocol::encode(writer, version, request);
  const ByteChain chain = writer.take_chain();
  Bytes bytes;
  bytes.reserve(chain.size());
  for (const ByteChain::Part& part : chain.parts()) {
    const ByteView view = std::get<SharedBytes>(part).view();
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  return SharedBytes::adopt(std::move(bytes));
}

bool is_fit(const ProduceResponse& answer, const Batches& batches) {
  if (answer.responses.size() != batches.size()) return false;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto& topic = answer.responses[i];
    if (topic.topic_id != batches[i]->topic_id || topic.partition_responses.size() != 1 ||
        topic.partition_responses[0].index != batches[i]->partition) {
      return false;
    }
  }
  return true;
}

/// The answer of the leader; nothing where it cannot be read.
std::optional<ProduceResponse> read_answer(SharedBytes bytes, std::int16_t version,
                                           const Batches& batches) {
  Reader reader(std::move(bytes));
  ProduceResponse answer;
  if (!protocol::decode(reader, version, answer) || !is_fit(answer, batches)) return std::nullopt;
  return answer;
}

Task<void> ask_leader(OtherNodes* nodes, BrokerId leader, const Batches* batches,
                      std::int16_t acks) {
  constexpr std::int16_t version = ProduceRequest::max_version;
  auto asking = nodes->ask_node(leader, ProduceRequest::api_key, version,
                                encoded(request_of(*batches, acks), version), answer_timeout);
  Result<SharedBytes> got = co_await std::move(asking);
  // It has not begun with it.
  if (!got && got.error().code == Errc::busy) co_return;
  std::optional<ProduceResponse> answer;
  if (got) answer = read_answer(*std::move(got), version, *batches);
  for (std::size_t i = 0; i < batches->size(); ++i) {
    auto& response = *(*batches)[i]->response;
    if (!answer) {
      response.error_code = static_cast<std::int16_t>(ErrorCode::request_timed_out);
      continue;
    }
    auto& by_leader = answer->responses[i].partition_responses[0];
    response = std::move(by_leader);
    response.current_leader = {};
  }
}

}  // namespace

Task<void> forward_batches(RequestContext& context, std::vector<RefusedBatch> batches,
                           std::int16_t acks) {
  Broker& broker = context.broker();
  const std::map<BrokerId, Batches> leaders = by_leader(broker, batches);
  if (leaders.empty()) co_return;
  Scatter scatter;
  for (const auto& [leader, refused] : leaders) {
    auto ask = [nodes = broker.nodes, id = leader, sent = &refused, acks] {
      return ask_leader(nodes, id, sent, acks);
    };
    scatter.start(broker.shards->first(), std::move(ask));
  }
  Future<void> all = scatter.all();
  co_await all;
}

}  // namespace chronik::broker
