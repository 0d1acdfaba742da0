#include "wal/journal.h"

#include <algorithm>

#include "base/log.h"
#include "wal/journal_replay.h"

namespace chronik::wal {

std::optional<JournalOptions> JournalOptions::share(std::uint64_t bytes_max, std::uint32_t shards) {
  constexpr std::uint64_t file_bytes_max = 32u << 20;
  constexpr std::uint64_t file_bytes_min = 256u << 10;
  JournalOptions options;
  options.bytes_max = bytes_max / shards;
  options.file_bytes =
      std::min(file_bytes_max, options.bytes_max / 8 / journal_block_bytes * journal_block_bytes);
  if (options.file_bytes < file_bytes_min) return std::nullopt;
  return options;
}

Journal::Journal(std::shared_ptr<JournalHome> home, std::uint32_t shard, JournalOptions options)
    : home_(std::move(home)), shard_(shard), options_(options), wanted_(options.make_at_once) {}

Result<std::unique_ptr<Journal>> Journal::open(std::shared_ptr<JournalHome> home,
                                               std::uint32_t shard, JournalOptions options) {
  Disk& disk = home->disk();
  std::unique_ptr<Journal> journal(new Journal(std::move(home), shard, options));
  if (options.one_file_system) {
    const std::string& data_directory = journal->home_->data_directory();
    TRY_ASSIGN(journal->file_system_sync_, disk.file_system_sync(data_directory));
    TRY_ASSIGN(journal->round_sync_, disk.file_system_sync(data_directory));
  }
  const std::uint64_t count_max = options.bytes_max / options.file_bytes;
  for (std::size_t number = 0; number < count_max; ++number) {
    const std::string path = journal->path(number);
    Result<std::shared_ptr<File>> file = disk.open(path, OpenMode::read_write);
    if (!file && file.error().code == Errc::not_found) break;
    if (!file) return std::move(file).error();
    TRY_ASSIGN(const std::uint64_t size, (*file)->size());
    // One that was not finished, or of another size, is made again.
    if (size != options.file_bytes) break;
    journal->files_.push_back({std::move(*file)});
  }
  const auto entries = disk.list(journal_directory(journal->home_->data_directory()));
  if (!entries && entries.error().code == Errc::not_found) return journal;
  if (!entries) return entries.error();
  for (const DirectoryEntry& entry : *entries) {
    const auto name = parse_journal_file_name(entry.name);
    if (!name || name->shard != shard || name->number < journal->files_.size()) continue;
    TRY(disk.remove(journal->path(name->number)));
  }
  return journal;
}

bool Journal::serves(std::string_view log_directory) const {
  const std::string& data = home_->data_directory();
  return log_directory.size() > data.size() + 1 && log_directory.starts_with(data) &&
         log_directory[data.size()] == '/' &&
         log_directory.find('/', data.size() + 1) == std::string_view::npos;
}

std::optional<FramePlace> Journal::place(std::uint64_t bytes, std::uint64_t released) {
  // The last block of a file is place_of_release()'s.
  const std::uint64_t usable = options_.file_bytes - journal_block_bytes;
  const std::uint64_t needed = round_up_to_block(bytes);
  wanted_ = true;
  if (needed > usable || files_.empty()) return std::nullopt;
  if (position_ + needed > usable) {
    // In turn, so that those in use are always one behind the other.
    const std::size_t next = (current_ + 1) % files_.size();
    if (files_[next].last_lsn > released_) return std::nullopt;
    current_ = next;
    position_ = 0;
  }
  return FramePlace{files_[current_].file,
                    position_,
                    {home_->epoch(), last_lsn_ + 1, released},
                    &begun_,
                    current_};
}

std::optional<FramePlace> Journal::place_of_release(std::uint64_t released) {
  if (files_.empty()) return std::nullopt;
  const JournalFile& next = files_[(current_ + 1) % files_.size()];
  if (next.last_lsn <= released_ || next.last_lsn > released) return std::nullopt;
  if (position_ + journal_block_bytes > options_.file_bytes) return std::nullopt;
  FramePlace place{files_[current_].file, position_, {home_->epoch(), last_lsn_ + 1, released}};
  place.begun = &begun_;
  place.file_number = current_;
  place.empty = true;
  return place;
}

void Journal::taken(const FramePlace& place, std::uint64_t bytes) {
  CHECK(place.number.lsn == last_lsn_ + 1 && place.file_number == current_);
  last_lsn_ = place.number.lsn;
  released_ = place.number.released;
  files_[current_].last_lsn = last_lsn_;
  position_ = place.position + round_up_to_block(bytes);
}

double Journal::fullness(std::uint64_t released) const {
  if (files_.empty()) return 0;
  const std::uint64_t count_max =
      starved_ ? files_.size() : options_.bytes_max / options_.file_bytes;
  const auto used = std::count_if(files_.begin(), files_.end(), [&](const JournalFile& file) {
    return file.last_lsn > released;
  });
  return static_cast<double>(used) / static_cast<double>(count_max);
}

std::optional<std::string> Journal::wanted_file(std::uint64_t released) const {
  if (!wanted_ || starved_ || files_.size() >= options_.bytes_max / options_.file_bytes)
    return std::nullopt;
  const std::size_t next = files_.empty() ? 0 : (current_ + 1) % files_.size();
  const bool is_free = files_.size() > 1 && files_[next].last_lsn <= released;
  return is_free ? std::nullopt : std::optional(path(files_.size()));
}

Result<std::shared_ptr<File>> Journal::make_file(const std::string& path) const {
  constexpr std::uint64_t step = 1u << 20;
  const auto fill = [&]() -> Result<std::shared_ptr<File>> {
    TRY(home_->make());
    TRY_ASSIGN(const std::shared_ptr<File> file, home_->disk().open(path, OpenMode::create));
    TRY(file->truncate(0));
    TRY(file->allocate(options_.file_bytes));
    const Bytes zeros(std::min(step, options_.file_bytes));
    for (std::uint64_t at = 0; at < options_.file_bytes; at += step) {
      TRY(file->write_at(at, ByteView(zeros).first(std::min(step, options_.file_bytes - at))));
    }
    TRY(file->sync_data());
    TRY(home_->sync_names());
    return file;
  };
  Result<std::shared_ptr<File>> made = fill();
  if (!made && made.error().code == Errc::no_space) (void)home_->disk().remove(path);
  return made;
}

void Journal::end_file(Result<std::shared_ptr<File>> made) {
  if (!made) {
    starved_ = true;
    log_warn("no file for the journal can be made: logs are synced one by one",
             {{"why", made.error().message}});
    return;
  }
  // Its turn is next: those that come otherwise are still needed.
  const std::size_t turn = files_.empty() ? 0 : current_ + 1;
  files_.insert(files_.begin() + static_cast<std::ptrdiff_t>(turn), {std::move(*made)});
}

}  // namespace chronik::wal
