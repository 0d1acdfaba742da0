// DamagedLog: a data directory with one partition, made by the real code, then damaged as a string
// of bytes says: what a fuzzer chooses is which log it was and what happened to its files. For the
// fuzz target of recovery and tests of it only.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/seed_logs.h"

namespace chronik::wal::testing {

/// Numbers out of a string of bytes; zeros when it is used up.
class Choices {
 public:
  explicit Choices(ByteView bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::uint16_t word() {
    const auto high = static_cast<std::uint16_t>(byte() << 8);
    return static_cast<std::uint16_t>(high | byte());
  }
  /// In [0, bound); 0 when the bound is.
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : word() % bound; }
  /// As many as a byte says and there are.
  ByteView some() {
    const std::size_t size = std::min<std::size_t>(byte(), bytes_.size());
    return take(size);
  }
  ByteView take(std::size_t size) {
    size = std::min(size, bytes_.size());
    const ByteView taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  ByteView rest() { return take(bytes_.size()); }

 private:
  ByteView bytes_;
};

class DamagedLog {
 public:
  /// The first byte chooses the log, the others the damage.
  explicit DamagedLog(Choices& choices)
      : shape(static_cast<LogShape>(choices.byte() % std::size_t(LogShape::count))),
        disk(SeedLogs::make(shape)),
        choices_(choices) {}

  /// One thing that happens to a file.
  void damage() {
    constexpr std::size_t kinds = 12;
    const std::size_t kind = choices_.byte() % kinds;
    const std::string file = any_file();
    if (file.empty() && kind != 8 && kind != 9) return;
    Bytes content = file.empty() ? Bytes() : disk->content(file);
    switch (kind) {
      case 0:
        overwrite(content, choices_.some());
        break;
      case 1:
        flip(content);
        break;
      case 2:
        content.resize(choices_.below(content.size() + 1));
        break;
      case 3:
        append(content, choices_.some());
        break;
      case 4:
        zero(content);
        break;
      case 5:
        remove(file);
        return;
      case 6:
        remove(file);
        disk->set_content(any_name(), content);
        return;
      case 7:
        mend(file, content);
        break;
      case 8:
        append_batch();
        return;
      case 9:
        disk->set_content(any_name(), to_bytes(choices_.rest()));
        return;
      case 10:
        disk->set_content(any_name(), content);
        return;
      default:
        copy_within(content);
        break;
    }
    disk->set_content(file, std::move(content));
  }

  LogShape shape;
  std::unique_ptr<MemoryDisk> disk;
  /// A checksum was made right over bytes that no program wrote: a checkpoint may say anything.
  bool forged = false;

 private:
  std::string any_file() {
    const std::vector<std::string> files = disk->files(data_directory);
    return files.empty() ? std::string() : files[choices_.byte() % files.size()];
  }

  /// What a file of a data directory may be called.
  std::string any_name() {
    const std::uint8_t kind = choices_.byte();
    const SegmentName segment{static_cast<Offset>(choices_.byte()), kind / 16u % 4u};
    switch (kind % 8) {
      case 0:
        return partition_directory + "/checkpoint";
      case 1:
        return partition_directory + "/checkpoint.new";
      case 2:
        return partition_directory + "/" + segment_file_name(segment, index_suffix);
      case 3:
        return partition_directory + "/" +
               topic_file_name(
                   test_topic_id(1 + static_cast<std::uint64_t>(segment.base_offset) % 2));
      case 4:
        return partition_directory + "/else";
      default:
        return partition_directory + "/" + segment_file_name(segment, log_suffix);
    }
  }

  /// For good: no power cut brings it back.
  void remove(const std::string& file) {
    CHECK(disk->remove(file));
    CHECK(disk->sync_directory(file.substr(0, file.find_last_of('/'))));
  }
  void overwrite(Bytes& content, ByteView with) {
    const std::size_t at = choices_.below(content.size());
    std::copy_n(with.begin(), std::min(with.size(), content.size() - at),
                content.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void flip(Bytes& content) {
    if (content.empty()) return;
    content[choices_.below(content.size())] ^= static_cast<std::uint8_t>(1u << choices_.byte() % 8);
  }
  void append(Bytes& content, ByteView more) {
    content.insert(content.end(), more.begin(), more.end());
  }
  void zero(Bytes& content) {
    const std::size_t at = choices_.below(content.size());
    const std::size_t size = std::min(choices_.below(2000), content.size() - at);
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at), size, std::uint8_t{0});
  }
  void copy_within(Bytes& content) {
    if (content.empty()) return;
    const std::size_t from = choices_.below(content.size());
    const Bytes part(content.begin() + static_cast<std::ptrdiff_t>(from), content.end());
    overwrite(content, ByteView(part).first(choices_.below(part.size() + 1)));
  }
  void append_batch() {
    const std::string file = any_file();
    if (!file.ends_with(log_suffix)) return;
    Bytes content = disk->content(file);
    BatchSpec spec;
    spec.base_offset = choices_.byte();
    spec.records = 1 + choices_.byte() % 4;
    spec.epoch = choices_.byte() % 8;
    append(content, make_batch(spec).view());
    disk->set_content(file, std::move(content));
  }

  void mend(const std::string& file, Bytes& content) {
    if (file.ends_with(log_suffix)) {
      mend_batch(content);
    } else if (file.ends_with(index_suffix)) {
      mend_index(content);
    } else if (file.ends_with(checkpoint_file) && content.size() > 16) {
      forged = true;
      store_be(content.data() + 12,
               crc32c_extend(crc32c(ByteView(content).first(12)), ByteView(content).subspan(16)));
    }
  }
  void mend_batch(Bytes& content) {
    std::size_t skip = choices_.byte() % 8;
    for (std::size_t at = 0; at + protocol::batch_header_size <= content.size();) {
      const MutableByteView rest = MutableByteView(content).subspan(at);
      const protocol::BatchHeader header = protocol::read_batch_header(rest);
      if (header.length < 49 || header.size() > rest.size()) return;
      if (skip-- == 0) {
        const MutableByteView batch = rest.first(header.size());
        store_be(batch.data() + protocol::batch_crc_position, protocol::compute_batch_crc(batch));
        return;
      }
      at += header.size();
    }
  }
  void mend_index(Bytes& content) {
    const std::size_t number = choices_.byte() % 8;
    const std::size_t at =
        number == 0 ? 0 : index_header_bytes + (number - 1) * std::size_t{index_entry_bytes};
    const std::size_t covered = number == 0 ? index_header_bytes - 4 : index_entry_bytes - 4;
    if (at + covered + 4 > content.size()) return;
    forged = true;
    store_be(content.data() + at + covered, crc32c(ByteView(content).subspan(at, covered)));
  }

  Choices& choices_;
};

}  // namespace chronik::wal::testing
