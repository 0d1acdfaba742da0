#include "broker/server.h"

#include <fmt/core.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "base/random_uuid.h"
#include "broker/api/config_changes.h"
#include "broker/api/table.h"
#include "broker/broker.h"
#include "broker/broker_fencing.h"
#include "broker/cluster_member.h"
#include "broker/descriptor_budget.h"
#include "broker/group/coordinator.h"
#include "broker/group/coordinator_office.h"
#include "broker/net/net_server.h"
#include "broker/partition/gone_partitions.h"
#include "broker/partition/log_cleaner.h"
#include "broker/partition/partition_settings.h"
#include "broker/partition/producer_ids.h"
#include "broker/partition_leaders.h"
#include "broker/runtime/background_thread.h"
#include "broker/runtime/blocking.h"
#include "broker/runtime/io_thread.h"
#include "broker/runtime/memory_trim.h"
#include "broker/runtime/metadata_view.h"
#include "broker/topic_follower.h"
#include "metadata/meta_log_store.h"
#include "raft/multi/state_file.h"
#include "wal/log_directory.h"

namespace chronik::broker {

namespace {

// Of a clean stop, for the groups to be led by other nodes.
constexpr milliseconds hand_over_max{1'000};
// Before it, for clients to come back: a few round trips.
constexpr milliseconds reconnect_time{150};
// Behind it, for their last response.
constexpr milliseconds go_time{100};

NetOptions net_options(const Settings& settings, const DescriptorBudget& descriptors) {
  NetOptions options;
  options.request_bytes_max = settings.socket_request_max_bytes;
  options.connections.descriptors_max = descriptors.connections();
  options.idle_max = settings.connections_max_idle_ms.value_or(milliseconds(-1));
  options.connections.max = static_cast<std::uint64_t>(settings.max_connections);
  options.connections.per_ip_max = static_cast<std::uint64_t>(settings.max_connections_per_ip);
  for (const auto& [address, max] : settings.max_connections_per_ip_overrides) {
    options.connections.per_ip_overrides[address] = static_cast<std::uint64_t>(max);
  }
  options.listen_backlog = settings.socket_listen_backlog_size;
  options.socket_send_buffer_bytes = settings.socket_send_buffer_bytes;
  options.socket_receive_buffer_bytes = settings.socket_receive_buffer_bytes;
  return options;
}

Task<void> stop_storage(ShardStorage* storage) {
  Future<void> stopped = storage->stop();
  co_await stopped;
}

GroupCoordinator::Settings group_settings(const Settings& settings) {
  GroupCoordinator::Settings result;
  result.group.initial_rebalance_delay = settings.group_initial_rebalance_delay_ms;
  result.group.session_timeout_min = settings.group_min_session_timeout_ms;
  result.group.session_timeout_max = settings.group_max_session_timeout_ms;
  result.group.members_max = settings.group_max_size;
  result.offset_metadata_bytes_max = settings.offset_metadata_max_bytes;
  result.offsets_retention = settings.offsets_retention_ms;
  result.offsets_check_interval = settings.offsets_retention_check_interval_ms;
  return result;
}

LogCleanerOptions cleaner_options(const Settings& settings) {
  LogCleanerOptions options;
  options.backoff = std::max(settings.log_cleaner_backoff_ms, milliseconds(10));
  options.bytes_per_second_max = settings.log_cleaner_io_max_bytes_per_second;
  wal::CompactionLimits& limits = options.limits;
  limits.map_bytes_max = static_cast<std::uint64_t>(
      std::max<std::int64_t>(settings.log_cleaner_dedupe_buffer_size, 0));
  limits.map_load_max = settings.log_cleaner_io_buffer_load_factor;
  limits.io_buffer_bytes = static_cast<std::size_t>(settings.log_cleaner_io_buffer_size);
  return options;
}

}  // namespace

/// Everything a server owns. Members of a shard are made and destroyed on it.
struct Server::State {
  struct PerShard {
    explicit PerShard(std::uint64_t seed) : random(seed) {}

    Random random;
    std::unique_ptr<IoThread> io, behind;
    std::unique_ptr<ShardStorage> storage;
    std::unique_ptr<Partitions> partitions;
    std::unique_ptr<FetchSessions> fetch_sessions;
  };

  State(StartConfig config, Settings start_settings, Disk& the_disk, const Clock& the_clock)
      : disk(the_disk),
        clock(the_clock),
        random(Random::system_seed()),
        settings(std::move(start_settings)),
        live(std::move(config), settings) {}

  Result<void> open_directory();
  void start_shards();
  Result<void> open_metadata(const GiveUp& give_up);
  Result<void> open_store(const GiveUp& give_up);
  Result<void> open_partitions();
  void start_services();
  Result<void> listen();
  std::string host_for_clients(const std::string& advertised) const;
  Result<void> check_metadata_is_there();
  Result<void> register_broker(const GiveUp& give_up);
  Result<void> propose(const std::vector<metadata::MetadataEvent>& events, const GiveUp& give_up);
  std::vector<metadata::MetadataEvent> registration(const metadata::Image& image);
  void stop_storages();
  void stop(milliseconds grace);

  Disk& disk;
  const Clock& clock;
  const DescriptorBudget descriptors = DescriptorBudget::of_process();
  Random random;
  const Settings settings;
  LiveSettings live;
  std::unique_ptr<wal::LogDirectory> directory;
  std::unique_ptr<Shards> shards;
  wal::FoundPartitions found;  // when it began
  std::vector<PerShard> per_shard;
  // One of the two: alone, or in a cluster.
  std::unique_ptr<metadata::MetaLogStore> own_store;
  std::unique_ptr<ClusterMember> member;
  metadata::MetadataStore* store = nullptr;
  std::unique_ptr<MetadataView> view;
  std::unique_ptr<ConfigChanges> config_changes;
  std::unique_ptr<TopicFollower> follower;
  std::unique_ptr<BrokerFencing> fencing;     // in a cluster
  std::unique_ptr<PartitionLeaders> leaders;  // in a cluster
  std::unique_ptr<ProducerIds> producer_ids;
  std::unique_ptr<GroupCoordinator> groups;
  std::unique_ptr<CoordinatorOffice> office;
  std::unique_ptr<BackgroundThread> background;
  std::unique_ptr<LogCleaner> cleaner;
  std::unique_ptr<MemoryTrim> memory_trim;
  Broker broker;
  std::unique_ptr<NetServer> net;
  bool stopped = false;
};

Result<void> Server::State::open_directory() {
  if (settings.log_dirs.size() != 1) {
    return Error{Errc::invalid_argument,
                 fmt::format("log.dirs names {} directories, and chronik keeps its logs in one: "
                             "name the one to use",
                             settings.log_dirs.size())};
  }
  broker.data_directory = settings.log_dirs.front();
  const wal::SpaceLimits limits{settings.disk_watermark_bytes, settings.disk_reserve_bytes};
  TRY_ASSIGN(directory, wal::LogDirectory::open(disk, broker.data_directory, limits,
                                                raft::StateFile::take_into(disk)));
  if (!directory->stamp()) {
    wal::DirectoryStamp stamp;
    // A cluster's id is known once its nodes have found each other.
    if (!settings.cluster) {
      stamp.cluster_id = settings.cluster_id.value_or(random_uuid(random)).to_string();
    }
    stamp.node_id = settings.node_id;
    stamp.directory_id = random_uuid(random);
    TRY(directory->write_stamp(stamp));
  }
  const wal::DirectoryStamp& stamp = *directory->stamp();
  TRY(directory->check_stamp(
      settings.cluster_id ? settings.cluster_id->to_string() : stamp.cluster_id, settings.node_id));
  broker.node.id = stamp.node_id;
  broker.node.directory_id = stamp.directory_id;
  broker.node.rack = settings.rack;
  return directory->begin_journals(shard_count(settings.shards), settings.journal_bytes_max,
                                   settings.journal_append_bytes_max);
}

void Server::State::start_shards() {
  const std::uint32_t count = shard_count(settings.shards);
  shards = std::make_unique<Shards>(count, clock, random.next());
  broker.clock = &clock;
  broker.shards = shards.get();
  broker.apis = &api_table();
  broker.disk = &disk;
  broker.settings = &live;
  const milliseconds retention_interval = settings.log_retention_check_interval_ms;
  const auto sessions =
      static_cast<std::size_t>(settings.max_incremental_fetch_session_cache_slots) / count + 1;
  for (std::uint32_t id = 0; id < count; ++id) per_shard.emplace_back(random.next());
  for (std::uint32_t id = 0; id < count; ++id) {
    Shard& shard = shards->at(id);
    PerShard& own = per_shard[id];
    own.io = std::make_unique<IoThread>(shard);
    if (directory->journal(id) != nullptr) own.behind = std::make_unique<IoThread>(shard, "sync");
    call_on(shard, [&] {
      own.storage = std::make_unique<ShardStorage>(
          shard, disk, *own.io,
          StoragePlace{&directory->space(), directory->journal(id), &directory->synced_start(),
                       own.behind.get(), descriptors.log_files() / count});
      const auto settings_of = [this](const metadata::Topic& topic) {
        const std::shared_ptr<const LiveConfig> now = live.current();
        return partition_settings(
            resolve_topic_settings(now->settings.topic_defaults, topic.configs),
            now->settings.producer_id_expiration_ms);
      };
      own.partitions = std::make_unique<Partitions>(shard, *own.storage, *directory, settings_of,
                                                    retention_interval);
      own.fetch_sessions = std::make_unique<FetchSessions>(sessions, own.random);
    });
  }
}

Result<void> Server::State::open_store(const GiveUp& give_up) {
  if (settings.cluster) {
    std::vector<ShardStorage*> storages;
    for (const PerShard& own : per_shard) storages.push_back(own.storage.get());
    TRY_ASSIGN(member, ClusterMember::open(
                           {shards->first(), *shards, std::move(storages), *directory, clock,
                            *settings.cluster, settings.cluster_id, settings.reads_in_rack},
                           random, give_up));
    store = &member->store();
    broker.quorum = &member->quorum();
    broker.nodes = member.get();
    return {};
  }
  ShardStorage& storage = *per_shard[0].storage;
  metadata::MetaLogOptions options;
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  options.directory = directory->partition_path(identity.topic, identity.partition);
  options.now = [this] { return clock.now_ms(); };
  options.node = broker.node.id;
  TRY_ASSIGN(own_store, call_on(shards->first(), [&] {
               return metadata::MetaLogStore::open(storage.environment(), storage.group(),
                                                   storage.io(), std::move(options));
             }));
  store = own_store.get();
  return {};
}

Result<void> Server::State::open_metadata(const GiveUp& give_up) {
  TRY(open_store(give_up));
  broker.node.cluster_id = directory->stamp()->cluster_id;
  call_on(shards->first(), [&] {
    live.load(*store->image());
    // In this order: the settings first, then what every shard sees, then what follows from both.
    store->add_observer(live);
    view = std::make_unique<MetadataView>(*shards, *store);
    follower = std::make_unique<TopicFollower>(broker);
    store->add_observer(*follower);
    broker.metadata = view.get();
    if (member) {
      fencing = std::make_unique<BrokerFencing>(*store, broker.node.id);
      member->watch_absent([this](const std::vector<BrokerId>& absent) {
        view->set_absent(absent);
        fencing->set_absent(absent);
      });
    }
    config_changes = std::make_unique<ConfigChanges>(shards->first(), *view, live, broker.node.id);
    broker.config_changes = config_changes.get();
    for (std::uint32_t id = 0; id < per_shard.size(); ++id) {
      broker.shard_data.push_back(std::make_unique<ShardData>(ShardData{
          shards->at(id), *view, *per_shard[id].partitions, *per_shard[id].fetch_sessions}));
    }
  });
  return {};
}

/// Registrations: repeated until they are in force, since taking effect twice does no harm.
Result<void> Server::State::propose(const std::vector<metadata::MetadataEvent>& events,
                                    const GiveUp& give_up) {
  while (!events.empty()) {
    std::promise<Result<void>> promise;
    shards->first().post([&] {
      store->propose(events, {.idempotent = true}, [&](Result<metadata::ApplyResults> results) {
        if (!results) return promise.set_value(results.error());
        for (const metadata::ApplyResult& result : *results) {
          if (!result.ok()) return promise.set_value(Error{Errc::invalid_argument, result.message});
        }
        promise.set_value({});
      });
    });
    Result<void> done = promise.get_future().get();
    const bool again =
        !done && (done.error().code == Errc::timeout || done.error().code == Errc::not_leader);
    if (!again || give_up()) return done;
  }
  return {};
}

/// What the metadata log lacks of this cluster and this broker.
std::vector<metadata::MetadataEvent> Server::State::registration(const metadata::Image& image) {
  std::vector<metadata::MetadataEvent> events;
  if (image.cluster_id().empty()) {
    metadata::ClusterCreated created;
    created.cluster_id = broker.node.cluster_id;
    created.created_ms = clock.now_ms();
    events.emplace_back(std::move(created));
  }
  metadata::BrokerRegistered registered;
  registered.broker_id = broker.node.id;
  registered.rack = broker.node.rack;
  if (member) registered.directory_id = broker.node.directory_id;
  for (const AdvertisedListener& listener : broker.node.listeners) {
    metadata::BrokerRegistered::Endpoint endpoint;
    endpoint.name = listener.name;
    endpoint.host = listener.host;
    endpoint.port = listener.port;
    registered.endpoints.push_back(std::move(endpoint));
  }
  const metadata::BrokerRegistered* known = image.broker(broker.node.id);
  if (known != nullptr && known->endpoints == registered.endpoints &&
      known->rack == registered.rack && known->directory_id == registered.directory_id) {
    return events;
  }
  registered.incarnation_id = random_uuid(random);
  registered.registered_ms = clock.now_ms();
  events.emplace_back(std::move(registered));
  return events;
}

Result<void> Server::State::open_partitions() {
  if (member) {
    std::vector<Partitions*> all;
    for (const PerShard& own : per_shard) all.push_back(own.partitions.get());
    leaders = std::make_unique<PartitionLeaders>(*shards, *view, *member, std::move(all));
    leaders->start(broker.node, settings.replica_lag_time_max_ms);
  }
  raft::LeftStates left(disk, directory->path());
  const auto image = call_on(shards->first(), [&] { return store->image(); });
  TRY(find_left_of_deleted(left, *image, found));
  std::vector<std::vector<std::pair<std::shared_ptr<const metadata::Topic>, PartitionId>>> by_shard(
      per_shard.size());
  std::vector<std::vector<wal::FoundPartition>> kept(per_shard.size());
  for (const wal::FoundPartition& partition : found.partitions) {
    if (partition.identity.topic_id == metadata::metadata_log_identity().topic_id) continue;
    std::shared_ptr<const metadata::Topic> topic = image->shared_topic(partition.identity.topic_id);
    if (topic && topic->has_partition(partition.identity.partition)) {
      const auto index = static_cast<std::size_t>(partition.identity.partition);
      const metadata::Partition& members = topic->partitions[index];
      const std::uint32_t shard =
          shard_of(topic->id, partition.identity.partition, shards->count());
      const bool mine =
          std::ranges::find(members.replicas, broker.node.id) != members.replicas.end();
      // Opened with the groups, whether it has a directory or not.
      if (members.has_group() && mine) {
        kept[shard].push_back(partition);
        continue;
      }
      if (members.has_group()) {
        TRY_ASSIGN(const bool there, directory->has(partition));
        if (!there) continue;
        log_info("removing a partition that was reassigned to other brokers",
                 {{"directory", partition.directory}});
        TRY(set_aside_moved(partition, *directory, left, found));
        continue;
      }
      if (topic->partitions[index].leader != broker.node.id) {
        log_warn("a partition that another broker serves is left alone",
                 {{"directory", partition.directory}, {"broker", topic->partitions[index].leader}});
        continue;
      }
      by_shard[shard].emplace_back(std::move(topic), partition.identity.partition);
      continue;
    }
    TRY_ASSIGN(const bool there, directory->has(partition));
    if (!there) continue;
    log_info("removing a partition of a deleted topic", {{"directory", partition.directory}});
    TRY_ASSIGN(std::string aside, directory->set_aside(partition));
    found.deleted.push_back(std::move(aside));
  }
  Result<void> opened;
  for (std::uint32_t id = 0; id < per_shard.size(); ++id) {
    call_on(shards->at(id), [&] {
      for (const auto& [topic, partition] : by_shard[id]) {
        // A change that came meanwhile may have opened it.
        if (!opened || per_shard[id].partitions->find(topic->id, partition) != nullptr) continue;
        opened = per_shard[id].partitions->open_existing(*topic, partition);
      }
      if (opened)
        opened = set_aside_gone(kept[id], *view->image(), broker.node.id, *directory, left, found);
      if (opened) opened = per_shard[id].partitions->open_seats();
    });
  }
  call_on(shards->first(), [&] {
    for (std::string& path : found.deleted)
      per_shard[0].partitions->remove_directory(std::move(path));
  });
  return opened;
}

void Server::State::start_services() {
  call_on(shards->first(), [&] {
    producer_ids = std::make_unique<ProducerIds>(*store, broker.node.id);
    groups = std::make_unique<GroupCoordinator>(*store, shards->first().timers(), clock,
                                                Random(random.next()), group_settings(settings));
    office = std::make_unique<CoordinatorOffice>(*store, *groups);
    broker.producer_ids = producer_ids.get();
    broker.groups = groups.get();
  });
  background = std::make_unique<BackgroundThread>("cleaner", BackgroundThread::Priority::low);
  call_on(shards->first(), [&] {
    Shard& first = shards->first();
    memory_trim = std::make_unique<MemoryTrim>(
        first.timers(), clock, &process_cpu_time,
        [this, &first] { background->run(first, &trim_process_memory, [] {}); });
  });
  if (!settings.log_cleaner_enable) return;
  call_on(shards->first(), [&] {
    std::vector<Partitions*> partitions;
    for (const PerShard& own : per_shard) partitions.push_back(own.partitions.get());
    cleaner = std::make_unique<LogCleaner>(
        *shards, std::move(partitions), *background,
        [this] { return cleaner_options(live.current()->settings); }, Random(random.next()));
    cleaner->start();
  });
}

/// In a cluster other nodes tell clients of this one, so nobody's own way to it will do: where none
/// is advertised, clients are given the host by which the nodes reach each other.
std::string Server::State::host_for_clients(const std::string& advertised) const {
  if (!advertised.empty() || !settings.cluster) return advertised;
  for (const ClusterNode& node : settings.cluster->nodes) {
    if (node.id == broker.node.id) return node.host;
  }
  return advertised;
}

/// Binds the ports; clients that connect from here on wait until the broker serves.
Result<void> Server::State::listen() {
  net = std::make_unique<NetServer>(*shards, broker, *broker.apis,
                                    net_options(settings, descriptors));
  TRY(net->open(settings.listeners));
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const Listener& advertised = settings.advertised_listeners[i];
    const std::uint16_t bound = net->listeners()[i].port;
    broker.node.listeners.push_back({advertised.name, host_for_clients(advertised.host),
                                     advertised.port == 0 ? bound : advertised.port});
  }
  return {};
}

/// A metadata log that knows no cluster, beside partitions: it was lost. Going on would remove them
/// as those of deleted topics.
Result<void> Server::State::check_metadata_is_there() {
  const std::shared_ptr<const metadata::Image> image =
      call_on(shards->first(), [&] { return store->image(); });
  if (!image->cluster_id().empty()) return {};
  TRY_ASSIGN(const wal::FoundPartitions found, directory->find_partitions());
  const wal::LogIdentity own = metadata::metadata_log_identity();
  for (const wal::FoundPartition& partition : found.partitions) {
    if (partition.identity.topic_id.is_zero() || partition.identity.topic_id == own.topic_id) {
      continue;
    }
    return Error{
        Errc::corrupt,
        fmt::format("{} is a partition, but the metadata log {} is empty or missing, so "
                    "nothing tells what it belongs to: restore that directory from a "
                    "backup, or move the partitions away to start anew",
                    partition.directory, directory->partition_path(own.topic, own.partition))};
  }
  return {};
}

Result<void> Server::State::register_broker(const GiveUp& give_up) {
  const std::shared_ptr<const metadata::Image> image =
      call_on(shards->first(), [&] { return store->image(); });
  if (!image->cluster_id().empty() && image->cluster_id() != broker.node.cluster_id) {
    return Error{
        Errc::corrupt,
        fmt::format("the data directory {} is stamped for the cluster {}, but the metadata "
                    "in it is of {}: files of two clusters were mixed; restore one of them",
                    broker.data_directory, broker.node.cluster_id, image->cluster_id())};
  }
  return propose(registration(*image), give_up);
}

/// All shards flush at the same time.
void Server::State::stop_storages() {
  std::vector<std::promise<void>> stopped(per_shard.size());
  for (std::uint32_t id = 0; id < per_shard.size(); ++id) {
    shards->at(id).post([&own = per_shard[id], done = &stopped[id]] {
      if (!own.storage) return done->set_value();
      own.partitions->stop();
      detail::fulfil(stop_storage(own.storage.get()), done);
    });
  }
  for (std::promise<void>& done : stopped) done.get_future().wait();
}

void Server::State::stop(milliseconds grace) {
  if (std::exchange(stopped, true) || !shards) return;
  if (member && settings.cluster->nodes.size() > 1) {
    if (net) net->make_clients_reconnect(reconnect_time);
    broker.leaving = true;
    member->hand_over(hand_over_max);
    if (net) net->let_clients_go(go_time);
  }
  call_on(shards->first(), [&] {
    office.reset();
    if (groups) groups->stop();
  });
  if (cleaner) call_on(shards->first(), [&] { return cleaner->stop(); });
  call_on(shards->first(), [&] { memory_trim.reset(); });
  if (net) net->stop(grace);
  if (background) background->stop();
  call_on(shards->first(), [&] { cleaner.reset(); });
  call_on(shards->first(), [&] {
    groups.reset();
    producer_ids.reset();
  });
  if (member) member->close();
  call_on(shards->first(), [&] {
    if (own_store) own_store->close();
  });
  stop_storages();
  call_on(shards->first(), [&] {
    if (store && follower) store->remove_observer(*follower);
    follower.reset();
    config_changes.reset();
    if (member) member->watch_absent(nullptr);
    if (leaders) leaders->stop();
    fencing.reset();
    view.reset();
    if (store) store->remove_observer(live);
    own_store.reset();
  });
  if (member) member->destroy();
  for (std::uint32_t id = 0; id < per_shard.size(); ++id) {
    PerShard& own = per_shard[id];
    if (own.io) own.io->stop();
    if (own.behind) own.behind->stop();
    call_on(shards->at(id), [&] {
      own.fetch_sessions.reset();
      own.partitions.reset();
      own.storage.reset();
    });
  }
  shards->stop();
  per_shard.clear();
  // Releases the lock: another process may take the directory.
  directory.reset();
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { stop(milliseconds(0)); }

Result<std::unique_ptr<Server>> Server::start(StartConfig config, Settings settings, Disk& disk,
                                              const Clock& clock, const GiveUp& give_up) {
  std::unique_ptr<Server> server(
      new Server(std::make_unique<State>(std::move(config), std::move(settings), disk, clock)));
  State& state = *server->state_;
  TRY(state.descriptors.check());
  TRY(state.open_directory());
  TRY_ASSIGN(state.found, state.directory->begin_partitions());
  for (const std::string& name : state.found.unknown) {
    log_warn("the data directory has an entry that is not chronik's; it is left alone",
             {{"entry", name}});
  }
  state.start_shards();
  // Before the logs are opened: a port in use is said at once.
  TRY(state.listen());
  TRY(state.open_metadata(give_up));
  TRY(state.check_metadata_is_there());
  TRY(state.register_broker(give_up));
  TRY(state.open_partitions());
  state.start_services();
  if (state.member) state.member->serve(state.broker);
  state.net->start();
  return server;
}

const std::vector<Listener>& Server::listeners() const { return state_->net->listeners(); }

const std::string& Server::cluster_id() const { return state_->broker.node.cluster_id; }

void Server::stop(milliseconds grace) { state_->stop(grace); }

}  // namespace chronik::broker
