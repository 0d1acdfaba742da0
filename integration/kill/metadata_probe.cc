#include "integration/kill/metadata_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "integration/harness/protocol_client.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace chronik::integration {

namespace {

// Far from what would delete a record.
constexpr std::int64_t first_value = 1'000'000'000'000;
// Between two changes: the load is there to be watched, not to fill the disk.
constexpr std::chrono::milliseconds pace{5};
constexpr std::chrono::milliseconds slow{1'000};
constexpr std::int8_t topic_resource = 2;

}  // namespace

MetadataProbe::MetadataProbe(std::string host, int port, std::string topic)
    : host_(std::move(host)),
      port_(port),
      topic_(std::move(topic)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

MetadataProbe::~MetadataProbe() {
  thread_.request_stop();
  thread_.join();
}

std::optional<std::string> MetadataProbe::change(RawConnection& connection,
                                                 std::int64_t value) const {
  if (!connection.connected()) return "no connection";
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = topic_resource;
  resource.resource_name = topic_;
  auto& config = resource.configs.emplace_back();
  config.name = setting;
  config.value = std::to_string(value);
  const auto response = call(connection, request);
  if (!response || response->responses.size() != 1) return "no answer";
  const auto& answer = response->responses[0];
  if (answer.error_code == 0) return std::nullopt;
  return fmt::format("error {}: {}", answer.error_code, answer.error_message.value_or(""));
}

std::string MetadataProbe::take_slow() {
  const std::lock_guard lock(mutex_);
  return std::exchange(slow_, {});
}

void MetadataProbe::run(const std::stop_token& stop) {
  std::optional<RawConnection> connection(std::in_place, host_, port_);
  for (std::int64_t value = first_value; !stop.stop_requested(); ++value) {
    const Clock::time_point begun = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      ledger_.attempted = value;
    }
    const std::optional<std::string> why = change(*connection, value);
    std::unique_lock lock(mutex_);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
    if (took > slow) {
      slow_ += fmt::format("; {} took {} ms: {}", topic_, took.count(), why.value_or("made"));
    }
    if (!why) {
      ledger_.acknowledged = value;
      ++ledger_.count;
      last_begun_ = begun;
      acknowledged_.push_back(Clock::now());
      changed_.notify_all();
    } else {
      lock.unlock();
      connection.emplace(host_, port_);
      lock.lock();
    }
    changed_.wait_until(lock, stop, begun + pace, [] { return false; });
  }
}

bool MetadataProbe::wait_for_change(Clock::time_point since, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return last_begun_ >= since; });
}

MetadataProbe::Duration MetadataProbe::longest_gap(Clock::time_point from, Clock::time_point to) {
  const std::lock_guard lock(mutex_);
  const auto behind = std::upper_bound(acknowledged_.begin(), acknowledged_.end(), from);
  if (behind != acknowledged_.begin()) acknowledged_.erase(acknowledged_.begin(), behind - 1);
  Clock::time_point last = acknowledged_.empty() ? from : std::min(acknowledged_.front(), from);
  Clock::duration longest{};
  for (const Clock::time_point at : acknowledged_) {
    if (at > to) break;
    longest = std::max(longest, at - last);
    last = std::max(last, at);
  }
  return std::chrono::duration_cast<Duration>(std::max(longest, to - last));
}

MetadataProbe::Ledger MetadataProbe::ledger() const {
  const std::lock_guard lock(mutex_);
  return ledger_;
}

}  // namespace chronik::integration
