#include "broker/partition/partitions.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "wal/recovery.h"

namespace chronik::broker {

namespace {

constexpr milliseconds tend_interval{500};
constexpr std::uint64_t tend_all_every = 60;
constexpr milliseconds place_interval{10};

}  // namespace

std::uint32_t shard_of(const Uuid& topic_id, PartitionId partition, std::uint32_t shard_count) {
  if (shard_count == 1) return 0;
  const std::uint64_t spread = std::hash<Uuid>{}(topic_id) + static_cast<std::uint32_t>(partition);
  return static_cast<std::uint32_t>(spread % shard_count);
}

Partitions::Partitions(Shard& shard, ShardStorage& storage, wal::LogDirectory& directory,
                       SettingsOf settings_of, milliseconds retention_interval)
    : shard_(shard),
      storage_(storage),
      directory_(directory),
      settings_of_(std::move(settings_of)),
      retention_interval_(retention_interval),
      retention_(shard.timers(), [this] { run_retention(); }),
      tend_(shard.timers(), [this] { tend(); }),
      place_(shard.timers(), [this] { try_again(); }),
      wait_limit_(shard.timers(), [this] { end_waits(); }) {
  // A jump before the first pass is one too.
  retention_now();
  retention_.arm_at(shard_.now() + retention_interval_);
}

Partitions::~Partitions() { *alive_ = false; }

std::shared_ptr<const PartitionSettings> Partitions::settings_for(const metadata::Topic& topic) {
  std::shared_ptr<const PartitionSettings>& settings = settings_[topic.id];
  if (!settings) settings = settings_of_(topic);
  return settings;
}

Result<std::unique_ptr<Partition>> Partitions::open_one(const metadata::Topic& topic,
                                                        PartitionId partition, bool known_new) {
  const PartitionContext context{storage_.environment(), storage_.group(), scratch_};
  std::string directory = directory_.partition_path(topic.name, partition);
  wal::LogIdentity identity{topic.name, partition, topic.id};
  const metadata::Partition& members = topic.partitions[static_cast<std::size_t>(partition)];
  if (!seat_ || !members.has_group()) {
    return Partition::open(context, std::move(directory), std::move(identity), settings_for(topic),
                           known_new);
  }
  return Partition::open_replica(context, std::move(directory), std::move(identity),
                                 settings_for(topic), seat_in(members));
}

ReplicaSeat Partitions::seat_in(const metadata::Partition& members) {
  ReplicaSeat seat;
  seat.groups = seat_->groups;
  seat.founders = founders_of(members, seat_->node, seat_->directory);
  seat.recovery = recovery_of(members, seat_->node, seat_->directory);
  seat.takes_on = members.lone_founder() == seat_->node;
  seat.preferred = members.replicas.front() == seat_->node;
  seat.lag_max = seat_->lag_max;
  seat.left = &*left_;
  return seat;
}

void Partitions::follow_replica(Partition& partition) {
  partition.on_led = [this, at = &partition] { seat_->on_led(*at); };
  partition.tell_led();
}

Result<Partition*> Partitions::open(const metadata::Topic& topic, PartitionId partition,
                                    bool known_new) {
  TRY_ASSIGN(std::unique_ptr<Partition> opened, open_one(topic, partition, known_new));
  opened->on_flushed = [this] { storage_.arm_tick(); };
  if (opened->is_replicated()) follow_replica(*opened);
  Partition* raw = opened.get();
  partitions_[{topic.id, partition}] = std::move(opened);
  return raw;
}

Result<void> Partitions::open_existing(const metadata::Topic& topic, PartitionId partition) {
  TRY(open(topic, partition, false));
  return {};
}

Partition* Partitions::find(const Uuid& topic_id, PartitionId partition) {
  const auto found = partitions_.find({topic_id, partition});
  return found == partitions_.end() ? nullptr : found->second.get();
}

Partition* Partitions::get(const metadata::Topic& topic, PartitionId partition) {
  CHECK(topic.has_partition(partition));
  if (Partition* known = find(topic.id, partition)) return known;
  if (topic.partitions[static_cast<std::size_t>(partition)].has_group()) return nullptr;
  // Everything on disk was opened at the start, so this one is new and its creation does no I/O.
  return open(topic, partition, true).value();
}

/// Whether this node has a place in the group of a partition of this shard.
bool Partitions::is_seat(const metadata::Topic& topic, PartitionId partition) const {
  const metadata::Partition& members = topic.partitions[static_cast<std::size_t>(partition)];
  return seat_ && members.has_group() &&
         shard_of(topic.id, partition, seat_->shard_count) == shard_.id() &&
         std::ranges::find(members.replicas, seat_->node) != members.replicas.end();
}

/// Images come from within the metadata group, where no group may be added or removed.
void Partitions::later(std::function<void()> work) {
  shard_.post([alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

void Partitions::join_cluster(ClusterSeat seat) {
  seat_ = std::move(seat);
  left_.emplace(storage_.environment().disk, directory_.path());
  tend_.arm_at(shard_.now() + tend_interval);
}

Result<void> Partitions::open_seats() {
  Result<void> opened;
  if (!seat_) return opened;
  seat_->image()->for_each_topic([&](const std::shared_ptr<const metadata::Topic>& topic) {
    for (PartitionId index = 0; index < topic->partition_count(); ++index) {
      if (!opened || !is_seat(*topic, index) || find(topic->id, index) != nullptr) continue;
      const std::string place = directory_.partition_path(topic->name, index);
      const wal::PlaceClaim claim(directory_, place);
      const Result<bool> taken = claim.holds() ? is_place_taken(*topic, index) : Result<bool>(true);
      if (taken && *taken) {
        log_warn("another topic has the place of a partition, which waits until it is gone",
                 {{"directory", place}, {"topic_id", topic->id.to_string()}});
        waiting_seats_.emplace_back(topic, index);
        if (!place_.armed()) place_.arm_at(shard_.now() + place_interval);
        continue;
      }
      opened = taken ? open_existing(*topic, index) : taken.error();
    }
  });
  return opened;
}

void Partitions::open_new_seats(const std::shared_ptr<const metadata::Topic>& topic,
                                PartitionId from) {
  for (PartitionId index = from; index < topic->partition_count(); ++index) {
    if (!is_seat(*topic, index)) continue;
    later([this, topic, index] { open_seat(topic, index); });
  }
}

void Partitions::open_seat(const std::shared_ptr<const metadata::Topic>& topic, PartitionId index) {
  Partition* const known = find(topic->id, index);
  if (known != nullptr && known->is_replicated()) return;
  const wal::PlaceClaim claim(directory_, directory_.partition_path(topic->name, index));
  const Result<bool> taken = known != nullptr ? found_group(*topic, index, *known)
                             : leaving_.contains({topic->id, index}) || !claim.holds()
                                 ? Result<bool>(true)
                                 : is_place_taken(*topic, index);
  const bool waits = taken && *taken;
  const bool is_open = find(topic->id, index) != nullptr;
  const Result<void> opened = !taken             ? taken.error()
                              : waits || is_open ? Result<void>()
                                                 : open_existing(*topic, index);
  if (opened && !waits) return;
  // Out of space or descriptors it is made later.
  if (!opened && opened.error().code != Errc::no_space && opened.error().code != Errc::busy) {
    return storage_.environment().on_fatal(opened.error());
  }
  waiting_seats_.emplace_back(topic, index);
  if (!place_.armed()) place_.arm_at(shard_.now() + place_interval);
}

/// What this node had alone becomes the log of a group, whose founder it is. True: it waits until
/// the disk is done with the log.
Result<bool> Partitions::found_group(const metadata::Topic& topic, PartitionId index,
                                     Partition& alone) {
  if (!alone.is_joining()) alone.prepare_to_join();
  if (!alone.may_join_group()) return true;
  const auto at = static_cast<std::size_t>(index);
  const Offset end = alone.log().end_offset();
  if (const Result<void> joined = alone.join_group(seat_in(topic.partitions[at])); !joined) {
    partitions_.erase({topic.id, index});
    return joined.error();
  }
  log_info("a partition of one replica is the first of a group now",
           {{"topic", topic.name}, {"partition", index}, {"end_offset", end}});
  follow_replica(alone);
  return false;
}

/// A deleted topic of the same name is still there: its removal is on its way, maybe on another
/// shard, and must not find a new log in the place of the old one.
Result<bool> Partitions::is_place_taken(const metadata::Topic& topic, PartitionId index) const {
  TRY_ASSIGN(const wal::PartitionFiles files,
             wal::list_partition_files(storage_.environment().disk,
                                       directory_.partition_path(topic.name, index)));
  return !files.topic_ids.empty() &&
         std::ranges::find(files.topic_ids, topic.id) == files.topic_ids.end();
}

void Partitions::try_again() {
  for (Leaver& leaver : std::exchange(waiting_leavers_, {})) let_go(std::move(leaver));
  const std::vector<std::shared_ptr<Partition>> closed_ones = close_to_reopen();
  for (const auto& [topic, index] : std::exchange(waiting_seats_, {})) {
    const std::shared_ptr<const metadata::Topic> now = seat_->image()->shared_topic(topic->id);
    if (now != nullptr && is_seat(*now, index)) open_seat(now, index);
  }
}

void Partitions::on_topic_change(const metadata::TopicChange& change) {
  if (!change.after) {
    remove(*change.before);
    return;
  }
  if (seat_) tend_topic(*change.after);
  if (seat_) open_new_seats(change.after, change.before ? change.before->partition_count() : 0);
  if (change.before) follow_reassignment(*change.before, change.after);
  if (change.before) follow_recoveries(*change.before, *change.after);
  if (!change.before || change.before->configs == change.after->configs) return;
  const auto known = settings_.find(change.after->id);
  if (known == settings_.end()) return;
  known->second = settings_of_(*change.after);
  for (PartitionId i = 0; i < change.after->partition_count(); ++i) {
    if (Partition* partition = find(change.after->id, i)) partition->set_settings(known->second);
  }
}

/// A partition comes to this node as an empty replica, which its leader fills, or was here alone
/// and founds its group; one that has gone to other nodes is dropped, since its group counts this
/// one no more.
void Partitions::follow_reassignment(const metadata::Topic& before,
                                     const std::shared_ptr<const metadata::Topic>& after) {
  for (PartitionId index = 0; index < before.partition_count(); ++index) {
    const bool was = is_seat(before, index);
    if (was == is_seat(*after, index)) continue;
    later([this, was, after, index] {
      if (was) {
        leave(after->id, index);
      } else {
        open_seat(after, index);
      }
    });
  }
}

/// What the replica has is of a history that the partition has left, or begins the next one: it is
/// closed, and opened as the image says now (raft/multi/recovery.h).
void Partitions::follow_recoveries(const metadata::Topic& before, const metadata::Topic& after) {
  for (PartitionId index = 0; index < before.partition_count(); ++index) {
    const auto at = static_cast<std::size_t>(index);
    if (before.partitions[at].recovery == after.partitions[at].recovery) continue;
    if (is_seat(after, index)) later([this, id = after.id, index] { recover(id, index); });
  }
}

void Partitions::recover(const Uuid& topic_id, PartitionId index) {
  const auto found = partitions_.find({topic_id, index});
  const metadata::Topic* topic = seat_->image()->topic(topic_id);
  if (found == partitions_.end() || topic == nullptr || !topic->has_partition(index)) return;
  const raft::Replica* replica = found->second->replica();
  const metadata::Partition& members = topic->partitions[static_cast<std::size_t>(index)];
  if (replica == nullptr || replica->group().recovery >= members.recovery.number) return;
  Leaver was{{topic_id, index},
             replica->group(),
             replica->raft().hard_state(),
             std::move(found->second),
             nullptr};
  partitions_.erase(found);
  was.log = was.partition->retire(WaitEnd::not_leader);
  seat_->on_left(topic_id, index);
  leaving_.insert(was.key);
  // What is on its way to the disk, states above all, comes before what is read from there.
  auto is_written = std::make_shared<bool>(false);
  storage_.io().run([] {}, [is_written] { *is_written = true; });
  reopening_.push_back({std::move(was), std::move(is_written)});
  if (!place_.armed()) place_.arm_at(shard_.now() + place_interval);
}

/// The partitions that were, which live until the new ones are open: so that nobody who has waited
/// takes a new one for the one it knew (LogCleaner).
std::vector<std::shared_ptr<Partition>> Partitions::close_to_reopen() {
  std::vector<std::shared_ptr<Partition>> closed_ones;
  for (Reopening& each : std::exchange(reopening_, {})) {
    Leaver& was = each.was;
    const auto topic = seat_->image()->shared_topic(was.key.topic_id);
    if (topic == nullptr) {
      destroy(was.key, std::move(was.partition), std::move(was.log));
    } else if (!is_seat(*topic, was.key.partition)) {
      let_go(std::move(was));
    } else if (!*each.is_written || storage_.group().works_on(*was.log)) {
      reopening_.push_back(std::move(each));
    } else {
      storage_.group().remove(*was.log);
      if (const Result<void> closed = was.log->close(); !closed) {
        storage_.environment().on_fatal(closed.error());
        continue;
      }
      was.log.reset();
      closed_ones.push_back(std::move(was.partition));
      leaving_.erase(was.key);
      waiting_seats_.emplace_back(topic, was.key.partition);
    }
  }
  if (!reopening_.empty() && !place_.armed()) place_.arm_at(shard_.now() + place_interval);
  return closed_ones;
}

void Partitions::refresh_settings(const metadata::Image& image) {
  for (auto& [id, settings] : settings_) {
    if (const metadata::Topic* topic = image.topic(id)) settings = settings_of_(*topic);
  }
  for (auto& [key, partition] : partitions_) partition->set_settings(settings_[key.topic_id]);
}

void Partitions::remove(const metadata::Topic& topic) {
  for (PartitionId i = 0; i < topic.partition_count(); ++i) {
    if (is_seat(topic, i)) {
      later([this, id = topic.id, i] { remove_one(id, i); });
    } else {
      remove_one(topic.id, i);
    }
  }
  later([this, id = topic.id, count = topic.partition_count()] {
    settings_.erase(id);
    if (left_) forget_left(id, count);
  });
}

/// What was kept of the groups of a deleted topic.
void Partitions::forget_left(const Uuid& topic_id, PartitionId count) {
  for (PartitionId i = 0; i < count; ++i) {
    if (shard_of(topic_id, i, seat_->shard_count) != shard_.id()) continue;
    std::string path = left_->directory_of({topic_id, i});
    const Result<bool> kept = storage_.environment().disk.exists(path);
    if (kept && *kept) remove_directory(std::move(path));
  }
}

void Partitions::remove_one(const Uuid& topic_id, PartitionId index) {
  const auto found = partitions_.find({topic_id, index});
  if (found == partitions_.end()) return;
  // The log refers to the partition's producer state until it is gone.
  std::shared_ptr<Partition> partition(std::move(found->second));
  partitions_.erase(found);
  const bool was_replica = partition->is_replicated();
  std::unique_ptr<wal::PartitionLog> log = partition->retire();
  if (was_replica) seat_->on_left(topic_id, index);
  destroy({topic_id, index}, std::move(partition), std::move(log));
}

void Partitions::leave(const Uuid& topic_id, PartitionId index) {
  const auto found = partitions_.find({topic_id, index});
  if (found == partitions_.end()) return;
  const raft::Replica* replica = found->second->replica();
  if (replica == nullptr) return remove_one(topic_id, index);
  Leaver leaver{{topic_id, index},
                replica->group(),
                replica->raft().hard_state(),
                std::move(found->second),
                nullptr};
  partitions_.erase(found);
  leaver.log = leaver.partition->retire();
  seat_->on_left(topic_id, index);
  leaving_.insert(leaver.key);
  let_go(std::move(leaver));
}

void Partitions::let_go(Leaver leaver) {
  const Result<void> kept = left_->keep(leaver.group, leaver.last);
  if (kept) return destroy(leaver.key, std::move(leaver.partition), std::move(leaver.log));
  if (kept.error().code != Errc::no_space && kept.error().code != Errc::busy) {
    return storage_.environment().on_fatal(kept.error());
  }
  waiting_leavers_.push_back(std::move(leaver));
  if (!place_.armed()) place_.arm_at(shard_.now() + place_interval);
}

void Partitions::destroy(const Key& key, std::shared_ptr<Partition> partition,
                         std::unique_ptr<wal::PartitionLog> log) {
  leaving_.insert(key);
  storage_.group().destroy(std::move(log),
                           [this, alive = alive_, partition = std::move(partition), key] {
                             if (*alive) leaving_.erase(key);
                           });
}

void Partitions::tell_led() {
  for (auto& [key, partition] : partitions_) {
    if (partition->is_replicated() && partition->leads()) partition->tell_led();
  }
}

void Partitions::tell_begins(std::span<Partition* const> partitions) {
  if (!seat_) return;
  std::map<BrokerId, std::vector<LogBeginning>> by_follower;
  for (Partition* partition : partitions) {
    for (const BrokerId follower : partition->take_followers_to_tell()) {
      by_follower[follower].push_back({partition->identity(), partition->log_start_offset()});
    }
  }
  for (auto& [follower, begins] : by_follower) {
    std::vector<Key> keys;
    for (const LogBeginning& at : begins) keys.push_back({at.log.topic_id, at.log.partition});
    seat_->tell_begins(follower, std::move(begins),
                       [this, alive = alive_, id = follower, keys = std::move(keys)](
                           const std::vector<std::optional<Offset>>& begins_there) {
                         if (!*alive) return;
                         for (std::size_t i = 0; i < keys.size(); ++i) {
                           Partition* partition = find(keys[i].topic_id, keys[i].partition);
                           if (partition != nullptr) {
                             to_tend_.insert(keys[i]);
                             partition->on_follower_begin(id, begins_there[i]);
                           }
                         }
                       });
  }
}

/// What leaders do beside serving. Of groups that rest nothing is new, as long as the same nodes
/// are connected; now and then all are looked at, whatever woke one for so short that it was not
/// seen.
void Partitions::tend() {
  std::vector<Partition*> led;
  const std::shared_ptr<const metadata::Image> image = seat_->image();
  const std::uint64_t presence = seat_->groups->presence();
  if (std::exchange(tended_presence_, presence) != presence ||
      ++tend_rounds_ % tend_all_every == 0) {
    for (const auto& [key, partition] : partitions_) to_tend_.insert(key);
  }
  for (const raft::Replica* awake : seat_->groups->awake()) {
    to_tend_.insert({awake->group().topic_id, awake->group().partition});
  }
  for (const Key& key : std::exchange(to_tend_, {})) tend_one(key, *image, led);
  tell_begins(led);
  tend_.arm_at(shard_.now() + tend_interval);
}

void Partitions::tend_one(const Key& key, const metadata::Image& image,
                          std::vector<Partition*>& led) {
  Partition* partition = find(key.topic_id, key.partition);
  if (partition == nullptr || !partition->is_replicated() || !partition->leads()) return;
  const metadata::Topic* topic = image.topic(key.topic_id);
  if (topic == nullptr || !topic->has_partition(key.partition)) return;
  const metadata::Partition& members = topic->partitions[static_cast<std::size_t>(key.partition)];
  partition->tend(members, shard_.now());
  led.push_back(partition);
  if (members.is_reassigned() && partition->is_reassigned_to(members)) {
    seat_->on_reassigned(*topic, key.partition);
  }
  if (!partition->is_tended(members)) to_tend_.insert(key);
}

void Partitions::tend_topic(const metadata::Topic& topic) {
  for (PartitionId index = 0; index < topic.partition_count(); ++index) {
    to_tend_.insert({topic.id, index});
  }
}

void Partitions::limit_waits(SteadyTime limit) {
  if (!wait_limit_.armed() || limit < wait_limit_.deadline()) wait_limit_.arm_at(limit);
}

void Partitions::end_waits() {
  SteadyTime next = SteadyTime::max();
  for (auto& [key, partition] : partitions_) {
    next = std::min(next, partition->end_waits(shard_.now()));
  }
  if (next != SteadyTime::max()) wait_limit_.arm_at(next);
}

Timestamp Partitions::retention_now() {
  const Timestamp wall = shard_.clock().now_ms();
  const bool held = retention_clock_.holding();
  const Timestamp now = retention_clock_.observe(wall, shard_.now());
  // All shards see the same jump; one says so.
  if (retention_clock_.holding() != held && shard_.id() == 0) {
    if (held) {
      log_info("retention follows the clock again", {{"ahead_ms", wall - now}});
    } else {
      log_warn("the clock has jumped ahead: nothing grows old by that until it has stayed there",
               {{"jump_ms", wall - now}, {"hold_ms", retention_clock_.hold().count()}});
    }
  }
  return now;
}

void Partitions::run_retention() {
  const Timestamp now = retention_now();
  for (auto& [key, partition] : partitions_) partition->apply_retention(now);
  retention_.arm_at(shard_.now() + retention_interval_);
}

}  // namespace chronik::broker
