// CoordinatorOffice: lets this node coordinate groups for exactly as long as it leads the metadata
// group and has everything that was decided before; without a cluster that is always. A new leader
// takes the groups up where the image stands, so there is no phase of loading.
//
// Lives on the metadata shard.
#pragma once

#include <memory>

#include "broker/group/coordinator.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

class CoordinatorOffice final : public metadata::MetadataObserver {
 public:
  /// Both outlive it. Whoever destroys it stops the coordinator.
  CoordinatorOffice(metadata::MetadataStore& store, GroupCoordinator& groups)
      : store_(store), groups_(groups) {
    store_.add_observer(*this);
    on_leadership(store_.leadership());
  }
  CoordinatorOffice(const CoordinatorOffice&) = delete;
  CoordinatorOffice& operator=(const CoordinatorOffice&) = delete;
  ~CoordinatorOffice() override { store_.remove_observer(*this); }

 private:
  void on_image(const std::shared_ptr<const metadata::Image>& /*before*/,
                const std::shared_ptr<const metadata::Image>& /*after*/,
                const metadata::MetadataDelta& /*delta*/) override {}
  void on_leadership(const metadata::Leadership& leadership) override {
    if (groups_.running() && (!leadership.ready || leadership.term != groups_.term())) {
      groups_.stop();
    }
    if (leadership.ready && !groups_.running()) groups_.start(leadership.term);
  }

  metadata::MetadataStore& store_;
  GroupCoordinator& groups_;
};

}  // namespace chronik::broker
