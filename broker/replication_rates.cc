#include "broker/replication_rates.h"

#include <algorithm>
#include <limits>
#include <string>

#include "broker/settings/layers.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

using Type = metadata::ConfigResourceType;

std::optional<std::uint64_t> rate(const metadata::Image& image, BrokerId broker,
                                  std::string_view name) {
  const ConfigLayers layers{
      .at_start = {},
      .cluster = usable_dynamic_values(image.configs(Type::broker, "")),
      .broker = usable_dynamic_values(image.configs(Type::broker, std::to_string(broker)))};
  const std::optional<std::string> value = layers.value(name);
  if (!value) return std::nullopt;
  const std::int64_t bytes = as_int64(*value);
  if (bytes < 0 || bytes == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

raft::CatchUpRates replication_rates(const metadata::Image& image, BrokerId self) {
  raft::CatchUpRates rates;
  rates.leader = rate(image, self, "leader.replication.throttled.rate");
  for (const auto& [id, registered] : image.brokers()) {
    const auto bytes = rate(image, id, "follower.replication.throttled.rate");
    if (bytes && id != self) rates.followers[id] = *bytes;
  }
  return rates;
}

void ReplicationRates::load(const metadata::Image& image) {
  raft::CatchUpRates rates = replication_rates(image, self_);
  if (rates == rates_) return;
  rates_ = std::move(rates);
  budgets_.set_rates(rates_);
}

void ReplicationRates::on_image(const std::shared_ptr<const metadata::Image>& /*before*/,
                                const std::shared_ptr<const metadata::Image>& after,
                                const metadata::MetadataDelta& delta) {
  const bool concerned =
      !delta.brokers.empty() || std::ranges::any_of(delta.configs, [](const auto& resource) {
        return resource.type == Type::broker;
      });
  if (concerned) load(*after);
}

}  // namespace chronik::broker
