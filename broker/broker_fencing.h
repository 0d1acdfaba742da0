// BrokerFencing: the node that leads the metadata says which brokers are out of its reach
// (BrokerFenced), so that all nodes send clients to the same ones. Who does not lead only keeps in
// mind what it sees, for the moment when it does.
//
// Lives on the metadata shard; only in a cluster.
#pragma once

#include <memory>
#include <vector>

#include "base/types.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

class BrokerFencing final : public metadata::MetadataObserver {
 public:
  /// The store outlives it.
  BrokerFencing(metadata::MetadataStore& store, BrokerId self);
  BrokerFencing(const BrokerFencing&) = delete;
  BrokerFencing& operator=(const BrokerFencing&) = delete;
  ~BrokerFencing() override;

  /// The brokers that are not connected, whenever that changes.
  void set_absent(std::vector<BrokerId> brokers);

 private:
  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;
  void on_leadership(const metadata::Leadership& leadership) override;
  void decide();

  metadata::MetadataStore& store_;
  const BrokerId self_;
  std::vector<BrokerId> absent_;
  // A decision is on its way; what changes meanwhile is looked at when it is in force.
  bool deciding_ = false;
  // Expires with this, for answers that come later.
  std::shared_ptr<BrokerFencing*> alive_ = std::make_shared<BrokerFencing*>(this);
};

}  // namespace chronik::broker
