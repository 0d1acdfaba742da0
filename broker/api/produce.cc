// Produce (key 0). Each partition's batch is appended on the partition's shard before the handler
// first suspends there, so pipelined requests keep their order; the answer waits until every batch
// is durable.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "broker/api/context.h"
#include "broker/api/forward_produce.h"
#include "broker/api/handlers.h"
#include "broker/api/leader_hint.h"
#include "broker/api/partition_calls.h"
#include "protocol/errors.h"
#include "protocol/messages/produce.h"
#include "protocol/record_batch.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::ProduceRequest;
using protocol::ProduceResponse;
using PartitionResponse = ProduceResponse::PartitionProduceResponse;

// For a partition that is between two leaders: the client is told the new one, where that does not
// take longer than this, and need not find out by itself.
constexpr milliseconds leader_wait{1'000};

/// One partition's part of a request: whose it is, what to append, and where the answer goes.
struct Target {
  Uuid topic_id;
  PartitionId partition;
  SharedBytes records;  // afterwards only where another node leads
  PartitionResponse* response;
};

struct Terms {
  std::int16_t version;
  std::int16_t acks;
  Timestamp now;
  SteadyTime at;
  SteadyTime limit;         // of the wait for the disk
  SteadyTime leader_limit;  // of the wait until it is known who leads instead
};

void set_error(PartitionResponse& response, ErrorCode error, std::string message = {}) {
  response.error_code = static_cast<std::int16_t>(error);
  response.base_offset = -1;
  if (!message.empty()) response.error_message = std::move(message);
}

void set_appended(PartitionResponse& response, AppendResult result) {
  response.error_code = static_cast<std::int16_t>(result.error);
  response.base_offset = result.base_offset;
  response.log_append_time_ms = result.log_append_time;
  response.log_start_offset = result.log_start_offset;
  if (!result.message.empty()) response.error_message = std::move(result.message);
  for (protocol::RecordError& error : result.record_errors) {
    ProduceResponse::BatchIndexAndErrorMessage entry;
    entry.batch_index = error.batch_index;
    entry.batch_index_error_message = std::move(error.message);
    response.record_errors.push_back(std::move(entry));
  }
}

/// A replica that is about to be opened may lead soon.
ErrorCode why_not_open(ShardData& data, const Target& target) {
  const metadata::Topic* topic = data.image().topic(target.topic_id);
  return topic == nullptr || !topic->has_partition(target.partition)
             ? ErrorCode::unknown_topic_or_partition
             : ErrorCode::not_leader_or_follower;
}

// Runs on the partitions' shard.
Task<void> append_all(ShardData& data, std::vector<Target*>& targets, Terms terms) {
  struct Wait {
    PartitionResponse* response;
    Future<WaitEnd> acknowledged;
  };
  std::vector<Wait> waits;
  std::vector<Future<WaitEnd>> refused;
  for (Target* target : targets) {
    Partition* partition = find_partition(data, *target);
    if (partition == nullptr) {
      set_error(*target->response, why_not_open(data, *target));
      continue;
    }
    AppendResult result =
        partition->append(target->records, {terms.version, terms.acks, terms.now, terms.at});
    if (result.error != ErrorCode::not_leader_or_follower) target->records = {};
    if (result.error == ErrorCode::not_leader_or_follower) {
      refused.push_back(partition->leader_known(terms.leader_limit));
    } else if (result.error == ErrorCode::none && terms.acks == 1) {
      waits.push_back({target->response, partition->stored(result.acknowledged_at)});
    } else if (result.error == ErrorCode::none && terms.acks == -1) {
      waits.push_back({target->response, partition->acknowledged(result, terms.limit)});
    }
    set_appended(*target->response, std::move(result));
  }
  if (!waits.empty() && terms.limit != SteadyTime::max()) data.partitions.limit_waits(terms.limit);
  if (!refused.empty()) data.partitions.limit_waits(terms.leader_limit);
  for (Wait& wait : waits) {
    const WaitEnd end = co_await wait.acknowledged;
    if (end == WaitEnd::deleted) {
      set_error(*wait.response, ErrorCode::unknown_topic_or_partition,
                "The topic was deleted before the batch was on disk.");
    } else if (end == WaitEnd::timed_out) {
      // With the offset, as Kafka: the batch is in the log and may yet become durable.
      wait.response->error_code = static_cast<std::int16_t>(ErrorCode::request_timed_out);
    } else if (end == WaitEnd::too_few_in_sync) {
      wait.response->error_code =
          static_cast<std::int16_t>(ErrorCode::not_enough_replicas_after_append);
    } else if (end == WaitEnd::not_leader) {
      set_error(*wait.response, ErrorCode::not_leader_or_follower,
                "Another broker leads now; whether the batch was kept is not known here.");
    }
  }
  for (Future<WaitEnd>& wait : refused) co_await wait;
}

/// Those of idempotent producers are not among them: a client may send what comes behind one of
/// them to the new leader before it has that one. Told that it is out of order, librdkafka counts
/// its batches anew, and writes again what it does not know the fate of.
bool may_be_passed_on(const Target& target) {
  const auto error = static_cast<ErrorCode>(target.response->error_code);
  return error == ErrorCode::not_leader_or_follower &&
         target.records.size() >= protocol::batch_header_size &&
         !protocol::read_batch_header(target.records.view()).has_producer_id();
}

/// Those that this node leads by now.
std::vector<Target> led_by_now(RequestContext& context, const std::vector<Target>& targets) {
  const metadata::Image& image = *context.broker().metadata->image();
  std::vector<Target> led;
  for (const Target& target : targets) {
    if (!may_be_passed_on(target)) continue;
    const metadata::Topic* topic = image.topic(target.topic_id);
    if (check_served_here(context.broker(), topic, target.partition) != ErrorCode::none) continue;
    *target.response = {};
    target.response->index = target.partition;
    led.push_back(target);
  }
  return led;
}

/// Of those that another node leads.
std::vector<RefusedBatch> refused_batches(const std::vector<Target>& targets) {
  std::vector<RefusedBatch> refused;
  for (const Target& target : targets) {
    if (!may_be_passed_on(target)) continue;
    refused.push_back({target.topic_id, target.partition, target.records, target.response});
  }
  return refused;
}

bool may_forward(RequestContext& context, std::int16_t acks) {
  // With acks=0 the client learns who leads by the end of its connection.
  return acks != 0 && context.broker().nodes != nullptr && !context.connection().of_node;
}

/// Whose leader was not known when the request came: it may be now.
void name_leaders(RequestContext& context, const std::vector<Target>& targets,
                  ProduceResponse& response) {
  LeaderHint hint(context, response.node_endpoints);
  for (const Target& target : targets) {
    const auto error = static_cast<ErrorCode>(target.response->error_code);
    if (error != ErrorCode::not_leader_or_follower && target.records.empty()) continue;
    hint.name(target.topic_id, {}, target.partition, *target.response);
  }
}

SharedBytes take_records(protocol::RecordsField& field) {
  if (field.null || field.chain.empty()) return {};
  return std::get<SharedBytes>(field.chain.parts().front());
}

void prepare_answer(ProduceRequest& request, ProduceResponse& response) {
  response.responses.resize(request.topic_data.size());
  for (std::size_t t = 0; t < request.topic_data.size(); ++t) {
    ProduceRequest::TopicProduceData& from = request.topic_data[t];
    ProduceResponse::TopicProduceResponse& to = response.responses[t];
    to.name = from.name;
    to.topic_id = from.topic_id;
    to.partition_responses.resize(from.partition_data.size());
    for (std::size_t p = 0; p < from.partition_data.size(); ++p) {
      to.partition_responses[p].index = from.partition_data[p].index;
      to.partition_responses[p].base_offset = -1;
    }
  }
}

/// What of the request there is to append; what does not exist is answered here.
std::vector<Target> find_targets(RequestContext& context, ProduceRequest& request,
                                 ProduceResponse& response) {
  const metadata::Image& image = context.broker().data(context.shard()).image();
  const bool by_id = context.version() >= 13;
  std::vector<Target> targets;
  LeaderHint hint(context, response.node_endpoints);
  for (std::size_t t = 0; t < request.topic_data.size(); ++t) {
    ProduceRequest::TopicProduceData& data = request.topic_data[t];
    const metadata::Topic* topic = by_id ? image.topic(data.topic_id) : image.topic(data.name);
    for (std::size_t p = 0; p < data.partition_data.size(); ++p) {
      PartitionResponse& answer = response.responses[t].partition_responses[p];
      const PartitionId partition = data.partition_data[p].index;
      const ErrorCode error = topic == nullptr && by_id
                                  ? ErrorCode::unknown_topic_id
                                  : check_served_here(context.broker(), topic, partition);
      const bool asks =
          error == ErrorCode::not_leader_or_follower &&
          (is_between_leaders(context.broker(), *topic, partition) ||
           (context.broker().leaving && has_replica_here(context.broker(), *topic, partition)));
      if (error != ErrorCode::none && !asks) {
        set_error(answer, error);
        if (error == ErrorCode::not_leader_or_follower) hint.name(*topic, partition, answer);
        continue;
      }
      targets.push_back(
          {topic->id, partition, take_records(data.partition_data[p].records), &answer});
    }
    data.partition_data.clear();
  }
  return targets;
}

void answer_all(ProduceResponse& response, ErrorCode error, const std::string& message) {
  for (auto& topic : response.responses) {
    for (auto& partition : topic.partition_responses) set_error(partition, error, message);
  }
}

/// The first error of a request that wants no answer: only closing the connection can tell its
/// client.
std::string first_error(const ProduceResponse& response) {
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code == 0) continue;
      return fmt::format("produce with acks=0 to {}-{} failed: {}", topic.name, partition.index,
                         protocol::error_name(static_cast<ErrorCode>(partition.error_code)));
    }
  }
  return {};
}

}  // namespace

Task<ProduceResponse> produce(RequestContext& context, ProduceRequest request) {
  ProduceResponse response;
  prepare_answer(request, response);
  // As in Kafka, acks=1 knows no time limit.
  const SteadyTime limit =
      request.acks == -1 ? wait_limit(context, request.timeout_ms) : SteadyTime::max();
  const SteadyTime now = context.shard().now();
  const Terms terms{context.version(), request.acks, context.broker().clock->now_ms(), now, limit,
                    now + leader_wait};
  if (request.acks < -1 || request.acks > 1) {
    answer_all(response, ErrorCode::invalid_required_acks,
               fmt::format("acks={} is not one of -1 (all), 0 and 1.", request.acks));
    co_return response;
  }
  std::vector<Target> targets = find_targets(context, request, response);
  auto start = [terms](ShardData& data, std::vector<Target*>& there) {
    return append_all(data, there, terms);
  };
  Task<void> append = call_partitions(context, targets, start);
  co_await std::move(append);
  std::vector<Target> led = led_by_now(context, targets);
  if (!led.empty()) {
    Task<void> append_again = call_partitions(context, led, start);
    co_await std::move(append_again);
  }
  std::vector<RefusedBatch> refused = refused_batches(targets);
  if (!refused.empty() && may_forward(context, request.acks)) {
    Task<void> forward = forward_batches(context, std::move(refused), request.acks);
    co_await std::move(forward);
  }
  name_leaders(context, targets, response);
  if (request.acks == 0) {
    std::string error = first_error(response);
    if (error.empty()) {
      context.answer_nothing();
    } else {
      context.close_connection(std::move(error));
    }
  }
  co_return response;
}

}  // namespace chronik::broker
