#include "wal/journal_home.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>

#include "base/crc32c.h"
#include "base/random.h"
#include "wal/recovery.h"

namespace chronik::wal {

namespace {

constexpr std::string_view directory_name = "chronik.journal";
constexpr std::string_view epoch_file = "epoch";
constexpr std::uint32_t journal_format = 1;

std::string epoch_path(const std::string& data_directory) {
  return journal_directory(data_directory) + "/" + std::string(epoch_file);
}

std::string encode_epoch(std::uint64_t epoch) {
  std::string text = fmt::format("format={}\nepoch={:016x}\n", journal_format, epoch);
  return text + fmt::format("crc={:08x}\n", crc32c(as_bytes(text)));
}

template <class T>
bool parse_number(std::string_view text, T& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

Error journal_damaged(const std::string& file, const std::string& what) {
  return {Errc::corrupt,
          fmt::format("{}: {}. Nothing was changed. Restore the directory from a copy; or move it "
                      "away, which gives up what was acknowledged last and is in it alone",
                      file, what)};
}

Result<std::uint64_t> read_journal_epoch(Disk& disk, const std::string& data_directory) {
  const std::string file = epoch_path(data_directory);
  const Result<Bytes> bytes = read_file(disk, file);
  if (!bytes && bytes.error().code == Errc::not_found)
    return journal_damaged(file, "it is missing");
  if (!bytes) return bytes.error();
  constexpr std::string_view first = "format=";
  const std::string_view text = as_text(*bytes);
  std::uint32_t format = 0;
  if (text.starts_with(first) &&
      parse_number(text.substr(first.size(), text.find('\n') - first.size()), format, 10) &&
      format > journal_format) {
    return Error{Errc::unsupported,
                 fmt::format("{}: written by a newer chronik (journal format {}, this one knows "
                             "{}): use that version",
                             file, format, journal_format)};
  }
  constexpr std::string_view key = "epoch=";
  const std::size_t at = text.find(key);
  std::uint64_t epoch = 0;
  if (at != std::string_view::npos && text.size() >= at + key.size() + 16 &&
      parse_number(text.substr(at + key.size(), 16), epoch, 16) && encode_epoch(epoch) == text) {
    return epoch;
  }
  return journal_damaged(file, "it does not match its checksum");
}

Result<void> write_journal_epoch(Disk& disk, const std::string& data_directory,
                                 std::uint64_t epoch) {
  const std::string file = epoch_path(data_directory);
  const std::string made = file + ".new";
  TRY_ASSIGN(const auto opened, disk.open(made, OpenMode::create));
  TRY(opened->truncate(0));
  TRY(opened->write_at(0, as_bytes(encode_epoch(epoch))));
  TRY(opened->sync_data());
  TRY(disk.rename(made, file));
  return disk.sync_directory(journal_directory(data_directory));
}

Result<std::vector<JournalFileName>> list_journal_files(Disk& disk,
                                                        const std::string& data_directory) {
  std::vector<JournalFileName> names;
  Result<std::vector<DirectoryEntry>> entries = disk.list(journal_directory(data_directory));
  if (!entries) return std::move(entries).error();
  for (const DirectoryEntry& entry : *entries) {
    if (const auto name = parse_journal_file_name(entry.name)) names.push_back(*name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string journal_directory(const std::string& data_directory) {
  return data_directory + "/" + std::string(directory_name);
}

std::string journal_file_name(JournalFileName name) {
  return fmt::format("{}-{}", name.shard, name.number);
}

std::optional<JournalFileName> parse_journal_file_name(std::string_view text) {
  const std::size_t dash = text.find('-');
  JournalFileName name;
  if (dash == std::string_view::npos || !parse_number(text.substr(0, dash), name.shard, 10) ||
      !parse_number(text.substr(dash + 1), name.number, 10) || journal_file_name(name) != text) {
    return std::nullopt;
  }
  return name;
}

JournalHome::JournalHome(Disk& disk, std::string data_directory, std::uint64_t epoch, bool made)
    : disk_(disk), data_directory_(std::move(data_directory)), epoch_(epoch), made_(made) {}

std::string JournalHome::path(JournalFileName name) const {
  return journal_directory(data_directory_) + "/" + journal_file_name(name);
}

Result<void> JournalHome::make() {
  const std::lock_guard lock(mutex_);
  if (made_) return {};
  TRY(disk_.make_directory(journal_directory(data_directory_)));
  TRY(write_journal_epoch(disk_, data_directory_, epoch_));
  TRY(sync_names());
  made_ = true;
  return {};
}

Result<void> JournalHome::sync_names() const {
  TRY(disk_.sync_directory(journal_directory(data_directory_)));
  return disk_.sync_directory(data_directory_);
}

Result<std::shared_ptr<JournalHome>> begin_journals(Disk& disk, const std::string& data_directory,
                                                    std::uint32_t shards, std::uint64_t seed) {
  const std::string directory = journal_directory(data_directory);
  TRY_ASSIGN(const bool there, disk.exists(directory));
  std::vector<JournalFileName> names;
  if (there) {
    TRY_ASSIGN(names, list_journal_files(disk, data_directory));
  }
  if (names.empty()) {
    return std::make_shared<JournalHome>(disk, data_directory, Random(seed).next(), false);
  }
  TRY_ASSIGN(const std::uint64_t epoch, read_journal_epoch(disk, data_directory));
  auto home = std::make_shared<JournalHome>(disk, data_directory, epoch, true);
  // A process before this one may have ended before they were.
  TRY(home->sync_names());
  for (const JournalFileName& name : names) {
    if (name.shard >= shards) TRY(disk.remove(home->path(name)));
  }
  return home;
}

Result<void> remove_journals(Disk& disk, const std::string& data_directory) {
  const std::string directory = journal_directory(data_directory);
  TRY_ASSIGN(const bool there, disk.exists(directory));
  if (!there) return {};
  TRY_ASSIGN(const std::vector<JournalFileName> names, list_journal_files(disk, data_directory));
  for (const JournalFileName& name : names) {
    TRY(disk.remove(directory + "/" + journal_file_name(name)));
  }
  // With files that a power cut brings back, the epoch must still be there.
  TRY(disk.sync_directory(directory));
  for (const std::string_view name : {epoch_file, std::string_view("epoch.new")}) {
    const Result<void> removed = disk.remove(directory + "/" + std::string(name));
    if (!removed && removed.error().code != Errc::not_found) return removed.error();
  }
  TRY(disk.remove(directory));
  return disk.sync_directory(data_directory);
}

}  // namespace chronik::wal
