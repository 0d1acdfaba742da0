// MemoryMetadataStore: a MetadataStore without a log. Every proposal is applied at once, or, when
// held back, at step(). For the tests of handlers and coordinators, and for the simulator; nothing
// survives it.
#pragma once

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "metadata/metadata_store.h"
#include "metadata/state_machine.h"

namespace chronik::metadata {

class MemoryMetadataStore final : public MetadataStore {
 public:
  explicit MemoryMetadataStore(
      std::shared_ptr<const Image> image = std::make_shared<const Image>());

  std::shared_ptr<const Image> image() const override { return state_.image(); }
  using MetadataStore::propose;
  void propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
               ProposeDone done) override;
  Leadership leadership() const override { return leadership_; }
  void add_observer(MetadataObserver& observer) override;
  void remove_observer(MetadataObserver& observer) override;

  /// As if an election had ended so; the observers are told. Proposals are taken all the same, but
  /// for those of another term.
  void set_leadership(const Leadership& leadership);

  /// With true, proposals wait for step(), as they wait for the disk in production.
  void hold_back(bool on) { hold_back_ = on; }
  /// Applies the oldest proposal held back. Returns false when there was none.
  bool step();
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Proposal {
    std::vector<MetadataEvent> events;
    ProposeDone done;
  };
  void take(const Proposal& proposal);

  MetadataStateMachine state_;
  std::deque<Proposal> waiting_;
  bool hold_back_ = false;
  Leadership leadership_{.leader = 0, .term = 0, .ready = true};
};

}  // namespace chronik::metadata
