#include "raft/multi/state_file.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"
#include "wal/journal.h"

namespace chronik::raft {

namespace {

constexpr std::uint64_t magic = 0x6368726e6b726674;  // "chrnkrft"
// The first version knows no recoveries, the second no journals; they are still written where there
// was none.
constexpr std::uint16_t plain_version = 1;
constexpr std::uint16_t recovery_version = 2;
constexpr std::uint16_t version = 3;
constexpr std::uint16_t flag_damaged = 1;
constexpr std::uint16_t flag_install = 2;
// Each slot in a block of its own, each copy in sectors of its own; mostly in one, which a disk
// writes whole or not at all.
constexpr std::size_t sector_bytes = 512;
constexpr std::size_t length_position = 12;
constexpr std::size_t crc_bytes = 4;
constexpr std::size_t copy_bytes = 4096;
constexpr std::size_t slot_bytes = 2 * copy_bytes;
constexpr std::size_t file_bytes = 2 * slot_bytes;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}

void write_membership(Writer& writer, const MembershipAt& at) {
  // Of a node that joins nobody belongs to the group, as far as it knows.
  const SharedBytes bytes =
      at.membership.voters.empty() ? SharedBytes{} : encode_membership(at.membership);
  writer.i64(at.index);
  writer.u32(static_cast<std::uint32_t>(bytes.size()));
  writer.bytes(bytes.view());
}

Result<MembershipAt> read_membership(Reader& reader) {
  MembershipAt at;
  at.index = reader.i64();
  const ByteView bytes = reader.bytes(reader.u32());
  if (!reader.ok()) return Error{Errc::corrupt, "the membership is cut off"};
  if (bytes.empty()) return at;
  TRY_ASSIGN(at.membership, decode_membership(SharedBytes::copy_of(bytes)));
  return at;
}

Bytes encode_copy(const GroupId& group, std::uint64_t sequence, const wal::JournalMark& made_at,
                  const ReplicaState& state) {
  const std::uint16_t written = made_at.epoch != 0    ? version
                                : state.recovery != 0 ? recovery_version
                                                      : plain_version;
  Writer writer;
  writer.u64(magic);
  writer.u16(written);
  writer.u16(static_cast<std::uint16_t>((state.log_damaged ? flag_damaged : 0) |
                                        (state.install ? flag_install : 0)));
  writer.u32(0);  // the length, below
  writer.u64(sequence);
  writer.bytes(ByteView(group.topic_id.bytes));
  writer.i32(group.partition);
  writer.i32(state.hard.term);
  writer.i32(state.hard.vote);
  writer.i32(state.hard.withheld_until);
  writer.i64(state.commit);
  if (written >= recovery_version) {
    writer.i32(state.recovery);
    writer.i64(state.recovered_at);
  }
  if (written >= version) {
    writer.u64(made_at.epoch);
    writer.u64(made_at.lsn);
  }
  write_membership(writer, state.base);
  if (state.install) write_membership(writer, *state.install);
  Bytes bytes = writer.take_bytes();
  const std::size_t length = bytes.size();
  CHECK(length <= copy_bytes - crc_bytes);
  bytes.resize(length + crc_bytes);
  store_be(bytes.data() + length_position, static_cast<std::uint32_t>(length));
  store_be(bytes.data() + length, crc32c(ByteView(bytes).first(length)));
  return bytes;
}

struct ReadCopy {
  std::uint64_t sequence = 0;
  wal::JournalMark made_at;
  GroupId group;
  ReplicaState state;
};

/// Errors: corrupt (also of one that was never written), unsupported.
Result<ReadCopy> decode_copy(ByteView bytes) {
  if (bytes.size() < length_position + sizeof(std::uint32_t)) {
    return Error{Errc::corrupt, "it is cut off"};
  }
  const auto length = load_be<std::uint32_t>(bytes.data() + length_position);
  if (length < length_position || length > bytes.size() - crc_bytes ||
      load_be<std::uint32_t>(bytes.data() + length) != crc32c(bytes.first(length))) {
    return Error{Errc::corrupt, "its checksum does not match"};
  }
  Reader reader(bytes.first(length));
  if (reader.u64() != magic) return Error{Errc::corrupt, "it is no state of a replica"};
  const std::uint16_t found = reader.u16();
  if (found < plain_version || found > version) {
    return Error{Errc::unsupported, fmt::format("format {} was written by a newer chronik", found)};
  }
  const std::uint16_t flags = reader.u16();
  reader.u32();
  ReadCopy copy;
  copy.sequence = reader.u64();
  std::ranges::copy(reader.bytes(copy.group.topic_id.bytes.size()),
                    copy.group.topic_id.bytes.begin());
  copy.group.partition = reader.i32();
  copy.state.hard.term = reader.i32();
  copy.state.hard.vote = reader.i32();
  copy.state.hard.withheld_until = reader.i32();
  copy.state.commit = reader.i64();
  if (found >= recovery_version) {
    copy.state.recovery = reader.i32();
    copy.state.recovered_at = reader.i64();
  }
  if (found >= version) {
    copy.made_at.epoch = reader.u64();
    copy.made_at.lsn = reader.u64();
  }
  copy.state.log_damaged = (flags & flag_damaged) != 0;
  TRY_ASSIGN(copy.state.base, read_membership(reader));
  if ((flags & flag_install) != 0) {
    TRY_ASSIGN(copy.state.install, read_membership(reader));
  }
  return copy;
}

}  // namespace

StateFile::StateFile(Disk& disk, std::string directory, GroupId group, const wal::Journal* journal)
    : disk_(disk),
      directory_(std::move(directory)),
      path_(directory_ + "/" + state_file_name),
      group_(group),
      journal_(journal) {}

/// What the bytes of the file say.
struct StateFile::Found {
  ReadCopy newest;
  bool mend = false;  // something is not as a whole write leaves it
};

Result<StateFile::Found> StateFile::read(File& file, const std::string& path) {
  Bytes bytes(file_bytes);
  TRY_ASSIGN(const std::size_t size, file.read_at(0, MutableByteView(bytes)));
  std::optional<ReadCopy> newest;
  bool mend = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    bool readable = false;
    std::uint64_t of_slot = 0;
    std::string problem = fmt::format("it has {} bytes", size);
    for (std::size_t copy = 0; size == file_bytes && copy < 2; ++copy) {
      Result<ReadCopy> read =
          decode_copy(ByteView(bytes).subspan(slot * slot_bytes + copy * copy_bytes, copy_bytes));
      if (!read && read.error().code == Errc::unsupported) {
        return Error{Errc::unsupported, fmt::format("{}: {}", path, read.error().message)};
      }
      if (!read) {
        problem = read.error().message;
        mend = true;
        continue;
      }
      mend = mend || (readable && read->sequence != of_slot);
      readable = true;
      of_slot = read->sequence;
      if (!newest || read->sequence > newest->sequence) newest = std::move(*read);
    }
    // The one that cannot be read may be the newest, and what it says may have been told.
    if (!readable) {
      return Error{
          Errc::corrupt,
          fmt::format("{}: slot {} is damaged ({}): the last vote of this node may be lost, so it "
                      "must not vote again under this id. Put back a copy of this file that is not "
                      "older than the last time the node ran; or remove the whole data directory: "
                      "the node comes back as an empty one and copies what the others have",
                      path, slot + 1, problem)};
    }
  }
  return Found{std::move(*newest), mend};
}

Result<StateFile::Found> StateFile::read_own(File& file) const {
  TRY_ASSIGN(Found found, read(file, path_));
  GroupId group = found.newest.group;
  group.recovery = group_.recovery;
  if (group == group_) return found;
  return Error{Errc::invalid_argument,
               fmt::format("{} belongs to group {}, not to {}: files of two directories were mixed",
                           path_, group.to_string(), group_.to_string())};
}

Result<std::optional<ReplicaState>> StateFile::load(wal::DirectorySync sync) {
  Result<std::shared_ptr<File>> opened = disk_.open(path_, OpenMode::read_write);
  if (!opened && opened.error().code == Errc::not_found) return std::optional<ReplicaState>{};
  if (!opened) return std::move(opened).error();
  file_ = std::move(*opened);
  // What a process that died left in the page cache becomes a promise when it is read. Where its
  // sync had failed the cache shows what the disk does not have, and no sync says so again.
  if (sync != wal::DirectorySync::done) TRY(file_->sync_data());
  file_->drop_cache(0, file_bytes);
  TRY_ASSIGN(Found found, read_own(*file_));
  sequence_ = found.newest.sequence;
  made_at_ = found.newest.made_at;
  for (int slot = 0; found.mend && slot < 2; ++slot) TRY(save(found.newest.state));
  return std::optional<ReplicaState>(std::move(found.newest.state));
}

Result<std::optional<ReplicaState>> StateFile::look() const {
  const Result<std::shared_ptr<File>> opened = disk_.open(path_, OpenMode::read);
  if (!opened && opened.error().code == Errc::not_found) return std::optional<ReplicaState>{};
  if (!opened) return opened.error();
  TRY_ASSIGN(Found found, read_own(**opened));
  return std::optional<ReplicaState>(std::move(found.newest.state));
}

Result<void> StateFile::save(const ReplicaState& state) {
  if (file_ == nullptr) return create(state);
  TRY(write(*file_, next(state)));
  return file_->sync_data();
}

Result<void> StateFile::create(const ReplicaState& state) {
  TRY(disk_.make_directories(directory_));
  // The log must know the directory as its own, or it would set aside what it takes for unfinished,
  // the state with it: so this name is there first.
  TRY(disk_.open(directory_ + "/" + wal::topic_file_name(group_.topic_id), OpenMode::create));
  TRY(disk_.sync_directory(directory_));
  const std::string made = path_ + ".new";
  TRY_ASSIGN(std::shared_ptr<File> file, disk_.open(made, OpenMode::create));
  TRY(file->truncate(file_bytes));
  if (journal_ != nullptr) made_at_ = journal_->mark();
  for (std::uint64_t i = 0; i < 2; ++i) {
    TRY(write(*file, next(state)));
  }
  TRY(file->sync_data());
  TRY(disk_.rename(made, path_));
  TRY(disk_.sync_directory(directory_));
  TRY(disk_.sync_directory(parent_of(directory_)));
  TRY_ASSIGN(file_, disk_.open(path_, OpenMode::read_write));
  return {};
}

StateFile::Slot StateFile::next(const ReplicaState& state) {
  Bytes copy = encode_copy(group_, ++sequence_, made_at_, state);
  return {(sequence_ % 2) * slot_bytes, std::move(copy)};
}

Result<void> StateFile::write(File& file, const Slot& slot) {
  if (slot.copy.size() <= sector_bytes) {
    Bytes both(copy_bytes + slot.copy.size());
    std::ranges::copy(slot.copy, both.begin());
    std::ranges::copy(slot.copy, both.begin() + copy_bytes);
    return file.write_at(slot.position, both);
  }
  // Both could be torn at once: so one after the other.
  TRY(file.write_at(slot.position, slot.copy));
  TRY(file.sync_data());
  return file.write_at(slot.position + copy_bytes, slot.copy);
}

wal::StateWrite StateFile::write_of(const ReplicaState& state) {
  CHECK(file_ != nullptr);
  wal::StateWrite write;
  write.directory = directory_;
  write.identity.topic_id = group_.topic_id;
  write.identity.partition = group_.partition;
  write.file = file_;
  write.path = path_;
  Slot slot = next(state);
  write.bytes = slot.copy;
  write.small = slot.copy.size() <= sector_bytes;
  write.write = [file = file_, slot = std::move(slot)] { return StateFile::write(*file, slot); };
  return write;
}

wal::TakeStates StateFile::take_into(Disk& disk) {
  return [&disk](const std::map<std::string, Bytes>& states) -> Result<std::uint64_t> {
    constexpr std::size_t at_once_max = 256;  // each holds a file open
    std::uint64_t taken = 0;
    std::vector<std::pair<std::string, ByteView>> some;
    for (const auto& [directory, bytes] : states) {
      some.emplace_back(directory + "/" + state_file_name, bytes);
      if (some.size() < at_once_max) continue;
      TRY_ASSIGN(const std::uint64_t more, take(disk, std::exchange(some, {})));
      taken += more;
    }
    TRY_ASSIGN(const std::uint64_t last, take(disk, some));
    return taken + last;
  };
}

Result<std::uint64_t> StateFile::take(Disk& disk,
                                      const std::vector<std::pair<std::string, ByteView>>& states) {
  SyncBatch there;
  std::vector<std::size_t> of_state;
  for (std::size_t i = 0; i < states.size(); ++i) {
    Result<std::shared_ptr<File>> file = disk.open(states[i].first, OpenMode::read_write);
    if (!file && file.error().code == Errc::not_found) continue;
    if (!file) return std::move(file).error();
    there.files.push_back(std::move(*file));
    of_state.push_back(i);
  }
  // As in load(): what a file says is what the disk has.
  TRY(disk.sync_all(there));
  SyncBatch written;
  for (std::size_t n = 0; n < of_state.size(); ++n) {
    const auto& [path, bytes] = states[of_state[n]];
    File& file = *there.files[n];
    file.drop_cache(0, file_bytes);
    const Result<ReadCopy> copy = decode_copy(bytes);
    if (!copy) {
      return Error{copy.error().code,
                   fmt::format("{}: a state in the journal: {}", path, copy.error().message)};
    }
    const Result<Found> found = read(file, path);
    // Of a damaged one its group says so, and of what is missing then.
    if (!found && found.error().code == Errc::corrupt) continue;
    if (!found) return found.error();
    const ReadCopy& newest = found->newest;
    const bool same = newest.group.topic_id == copy->group.topic_id &&
                      newest.group.partition == copy->group.partition &&
                      newest.made_at == copy->made_at;
    if (!same || copy->sequence <= newest.sequence) continue;
    TRY(write(file, {(copy->sequence % 2) * slot_bytes, to_bytes(bytes)}));
    written.files.push_back(there.files[n]);
  }
  TRY(disk.sync_all(written));
  return written.files.size();
}

}  // namespace chronik::raft
