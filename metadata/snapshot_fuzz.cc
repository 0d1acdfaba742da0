// Arbitrary bytes as a snapshot file, with checksums made right so that they get past them: loading
// gives an image or an error, never an abort; an image can be saved, and is the same when loaded.
#include <xxhash.h>
#include <zstd.h>

#include <cstdint>

#include "base/check.h"
#include "base/coding.h"
#include "base/memory_disk.h"
#include "metadata/image_events.h"
#include "metadata/snapshot_file.h"
#include "metadata/snapshot_format.h"

using namespace chronik;            // NOLINT
using namespace chronik::metadata;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes file(data, data + size);
  const bool compress = size > snapshot_header_size && (data[0] & 2) != 0;
  if (compress) {
    const ByteView plain = ByteView(data, size).subspan(snapshot_header_size);
    file.resize(snapshot_header_size + ZSTD_compressBound(plain.size()));
    const std::size_t stored =
        ZSTD_compress(file.data() + snapshot_header_size, file.size() - snapshot_header_size,
                      plain.data(), plain.size(), 1);
    file.resize(snapshot_header_size + stored);
    store_be<std::uint64_t>(file.data() + 40, plain.size());
  }
  if (size > snapshot_header_size && (data[0] & 1) != 0) {
    const std::string magic(snapshot_magic);
    std::copy(magic.begin(), magic.end(), file.begin());
    store_be<std::uint16_t>(file.data() + 8, snapshot_format_version);
    const ByteView stored = ByteView(file).subspan(snapshot_header_size);
    store_be<std::uint64_t>(file.data() + 48, stored.size());
    store_be<std::uint64_t>(file.data() + 56, XXH3_64bits(stored.data(), stored.size()));
    store_be<std::uint64_t>(file.data() + 64, XXH3_64bits(file.data(), 64));
  }
  MemoryDisk disk;
  CHECK(disk.make_directories("d"));
  disk.set_content("d/file", std::move(file));
  const auto loaded = load_snapshot(disk, "d/file");
  if (!loaded) {
    CHECK(!loaded.error().message.empty());
    return 0;
  }
  CHECK(loaded->image->applied_offset() >= 0);
  SnapshotWriter writer(disk, "d", loaded->image, loaded->info.epoch);
  for (;;) {
    const Result<bool> done = writer.step();
    CHECK_MSG(done.has_value(), done.error().message);
    if (*done) break;
  }
  const auto again = load_snapshot(disk, writer.info().path);
  CHECK_MSG(again.has_value(), again.error().message);
  CHECK(again->info.index == loaded->info.index && again->info.offset == loaded->info.offset);
  CHECK(again->info.epoch == loaded->info.epoch);
  CHECK(image_hash(again->image) == image_hash(loaded->image));
  return 0;
}
