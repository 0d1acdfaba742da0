#include "broker/settings/live_settings.h"

#include <algorithm>

#include "base/log.h"

namespace chronik::broker {

namespace {

void warn_unusable(const metadata::ConfigMap& stored, const metadata::ConfigMap& usable,
                   std::string_view resource) {
  for (const auto& [name, value] : stored) {
    if (usable.find(name) == nullptr) {
      log_warn("a dynamic config is left out: this version cannot use it",
               {{"broker", resource}, {"name", name}});
    }
  }
}

}  // namespace

LiveSettings::LiveSettings(StartConfig config, Settings settings)
    : at_start_(std::move(config.values)), broker_name_(std::to_string(settings.node_id)) {
  ConfigLayers layers{.at_start = at_start_, .cluster = {}, .broker = {}};
  publish(std::make_shared<const LiveConfig>(LiveConfig{std::move(layers), std::move(settings)}));
}

const std::shared_ptr<const LiveConfig>& LiveSettings::current() const {
  thread_local std::uint64_t seen_version = 0;
  thread_local std::shared_ptr<const LiveConfig> seen;
  if (version_.load(std::memory_order_acquire) != seen_version) {
    const std::lock_guard lock(mutex_);
    seen = current_;
    seen_version = version_.load(std::memory_order_relaxed);
  }
  return seen;
}

void LiveSettings::publish(std::shared_ptr<const LiveConfig> config) {
  static std::atomic<std::uint64_t> last_version = 0;
  const std::lock_guard lock(mutex_);
  current_ = std::move(config);
  version_.store(last_version.fetch_add(1) + 1, std::memory_order_release);
}

void LiveSettings::load(const metadata::Image& image) {
  using Type = metadata::ConfigResourceType;
  const metadata::ConfigMap& cluster = image.configs(Type::broker, "");
  const metadata::ConfigMap& broker = image.configs(Type::broker, broker_name_);
  ConfigLayers layers{.at_start = at_start_,
                      .cluster = usable_dynamic_values(cluster),
                      .broker = usable_dynamic_values(broker)};
  warn_unusable(cluster, layers.cluster, "default");
  warn_unusable(broker, layers.broker, broker_name_);

  // Each value was checked against the others when it was set; a changed file may contradict them
  // now. Then the more special ones go first.
  for (metadata::ConfigMap* layer : {&layers.broker, &layers.cluster}) {
    auto made = make_settings(layers);
    if (auto* settings = std::get_if<Settings>(&made)) {
      return publish(std::make_shared<const LiveConfig>(LiveConfig{layers, std::move(*settings)}));
    }
    const SettingProblem& problem = std::get<SettingProblem>(made);
    log_warn("dynamic configs are left out: they do not fit together with those of the start",
             {{"broker", layer == &layers.broker ? broker_name_ : "default"},
              {"name", problem.name},
              {"why", problem.reason}});
    *layer = {};
  }
  auto made = make_settings(layers);
  CHECK(std::holds_alternative<Settings>(made));
  publish(std::make_shared<const LiveConfig>(
      LiveConfig{std::move(layers), std::move(std::get<Settings>(made))}));
}

void LiveSettings::on_image(const std::shared_ptr<const metadata::Image>&,
                            const std::shared_ptr<const metadata::Image>& after,
                            const metadata::MetadataDelta& delta) {
  const bool ours = std::any_of(delta.configs.begin(), delta.configs.end(), [&](auto& resource) {
    return resource.type == metadata::ConfigResourceType::broker &&
           (resource.name.empty() || resource.name == broker_name_);
  });
  if (ours) load(*after);
}

}  // namespace chronik::broker
