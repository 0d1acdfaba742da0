#include "wal/batch_scan.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>

#include "base/coding.h"
#include "base/crc32c.h"

namespace chronik::wal {

namespace {

using protocol::batch_header_size;
constexpr std::uint64_t sector_bytes = 512;
constexpr std::int32_t length_min = batch_header_size - protocol::batch_length_overhead;

}  // namespace

Result<std::optional<EntryPlace>> HeaderWalk::next() {
  if (position_ >= end_) return std::optional<EntryPlace>();
  const bool buffered = position_ >= buffer_position_ &&
                        position_ + batch_header_size <= buffer_position_ + buffer_size_;
  if (!buffered) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), end_ - position_);
    TRY_ASSIGN(buffer_size_, file_.read_at(position_, MutableByteView(buffer_).first(wanted)));
    buffer_position_ = position_;
  }
  const ByteView bytes =
      ByteView(buffer_).first(buffer_size_).subspan(position_ - buffer_position_);
  EntryPlace place;
  place.position = position_;
  if (bytes.size() >= batch_header_size) place.header = protocol::read_batch_header(bytes);
  if (bytes.size() < batch_header_size || place.header.length < length_min ||
      place.header.magic != 2 || place.end() > end_) {
    return Error{Errc::corrupt, fmt::format("no batch begins at position {}", position_)};
  }
  std::copy_n(bytes.begin(), chain_prefix_bytes, place.prefix.begin());
  position_ = place.end();
  return std::optional<EntryPlace>(place);
}

ScanBuffer::ScanBuffer(const File& file, std::uint64_t file_size)
    : file_(file), size_(file_size), window_(std::min<std::uint64_t>(window_bytes, file_size)) {}

Result<ByteView> ScanBuffer::at(std::uint64_t position, std::size_t size) {
  CHECK(size <= window_bytes);
  size = position < size_ ? std::min<std::uint64_t>(size, size_ - position) : 0;
  if (position < window_position_ || position + size > window_position_ + window_filled_) {
    TRY_ASSIGN(window_filled_, file_.read_at(position, window_));
    window_position_ = position;
    size = std::min(size, window_filled_);
  }
  return ByteView(window_).subspan(position - window_position_, size);
}

Result<std::uint32_t> ScanBuffer::crc(std::uint64_t position, std::uint64_t size) {
  std::uint32_t crc = 0;
  while (size != 0) {
    TRY_ASSIGN(const ByteView bytes, at(position, std::min<std::uint64_t>(size, window_bytes)));
    if (bytes.empty()) return Error{Errc::io, "the file became shorter while it was read"};
    crc = crc32c_extend(crc, bytes);
    position += bytes.size();
    size -= bytes.size();
  }
  return crc;
}

Result<CheckedEntry> check_entry(ScanBuffer& buffer, std::uint64_t position,
                                 const ExpectedEntry& expected) {
  CheckedEntry checked;
  checked.place.position = position;
  const auto bad = [&](std::string problem) {
    checked.problem = std::move(problem);
    return checked;
  };
  TRY_ASSIGN(const ByteView bytes, buffer.at(position, batch_header_size));
  if (bytes.size() < batch_header_size) {
    return bad(fmt::format("{} bytes are too few for a batch", bytes.size()));
  }
  const protocol::BatchHeader header = protocol::read_batch_header(bytes);
  std::copy_n(bytes.begin(), chain_prefix_bytes, checked.place.prefix.begin());
  checked.place.header = header;
  if (header.magic != 2) return bad(fmt::format("its magic is {}, not 2", header.magic));
  if (header.length < length_min)
    return bad(fmt::format("its length {} is too small", header.length));
  if (checked.place.end() > buffer.file_size()) {
    return bad(fmt::format("its {} bytes reach beyond the end of the file", header.size()));
  }
  if (expected.exact ? header.base_offset != expected.base_offset
                     : header.base_offset < expected.base_offset) {
    checked.conflicts = !expected.exact;
    return bad(fmt::format("its base offset is {}, expected {}", header.base_offset,
                           expected.base_offset));
  }
  constexpr Offset offset_max = std::numeric_limits<Offset>::max();
  if (header.last_offset_delta < -1 ||
      header.base_offset > offset_max - 1 - header.last_offset_delta ||
      (header.last_offset_delta == -1 && !header.is_control())) {
    return bad(fmt::format("its last offset delta is {}", header.last_offset_delta));
  }
  if (header.leader_epoch < expected.epoch_min) {
    checked.conflicts = true;
    return bad(
        fmt::format("its leader epoch {} is below {}", header.leader_epoch, expected.epoch_min));
  }
  TRY_ASSIGN(const std::uint32_t crc, buffer.crc(position + protocol::batch_crc_start,
                                                 header.size() - protocol::batch_crc_start));
  if (crc != header.crc) {
    return bad(fmt::format("its CRC is {:08x}, its bytes give {:08x}", header.crc, crc));
  }
  return checked;
}

namespace {

/// Whether all that the CRC covers is there, whatever the bytes say that it leaves out.
Result<bool> is_whole(ScanBuffer& buffer, std::uint64_t position) {
  TRY_ASSIGN(const ByteView bytes, buffer.at(position, batch_header_size));
  if (bytes.size() < batch_header_size) return false;
  const protocol::BatchHeader header = protocol::read_batch_header(bytes);
  if (header.length < length_min || position + header.size() > buffer.file_size()) return false;
  TRY_ASSIGN(const std::uint32_t crc, buffer.crc(position + protocol::batch_crc_start,
                                                 header.size() - protocol::batch_crc_start));
  return crc == header.crc;
}

}  // namespace

Result<std::optional<std::uint64_t>> find_entry_behind(ScanBuffer& buffer, std::uint64_t from,
                                                       const ExpectedEntry& expected) {
  // A tail has fewer records than this behind it; anything farther away is no entry of this log.
  constexpr Offset offsets_ahead_max = Offset{1} << 31;
  const std::uint64_t end = buffer.file_size();
  std::uint64_t crc_budget = 4 * (end - from) + (1u << 20);
  constexpr std::size_t step = ScanBuffer::window_bytes / 2;
  for (std::uint64_t window = from; window + batch_header_size <= end; window += step) {
    TRY_ASSIGN(const ByteView view, buffer.at(window, step + batch_header_size));
    // check_entry() moves the window away, so its candidates are gathered first.
    std::vector<std::uint64_t> candidates;
    for (std::size_t i = 0; i < step && i + batch_header_size <= view.size(); ++i) {
      const std::uint8_t* p = view.data() + i;
      if (p[16] != 2) continue;
      const auto base = load_be<Offset>(p);
      if (base < expected.base_offset || base - expected.base_offset > offsets_ahead_max) continue;
      const auto length = load_be<std::int32_t>(p + 8);
      if (length < length_min || window + i + static_cast<std::uint64_t>(length) > end) continue;
      candidates.push_back(window + i);
    }
    for (const std::uint64_t position : candidates) {
      TRY_ASSIGN(const CheckedEntry checked,
                 check_entry(buffer, position, {expected.base_offset, false, expected.epoch_min}));
      if (checked.good()) return std::optional(position);
      const std::uint64_t cost =
          std::min<std::uint64_t>(checked.place.header.size(), end - position);
      if (cost > crc_budget) return std::optional(position);
      crc_budget -= cost;
    }
  }
  return std::optional<std::uint64_t>();
}

Result<BadEntry> judge_bad_entry(ScanBuffer& buffer, std::uint64_t position, Offset base_offset) {
  BadEntry bad;
  TRY_ASSIGN(const bool whole, is_whole(buffer, position));
  if (whole) {
    bad.behind = position;
  } else {
    // Of any epoch: the one before may be what is wrong, with a bit flipped upwards.
    TRY_ASSIGN(bad.behind, find_entry_behind(buffer, position + 1, {base_offset, false}));
  }
  if (!bad.behind.has_value()) {
    bad.torn = true;
    return bad;
  }
  const std::uint64_t end = whole ? position + chain_prefix_bytes : *bad.behind;
  TRY_ASSIGN(bad.torn, has_hole(buffer, position, end, base_offset));
  return bad;
}

Result<bool> has_hole(ScanBuffer& buffer, std::uint64_t begin, std::uint64_t end,
                      Offset base_offset) {
  // A batch may begin with zeros that were written: those of its base offset and its length. Where
  // only so few of its bytes lie in the first sector, zeros there say nothing.
  std::size_t zeros_max = 8 + 3;
  if (base_offset != 0) {
    zeros_max =
        static_cast<std::size_t>(__builtin_clzll(static_cast<std::uint64_t>(base_offset))) / 8;
  }
  end = std::min(end, buffer.file_size());
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t sector_end = (at / sector_bytes + 1) * sector_bytes;
    TRY_ASSIGN(const ByteView sector, buffer.at(at, sector_end - at));
    const bool telling = at != begin || sector.size() > zeros_max;
    if (telling &&
        std::all_of(sector.begin(), sector.end(), [](std::uint8_t byte) { return byte == 0; })) {
      return true;
    }
    at = sector_end;
  }
  return false;
}

}  // namespace chronik::wal
