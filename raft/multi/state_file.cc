#include "raft/multi/state_file.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"

namespace chronik::raft {

namespace {

constexpr std::uint64_t magic = 0x6368726e6b726674;  // "chrnkrft"
// The first version knows no recoveries; it is still written where there was none.
constexpr std::uint16_t plain_version = 1;
constexpr std::uint16_t version = 2;
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

Bytes encode_copy(const GroupId& group, std::uint64_t sequence, const ReplicaState& state) {
  Writer writer;
  writer.u64(magic);
  writer.u16(state.recovery == 0 ? plain_version : version);
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
  if (state.recovery != 0) {
    writer.i32(state.recovery);
    writer.i64(state.recovered_at);
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
  GroupId group;
  ReplicaState state;
};

/// Errors: corrupt (also of one that was never written), unsupported.
Result<ReadCopy> decode_copy(ByteView bytes) {
  const auto length = load_be<std::uint32_t>(bytes.data() + length_position);
  if (length < length_position || length > copy_bytes - crc_bytes ||
      load_be<std::uint32_t>(bytes.data() + length) != crc32c(bytes.first(length))) {
    return Error{Errc::corrupt, "its checksum does not match"};
  }
  Reader reader(bytes.first(length));
  if (reader.u64() != magic) return Error{Errc::corrupt, "it is no state of a replica"};
  const std::uint16_t found = reader.u16();
  if (found != plain_version && found != version) {
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
  if (found == version) {
    copy.state.recovery = reader.i32();
    copy.state.recovered_at = reader.i64();
  }
  copy.state.log_damaged = (flags & flag_damaged) != 0;
  TRY_ASSIGN(copy.state.base, read_membership(reader));
  if ((flags & flag_install) != 0) {
    TRY_ASSIGN(copy.state.install, read_membership(reader));
  }
  return copy;
}

}  // namespace

StateFile::StateFile(Disk& disk, std::string directory, GroupId group)
    : disk_(disk),
      directory_(std::move(directory)),
      path_(directory_ + "/" + state_file_name),
      group_(group) {}

/// What the bytes of the file say.
struct StateFile::Found {
  std::uint64_t sequence = 0;
  ReplicaState state;
  bool mend = false;  // something is not as a whole write leaves it
};

Result<StateFile::Found> StateFile::read(File& file) const {
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
        return Error{Errc::unsupported, fmt::format("{}: {}", path_, read.error().message)};
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
                      path_, slot + 1, problem)};
    }
  }
  newest->group.recovery = group_.recovery;
  if (newest->group != group_) {
    return Error{
        Errc::invalid_argument,
        fmt::format("{} belongs to group {}, not to {}: files of two directories were mixed", path_,
                    newest->group.to_string(), group_.to_string())};
  }
  return Found{newest->sequence, std::move(newest->state), mend};
}

Result<std::optional<ReplicaState>> StateFile::load() {
  Result<std::shared_ptr<File>> opened = disk_.open(path_, OpenMode::read_write);
  if (!opened && opened.error().code == Errc::not_found) return std::optional<ReplicaState>{};
  if (!opened) return std::move(opened).error();
  file_ = std::move(*opened);
  // What a process that died left in the page cache becomes a promise when it is read. Where its
  // sync had failed the cache shows what the disk does not have, and no sync says so again.
  TRY(file_->sync_data());
  file_->drop_cache(0, file_bytes);
  TRY_ASSIGN(Found found, read(*file_));
  sequence_ = found.sequence;
  for (int slot = 0; found.mend && slot < 2; ++slot) TRY(save(found.state));
  return std::optional<ReplicaState>(std::move(found.state));
}

Result<std::optional<ReplicaState>> StateFile::look() const {
  const Result<std::shared_ptr<File>> opened = disk_.open(path_, OpenMode::read);
  if (!opened && opened.error().code == Errc::not_found) return std::optional<ReplicaState>{};
  if (!opened) return opened.error();
  TRY_ASSIGN(Found found, read(**opened));
  return std::optional<ReplicaState>(std::move(found.state));
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
  Bytes copy = encode_copy(group_, ++sequence_, state);
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

void StateWriter::write(const std::vector<Save>& saves, std::function<void()> done) {
  struct Work {
    std::vector<std::pair<std::shared_ptr<File>, StateFile::Slot>> slots;
    bool failed = false;
  };
  auto work = std::make_shared<Work>();
  for (const Save& save : saves) {
    CHECK(save.file->file_ != nullptr);
    work->slots.emplace_back(save.file->file_, save.file->next(save.state));
  }
  executor_.run(
      [work, &environment = environment_] {
        const auto write_all = [&]() -> Result<void> {
          SyncBatch batch;
          for (const auto& [file, slot] : work->slots) {
            TRY(StateFile::write(*file, slot));
            batch.files.push_back(file);
          }
          return environment.disk.sync_all(batch);
        };
        const Result<void> written = write_all();
        if (written) return;
        work->failed = true;
        environment.on_fatal(written.error());
      },
      [work, done = std::move(done)] {
        if (!work->failed) done();
      });
}

}  // namespace chronik::raft
