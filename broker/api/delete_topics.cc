// DeleteTopics (key 20): by name, or by id from version 6 on (KIP-516). Answered when the deletion
// is durable; the files go in the background.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/api/proposal_outcome.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/metadata_view.h"
#include "broker/settings/live_settings.h"
#include "protocol/errors.h"
#include "protocol/messages/delete_topics.h"

namespace chronik::broker {

namespace {

using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using protocol::ErrorCode;
using TopicResult = DeleteTopicsResponse::DeletableTopicResult;

constexpr std::int16_t first_version_with_states = 6;

void set_error(TopicResult& result, ErrorCode error, std::string message) {
  result.error_code = static_cast<std::int16_t>(error);
  result.error_message = std::move(message);
}

std::vector<DeleteTopicsRequest::DeleteTopicState> named_topics(DeleteTopicsRequest& request,
                                                                std::int16_t version) {
  if (version >= first_version_with_states) return std::move(request.topics);
  std::vector<DeleteTopicsRequest::DeleteTopicState> topics;
  for (std::string& name : request.topic_names) {
    DeleteTopicsRequest::DeleteTopicState topic;
    topic.name = std::move(name);
    topics.push_back(std::move(topic));
  }
  return topics;
}

/// What is asked, once each; repetitions and contradictions are answered here.
class Wishes {
 public:
  void add(const DeleteTopicsRequest::DeleteTopicState& state) {
    if (state.name && !state.topic_id.is_zero()) {
      refuse(state, "You may not specify both topic name and topic id.");
    } else if (!state.name && state.topic_id.is_zero()) {
      refuse(state, "Neither topic name nor id were specified.");
    } else {
      ++wishes_[{state.name, state.topic_id}];
    }
  }

  /// Resolves the wishes against an image, where that is current, into the answers' order.
  void resolve(const metadata::Image& image, const Result<void>& current,
               std::vector<metadata::MetadataEvent>& events,
               std::vector<std::size_t>& answered_by) {
    for (const auto& [key, times] : wishes_) {
      const auto& [name, id] = key;
      TopicResult& result = results.emplace_back();
      result.name = name;
      result.topic_id = id;
      if (times > 1) {
        set_error(result, ErrorCode::invalid_request,
                  name ? "Duplicate topic name." : "Duplicate topic id.");
        continue;
      }
      if (!current) {
        set_error(result, to_error_code(current.error().code), current.error().message);
        continue;
      }
      const metadata::Topic* topic = name ? image.topic(*name) : image.topic(id);
      if (topic == nullptr) {
        const ErrorCode error =
            name ? ErrorCode::unknown_topic_or_partition : ErrorCode::unknown_topic_id;
        set_error(result, error, std::string(protocol::error_message(error)));
        continue;
      }
      result.name = topic->name;
      result.topic_id = topic->id;
      metadata::TopicDeleted event;
      event.topic_id = topic->id;
      event.name = topic->name;
      events.emplace_back(std::move(event));
      answered_by.push_back(results.size() - 1);
    }
  }

  std::vector<TopicResult> results;

 private:
  void refuse(const DeleteTopicsRequest::DeleteTopicState& state, const char* why) {
    TopicResult& result = results.emplace_back();
    result.name = state.name;
    result.topic_id = state.topic_id;
    set_error(result, ErrorCode::invalid_request, why);
  }

  std::map<std::pair<std::optional<std::string>, Uuid>, int> wishes_;
};

}  // namespace

Task<DeleteTopicsResponse> delete_topics(RequestContext& context, DeleteTopicsRequest request) {
  DeleteTopicsResponse response;
  Broker& broker = context.broker();
  Wishes wishes;
  const bool enabled = broker.settings->current()->settings.delete_topic_enable;
  for (const auto& state : named_topics(request, context.version())) {
    if (enabled) {
      wishes.add(state);
      continue;
    }
    TopicResult& result = wishes.results.emplace_back();
    result.name = state.name;
    result.topic_id = state.topic_id;
    set_error(
        result,
        context.version() < 3 ? ErrorCode::invalid_request : ErrorCode::topic_deletion_disabled,
        "Topic deletion is disabled: delete.topic.enable=false.");
  }
  std::vector<metadata::MetadataEvent> events;
  std::vector<std::size_t> answered_by;
  Task<Result<void>> catching_up = broker.metadata->catch_up();
  const Result<void> current = co_await std::move(catching_up);
  wishes.resolve(broker.data(context.shard()).image(), current, events, answered_by);
  response.responses = std::move(wishes.results);
  if (events.empty()) co_return response;

  Task<Result<metadata::ApplyResults>> proposal = broker.metadata->propose(std::move(events));
  const Result<metadata::ApplyResults> applied = co_await std::move(proposal);
  report_refusals(applied, answered_by,
                  [&](std::size_t place, ErrorCode error, const std::string& message) {
                    set_error(response.responses[place], error, message);
                  });
  co_return response;
}

}  // namespace chronik::broker
