#include "wal/log_directory.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/random.h"
#include "wal/file_removal.h"
#include "wal/format.h"
#include "wal/journal.h"
#include "wal/journal_replay.h"
#include "wal/recovery.h"

namespace chronik::wal {

namespace {

constexpr std::string_view lock_file = "chronik.lock";
constexpr std::string_view stamp_file = "chronik.stamp";
constexpr std::string_view own_prefix = "chronik.";

/// 1:<directory id>,2:<directory id>
std::string founders_text(const std::vector<Founder>& founders) {
  std::string text;
  for (const Founder& founder : founders) {
    if (!text.empty()) text += ',';
    text += fmt::format("{}:{}", founder.node, founder.directory.to_string());
  }
  return text;
}

std::string encode_stamp(const DirectoryStamp& stamp) {
  std::string text =
      fmt::format("format={}\ncluster.id={}\nnode.id={}\ndirectory.id={}\n", stamp.format,
                  stamp.cluster_id, stamp.node_id, stamp.directory_id.to_string());
  if (!stamp.founders.empty()) text += fmt::format("founders={}\n", founders_text(stamp.founders));
  if (stamp.has_votes) text += "votes=yes\n";
  text += fmt::format("crc={:08x}\n", crc32c(as_bytes(text)));
  return text;
}

std::optional<std::string_view> value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=') {
      return line.substr(key.size() + 1);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

template <class T>
std::optional<T> number_of(std::optional<std::string_view> text) {
  T value{};
  if (!text.has_value()) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

/// What does not read is left out; the stamp is then not what was written.
std::vector<Founder> founders_of(std::string_view text) {
  std::vector<Founder> founders;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(','));
    const std::size_t colon = std::min(entry.find(':'), entry.size());
    const auto node = number_of<BrokerId>(entry.substr(0, colon));
    const auto directory = Uuid::parse(entry.substr(std::min(colon + 1, entry.size())));
    if (node && directory) founders.push_back({*node, *directory});
    text.remove_prefix(std::min(entry.size() + 1, text.size()));
  }
  return founders;
}

Result<DirectoryStamp> decode_stamp(std::string_view text, const std::string& file) {
  DirectoryStamp stamp;
  const auto format = number_of<std::uint32_t>(value_of(text, "format"));
  if (format.has_value() && *format > stamp.format) {
    return Error{
        Errc::unsupported,
        fmt::format("{}: written by a newer chronik (log format {}, this one knows {}): use "
                    "that version, or another data directory",
                    file, *format, stamp.format)};
  }
  const auto node = number_of<BrokerId>(value_of(text, "node.id"));
  const auto directory = Uuid::parse(value_of(text, "directory.id").value_or(""));
  if (format.has_value() && node.has_value() && directory.has_value()) {
    stamp.format = *format;
    stamp.cluster_id = value_of(text, "cluster.id").value_or("");
    stamp.node_id = *node;
    stamp.directory_id = *directory;
    stamp.founders = founders_of(value_of(text, "founders").value_or(""));
    stamp.has_votes = value_of(text, "votes") == "yes";
    if (encode_stamp(stamp) == text) return stamp;
  }
  return Error{
      Errc::corrupt,
      fmt::format("{}: damaged, it does not match its checksum: restore it from a copy. It "
                  "has the lines format, cluster.id, node.id and directory.id",
                  file)};
}

}  // namespace

std::string stamp_path(const std::string& data_directory) {
  return data_directory + "/" + std::string(stamp_file);
}

Result<std::optional<DirectoryStamp>> read_stamp(Disk& disk, const std::string& data_directory) {
  const std::string file = stamp_path(data_directory);
  const Result<Bytes> bytes = read_file(disk, file);
  if (!bytes) {
    if (bytes.error().code == Errc::not_found) return std::optional<DirectoryStamp>();
    return bytes.error();
  }
  TRY_ASSIGN(DirectoryStamp stamp, decode_stamp(as_text(*bytes), file));
  return std::optional(std::move(stamp));
}

std::string partition_directory_name(std::string_view topic, PartitionId partition) {
  return fmt::format("{}-{}", topic, partition);
}

std::optional<std::pair<std::string, PartitionId>> parse_partition_directory_name(
    std::string_view name) {
  const std::size_t dash = name.find_last_of('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view digits = name.substr(dash + 1);
  const auto partition = number_of<PartitionId>(digits);
  if (!partition.has_value() || *partition < 0 || (digits.size() > 1 && digits.front() == '0')) {
    return std::nullopt;
  }
  return std::pair(std::string(name.substr(0, dash)), *partition);
}

LogDirectory::LogDirectory(Disk& disk, std::string path, std::unique_ptr<DirectoryLock> lock,
                           std::unique_ptr<SpaceGuard> space)
    : disk_(disk), path_(std::move(path)), lock_(std::move(lock)), space_(std::move(space)) {}

LogDirectory::~LogDirectory() = default;

Journal* LogDirectory::journal(std::uint32_t shard) const {
  return shard < journals_.size() ? journals_[shard].get() : nullptr;
}

Result<std::unique_ptr<LogDirectory>> LogDirectory::open(Disk& disk, std::string path,
                                                         SpaceLimits limits,
                                                         const TakeStates& take_states) {
  const auto say = [&](Error error, std::string_view advice) {
    return Error{error.code, fmt::format("data directory {}: {}: {}", path, error.message, advice)};
  };
  if (Result<void> made = disk.make_directories(path); !made) {
    return say(made.error(), "make it by hand, or choose another one with log.dirs");
  }
  auto lock = disk.lock(path + "/" + std::string(lock_file));
  if (!lock) {
    return say(lock.error(),
               lock.error().code == Errc::busy
                   ? "stop the other process, or choose another one with log.dirs"
                   : "make it writable for this user, or choose another one with log.dirs");
  }
  TRY_ASSIGN(auto space, SpaceGuard::open(disk, path, limits));
  std::unique_ptr<LogDirectory> directory(
      new LogDirectory(disk, std::move(path), std::move(*lock), std::move(space)));
  TRY_ASSIGN(directory->stamp_, read_stamp(disk, directory->path_));
  TRY(replay_journals(disk, directory->path_, take_states));
  TRY(directory->sync_found());
  return directory;
}

Result<void> LogDirectory::sync_found() {
  TRY_ASSIGN(const FoundPartitions found, list_partitions());
  TRY_ASSIGN(const std::unique_ptr<FileSystemSync> whole, disk_.file_system_sync(path_));
  if (whole == nullptr) return {};
  std::vector<std::string> covered;
  for (const FoundPartition& partition : found.partitions) {
    if (whole->covers(partition.directory)) {
      covered.push_back(partition.directory);
    } else if (std::exchange(one_file_system_, false)) {
      log_warn(
          "a partition is on another file system than the data directory: no one call syncs "
          "all logs, each is synced by itself",
          {{"directory", partition.directory}});
    }
  }
  synced_start_ = SyncedStart::begin(*whole, std::move(covered));
  return {};
}

Result<void> LogDirectory::begin_journals(std::uint32_t shards, std::uint64_t bytes_max,
                                          std::uint64_t append_bytes_max) {
  if (bytes_max == 0) return remove_journals(disk_, path_);
  std::optional<JournalOptions> options = JournalOptions::share(bytes_max, shards);
  if (!options) {
    log_warn("the journal is too small for so many shards: each log is synced by itself",
             {{"bytes", bytes_max}, {"shards", shards}});
    return remove_journals(disk_, path_);
  }
  options->append_bytes_max = append_bytes_max;
  options->one_file_system = one_file_system_;
  TRY_ASSIGN(const std::shared_ptr<JournalHome> home,
             wal::begin_journals(disk_, path_, shards, Random::system_seed()));
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    TRY_ASSIGN(journals_.emplace_back(), Journal::open(home, shard, *options));
  }
  return {};
}

Result<void> LogDirectory::write_stamp(DirectoryStamp stamp) {
  const std::string file = stamp_path(path_);
  const std::string made = file + ".new";
  const std::string text = encode_stamp(stamp);
  TRY_ASSIGN(const auto opened, disk_.open(made, OpenMode::create));
  TRY(opened->truncate(0));
  TRY(opened->write_at(0, as_bytes(text)));
  TRY(opened->sync_data());
  TRY(disk_.rename(made, file));
  TRY(disk_.sync_directory(path_));
  stamp_ = std::move(stamp);
  return {};
}

Result<void> LogDirectory::check_stamp(std::string_view cluster_id, BrokerId node_id) const {
  if (!stamp_.has_value()) return {};
  const bool in_cluster = stamp_->cluster_id.empty() || stamp_->cluster_id == cluster_id;
  if (in_cluster && stamp_->node_id == node_id) return {};
  return Error{Errc::invalid_argument,
               fmt::format("data directory {} belongs to node {} of cluster {}, this is node {} of "
                           "cluster {}: choose that node's directory with log.dirs, or set node.id "
                           "and cluster.id to those of the directory",
                           path_, stamp_->node_id, stamp_->cluster_id, node_id, cluster_id)};
}

std::string LogDirectory::partition_path(std::string_view topic, PartitionId partition) const {
  return path_ + "/" + partition_directory_name(topic, partition);
}

Result<FoundPartitions> LogDirectory::list_partitions() const {
  FoundPartitions found;
  TRY_ASSIGN(const auto entries, disk_.list(path_));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = path_ + "/" + entry.name;
    if (entry.is_directory && entry.name.ends_with(deleted_suffix)) {
      found.deleted.push_back(path);
    } else if (const auto named = parse_partition_directory_name(entry.name);
               entry.is_directory && named.has_value()) {
      found.partitions.push_back({{named->first, named->second, Uuid{}}, path});
    } else if (!entry.name.starts_with(own_prefix)) {
      found.unknown.push_back(path);
    }
  }
  // A process that died may not have come to the sync of the rename, and a directory that comes
  // back after its files are removed in part belongs to nobody.
  if (!found.deleted.empty()) TRY(disk_.sync_directory(path_));
  return found;
}

Result<FoundPartitions> LogDirectory::find_partitions() const {
  TRY_ASSIGN(FoundPartitions found, list_partitions());
  for (FoundPartition& partition : found.partitions) {
    TRY_ASSIGN(const PartitionFiles files, list_partition_files(disk_, partition.directory));
    if (!files.topic_ids.empty()) partition.identity.topic_id = files.topic_ids.front();
  }
  return found;
}

Result<FoundPartitions> LogDirectory::begin_partitions() {
  TRY_ASSIGN(FoundPartitions found, find_partitions());
  const auto is_begun = [](const FoundPartition& partition) {
    return partition.identity.topic_id.is_zero();
  };
  for (const FoundPartition& partition : found.partitions) {
    if (!is_begun(partition)) continue;
    log_info("removing a partition that was only begun", {{"directory", partition.directory}});
    TRY_ASSIGN(found.deleted.emplace_back(), set_aside(partition));
  }
  std::erase_if(found.partitions, is_begun);
  return found;
}

Result<bool> LogDirectory::has(const FoundPartition& partition) const {
  TRY_ASSIGN(const PartitionFiles files, list_partition_files(disk_, partition.directory));
  return std::ranges::find(files.topic_ids, partition.identity.topic_id) != files.topic_ids.end();
}

Result<std::string> LogDirectory::set_aside(const FoundPartition& partition) {
  const LogIdentity& identity = partition.identity;
  TRY_ASSIGN(std::string aside, unused_aside(disk_, path_, identity.topic_id, identity.partition));
  synced_start_->take(partition.directory);
  TRY(disk_.rename(partition.directory, aside));
  TRY(disk_.sync_directory(path_));
  return aside;
}

PlaceClaim::PlaceClaim(LogDirectory& directory, std::string path)
    : directory_(directory), path_(std::move(path)) {
  const std::lock_guard guard(directory_.claims_mutex_);
  holds_ = directory_.claimed_.insert(path_).second;
}

PlaceClaim::~PlaceClaim() {
  if (!holds_) return;
  const std::lock_guard guard(directory_.claims_mutex_);
  directory_.claimed_.erase(path_);
}

}  // namespace chronik::wal
