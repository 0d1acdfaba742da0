// Fetch (key 1): sessions (KIP-227), long poll, and the answer. Records leave as ranges of the
// log's files.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "broker/api/context.h"
#include "broker/api/fetch_reader.h"
#include "broker/api/handlers.h"
#include "broker/api/leader_hint.h"
#include "broker/api/preferred_replica.h"
#include "broker/broker.h"
#include "broker/settings/live_settings.h"
#include "protocol/errors.h"
#include "protocol/messages/fetch.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;

constexpr std::int16_t first_version_by_id = 13;
constexpr std::int8_t read_committed = 1;

std::vector<FetchPartition> named_partitions(const FetchRequest& request) {
  std::vector<FetchPartition> named;
  for (const FetchRequest::FetchTopic& topic : request.topics) {
    for (const FetchRequest::FetchPartition& from : topic.partitions) {
      FetchPartition partition;
      partition.topic = topic.topic;
      partition.topic_id = topic.topic_id;
      partition.partition = from.partition;
      partition.current_leader_epoch = from.current_leader_epoch;
      partition.fetch_offset = from.fetch_offset;
      partition.last_fetched_epoch = from.last_fetched_epoch;
      partition.max_bytes = from.partition_max_bytes;
      named.push_back(std::move(partition));
    }
  }
  return named;
}

std::vector<ForgottenPartition> forgotten_partitions(const FetchRequest& request) {
  std::vector<ForgottenPartition> forgotten;
  for (const FetchRequest::ForgottenTopic& topic : request.forgotten_topics_data) {
    for (const PartitionId partition : topic.partitions) {
      forgotten.push_back({topic.topic, topic.topic_id, partition});
    }
  }
  return forgotten;
}

/// What a consumer is told of a partition.
struct PartitionAnswer {
  ReadResult result;
  BrokerId preferred_replica = -1;
};

bool has_news(const FetchPartition& asked, const PartitionAnswer& answer) {
  const ReadResult& result = answer.result;
  return answer.preferred_replica >= 0 || result.error != ErrorCode::none ||
         !result.records.empty() || result.diverging ||
         result.high_watermark != asked.answered_high_watermark ||
         result.log_start_offset != asked.answered_log_start_offset;
}

FetchResponse::PartitionData answer_partition(PartitionId index, PartitionAnswer& answer,
                                              bool committed_only) {
  ReadResult& result = answer.result;
  FetchResponse::PartitionData data;
  data.partition_index = index;
  data.error_code = static_cast<std::int16_t>(result.error);
  data.high_watermark = result.high_watermark;
  data.records.null = false;
  if (result.error != ErrorCode::none) {
    // As Kafka: null where a partition refuses, an empty list where there is none.
    const bool missing = result.error == ErrorCode::unknown_topic_or_partition ||
                         result.error == ErrorCode::unknown_topic_id;
    if (!missing) data.aborted_transactions.reset();
    return data;
  }
  data.last_stable_offset = result.high_watermark;
  data.log_start_offset = result.log_start_offset;
  data.preferred_read_replica = answer.preferred_replica;
  if (!committed_only) data.aborted_transactions.reset();
  if (result.diverging) {
    data.diverging_epoch.epoch = result.diverging->epoch;
    data.diverging_epoch.end_offset = result.diverging->end_offset;
  }
  data.records.chain = std::move(result.records);
  return data;
}

/// With a preferred replica there are no records: the consumer gets them there. `preferred` may be
/// empty.
std::vector<PartitionAnswer> answers_of(std::vector<ReadResult>& results,
                                        const std::vector<BrokerId>& preferred) {
  std::vector<PartitionAnswer> answers(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    ReadResult& result = answers[i].result;
    result = std::move(results[i]);
    // A follower that does not come so far: back to the leader (KIP-392).
    if (std::exchange(result.ahead, false)) {
      result = {};
      result.error = ErrorCode::offset_not_available;
    }
    if (preferred.empty() || preferred[i] < 0) continue;
    answers[i].preferred_replica = preferred[i];
    result.records = {};
  }
  return answers;
}

void build_answer(RequestContext& context, const FetchPlan& plan,
                  std::vector<PartitionAnswer> answers, bool committed_only,
                  FetchSessions& sessions, FetchResponse& response) {
  LeaderHint hint(context, response.node_endpoints);
  for (std::size_t i = 0; i < plan.partitions.size(); ++i) {
    FetchPartition& asked = *plan.partitions[i];
    const ReadResult& result = answers[i].result;
    if (plan.incremental && !has_news(asked, answers[i])) continue;
    asked.answered_high_watermark = result.high_watermark;
    asked.answered_log_start_offset = result.log_start_offset;
    const bool with_records = !result.records.empty();
    auto& topics = response.responses;
    if (topics.empty() || topics.back().topic != asked.topic ||
        topics.back().topic_id != asked.topic_id) {
      FetchResponse::FetchableTopicResponse topic;
      topic.topic = asked.topic;
      topic.topic_id = asked.topic_id;
      topics.push_back(std::move(topic));
    }
    topics.back().partitions.push_back(
        answer_partition(asked.partition, answers[i], committed_only));
    if (result.error == ErrorCode::not_leader_or_follower) {
      hint.name(asked.topic_id, asked.topic, asked.partition, topics.back().partitions.back());
    }
    if (with_records && plan.session_id != 0) sessions.move_to_end(plan.session_id, asked);
  }
}

/// After a first read.
Task<void> read_until_enough(FetchReader& reader, RequestContext& context, std::uint64_t bytes_min,
                             SteadyTime deadline) {
  while (reader.bytes_read() < bytes_min && !reader.urgent() && reader.anything_known() &&
         context.broker().clock->steady_now() < deadline && !context.cancelled()) {
    Task<void> wait = reader.wait(deadline);
    co_await std::move(wait);
    Task<void> again = reader.read();
    co_await std::move(again);
  }
}

}  // namespace

Task<FetchResponse> fetch(RequestContext& context, FetchRequest request) {
  if (context.connection().of_node) {
    Task<FetchResponse> answer = answer_leader(context, std::move(request));
    co_return co_await std::move(answer);
  }
  FetchResponse response;
  const BrokerId replica =
      context.version() >= 15 ? request.replica_state.replica_id : request.replica_id;
  if (replica >= 0) {
    context.close_connection(fmt::format(
        "a fetch as replica {} on a listener for clients: replicas do not fetch here", replica));
    co_return response;
  }
  Broker& broker = context.broker();
  FetchSessions& sessions = broker.data(context.shard()).fetch_sessions;
  const FetchPlan plan = sessions.plan(
      request.session_id, request.session_epoch, context.version() >= first_version_by_id,
      named_partitions(request), forgotten_partitions(request), context.shard().now());
  if (plan.error != ErrorCode::none) {
    response.error_code = static_cast<std::int16_t>(plan.error);
    co_return response;
  }
  response.session_id = plan.session_id;

  const std::int64_t bytes_max = std::min<std::int64_t>(
      request.max_bytes, broker.settings->current()->settings.fetch_max_bytes);
  const std::uint64_t bytes_min = static_cast<std::uint64_t>(std::max(request.min_bytes, 0));
  const SteadyTime deadline =
      context.received_at() + milliseconds(std::max(request.max_wait_ms, 0));
  FetchReader reader(context, plan.partitions,
                     static_cast<std::uint64_t>(std::max<std::int64_t>(bytes_max, 0)));
  Task<void> first = reader.read();
  co_await std::move(first);
  std::vector<BrokerId> preferred;
  if (context.version() >= FetchReader::first_version_with_rack &&
      reads_elsewhere(context, request.rack_id)) {
    auto choice = preferred_replicas(context, request.rack_id, plan.partitions, reader.results());
    preferred = co_await std::move(choice);
  }
  if (preferred.empty()) {
    Task<void> more = read_until_enough(reader, context, bytes_min, deadline);
    co_await std::move(more);
  }
  build_answer(context, plan, answers_of(reader.results(), preferred),
               request.isolation_level == read_committed, sessions, response);
  co_return response;
}

}  // namespace chronik::broker
