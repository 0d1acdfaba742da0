#include "wal/journal_replay.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/log.h"
#include "wal/checkpoint.h"
#include "wal/format.h"
#include "wal/recovery.h"

namespace chronik::wal {

namespace {

constexpr std::size_t open_files_max = 256;

struct FramePosition {
  std::string file;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  std::uint64_t released = 0;
};

/// The frames of one shard by their number.
using Frames = std::map<std::uint64_t, FramePosition>;

Result<void> find_frames(Disk& disk, const std::string& file, std::uint64_t epoch, Frames& frames) {
  TRY_ASSIGN(const Bytes bytes, read_file(disk, file));
  for (std::uint64_t at = 0; at < bytes.size();) {
    const auto frame = decode_journal_frame(ByteView(bytes).subspan(at));
    if (!frame) {
      at += journal_block_bytes;
      continue;
    }
    if (frame->number.epoch == epoch) {
      frames[frame->number.lsn] = {file, at, frame->bytes, frame->number.released};
    }
    at += frame->bytes;
  }
  return {};
}

/// A frame is written when the one before it is synced: all are there that are still needed, up to
/// the last one.
Result<void> keep_needed(Frames& frames) {
  if (frames.empty()) return {};
  const std::uint64_t released = frames.rbegin()->second.released;
  frames.erase(frames.begin(), frames.upper_bound(released));
  std::uint64_t expected = released;
  const FramePosition* before = nullptr;
  for (const auto& [lsn, place] : frames) {
    if (lsn != ++expected) {
      const FramePosition& near = before != nullptr ? *before : place;
      return journal_damaged(
          near.file, fmt::format("a frame of the journal is damaged at position {}: number {} is "
                                 "missing, and {} follows in {}",
                                 before != nullptr ? near.position + near.bytes : near.position,
                                 expected, lsn, place.file));
    }
    before = &place;
  }
  return {};
}

/// The logs of the writes, as they are now: which of these are void.
class Targets {
 public:
  Targets(Disk& disk, const std::string& data_directory)
      : disk_(disk), data_directory_(data_directory) {}

  /// Whether it is of a log that is not there any more, or one that has made it void.
  Result<bool> is_void(const JournalFrame& frame, const JournalWrite& write) {
    TRY_ASSIGN(const Target* target, target_of(write));
    if (write.segment == state_segment) return !target->there;
    return !target->there ||
           (target->mark.epoch == frame.number.epoch && frame.number.lsn <= target->mark.lsn);
  }

 private:
  struct Target {
    bool there = false;
    JournalMark mark;
  };

  Result<const Target*> target_of(const JournalWrite& write) {
    const auto key = std::pair(std::string(write.directory), write.topic_id);
    const auto [found, made] = targets_.try_emplace(key);
    Target& target = found->second;
    if (!made) return &target;
    const std::string directory = data_directory_ + "/" + key.first;
    TRY_ASSIGN(target.there, disk_.exists(directory + "/" + topic_file_name(write.topic_id)));
    if (!target.there) return &target;
    const std::string file = directory + "/" + std::string(checkpoint_file);
    const Result<Bytes> bytes = read_file(disk_, file);
    if (!bytes && bytes.error().code == Errc::not_found) return &target;
    if (!bytes) return bytes.error();
    const Result<Checkpoint> checkpoint = decode_checkpoint(*bytes, file);
    if (!checkpoint && checkpoint.error().code != Errc::corrupt) return checkpoint.error();
    // Of a damaged one nobody knows what is void: the log is not opened with it, and a repair
    // should find all there was.
    if (checkpoint && checkpoint->journal) target.mark = *checkpoint->journal;
    return &target;
  }

  Disk& disk_;
  const std::string& data_directory_;
  std::map<std::pair<std::string, Uuid>, Target> targets_;
};

/// Copies writes into segments, and states into their files.
class Replayer {
 public:
  explicit Replayer(Disk& disk) : disk_(disk) {}

  Result<void> take(const std::string& path, const JournalFrame& frame, const JournalWrite& write) {
    if (frame.number.lsn != last_lsn_) ++report_.frames;
    last_lsn_ = frame.number.lsn;
    if (write.segment == state_segment) {
      states_[path] = to_bytes(write.bytes);
      return {};
    }
    TRY_ASSIGN(File* const file, open(path));
    if (file == nullptr) {
      // Whether that is damage is for the log's own recovery to say.
      ++report_.void_writes;
      return {};
    }
    TRY_ASSIGN(const std::uint64_t size, file->size());
    if (size < write.position) {
      return journal_damaged(
          path, fmt::format("the segment has {} bytes, and the journal goes on at {}", size,
                            write.position));
    }
    // Also where it seems to be there: of what a failed sync has lost, the page cache may still
    // have a copy that nobody writes again.
    TRY(file->write_at(write.position, write.bytes));
    written_.insert(path);
    ++report_.writes;
    report_.bytes += write.bytes.size();
    return {};
  }

  Result<void> sync() {
    files_.clear();
    SyncBatch batch;
    for (const std::string& path : written_) {
      TRY_ASSIGN(batch.files.emplace_back(), disk_.open(path, OpenMode::read_write));
      if (batch.files.size() < open_files_max) continue;
      TRY(disk_.sync_all(batch));
      batch.files.clear();
    }
    if (!batch.files.empty()) TRY(disk_.sync_all(batch));
    report_.segments = written_.size();
    return {};
  }

  /// The last of each directory.
  Result<void> take_states(const TakeStates& take) {
    if (states_.empty()) return {};
    if (!take) {
      return Error{Errc::unsupported,
                   fmt::format("{}: the journal has the votes of a node of a cluster: start the "
                               "broker on this directory first",
                               states_.begin()->first)};
    }
    TRY_ASSIGN(report_.states, take(states_));
    return {};
  }

  JournalReplay& report() { return report_; }

 private:
  Result<File*> open(const std::string& path) {
    const auto known = files_.find(path);
    if (known != files_.end()) return known->second.get();
    if (files_.size() >= open_files_max) files_.clear();
    Result<std::shared_ptr<File>> file = disk_.open(path, OpenMode::read_write);
    if (!file && file.error().code == Errc::not_found) return static_cast<File*>(nullptr);
    if (!file) return std::move(file).error();
    return files_.emplace(path, std::move(*file)).first->second.get();
  }

  Disk& disk_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::map<std::string, Bytes> states_;  // by directory
  std::set<std::string> written_;
  std::uint64_t last_lsn_ = 0;
  JournalReplay report_;
};

/// The frames that count, by shard.
Result<std::map<std::uint32_t, Frames>> find_needed_frames(Disk& disk,
                                                           const std::string& data_directory) {
  std::map<std::uint32_t, Frames> shards;
  TRY_ASSIGN(const bool there, disk.exists(journal_directory(data_directory)));
  if (!there) return shards;
  TRY_ASSIGN(const std::vector<JournalFileName> names, list_journal_files(disk, data_directory));
  if (names.empty()) return shards;
  TRY_ASSIGN(const std::uint64_t epoch, read_journal_epoch(disk, data_directory));
  for (const JournalFileName& name : names) {
    const std::string file = journal_directory(data_directory) + "/" + journal_file_name(name);
    TRY(find_frames(disk, file, epoch, shards[name.shard]));
  }
  for (auto& [shard, frames] : shards) TRY(keep_needed(frames));
  return shards;
}

}  // namespace

Result<void> for_each_journal_write(Disk& disk, const std::string& data_directory,
                                    const VisitJournalWrite& visit, std::uint64_t& void_writes) {
  TRY_ASSIGN(const auto shards, find_needed_frames(disk, data_directory));
  Targets targets(disk, data_directory);
  Bytes bytes;
  std::string open_path;
  std::shared_ptr<File> file;
  for (const auto& [shard, frames] : shards) {
    for (const auto& [lsn, place] : frames) {
      if (place.file != open_path) {
        TRY_ASSIGN(file, disk.open(place.file, OpenMode::read));
        open_path = place.file;
      }
      bytes.resize(place.bytes);
      TRY_ASSIGN(const std::size_t read, file->read_at(place.position, bytes));
      const auto frame = decode_journal_frame(ByteView(bytes).first(read));
      if (!frame) return journal_damaged(place.file, "the journal changes while it is read");
      for (const JournalWrite& write : frame->writes) {
        TRY_ASSIGN(const bool is_void, targets.is_void(*frame, write));
        if (is_void) {
          ++void_writes;
          continue;
        }
        std::string path = fmt::format("{}/{}", data_directory, write.directory);
        if (write.segment != state_segment) {
          path += "/" + segment_file_name({write.segment}, log_suffix);
        }
        TRY(visit(path, *frame, write));
      }
    }
  }
  return {};
}

Result<JournalReplay> replay_journals(Disk& disk, const std::string& data_directory,
                                      const TakeStates& take_states) {
  TRY_ASSIGN(const bool there, disk.exists(journal_directory(data_directory)));
  if (!there) return JournalReplay{};
  TRY_ASSIGN(const std::vector<JournalFileName> names, list_journal_files(disk, data_directory));
  // One that was only begun: nothing was ever in it.
  if (names.empty()) return JournalReplay{};
  const auto begin = std::chrono::steady_clock::now();
  Replayer replayer(disk);
  JournalReplay& report = replayer.report();
  TRY(for_each_journal_write(
      disk, data_directory,
      [&](const std::string& path, const JournalFrame& frame, const JournalWrite& write) {
        return replayer.take(path, frame, write);
      },
      report.void_writes));
  TRY(replayer.sync());
  TRY(replayer.take_states(take_states));
  TRY_ASSIGN(const std::uint64_t epoch, read_journal_epoch(disk, data_directory));
  TRY(write_journal_epoch(disk, data_directory, epoch + 1));
  if (report.frames != 0 || report.void_writes != 0) {
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - begin);
    log_info("the journal was copied into the segments", {{"frames", report.frames},
                                                          {"writes", report.writes},
                                                          {"bytes", report.bytes},
                                                          {"segments", report.segments},
                                                          {"states", report.states},
                                                          {"void_writes", report.void_writes},
                                                          {"ms", taken.count()}});
  }
  return report;
}

}  // namespace chronik::wal
