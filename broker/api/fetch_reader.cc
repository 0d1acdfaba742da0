#include "broker/api/fetch_reader.h"

#include <algorithm>
#include <utility>

#include "broker/api/partition_calls.h"
#include "broker/broker.h"
#include "broker/runtime/on.h"
#include "broker/runtime/timer.h"

namespace chronik::broker {

using protocol::ErrorCode;

FetchReader::FetchReader(RequestContext& context,
                         const std::vector<std::shared_ptr<FetchPartition>>& partitions,
                         std::uint64_t bytes_max)
    : context_(context),
      partitions_(partitions),
      bytes_max_(bytes_max),
      reads_from_followers_(context.version() >= first_version_with_rack) {}

bool FetchReader::anything_known() const {
  return std::any_of(places_.begin(), places_.end(),
                     [](const Place& place) { return place.known; });
}

// Anew before each read: a topic may come or go while the request waits.
void FetchReader::locate() {
  Broker& broker = context_.broker();
  const metadata::Image& image = broker.data(context_.shard()).image();
  const std::vector<Place> before = std::exchange(places_, std::vector<Place>(partitions_.size()));
  results_.clear();
  results_.resize(partitions_.size());
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    const FetchPartition& asked = *partitions_[i];
    const bool by_id = !asked.topic_id.is_zero();
    const metadata::Topic* topic = by_id ? image.topic(asked.topic_id) : image.topic(asked.topic);
    const ErrorCode error = topic == nullptr && by_id ? ErrorCode::unknown_topic_id
                            : reads_from_followers_
                                ? check_readable_here(broker, topic, asked.partition)
                                : check_served_here(broker, topic, asked.partition);
    if (error != ErrorCode::none) {
      results_[i].error = error;
      // It went while the request waited for it.
      if (!before.empty() && before[i].known) urgent_ = true;
      continue;
    }
    places_[i] = {true, topic->id, shard_of(topic->id, asked.partition, broker.shards->count())};
  }
}

void FetchReader::read_on(ShardData& data) {
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    if (!places_[i].known || places_[i].shard != data.shard.id()) continue;
    const FetchPartition& asked = *partitions_[i];
    ReadResult& result = results_[i];
    const metadata::Topic* topic = data.image().topic(places_[i].topic_id);
    if (topic == nullptr) {
      result.error = ErrorCode::unknown_topic_or_partition;
      urgent_ = true;
      continue;
    }
    ReadRequest request;
    request.from = asked.fetch_offset;
    const std::uint64_t left = bytes_max_ - std::min(bytes_max_, bytes_read_);
    request.bytes_max =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max(asked.max_bytes, 0)), left);
    request.at_least_one = bytes_read_ == 0;
    request.current_leader_epoch = asked.current_leader_epoch;
    request.last_fetched_epoch = asked.last_fetched_epoch;
    request.from_follower = reads_from_followers_;
    Partition* partition = data.partitions.get(*topic, asked.partition);
    if (partition == nullptr) {
      result.error = ErrorCode::not_leader_or_follower;
    } else {
      result = partition->read(request);
    }
    bytes_read_ += result.records.size();
    if (result.error != ErrorCode::none || result.diverging) urgent_ = true;
  }
}

Task<void> FetchReader::read_on_shard(std::uint32_t shard) {
  Broker& broker = context_.broker();
  Shard& target = broker.shards->at(shard);
  auto work = [this, &broker, &target] { read_on(broker.data(target)); };
  auto hop = on(target, work);
  co_await hop;
}

Task<void> FetchReader::read() {
  bytes_read_ = 0;
  urgent_ = false;
  locate();
  const std::uint32_t count = context_.broker().shards->count();
  if (count == 1) {
    read_on(context_.broker().data(context_.shard()));
    co_return;
  }
  std::vector<bool> involved(count, false);
  for (const Place& place : places_) {
    if (place.known) involved[place.shard] = true;
  }
  // One after the other: each shard may use what the ones before left of bytes_max. The
  // connection's own comes last, so that what is read there is fresh when a wait begins.
  for (std::uint32_t step = 1; step <= count; ++step) {
    const std::uint32_t shard = (context_.shard().id() + step) % count;
    if (!involved[shard]) continue;
    Task<void> task = read_on_shard(shard);
    co_await std::move(task);
  }
}

// False when a partition has news already, since it was read.
bool FetchReader::join_wait(ShardData& data, FetchWait& wait) {
  std::vector<FetchWaiters*> lists;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    if (!places_[i].known || places_[i].shard != data.shard.id()) continue;
    Partition* partition = data.partitions.find(places_[i].topic_id, partitions_[i]->partition);
    if (partition == nullptr || partition->high_watermark() != results_[i].high_watermark)
      return false;
    lists.push_back(&partition->waiters());
  }
  wait.join(lists);
  return true;
}

/// The part of a wait on another shard. Made, woken and destroyed there; what it tells home goes
/// through `home`.
struct FetchReader::RemoteWait {
  struct Home {
    Shard* shard;
    Promise<void>* woken;  // null once the wait is over
  };

  explicit RemoteWait(std::shared_ptr<Home> home_side)
      : home(std::move(home_side)), wait([this] { tell(); }) {}

  void tell() {
    home->shard->post([side = home] {
      if (side->woken != nullptr) side->woken->try_set();
    });
  }

  std::shared_ptr<Home> home;
  FetchWait wait;
};

Task<void> FetchReader::wait(SteadyTime deadline) {
  Broker& broker = context_.broker();
  Shard& here = context_.shard();
  Promise<void> woken;
  Future<void> news = woken.future();
  FetchWait local([&woken] { woken.try_set(); });
  if (!join_wait(broker.data(here), local)) co_return;

  auto home = std::make_shared<RemoteWait::Home>(RemoteWait::Home{&here, &woken});
  std::vector<std::pair<Shard*, std::shared_ptr<RemoteWait>>> remote;
  for (std::uint32_t id = 0; id < broker.shards->count(); ++id) {
    const bool involved = std::any_of(places_.begin(), places_.end(), [id](const Place& place) {
      return place.known && place.shard == id;
    });
    if (id == here.id() || !involved) continue;
    Shard& target = broker.shards->at(id);
    auto side = std::make_shared<RemoteWait>(home);
    remote.emplace_back(&target, side);
    auto work = [this, &broker, &target, &side] {
      if (!join_wait(broker.data(target), side->wait)) side->tell();
    };
    auto hop = on(target, work);
    co_await hop;
  }

  Timer timer(here.timers(), [&woken] { woken.try_set(); });
  timer.arm_at(deadline);
  context_.on_cancel([&woken] { woken.try_set(); });
  co_await news;
  context_.on_cancel(nullptr);
  home->woken = nullptr;
  for (auto& [target, side] : remote) {
    // The last reference is dropped on the shard whose lists it is on.
    target->post([side = std::move(side)]() mutable { side.reset(); });
  }
}

}  // namespace chronik::broker
