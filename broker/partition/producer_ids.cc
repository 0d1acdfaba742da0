#include "broker/partition/producer_ids.h"

#include <algorithm>
#include <utility>

namespace chronik::broker {

Future<Result<ProducerId>> ProducerIds::next() {
  Promise<Result<ProducerId>> promise;
  Future<Result<ProducerId>> future = promise.future();
  if (next_ < end_) {
    promise.set(Result<ProducerId>(next_++));
    return future;
  }
  waiting_.push_back(std::move(promise));
  if (waiting_.size() == 1) take_block();
  return future;
}

void ProducerIds::take_block() {
  metadata::ProducerIdsAllocated event;
  event.broker_id = node_;
  event.block_size = block_size;
  std::vector<metadata::MetadataEvent> events;
  events.emplace_back(event);
  store_.propose(std::move(events),
                 [this](const Result<metadata::ApplyResults>& taken) { on_block(taken); });
}

void ProducerIds::on_block(const Result<metadata::ApplyResults>& taken) {
  if (!taken || !taken->front().ok()) {
    const Error error =
        taken ? Error{Errc::invalid_argument, taken->front().message} : taken.error();
    for (Promise<Result<ProducerId>>& promise : std::exchange(waiting_, {})) {
      promise.set(Result<ProducerId>(error));
    }
    return;
  }
  next_ = taken->front().producer_id_first;
  end_ = next_ + block_size;
  const std::size_t served = std::min<std::size_t>(waiting_.size(), block_size);
  for (std::size_t i = 0; i < served; ++i) waiting_[i].set(Result<ProducerId>(next_++));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(served));
  if (!waiting_.empty()) take_block();
}

}  // namespace chronik::broker
