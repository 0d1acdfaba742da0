#include "wal/segment_index.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {

constexpr std::string_view magic = "chrnkidx";
constexpr std::size_t header_crc_at = 60;
constexpr std::size_t entry_crc_at = 28;
/// As many entries are read at once when a search has come so near.
constexpr std::uint32_t block_entries = 128;

std::uint64_t position_of(std::uint64_t number) {
  return index_header_bytes + number * index_entry_bytes;
}

Error damaged(std::string_view what) { return {Errc::corrupt, fmt::format("index: {}", what)}; }

Result<IndexEntry> read_entry(const File& file, std::uint32_t number) {
  std::array<std::uint8_t, index_entry_bytes> bytes;
  TRY_ASSIGN(const std::size_t n, file.read_at(position_of(number), bytes));
  if (n != bytes.size()) return damaged("shorter than its entries");
  const std::optional<IndexEntry> entry = decode_index_entry(bytes);
  if (!entry) return damaged(fmt::format("entry {} does not match its checksum", number));
  return *entry;
}

}  // namespace

Bytes encode_index_header(const IndexOwner& owner) {
  Writer writer;
  writer.text(magic);
  writer.u16(format_version);
  writer.u16(0);
  writer.i32(owner.partition);
  writer.bytes(owner.topic_id.bytes);
  writer.i64(owner.base_offset);
  writer.i64(owner.base_index);
  Bytes bytes = writer.take_bytes();
  bytes.resize(index_header_bytes);
  store_be(bytes.data() + header_crc_at, crc32c(ByteView(bytes).first(header_crc_at)));
  return bytes;
}

Result<IndexOwner> decode_index_header(ByteView bytes) {
  if (bytes.size() < index_header_bytes) return damaged("shorter than its header");
  Reader reader(bytes.first(index_header_bytes));
  const std::string_view found_magic = reader.text(magic.size());
  const std::uint16_t version = reader.u16();
  reader.u16();
  IndexOwner owner;
  owner.partition = reader.i32();
  const ByteView id = reader.bytes(owner.topic_id.bytes.size());
  std::copy(id.begin(), id.end(), owner.topic_id.bytes.begin());
  owner.base_offset = reader.i64();
  owner.base_index = reader.i64();
  const auto crc = load_be<std::uint32_t>(bytes.data() + header_crc_at);
  if (found_magic != magic || crc != crc32c(bytes.first(header_crc_at))) {
    return damaged("its header does not match its checksum");
  }
  if (version != format_version) return damaged(fmt::format("of version {}", version));
  return owner;
}

void encode_index_entry(const IndexEntry& entry, MutableByteView out) {
  CHECK(out.size() >= index_entry_bytes);
  std::uint8_t* p = out.data();
  store_be(p, entry.offset_delta);
  store_be(p + 4, entry.index_delta);
  store_be(p + 8, entry.position);
  store_be(p + 12, entry.chain);
  store_be(p + 16, entry.max_timestamp_before);
  store_be(p + 24, std::uint32_t{0});
  store_be(p + entry_crc_at, crc32c({p, entry_crc_at}));
}

std::optional<IndexEntry> decode_index_entry(ByteView bytes) {
  CHECK(bytes.size() >= index_entry_bytes);
  const std::uint8_t* p = bytes.data();
  if (load_be<std::uint32_t>(p + entry_crc_at) != crc32c({p, entry_crc_at})) return std::nullopt;
  IndexEntry entry;
  entry.offset_delta = load_be<std::uint32_t>(p);
  entry.index_delta = load_be<std::uint32_t>(p + 4);
  entry.position = load_be<std::uint32_t>(p + 8);
  entry.chain = load_be<std::uint32_t>(p + 12);
  entry.max_timestamp_before = load_be<Timestamp>(p + 16);
  return entry;
}

Result<std::optional<FoundIndexEntry>> find_last_entry(const File& file, std::uint32_t count,
                                                       const IndexPredicate& before) {
  // Invariant: true below `low`, false from `high` on.
  std::uint32_t low = 0;
  std::uint32_t high = count;
  std::optional<FoundIndexEntry> found;
  while (high - low > block_entries) {
    const std::uint32_t middle = low + (high - low) / 2;
    TRY_ASSIGN(const IndexEntry entry, read_entry(file, middle));
    if (before(entry)) {
      found = FoundIndexEntry{middle, entry};
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  std::array<std::uint8_t, block_entries * index_entry_bytes> block;
  const MutableByteView wanted = MutableByteView(block).first((high - low) * index_entry_bytes);
  TRY_ASSIGN(const std::size_t n, file.read_at(position_of(low), wanted));
  if (n != wanted.size()) return damaged("shorter than its entries");
  for (std::uint32_t i = low; i < high; ++i) {
    const auto entry = decode_index_entry(wanted.subspan((i - low) * index_entry_bytes));
    if (!entry) return damaged(fmt::format("entry {} does not match its checksum", i));
    if (!before(*entry)) break;
    found = FoundIndexEntry{i, *entry};
  }
  return found;
}

Result<std::vector<IndexEntry>> read_index(const File& file, std::uint32_t count,
                                           const IndexOwner& owner) {
  // The file decides how much memory is taken, not the count.
  TRY_ASSIGN(const std::uint64_t size, file.size());
  if (size < position_of(count)) return damaged("shorter than its entries");
  Bytes bytes(position_of(count));
  TRY_ASSIGN(const std::size_t n, file.read_at(0, bytes));
  if (n != bytes.size()) return damaged("shorter than its entries");
  TRY_ASSIGN(const IndexOwner found, decode_index_header(bytes));
  if (found != owner) return damaged("of another segment");
  std::vector<IndexEntry> entries;
  entries.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto entry = decode_index_entry(ByteView(bytes).subspan(position_of(i)));
    if (!entry) return damaged(fmt::format("entry {} does not match its checksum", i));
    if (!entries.empty() && entry->position <= entries.back().position) {
      return damaged(fmt::format("entry {} is out of order", i));
    }
    entries.push_back(*entry);
  }
  return entries;
}

}  // namespace chronik::wal
