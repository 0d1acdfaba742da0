// LiveSettings: the settings as they are now. Follows the dynamic broker configs of the metadata
// image (its shard tells it, as a MetadataObserver) and publishes a new LiveConfig when they
// change. What a shard has taken from current() stays valid and unchanged as long as it holds it.
//
// Add it to the store's observers before those that read it, so that they find the new settings.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "broker/settings/settings.h"
#include "broker/settings/start_config.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

class LiveSettings final : public metadata::MetadataObserver {
 public:
  /// Precondition: `settings` is what `config` gives (start_settings).
  LiveSettings(StartConfig config, Settings settings);
  LiveSettings(const LiveSettings&) = delete;
  LiveSettings& operator=(const LiveSettings&) = delete;

  /// Any thread, and for hot paths: without a lock as long as nothing changes. The reference is for
  /// the statement that calls it; who suspends, or calls this again, keeps a copy of the pointer.
  const std::shared_ptr<const LiveConfig>& current() const;

  /// Takes the dynamic configs of `image` over: once after the store is open; later by itself.
  /// Values of another version, or that do not fit together with what was given at start, are left
  /// out with a log line. On the metadata shard.
  void load(const metadata::Image& image);
  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;

 private:
  void publish(std::shared_ptr<const LiveConfig> config);

  const metadata::ConfigMap at_start_;
  const std::string broker_name_;  // the resource of this broker: its id as text
  mutable std::mutex mutex_;       // for the pointer alone
  std::shared_ptr<const LiveConfig> current_;
  // Of current_; no two pointers of the process have the same one. A thread that has seen it has
  // the pointer.
  std::atomic<std::uint64_t> version_ = 0;
};

}  // namespace chronik::broker
