#include "metadata/memory_store.h"

#include <algorithm>

namespace chronik::metadata {

MemoryMetadataStore::MemoryMetadataStore(std::shared_ptr<const Image> image)
    : image_(std::move(image)) {}

void MemoryMetadataStore::propose(std::vector<MetadataEvent> events, ProposeDone done) {
  Proposal proposal{std::move(events), std::move(done)};
  if (hold_back_) {
    waiting_.push_back(std::move(proposal));
  } else {
    take(std::move(proposal));
  }
}

bool MemoryMetadataStore::step() {
  if (waiting_.empty()) return false;
  Proposal proposal = std::move(waiting_.front());
  waiting_.pop_front();
  take(std::move(proposal));
  return true;
}

void MemoryMetadataStore::take(Proposal proposal) {
  const std::shared_ptr<const Image> before = image_;
  ImageBuilder builder(before);
  ApplyResults results;
  results.reserve(proposal.events.size());
  for (const MetadataEvent& event : proposal.events) results.push_back(builder.apply(event));
  builder.set_applied(before->applied_index() + 1,
                      before->applied_offset() + static_cast<Offset>(proposal.events.size()));
  ImageBuilder::Built built = builder.finish();
  image_ = built.image;
  for (MetadataObserver* observer : observers_) {
    observer->on_image(before, built.image, built.delta);
  }
  proposal.done(std::move(results));
}

void MemoryMetadataStore::add_observer(MetadataObserver& observer) {
  observers_.push_back(&observer);
}

void MemoryMetadataStore::remove_observer(MetadataObserver& observer) {
  std::erase(observers_, &observer);
}

}  // namespace chronik::metadata
