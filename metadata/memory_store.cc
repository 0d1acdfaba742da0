#include "metadata/memory_store.h"

namespace chronik::metadata {

MemoryMetadataStore::MemoryMetadataStore(std::shared_ptr<const Image> image)
    : state_(std::move(image)) {}

void MemoryMetadataStore::propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
                                  ProposeDone done) {
  const bool leads = leadership_.ready && options.only_in_term == leadership_.term;
  if (options.only_in_term && !leads) {
    return done(Error{Errc::not_leader, "this node does not lead in that term"});
  }
  // The same refusals as a log gives.
  if (Result<SharedBytes> entry = write_entry(events, 0); !entry) {
    return done(std::move(entry).error());
  }
  Proposal proposal{std::move(events), std::move(done)};
  if (hold_back_) {
    waiting_.push_back(std::move(proposal));
  } else {
    take(proposal);
  }
}

bool MemoryMetadataStore::step() {
  if (waiting_.empty()) return false;
  const Proposal proposal = std::move(waiting_.front());
  waiting_.pop_front();
  take(proposal);
  return true;
}

void MemoryMetadataStore::take(const Proposal& proposal) {
  const auto next = state_.applied_offset() + static_cast<Offset>(proposal.events.size());
  ApplyResults results = state_.apply(state_.applied_index() + 1, next, proposal.events);
  state_.publish();
  proposal.done(std::move(results));
}

void MemoryMetadataStore::set_leadership(const Leadership& leadership) {
  leadership_ = leadership;
  state_.tell_leadership(leadership);
}

void MemoryMetadataStore::add_observer(MetadataObserver& observer) {
  state_.add_observer(observer);
}

void MemoryMetadataStore::remove_observer(MetadataObserver& observer) {
  state_.remove_observer(observer);
}

}  // namespace chronik::metadata
