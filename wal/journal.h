// Journal: makes small appends of many logs durable by one sync. What they wrote to their segments
// through the page cache only is in its frames as well, until the segments are synced; a start
// copies it there (wal/journal_replay.h, wal/format.md "Journal").
//
// One per shard, made when the data directory was opened and before any of its logs is. It owns
// files of a fixed size, which are written once before they are used and recycled afterwards; when
// none is free there is no place, and the logs are synced in place. All on the shard, except where
// it says so.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "wal/checkpoint.h"
#include "wal/journal_frame.h"
#include "wal/journal_home.h"

namespace chronik::wal {

struct JournalOptions {
  /// Of all files.
  std::uint64_t bytes_max = 128u << 20;
  std::uint64_t file_bytes = 16u << 20;
  /// A larger append is synced in place: it would be written twice for nothing.
  std::uint64_t append_bytes_max = 256u << 10;
  /// With fewer logs to be synced at once, syncs in place are as many.
  std::size_t logs_min = 2;
  /// Segments that are synced together behind the acknowledgements.
  std::size_t writeback_logs_max = 128;
  /// From so many on they are synced by one call for their file system, where it can: how many
  /// there are does not count then. It may wait for what others have written to that file system.
  std::size_t file_system_sync_logs_min = 256;
  /// So many logs with appends of so many bytes each, on the average, are synced in place by that
  /// call: written twice they would cost more than their files do.
  std::size_t round_sync_logs_min = 4;
  std::uint64_t round_sync_append_bytes_min = 16u << 10;
  /// False: some of its logs are on other file systems, so that no one call syncs them all.
  bool one_file_system = true;
  /// The first file is made before there is any use for it.
  bool make_at_once = false;

  /// What is left of `bytes_max` for each of `shards`; nothing when that is too little to be of
  /// use.
  static std::optional<JournalOptions> share(std::uint64_t bytes_max, std::uint32_t shards);
};

/// Where the next frame goes.
struct FramePlace {
  std::shared_ptr<File> file;
  std::uint64_t position = 0;
  FrameNumber number;
  std::atomic<std::uint64_t>* begun = nullptr;  // of the Journal
  std::size_t file_number = 0;
  /// The frame has no writes: it only says what is released.
  bool empty = false;
};

class Journal {
 public:
  /// Takes the files that are there. `home`: begin_journals(). Errors: io, busy.
  static Result<std::unique_ptr<Journal>> open(std::shared_ptr<JournalHome> home,
                                               std::uint32_t shard, JournalOptions options);

  const JournalOptions& options() const { return options_; }
  /// On any thread; nullptr where the file system does not offer it, and without `one_file_system`.
  FileSystemSync* file_system_sync() const { return file_system_sync_.get(); }
  /// For rounds, whose thread is another one: what could not be written each object is told of only
  /// once, and who is not told would acknowledge it.
  FileSystemSync* round_sync() const { return round_sync_.get(); }
  /// Whether logs in this directory have their place in this journal.
  bool serves(std::string_view log_directory) const;

  /// For a frame of at most `bytes`. `released`: the segments have all frames up to it, synced.
  /// Nothing when no file is free. The same place again until taken().
  std::optional<FramePlace> place(std::uint64_t bytes, std::uint64_t released);
  /// Where place() has nothing: of an empty frame, with which a file becomes free. A file is not
  /// written over before a frame on disk says that it may be: should the next one be torn, that one
  /// is the last.
  std::optional<FramePlace> place_of_release(std::uint64_t released);
  /// The frame was written and synced.
  void taken(const FramePlace& place, std::uint64_t bytes);
  std::uint64_t last_lsn() const { return last_lsn_; }
  /// As the last frame on disk says.
  std::uint64_t released() const { return released_; }
  /// From 0 to 1: how much of what it may use, or of what a full disk lets it have, is still
  /// needed.
  double fullness(std::uint64_t released) const;

  /// The path of one more file, where one should be made because none is free and there was use for
  /// one: make_file() comes next.
  std::optional<std::string> wanted_file(std::uint64_t released) const;
  /// On any thread: blocks taken and written, content and name synced. Errors: no_space, busy, io.
  Result<std::shared_ptr<File>> make_file(const std::string& path) const;
  void end_file(Result<std::shared_ptr<File>> made);
  /// Of another attempt after a full disk.
  void try_again() { starved_ = false; }

  /// On any thread: frames up to here were begun. A checkpoint that carries it makes those of its
  /// log void.
  JournalMark mark() const { return {home_->epoch(), begun_.load(std::memory_order_acquire)}; }

 private:
  struct JournalFile {
    std::shared_ptr<File> file;
    std::uint64_t last_lsn = 0;  // 0: nothing of this epoch
  };

  Journal(std::shared_ptr<JournalHome> home, std::uint32_t shard, JournalOptions options);
  std::string path(std::size_t number) const { return home_->path({shard_, number}); }

  const std::shared_ptr<JournalHome> home_;
  const std::uint32_t shard_;
  const JournalOptions options_;
  std::unique_ptr<FileSystemSync> file_system_sync_;  // made before anything is written
  std::unique_ptr<FileSystemSync> round_sync_;
  std::vector<JournalFile> files_;  // in their turn, which is not that of their numbers
  std::size_t current_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t last_lsn_ = 0;
  std::uint64_t released_ = 0;
  std::atomic<std::uint64_t> begun_{0};
  bool starved_ = false;
  bool wanted_;  // there was a frame to be written
};

}  // namespace chronik::wal
