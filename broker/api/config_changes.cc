#include "broker/api/config_changes.h"

#include "base/check.h"
#include "broker/api/error_map.h"
#include "broker/runtime/on.h"

namespace chronik::broker {

namespace {

void log_change(const metadata::MetadataEvent& event) {
  const auto names = [](const auto& changed) {
    std::string text;
    for (const auto& change : changed.changes) {
      if (!text.empty()) text += ',';
      if (!change.value) text += '-';
      text += change.name;
    }
    return text;
  };
  if (const auto* topic = std::get_if<metadata::TopicConfigChanged>(&event)) {
    log_info("topic configs changed", {{"topic", topic->name}, {"names", names(*topic)}});
  } else if (const auto* other = std::get_if<metadata::ConfigChanged>(&event)) {
    log_info("configs changed", {{"resource_type", static_cast<int>(other->resource_type)},
                                 {"resource", other->resource_name},
                                 {"names", names(*other)}});
  }
}

/// They may be there: this node could not ask. The other verdicts hold, and what is to be proposed
/// is refused in its turn; the log levels of this broker are its own business.
void forget_unknown_topics(std::vector<AlterationVerdict>& verdicts, const Error& error) {
  for (AlterationVerdict& verdict : verdicts) {
    if (verdict.code != protocol::ErrorCode::unknown_topic_or_partition) continue;
    verdict.code = to_error_code(error.code);
    verdict.message = error.message;
  }
}

}  // namespace

ConfigChanges::ConfigChanges(Shard& first, MetadataView& metadata, const LiveSettings& settings,
                             BrokerId this_broker)
    : first_(first), metadata_(metadata), settings_(settings), this_broker_(this_broker) {}

ConfigChanges::~ConfigChanges() { CHECK(!busy_ && waiting_.empty()); }

Task<std::vector<AlterationVerdict>> ConfigChanges::alter(std::vector<ResourceAlteration> resources,
                                                          AlterMode mode, bool validate_only) {
  auto work = [this, &resources, mode, validate_only] {
    return alter_here(std::move(resources), mode, validate_only);
  };
  auto hop = on(first_, work);
  co_return co_await hop;
}

Task<std::vector<AlterationVerdict>> ConfigChanges::alter_here(
    std::vector<ResourceAlteration> resources, AlterMode mode, bool validate_only) {
  Task<void> turn = my_turn();
  co_await std::move(turn);
  Task<Result<void>> catching_up = metadata_.catch_up();
  const Result<void> current = co_await std::move(catching_up);
  const std::shared_ptr<const metadata::Image> image = metadata_.image();
  const std::shared_ptr<const LiveConfig> live = settings_.current();
  std::vector<AlterationVerdict> verdicts =
      judge_alterations(*image, *live, this_broker_, resources, mode);
  if (!current) forget_unknown_topics(verdicts, current.error());
  if (!validate_only) {
    Task<void> making = make(verdicts);
    co_await std::move(making);
  }
  next_turn();
  co_return verdicts;
}

Task<void> ConfigChanges::make(std::vector<AlterationVerdict>& verdicts) {
  std::vector<metadata::MetadataEvent> events;
  std::vector<AlterationVerdict*> proposed;
  for (AlterationVerdict& verdict : verdicts) {
    if (verdict.log_level) {
      set_log_level(*verdict.log_level);
      log_info("log level changed", {});
    }
    if (!verdict.event) continue;
    log_change(*verdict.event);
    events.push_back(std::move(*verdict.event));
    verdict.event.reset();
    proposed.push_back(&verdict);
  }
  if (events.empty()) co_return;
  Task<Result<metadata::ApplyResults>> proposal = metadata_.propose(std::move(events));
  const Result<metadata::ApplyResults> results = co_await std::move(proposal);
  for (std::size_t i = 0; i < proposed.size(); ++i) {
    if (results) {
      proposed[i]->code = (*results)[i].code;
      proposed[i]->message = (*results)[i].message;
    } else {
      proposed[i]->code = to_error_code(results.error().code);
      proposed[i]->message = results.error().message;
    }
  }
}

Task<void> ConfigChanges::my_turn() {
  if (!busy_) {
    busy_ = true;
    co_return;
  }
  Future<void> turn = waiting_.emplace_back().future();
  co_await turn;
}

void ConfigChanges::next_turn() {
  if (waiting_.empty()) {
    busy_ = false;
    return;
  }
  Promise<void> next = std::move(waiting_.front());
  waiting_.pop_front();
  next.set();
}

}  // namespace chronik::broker
