// TopicFollower: gives every shard the new metadata image, and its partitions what changed in
// it.
//
// Lives on the metadata shard as an observer of the store; the shard itself is served at once, the
// others by message, so each shard sees images in order, and an image together with the changes
// that led to it.
#pragma once

#include <memory>

#include "broker/broker.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

class TopicFollower final : public metadata::MetadataObserver {
 public:
  /// `broker` outlives it, and so do its shards while the store may call.
  explicit TopicFollower(Broker& broker) : broker_(broker) {}

  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;

 private:
  Broker& broker_;
};

}  // namespace chronik::broker
