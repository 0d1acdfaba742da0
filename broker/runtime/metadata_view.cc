#include "broker/runtime/metadata_view.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/runtime/on.h"
#include "broker/runtime/timer.h"

namespace chronik::broker {

using metadata::ApplyResults;
using metadata::MetadataEvent;

namespace {

// Within this partitions that lost their leaders have new ones, where any node can lead.
constexpr milliseconds election_time{2000};
// As long as Kafka needs at least to notice that a broker is gone (broker.session.timeout.ms).
constexpr milliseconds just_fenced_time{9000};

}  // namespace

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

/// Partitions with several replicas whose topics are gone.
std::shared_ptr<const std::vector<MetadataView::Key>> MetadataView::deleted(
    const metadata::MetadataDelta& delta) {
  auto keys = std::make_shared<std::vector<Key>>();
  for (const metadata::TopicChange& change : delta.topics) {
    if (change.after || !change.before) continue;
    for (PartitionId index = 0; index < change.before->partition_count(); ++index) {
      const auto at = static_cast<std::size_t>(index);
      if (!change.before->partitions[at].has_group()) continue;
      keys->push_back({change.before->id, index});
    }
  }
  return keys;
}

void MetadataView::on_image(const std::shared_ptr<const metadata::Image>& /*before*/,
                            const std::shared_ptr<const metadata::Image>& after,
                            const metadata::MetadataDelta& delta) {
  const auto gone = deleted(delta);
  (*seen_)[0].image = after;
  take_fenced((*seen_)[0], delta.brokers, shards_.first().now());
  for (const Key& key : *gone) (*seen_)[0].leaders.erase(key);
  for (std::uint32_t id = 1; id < shards_.count(); ++id) {
    Shard& shard = shards_.at(id);
    shard.post([seen = seen_, id, &shard, image = after, brokers = delta.brokers, gone]() mutable {
      (*seen)[id].image = std::move(image);
      take_fenced((*seen)[id], brokers, shard.now());
      for (const Key& key : *gone) (*seen)[id].leaders.erase(key);
    });
  }
}

PartitionLeader MetadataView::leader_of(const metadata::Topic& topic, PartitionId partition) const {
  const metadata::Partition& members = topic.partitions[static_cast<std::size_t>(partition)];
  if (!members.has_group()) return {members.leader, members.leader_epoch, {}};
  const Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  const auto& leaders = (*seen_)[shard->id()].leaders;
  const auto found = leaders.find({topic.id, partition});
  if (found == leaders.end()) return {};
  PartitionLeader leader = found->second.leader;
  // A client that is told of a leader asks no more, and waits for one that is gone.
  if (is_absent(leader.leader)) leader.leader = -1;
  return leader;
}

void MetadataView::take_leader(Seen& seen, const Key& key, const PartitionLeader& leader) {
  PartitionLeader& known = seen.leaders[key].leader;
  if (leader.epoch < known.epoch) return;
  // A follower knows who leads, but not who is in sync.
  const bool keeps =
      leader.in_sync.empty() && leader.leader == known.leader && leader.epoch == known.epoch;
  if (keeps) return;
  if (known.leader >= 0 && leader.leader < 0) seen.lost_at = Shard::current()->now();
  known = leader;
  for (const auto& promise : std::exchange(seen.waiting, {})) promise->try_set();
}

void MetadataView::take_announced(Seen& seen, const Key& key, const PartitionLeader& leader) {
  PartitionLeader& announced = seen.leaders[key].announced;
  if (leader.epoch >= announced.epoch) announced = leader;
  take_leader(seen, key, leader);
}

void MetadataView::take_forgotten(Seen& seen, const Key& key) {
  const auto found = seen.leaders.find(key);
  if (found == seen.leaders.end()) return;
  found->second.leader = found->second.announced;
  for (const auto& promise : std::exchange(seen.waiting, {})) promise->try_set();
}

Task<void> MetadataView::leader_news(SteadyTime limit) {
  Shard& shard = *Shard::current();
  auto promise = std::make_shared<Promise<void>>();
  Future<void> news = promise->future();
  (*seen_)[shard.id()].waiting.push_back(promise);
  Timer timer(shard.timers(), [promise] { promise->try_set(); });
  timer.arm_at(limit);
  co_await news;
}

template <class Take>
void MetadataView::tell(const Uuid& topic_id, PartitionId partition, Take take) {
  const Key key{topic_id, partition};
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    Shard& shard = shards_.at(id);
    if (shard.is_current()) {
      take((*seen_)[id], key);
    } else {
      shard.post([seen = seen_, id, key, take] { take((*seen)[id], key); });
    }
  }
}

void MetadataView::tell_leader(const Uuid& topic_id, PartitionId partition,
                               const PartitionLeader& leader) {
  tell(topic_id, partition,
       [leader](Seen& seen, const Key& key) { take_announced(seen, key, leader); });
}

void MetadataView::tell_leader_by_replica(const Uuid& topic_id, PartitionId partition,
                                          const PartitionLeader& leader) {
  tell(topic_id, partition,
       [leader](Seen& seen, const Key& key) { take_leader(seen, key, leader); });
}

void MetadataView::forget_replica(const Uuid& topic_id, PartitionId partition) {
  tell(topic_id, partition, &take_forgotten);
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

void MetadataView::take_fenced(Seen& seen, const std::vector<BrokerId>& changed, SteadyTime now) {
  for (const BrokerId broker : changed) {
    if (seen.image->is_fenced(broker)) {
      seen.fenced_at.try_emplace(broker, now);
    } else {
      seen.fenced_at.erase(broker);
    }
  }
}

bool MetadataView::was_just_fenced(BrokerId broker) const {
  const Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  const auto& fenced_at = (*seen_)[shard->id()].fenced_at;
  const auto found = fenced_at.find(broker);
  return found != fenced_at.end() && shard->now() - found->second < just_fenced_time;
}

bool MetadataView::has_lost_leader_lately() const {
  const Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  const std::optional<SteadyTime>& lost_at = (*seen_)[shard->id()].lost_at;
  return lost_at && shard->now() - *lost_at < election_time;
}

void MetadataView::take_absent(Seen& seen, std::vector<BrokerId> brokers, SteadyTime now) {
  for (const BrokerId broker : brokers) {
    const bool is_new =
        std::find(seen.absent.begin(), seen.absent.end(), broker) == seen.absent.end();
    if (is_new) seen.lost_at = now;
  }
  seen.absent = std::move(brokers);
}

void MetadataView::set_absent(std::vector<BrokerId> brokers) {
  for (std::uint32_t id = 1; id < shards_.count(); ++id) {
    Shard& shard = shards_.at(id);
    shard.post([seen = seen_, &shard, brokers] {
      take_absent((*seen)[shard.id()], brokers, shard.now());
    });
  }
  take_absent((*seen_)[0], std::move(brokers), shards_.first().now());
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

Task<Result<void>> pass_barrier(metadata::MetadataStore* store) {
  auto promise = std::make_shared<Promise<Result<void>>>();
  Future<Result<void>> passed = promise->future();
  store->read_barrier([promise](Result<void> got) { promise->set(std::move(got)); });
  promise.reset();
  co_return co_await passed;
}

}  // namespace

Task<Result<void>> MetadataView::catch_up() {
  metadata::MetadataStore* store = &store_;
  auto work = [store] { return pass_barrier(store); };
  auto hop = on(shards_.first(), work);
  co_return co_await hop;
}

Task<Result<ApplyResults>> MetadataView::propose(std::vector<MetadataEvent> events) {
  metadata::MetadataStore* store = &store_;
  auto work = [store, &events] { return propose_to(store, std::move(events)); };
  auto hop = on(shards_.first(), work);
  co_return co_await hop;
}

}  // namespace chronik::broker
