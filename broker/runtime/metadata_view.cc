#include "broker/runtime/metadata_view.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/runtime/on.h"

namespace chronik::broker {

using metadata::ApplyResults;
using metadata::MetadataEvent;

MetadataView::MetadataView(Shards& shards, metadata::MetadataStore& store)
    : shards_(shards), store_(store), seen_(std::make_shared<std::vector<Seen>>(shards.count())) {
  CHECK(shards.first().is_current());
  // No other shard reads before this constructor returned: handlers start afterwards.
  for (Seen& seen : *seen_) {
    seen.image = store.image();
    seen.leadership = store.leadership();
  }
  store_.add_observer(*this);
}

MetadataView::~MetadataView() { store_.remove_observer(*this); }

const std::shared_ptr<const metadata::Image>& MetadataView::image() const {
  const Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  return (*seen_)[shard->id()].image;
}

void MetadataView::on_image(const std::shared_ptr<const metadata::Image>& /*before*/,
                            const std::shared_ptr<const metadata::Image>& after,
                            const metadata::MetadataDelta& /*delta*/) {
  (*seen_)[0].image = after;
  for (std::uint32_t id = 1; id < shards_.count(); ++id) {
    shards_.at(id).post(
        [seen = seen_, id, image = after]() mutable { (*seen)[id].image = std::move(image); });
  }
}

metadata::Leadership MetadataView::leadership() const {
  const Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  return (*seen_)[shard->id()].leadership;
}

void MetadataView::on_leadership(const metadata::Leadership& leadership) {
  (*seen_)[0].leadership = leadership;
  for (std::uint32_t id = 1; id < shards_.count(); ++id) {
    shards_.at(id).post([seen = seen_, id, leadership] { (*seen)[id].leadership = leadership; });
  }
}

bool MetadataView::is_absent(BrokerId broker) const {
  const Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  const std::vector<BrokerId>& absent = (*seen_)[shard->id()].absent;
  return std::find(absent.begin(), absent.end(), broker) != absent.end();
}

void MetadataView::set_absent(std::vector<BrokerId> brokers) {
  for (std::uint32_t id = 1; id < shards_.count(); ++id) {
    shards_.at(id).post([seen = seen_, id, brokers] { (*seen)[id].absent = brokers; });
  }
  (*seen_)[0].absent = std::move(brokers);
}

namespace {

Task<Result<ApplyResults>> propose_to(metadata::MetadataStore* store,
                                      std::vector<MetadataEvent> events) {
  auto promise = std::make_shared<Promise<Result<ApplyResults>>>();
  Future<Result<ApplyResults>> results = promise->future();
  store->propose(std::move(events),
                 [promise](Result<ApplyResults> got) { promise->set(std::move(got)); });
  promise.reset();
  co_return co_await results;
}

}  // namespace

Task<Result<ApplyResults>> MetadataView::propose(std::vector<MetadataEvent> events) {
  metadata::MetadataStore* store = &store_;
  auto work = [store, &events] { return propose_to(store, std::move(events)); };
  auto hop = on(shards_.first(), work);
  co_return co_await hop;
}

}  // namespace chronik::broker
