#include "broker/broker_fencing.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace chronik::broker {

using metadata::BrokerFenced;

BrokerFencing::BrokerFencing(metadata::MetadataStore& store, BrokerId self)
    : store_(store), self_(self) {
  store_.add_observer(*this);
}

BrokerFencing::~BrokerFencing() { store_.remove_observer(*this); }

void BrokerFencing::set_absent(std::vector<BrokerId> brokers) {
  absent_ = std::move(brokers);
  decide();
}

void BrokerFencing::on_image(const std::shared_ptr<const metadata::Image>& /*before*/,
                             const std::shared_ptr<const metadata::Image>& /*after*/,
                             const metadata::MetadataDelta& delta) {
  if (!delta.brokers.empty()) decide();
}

void BrokerFencing::on_leadership(const metadata::Leadership& leadership) {
  if (leadership.ready) decide();
}

void BrokerFencing::decide() {
  const metadata::Leadership leadership = store_.leadership();
  if (deciding_ || !leadership.ready) return;
  const std::shared_ptr<const metadata::Image> image = store_.image();
  std::vector<metadata::MetadataEvent> events;
  for (const auto& [id, registered] : image->brokers()) {
    const bool fenced =
        id != self_ && std::find(absent_.begin(), absent_.end(), id) != absent_.end();
    if (fenced == image->is_fenced(id)) continue;
    events.emplace_back(BrokerFenced{id, fenced});
    log_info(fenced ? "a broker is out of reach: clients are not sent to it"
                    : "a broker is back: clients are sent to it again",
             {{"broker", id}});
  }
  if (events.empty()) return;
  deciding_ = true;
  store_.propose(std::move(events), {.only_in_term = leadership.term},
                 [alive = std::weak_ptr(alive_)](const Result<metadata::ApplyResults>& results) {
                   const auto self = alive.lock();
                   if (!self) return;
                   (*self)->deciding_ = false;
                   // An error means that the term is over, or this node stops.
                   if (results) (*self)->decide();
                 });
}

}  // namespace chronik::broker
