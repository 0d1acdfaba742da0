#include "integration/sim/node.h"

#include <limits>
#include <utility>

#include "raft/multi/state_file.h"
#include "wal/journal.h"
#include "wal/journal_replay.h"

namespace chronik::sim {

namespace {

constexpr milliseconds hand_over_timeout{1'000};

}  // namespace

Node::Node(World& world, const Plan& plan, const Placement& placement, NodeId id,
           std::uint64_t seed)
    : random(seed),
      world_(world),
      plan_(plan),
      placement_(placement),
      id_(id),
      io_([this] { return world_.now(); },
          [this] {
            const auto most = static_cast<std::uint64_t>(stalls ? plan_.disk_delay_max.count() : 1);
            return milliseconds(random.below(most + 1)) + std::exchange(stall, milliseconds(0));
          },
          [this] { return milliseconds(random.below(2)); }) {
  CHECK(disk.make_directories(root));
}

Node::~Node() { end(); }

metadata::RaftMetaLogOptions Node::log_options(const raft::Membership& founders) {
  metadata::RaftMetaLogOptions options;
  options.log.directory = meta_directory;
  options.log.now = [this] { return wall(); };
  options.log.snapshot_log_bytes_min = plan_.snapshot_log_bytes_min;
  options.log.segment_bytes = plan_.segment_bytes;
  options.voters = founders;
  options.propose_timeout_ms = plan_.propose_timeout.count();
  options.rests = plan_.rests;
  return options;
}

/// As LogDirectory does.
Result<void> Node::open_journal() {
  if (plan_.journal_logs_min == 0) return {};
  TRY(wal::replay_journals(*door, root, raft::StateFile::take_into(*door)));
  wal::JournalOptions options;
  options.file_bytes = 6 * wal::journal_block_bytes;
  options.bytes_max = 3 * options.file_bytes;
  options.append_bytes_max = 2 * wal::journal_block_bytes;
  options.logs_min = static_cast<std::size_t>(plan_.journal_logs_min);
  options.writeback_logs_max = 2;
  options.file_system_sync_logs_min = plan_.syncs_all ? 1 : std::numeric_limits<std::size_t>::max();
  options.round_sync_logs_min = plan_.syncs_all ? 2 : std::numeric_limits<std::size_t>::max();
  options.round_sync_append_bytes_min = wal::journal_block_bytes / 8;
  TRY_ASSIGN(const std::shared_ptr<wal::JournalHome> home,
             wal::begin_journals(*door, root, 1, random.next()));
  TRY_ASSIGN(journal_, wal::Journal::open(home, 0, options));
  environment_->journal = journal_.get();
  if (plan_.syncs_all) {
    TRY_ASSIGN(const std::vector<DirectoryEntry> entries, door->list(root));
    std::vector<std::string> directories;
    for (const DirectoryEntry& entry : entries) {
      if (entry.is_directory) directories.push_back(std::string(root) + "/" + entry.name);
    }
    TRY_ASSIGN(const std::unique_ptr<FileSystemSync> whole, door->file_system_sync(root));
    synced_start_ = whole == nullptr ? std::make_unique<wal::SyncedStart>()
                                     : wal::SyncedStart::begin(*whole, std::move(directories));
    environment_->synced_start = synced_start_.get();
  }
  return {};
}

Result<void> Node::start(const raft::Membership& founders) {
  CHECK(!up());
  fatal_.clear();
  stopping_ = handed_over_ = closed_ = stopped_ = silent_ = false;
  paused_until_ = {};
  environment_ = std::make_unique<wal::LogEnvironment>(*door);
  environment_->on_fatal = [this](const Error& error) {
    if (fatal_.empty()) fatal_ = error.message;
  };
  if (Result<void> opened = open_journal(); !opened) {
    end();
    return opened;
  }
  group_commit_ = std::make_unique<wal::GroupCommit>(*environment_, io_);
  raft::RaftOptions options;
  options.node = id_;
  options.directory = directory;
  options.lease_reads = lease_reads;
  options.random = [this] { return random.next(); };
  if (plan_.rests) options.rest_after_ticks = 4;
  options.commit_with_heartbeats = plan_.tells_commit_late;
  if (plan_.forgets) options.recent_bytes_max = 2'000;
  raft::Transport& transport = *this;
  manager_ = std::make_unique<raft::RaftReplicaManager>(std::move(options), *environment_,
                                                        *group_commit_, io_, transport);
  Result<std::unique_ptr<metadata::RaftMetaLog>> opened = metadata::RaftMetaLog::open(
      *environment_, *group_commit_, io_, *manager_, log_options(founders));
  if (!opened) {
    end();
    return std::move(opened).error();
  }
  store_ = std::move(*opened);
  last_image_ = store_->image();
  store_->add_observer(*this);
  partitions_ = std::make_unique<HostedPartitions>(placement_, id_, compacted);
  Result<void> partitions =
      partitions_->open({*environment_, *group_commit_, *manager_}, directory, root);
  if (!partitions) end();
  return partitions;
}

bool Node::is_relied_on(const std::string& directory, const raft::GroupId& group) {
  const Result<std::optional<raft::ReplicaState>> state =
      raft::StateFile(disk, directory, group).look();
  return state && *state && (*state)->hard.withheld_until == 0 && !(*state)->log_damaged;
}

void Node::end() {
  silent_ = true;
  io_.abandon();
  inbox_.clear();
  manager_.reset();
  group_commit_.reset();
  store_.reset();
  partitions_.reset();
  environment_.reset();
  journal_.reset();
  synced_start_.reset();
}

void Node::begin_stop() {
  CHECK(serves() && !stopping_);
  stopping_ = true;
  manager_->hand_over(hand_over_timeout, [this] { handed_over_ = true; });
}

/// As Server::stop() does with a ClusterMember and the storage below it.
void Node::go_on_stopping() {
  if (!handed_over_ || closed_ || !fatal_.empty()) return;
  closed_ = true;
  store_->close();
  manager_->close();
  group_commit_->stop([this] { stopped_ = true; });
}

void Node::receive(NodeId from, SharedBytes frame) {
  if (!serves()) return;
  if (paused()) {
    inbox_.emplace_back(from, std::move(frame));
  } else {
    manager_->receive(from, std::move(frame));
  }
}

Timestamp Node::wall() const {
  const auto passed = std::chrono::duration_cast<milliseconds>(local().time_since_epoch());
  return Timestamp{1'700'000'000'000} + (passed + wall_offset_).count();
}

SteadyTime Node::local() const {
  return local_since_ + (world_.now() - rate_since_) * rate_ / 1'000;
}

SteadyTime Node::world_time(SteadyTime local_time) const {
  if (local_time <= local_since_) return rate_since_;
  const auto wanted = std::chrono::ceil<milliseconds>((local_time - local_since_) * 1'000 / rate_);
  return rate_since_ + wanted;
}

void Node::set_rate(std::int64_t thousandths) {
  local_since_ = local();
  rate_since_ = world_.now();
  rate_ = thousandths;
}

std::optional<SteadyTime> Node::next() const {
  if (!up() || !fatal_.empty()) return std::nullopt;
  std::optional<SteadyTime> next = io_.next();
  const auto at = [&](std::optional<SteadyTime> due) {
    if (due && (!next || *due < *next)) next = due;
  };
  if (!inbox_.empty()) at(paused_until_);
  if (!closed_) {
    if (const auto due = manager_->next_tick()) at(world_time(*due));
    if (const auto due = group_commit_->next_tick()) at(world_time(*due));
    if (const auto due = partitions_->next_tend()) at(world_time(*due));
  }
  if (next) next = std::max(*next, paused_until_);
  return next;
}

bool Node::step() {
  if (!up() || !fatal_.empty() || paused()) return false;
  if (!inbox_.empty()) {
    auto [from, frame] = std::move(inbox_.front());
    inbox_.pop_front();
    receive(from, std::move(frame));
    return true;
  }
  const bool stepped = io_.step() || tick();
  if (stopping_) go_on_stopping();
  return stepped;
}

bool Node::tick() {
  if (closed_) return false;
  const SteadyTime now = local();
  std::optional<SteadyTime> due = manager_->next_tick();
  if (due && *due <= now) {
    manager_->tick(now);
    return true;
  }
  due = group_commit_->next_tick();
  if (!due || *due > now) return partitions_->tend(now, wall());
  group_commit_->tick(now);
  return true;
}

// -- What the process says. One that ended says nothing, whatever its remains still do.

void Node::send(NodeId to, ByteChain frame) {
  if (silent_ || closed_ || !fatal_.empty()) return;
  world_.send(id_, to, std::move(frame));
}

void Node::on_image(const std::shared_ptr<const metadata::Image>& before,
                    const std::shared_ptr<const metadata::Image>& after,
                    const metadata::MetadataDelta&) {
  CHECK(last_image_ == before);
  last_image_ = after;
  if (!silent_ && fatal_.empty()) world_.on_image(id_, after);
}

void Node::on_leadership(const metadata::Leadership& leadership) {
  if (!silent_ && fatal_.empty()) world_.on_leadership(id_, leadership);
}

}  // namespace chronik::sim
