#include "metadata/snapshot_file.h"

#include <zstd.h>

#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "metadata/event_codec.h"
#include "metadata/image_events.h"
#include "metadata/snapshot_format.h"
#include "metadata/stream_hash.h"

namespace chronik::metadata {

namespace {

constexpr std::size_t slice_plain_bytes = 128 << 10;
// A long file is synced as it grows, so that no step waits for all of it.
constexpr std::uint64_t sync_every_bytes = 1 << 20;
constexpr int compression_level = 1;
constexpr int window_log = 17;  // bounds the memory of both sides

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

}  // namespace

struct SnapshotWriter::State {
  State(Disk& d, std::string dir, const std::shared_ptr<const Image>& image, LeaderEpoch epoch)
      : disk(d), directory(std::move(dir)), events(image), compressor(ZSTD_createCCtx()) {
    info.path = snapshot_path(directory, image->applied_offset());
    info.index = image->applied_index();
    info.offset = image->applied_offset();
    info.epoch = epoch;
    CHECK(compressor != nullptr);
    ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_compressionLevel, compression_level);
    ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_windowLog, window_log);
  }

  std::string unfinished_path() const { return info.path + std::string(unfinished_suffix); }
  Result<void> start();
  Result<bool> slice();
  Result<void> compress(ByteView plain, bool last);
  Result<void> finish();

  Disk& disk;
  const std::string directory;
  ImageEvents events;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> compressor;
  std::shared_ptr<File> file;
  StreamHash hash;
  std::uint64_t stored_bytes = 0;
  std::uint64_t unsynced_bytes = 0;
  SnapshotInfo info;
};

SnapshotWriter::SnapshotWriter(Disk& disk, std::string directory,
                               const std::shared_ptr<const Image>& image, LeaderEpoch epoch)
    : state_(std::make_unique<State>(disk, std::move(directory), image, epoch)) {}

SnapshotWriter::~SnapshotWriter() = default;

const SnapshotInfo& SnapshotWriter::info() const { return state_->info; }

Result<bool> SnapshotWriter::step() {
  State& state = *state_;
  Result<bool> more = true;
  if (state.file == nullptr) {
    if (Result<void> started = state.start(); !started) more = std::move(started).error();
  } else {
    more = state.slice();
  }
  if (!more && more.error().code == Errc::no_space) {
    state.file.reset();
    // A left-over is removed at the next start; the error that matters is the first one.
    (void)state.disk.remove(state.unfinished_path()).has_value();
  }
  if (!more) return more;
  return !*more;
}

Result<void> SnapshotWriter::State::start() {
  TRY_ASSIGN(file, disk.open(unfinished_path(), OpenMode::create));
  return file->truncate(0);
}

Result<bool> SnapshotWriter::State::slice() {
  if (unsynced_bytes >= sync_every_bytes) {
    unsynced_bytes = 0;
    TRY(file->sync_data());
    return true;
  }
  Writer plain;
  bool last = false;
  while (plain.size() < slice_plain_bytes) {
    const std::optional<MetadataEvent> event = events.next();
    if (!event) {
      last = true;
      break;
    }
    Writer writer;
    encode_event(writer, *event);
    const Bytes bytes = writer.take_bytes();
    plain.uvarint(static_cast<std::uint32_t>(bytes.size()));
    plain.bytes(bytes);
    ++info.events;
  }
  const Bytes bytes = plain.take_bytes();
  info.plain_bytes += bytes.size();
  TRY(compress(bytes, last));
  if (!last) return true;
  TRY(finish());
  return false;
}

Result<void> SnapshotWriter::State::compress(ByteView plain, bool last) {
  ZSTD_inBuffer input{plain.data(), plain.size(), 0};
  Bytes stored(ZSTD_compressBound(plain.size()) + 64);
  std::size_t remaining;
  do {
    ZSTD_outBuffer output{stored.data(), stored.size(), 0};
    remaining = ZSTD_compressStream2(compressor.get(), &output, &input,
                                     last ? ZSTD_e_end : ZSTD_e_continue);
    CHECK_MSG(!ZSTD_isError(remaining), ZSTD_getErrorName(remaining));
    const ByteView bytes(stored.data(), output.pos);
    if (bytes.empty()) continue;
    hash.update(bytes);
    TRY(file->write_at(snapshot_header_size + stored_bytes, bytes));
    stored_bytes += bytes.size();
    unsynced_bytes += bytes.size();
  } while (last ? remaining != 0 : input.pos < input.size);
  return {};
}

Result<void> SnapshotWriter::State::finish() {
  SnapshotHeader header;
  header.epoch = info.epoch;
  header.index = info.index;
  header.offset = info.offset;
  header.events = info.events;
  header.plain_bytes = info.plain_bytes;
  header.stored_bytes = stored_bytes;
  header.stored_hash = hash.digest();
  TRY(file->write_at(0, encode_snapshot_header(header)));
  TRY(file->sync_data());
  TRY(disk.rename(unfinished_path(), info.path));
  TRY(disk.sync_directory(directory));
  info.file_bytes = snapshot_header_size + stored_bytes;
  compressor.reset();
  return {};
}

}  // namespace chronik::metadata
