#include "broker/api/config_judgement.h"

#include <spdlog/fmt/fmt.h>

#include <map>

#include "broker/api/config_resource.h"
#include "metadata/apply.h"

namespace chronik::broker {

namespace {

using metadata::ConfigResourceType;
using protocol::ErrorCode;
using Operation = ConfigChange::Operation;

AlterationVerdict refuse(ErrorCode code, std::string message) {
  return {.code = code, .message = std::move(message), .event = {}, .log_level = {}};
}

template <class Event>
void add_changes(Event& event, std::vector<ConfigUpdate>&& updates) {
  for (ConfigUpdate& update : updates) {
    typename Event::Change change;
    change.name = std::move(update.name);
    change.value = std::move(update.value);
    event.changes.push_back(std::move(change));
  }
}

class Judge {
 public:
  Judge(const metadata::Image& image, const LiveConfig& live, BrokerId this_broker, AlterMode mode)
      : image_(image), live_(live), this_broker_(this_broker), mode_(mode) {}

  AlterationVerdict operator()(const ResourceAlteration& resource) const {
    const auto type = resource_type(resource.type);
    // Levels have no default to fall back to, so there is no replacing them all.
    if (!type || (*type == ResourceType::broker_logger && mode_ == AlterMode::replace)) {
      return refuse(ErrorCode::invalid_request,
                    fmt::format("Unknown resource type {}", resource.type));
    }
    switch (*type) {
      case ResourceType::topic:
        return topic(resource);
      case ResourceType::broker:
        return broker(resource);
      case ResourceType::broker_logger:
        return logger(resource);
      case ResourceType::client_metrics:
        return client_metrics(resource);
      case ResourceType::group:
        return group(resource);
    }
    return {};
  }

 private:
  AlterationVerdict topic(const ResourceAlteration& resource) const {
    if (resource.name.empty()) {
      return refuse(ErrorCode::invalid_request, "Default topic resources are not allowed.");
    }
    if (auto why = metadata::refuse_topic_name(resource.name)) {
      return refuse(ErrorCode::invalid_topic_exception, std::move(*why));
    }
    const metadata::Topic* const topic = image_.topic(resource.name);
    if (topic == nullptr) {
      return refuse(ErrorCode::unknown_topic_or_partition,
                    fmt::format("The topic '{}' does not exist.", resource.name));
    }
    ConfigOutcome outcome = alter_topic(live_, topic->configs, resource.changes, mode_);
    if (auto* refusal = std::get_if<ConfigRefusal>(&outcome)) {
      return refuse(refusal->code, std::move(refusal->message));
    }
    metadata::TopicConfigChanged event;
    event.topic_id = topic->id;
    event.name = topic->name;
    event.replace = mode_ == AlterMode::replace;
    add_changes(event, std::move(std::get<std::vector<ConfigUpdate>>(outcome)));
    AlterationVerdict verdict;
    if (event.replace || !event.changes.empty()) verdict.event = std::move(event);
    return verdict;
  }

  AlterationVerdict broker(const ResourceAlteration& resource) const {
    if (resource.name.empty()) {
      return change(resource, alter_cluster_defaults(live_.layers, resource.changes, mode_));
    }
    if (auto refused =
            other_broker(resource.name, "Unexpected broker id, expected {}, but received {}")) {
      return *refused;
    }
    return change(resource, alter_broker(live_.layers, resource.changes, mode_));
  }

  AlterationVerdict group(const ResourceAlteration& resource) const {
    if (resource.name.empty()) {
      return refuse(ErrorCode::invalid_request, "Default group resources are not allowed.");
    }
    const auto& current = image_.configs(ConfigResourceType::group, resource.name);
    return change(resource, alter_group(live_.layers, current, resource.changes, mode_));
  }

  AlterationVerdict client_metrics(const ResourceAlteration& resource) const {
    if (resource.name.empty()) {
      return refuse(ErrorCode::invalid_request, "Subscription name can't be empty");
    }
    const auto& current = image_.configs(ConfigResourceType::client_metrics, resource.name);
    return change(resource, alter_client_metrics(current, resource.changes, mode_));
  }

  /// Levels are this process's own and not kept over a restart, as in Kafka.
  AlterationVerdict logger(const ResourceAlteration& resource) const {
    if (auto refused =
            other_broker(resource.name, "Unexpected node id. Expected {}, but received {}")) {
      return *refused;
    }
    AlterationVerdict verdict;
    for (const ConfigChange& change : resource.changes) {
      if (auto refused = refuse_level(change)) return *refused;
      verdict.log_level = parse_log_level(*change.value);
    }
    return verdict;
  }

  static std::optional<AlterationVerdict> refuse_level(const ConfigChange& change) {
    if (change.operation == Operation::append || change.operation == Operation::subtract) {
      return refuse(ErrorCode::invalid_request,
                    fmt::format("{} operation is not allowed for the BROKER_LOGGER resource",
                                change.operation == Operation::append ? "APPEND" : "SUBTRACT"));
    }
    if (change.name != root_logger) {
      return refuse(ErrorCode::invalid_config,
                    fmt::format("Logger {} does not exist!", change.name));
    }
    if (change.operation == Operation::remove) {
      return refuse(ErrorCode::invalid_request,
                    "Removing the log level of the root logger is not allowed");
    }
    if (change.operation != Operation::set || !change.value) {
      return refuse(ErrorCode::invalid_request,
                    fmt::format("Null value not supported for : {}", change.name));
    }
    if (!parse_log_level(*change.value)) {
      return refuse(
          ErrorCode::invalid_config,
          fmt::format("Cannot set the log level of {} to {} as it is not a supported log level. "
                      "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
                      change.name, *change.value));
    }
    return std::nullopt;
  }

  std::optional<AlterationVerdict> other_broker(const std::string& name,
                                                fmt::string_view format) const {
    const std::optional<BrokerId> id = parse_broker_id(name);
    if (!id) {
      return refuse(ErrorCode::invalid_request,
                    fmt::format("Node id must be an integer, but it is: {}", name));
    }
    if (*id != this_broker_) {
      return refuse(ErrorCode::invalid_request,
                    fmt::vformat(format, fmt::make_format_args(this_broker_, *id)));
    }
    return std::nullopt;
  }

  AlterationVerdict change(const ResourceAlteration& resource, ConfigOutcome outcome) const {
    if (auto* refusal = std::get_if<ConfigRefusal>(&outcome)) {
      return refuse(refusal->code, std::move(refusal->message));
    }
    metadata::ConfigChanged event;
    event.resource_type = resource.type;
    event.resource_name = resource.name;
    event.replace = mode_ == AlterMode::replace;
    add_changes(event, std::move(std::get<std::vector<ConfigUpdate>>(outcome)));
    AlterationVerdict verdict;
    if (event.replace || !event.changes.empty()) verdict.event = std::move(event);
    return verdict;
  }

  const metadata::Image& image_;
  const LiveConfig& live_;
  const BrokerId this_broker_;
  const AlterMode mode_;
};

}  // namespace

std::vector<AlterationVerdict> judge_alterations(const metadata::Image& image,
                                                 const LiveConfig& live, BrokerId this_broker,
                                                 std::span<const ResourceAlteration> resources,
                                                 AlterMode mode) {
  std::map<std::pair<std::int8_t, std::string_view>, int> count;
  for (const ResourceAlteration& resource : resources) ++count[{resource.type, resource.name}];

  const Judge judge(image, live, this_broker, mode);
  std::vector<AlterationVerdict> verdicts;
  for (const ResourceAlteration& resource : resources) {
    const bool once = count[{resource.type, resource.name}] == 1;
    verdicts.push_back(
        once ? judge(resource)
             : refuse(ErrorCode::invalid_request, "Each resource must appear at most once."));
  }
  return verdicts;
}

}  // namespace chronik::broker
