// ReplicationRates: the throttled rates that the dynamic broker configs give (KIP-73), as the
// budgets of this node have to know them: its own as a leader, and those of all brokers as
// followers.
//
// In a cluster only. Owned by ClusterMember; told of images on the metadata shard.
#pragma once

#include "metadata/metadata_store.h"
#include "raft/multi/catch_up_budgets.h"

namespace chronik::broker {

/// Of `image`, for the node `self`. A rate without a value, or with that of a setting's default
/// (the greatest number there is), limits nothing.
raft::CatchUpRates replication_rates(const metadata::Image& image, BrokerId self);

class ReplicationRates final : public metadata::MetadataObserver {
 public:
  explicit ReplicationRates(BrokerId self) : self_(self) {}

  /// Outlives the groups that take from it.
  raft::CatchUpBudgets& budgets() { return budgets_; }
  void load(const metadata::Image& image);
  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;

 private:
  const BrokerId self_;
  raft::CatchUpRates rates_;
  raft::CatchUpBudgets budgets_;
};

}  // namespace chronik::broker
