#include <spdlog/fmt/fmt.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>

#include "base/coding.h"
#include "metadata/apply.h"
#include "metadata/event_codec.h"
#include "metadata/snapshot_file.h"
#include "metadata/snapshot_format.h"
#include "metadata/stream_hash.h"

namespace chronik::metadata {

namespace {

constexpr std::size_t read_bytes = 256 << 10;
constexpr std::size_t hashed_header_bytes = snapshot_header_size - 8;
constexpr int name_digits = 20;

Error damaged(const std::string& path, const std::string& why) {
  return {Errc::corrupt, fmt::format("{}: damaged snapshot of the metadata: {}", path, why)};
}

/// Takes plain bytes in pieces, cuts them into events and applies these.
class EventStream {
 public:
  EventStream(const std::string& path, ImageBuilder& builder) : path_(path), builder_(builder) {}

  Result<void> take(ByteView plain) {
    buffer_.insert(buffer_.end(), plain.begin(), plain.end());
    plain_bytes_ += plain.size();
    std::size_t consumed = 0;
    for (;;) {
      const ByteView rest = ByteView(buffer_).subspan(consumed);
      Reader reader(rest);
      const std::uint32_t length = reader.uvarint();
      // An event that is not there whole yet; a length that never fits shows at the end.
      if (!reader.ok() || length > reader.remaining()) break;
      TRY(apply(reader.bytes(length)));
      consumed += rest.size() - reader.remaining();
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed));
    return {};
  }

  std::uint64_t events() const { return events_; }
  std::uint64_t plain_bytes() const { return plain_bytes_; }
  bool finished() const { return buffer_.empty(); }

 private:
  Result<void> apply(ByteView bytes) {
    ++events_;
    Result<std::optional<MetadataEvent>> event = decode_event(bytes);
    if (!event && event.error().code == Errc::unsupported) {
      return Error{Errc::unsupported, fmt::format("{}: {}", path_, event.error().message)};
    }
    if (!event) return damaged(path_, event.error().message);
    if (!*event) return {};
    const ApplyResult result = builder_.apply(**event);
    if (!result.ok()) return damaged(path_, describe_event(**event) + ": " + result.message);
    if (!result.rejected.empty()) {
      return damaged(path_, describe_event(**event) + ": a partition of it does not exist");
    }
    return {};
  }

  const std::string& path_;
  ImageBuilder& builder_;
  Bytes buffer_;
  std::uint64_t events_ = 0;
  std::uint64_t plain_bytes_ = 0;
};

struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

/// Calls take(ByteView) for the file's bytes behind the header, piece by piece.
template <class Take>
Result<void> for_each_piece(const File& file, std::uint64_t stored_bytes, Take&& take) {
  Bytes piece(read_bytes);
  for (std::uint64_t at = 0; at < stored_bytes;) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(read_bytes, stored_bytes - at));
    TRY_ASSIGN(const std::size_t got,
               file.read_at(snapshot_header_size + at, MutableByteView(piece.data(), want)));
    if (got == 0) break;
    TRY(take(ByteView(piece.data(), got)));
    at += got;
  }
  return {};
}

Result<void> check_stored(const File& file, const SnapshotHeader& header, const std::string& path) {
  TRY_ASSIGN(const std::uint64_t size, file.size());
  if (size != snapshot_header_size + header.stored_bytes) {
    return damaged(path, fmt::format("it has {} bytes and should have {}", size,
                                     snapshot_header_size + header.stored_bytes));
  }
  StreamHash hash;
  TRY(for_each_piece(file, header.stored_bytes, [&](ByteView bytes) -> Result<void> {
    hash.update(bytes);
    return {};
  }));
  if (hash.digest() != header.stored_hash) return damaged(path, "its checksum does not match");
  return {};
}

Result<void> read_events(const File& file, const SnapshotHeader& header, const std::string& path,
                         ImageBuilder& builder) {
  EventStream events(path, builder);
  const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> decompressor(ZSTD_createDCtx());
  CHECK(decompressor != nullptr);
  Bytes plain(ZSTD_DStreamOutSize());
  std::size_t state = 1;
  TRY(for_each_piece(file, header.stored_bytes, [&](ByteView stored) -> Result<void> {
    ZSTD_inBuffer input{stored.data(), stored.size(), 0};
    for (;;) {
      ZSTD_outBuffer output{plain.data(), plain.size(), 0};
      state = ZSTD_decompressStream(decompressor.get(), &output, &input);
      if (ZSTD_isError(state)) return damaged(path, ZSTD_getErrorName(state));
      TRY(events.take(ByteView(plain.data(), output.pos)));
      if (events.plain_bytes() > header.plain_bytes) return damaged(path, "it is too long");
      // A full output buffer may hide more that the input has already given.
      if (input.pos == input.size && output.pos < output.size) return {};
    }
  }));
  if (state != 0 || !events.finished() || events.events() != header.events ||
      events.plain_bytes() != header.plain_bytes) {
    return damaged(path, fmt::format("it holds {} events of {}", events.events(), header.events));
  }
  return {};
}

}  // namespace

Bytes encode_snapshot_header(const SnapshotHeader& header) {
  Writer writer;
  writer.text(snapshot_magic);
  writer.u16(snapshot_format_version);
  writer.u16(0);
  writer.i32(header.epoch);
  writer.i64(header.index);
  writer.i64(header.offset);
  writer.u64(header.events);
  writer.u64(header.plain_bytes);
  writer.u64(header.stored_bytes);
  writer.u64(header.stored_hash);
  Bytes bytes = writer.take_bytes();
  CHECK(bytes.size() == hashed_header_bytes);
  bytes.resize(snapshot_header_size);
  store_be<std::uint64_t>(bytes.data() + hashed_header_bytes,
                          XXH3_64bits(bytes.data(), hashed_header_bytes));
  return bytes;
}

Result<SnapshotHeader> decode_snapshot_header(ByteView bytes, const std::string& path) {
  if (bytes.size() < snapshot_header_size) return damaged(path, "it is shorter than its header");
  Reader reader(bytes.first(snapshot_header_size));
  if (reader.text(snapshot_magic.size()) != snapshot_magic) {
    return damaged(path, "it does not begin as a snapshot does");
  }
  const std::uint16_t version = reader.u16();
  reader.u16();
  SnapshotHeader header;
  header.epoch = reader.i32();
  header.index = reader.i64();
  header.offset = reader.i64();
  header.events = reader.u64();
  header.plain_bytes = reader.u64();
  header.stored_bytes = reader.u64();
  header.stored_hash = reader.u64();
  if (reader.u64() != XXH3_64bits(bytes.data(), hashed_header_bytes)) {
    return damaged(path, "the checksum of its header does not match");
  }
  if (version != snapshot_format_version) {
    return Error{Errc::unsupported,
                 fmt::format("{}: snapshot format {}, this build knows {}: start the newer chronik "
                             "that wrote it",
                             path, version, snapshot_format_version)};
  }
  return header;
}

Result<LoadedSnapshot> load_snapshot(Disk& disk, const std::string& path) {
  TRY_ASSIGN(const std::shared_ptr<File> file, disk.open(path, OpenMode::read));
  Bytes head(snapshot_header_size);
  TRY_ASSIGN(const std::size_t got, file->read_at(0, head));
  TRY_ASSIGN(const SnapshotHeader header, decode_snapshot_header(ByteView(head).first(got), path));
  if (header.index < 0 || header.offset < 0) return damaged(path, "its position is negative");
  TRY(check_stored(*file, header, path));
  ImageBuilder builder(std::make_shared<const Image>());
  TRY(read_events(*file, header, path, builder));
  builder.set_applied(header.index, header.offset);
  LoadedSnapshot loaded;
  loaded.info = {path,
                 header.index,
                 header.offset,
                 header.epoch,
                 header.events,
                 header.plain_bytes,
                 snapshot_header_size + header.stored_bytes};
  loaded.image = builder.finish().image;
  return loaded;
}

std::string snapshot_path(const std::string& directory, Offset offset) {
  return fmt::format("{}/{:0{}}{}", directory, offset, name_digits, snapshot_suffix);
}

Result<FoundSnapshots> find_snapshots(Disk& disk, const std::string& directory) {
  FoundSnapshots found;
  Result<std::vector<DirectoryEntry>> entries = disk.list(directory);
  if (!entries && entries.error().code == Errc::not_found) return found;
  if (!entries) return std::move(entries).error();
  for (const DirectoryEntry& entry : *entries) {
    std::string_view name = entry.name;
    const bool unfinished = name.ends_with(unfinished_suffix);
    if (unfinished) name.remove_suffix(unfinished_suffix.size());
    if (!name.ends_with(snapshot_suffix)) continue;
    name.remove_suffix(snapshot_suffix.size());
    Offset offset = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), offset);
    if (name.size() != name_digits || error != std::errc() || end != name.data() + name.size()) {
      continue;
    }
    if (unfinished) {
      found.unfinished.push_back(directory + "/" + entry.name);
    } else {
      found.snapshots.push_back({directory + "/" + entry.name, offset});
    }
  }
  std::sort(found.snapshots.begin(), found.snapshots.end(),
            [](const SnapshotName& a, const SnapshotName& b) { return a.offset > b.offset; });
  return found;
}

}  // namespace chronik::metadata
