#include "wal/journal_frame.h"

#include <xxhash.h>

#include <array>
#include <memory>

#include "wal/block_writer.h"

namespace chronik::wal {

namespace {

constexpr std::string_view magic = "chrnkjrn";
constexpr std::uint16_t frame_version = 1;
constexpr std::size_t checksum_at = 56;
constexpr std::size_t write_bytes_min = 16 + 4 + 2 + 8 + 8 + 4;

class Checksum {
 public:
  Checksum() : state_(XXH3_createState(), XXH3_freeState) { XXH3_64bits_reset(state_.get()); }
  void add(ByteView bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

}  // namespace

std::uint64_t JournalFrameBuilder::bytes_of(std::string_view directory,
                                            std::uint64_t append_bytes) {
  return write_bytes_min + directory.size() + append_bytes;
}

void JournalFrameBuilder::add(const LogIdentity& identity, std::string_view directory,
                              Offset segment, std::uint64_t position,
                              std::span<const ByteView> parts) {
  std::uint64_t bytes = 0;
  for (const ByteView part : parts) bytes += part.size();
  table_.bytes(identity.topic_id.bytes);
  table_.i32(identity.partition);
  table_.u16(static_cast<std::uint16_t>(directory.size()));
  table_.text(directory);
  table_.i64(segment);
  table_.u64(position);
  table_.u32(static_cast<std::uint32_t>(bytes));
  parts_.insert(parts_.end(), parts.begin(), parts.end());
  data_bytes_ += bytes;
  ++writes_;
}

Result<void> JournalFrameBuilder::write(File& file, std::uint64_t position,
                                        const FrameNumber& number) {
  const Bytes table = table_.take_bytes();
  const std::uint64_t length = header_bytes + table.size() + data_bytes_;
  Writer writer;
  writer.text(magic);
  writer.u16(frame_version);
  writer.u16(0);
  writer.u32(writes_);
  writer.u64(number.epoch);
  writer.u64(number.lsn);
  writer.u64(number.released);
  writer.u64(length);
  writer.u32(static_cast<std::uint32_t>(table.size()));
  writer.u32(0);
  writer.u64(0);
  const Bytes header = writer.take_bytes();
  Checksum checksum;
  checksum.add(ByteView(header).first(checksum_at));
  checksum.add(table);
  BlockWriter blocks(file, position, round_up_to_block(length));
  TRY(blocks.add(header));
  TRY(blocks.add(table));
  for (const ByteView part : parts_) {
    checksum.add(part);
    TRY(blocks.add(part));
  }
  std::array<std::uint8_t, sizeof(std::uint64_t)> sum{};
  store_be(sum.data(), checksum.value());
  return blocks.finish(checksum_at, sum);
}

std::optional<JournalFrame> decode_journal_frame(ByteView bytes) {
  Reader reader(bytes);
  if (reader.text(magic.size()) != magic || reader.u16() != frame_version) return std::nullopt;
  reader.u16();
  const std::uint32_t count = reader.u32();
  JournalFrame frame;
  frame.number.epoch = reader.u64();
  frame.number.lsn = reader.u64();
  frame.number.released = reader.u64();
  const std::uint64_t length = reader.u64();
  const std::uint32_t table_bytes = reader.u32();
  reader.u32();
  const std::uint64_t expected = reader.u64();
  if (!reader.ok() || length > bytes.size() ||
      length < JournalFrameBuilder::header_bytes + table_bytes ||
      count > table_bytes / write_bytes_min) {
    return std::nullopt;
  }
  Checksum checksum;
  checksum.add(bytes.first(checksum_at));
  checksum.add(
      bytes.subspan(JournalFrameBuilder::header_bytes, length - JournalFrameBuilder::header_bytes));
  if (checksum.value() != expected) return std::nullopt;
  Reader table(bytes.subspan(JournalFrameBuilder::header_bytes, table_bytes));
  Reader data(bytes.subspan(JournalFrameBuilder::header_bytes + table_bytes,
                            length - JournalFrameBuilder::header_bytes - table_bytes));
  frame.writes.reserve(count);
  for (std::uint32_t i = 0; i < count && table.ok() && data.ok(); ++i) {
    JournalWrite& write = frame.writes.emplace_back();
    const ByteView id = table.bytes(write.topic_id.bytes.size());
    if (!table.ok()) break;
    std::copy(id.begin(), id.end(), write.topic_id.bytes.begin());
    write.partition = table.i32();
    write.directory = table.text(table.u16());
    write.segment = table.i64();
    write.position = table.u64();
    write.bytes = data.bytes(table.u32());
  }
  if (!table.finished() || !data.finished()) return std::nullopt;
  frame.bytes = round_up_to_block(length);
  return frame;
}

}  // namespace chronik::wal
