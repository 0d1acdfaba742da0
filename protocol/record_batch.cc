#include "protocol/record_batch.h"

#include <limits>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"

namespace chronik::protocol {

Sequence BatchHeader::last_sequence() const {
  if (base_sequence == no_sequence) return no_sequence;
  constexpr std::int64_t wrap = std::int64_t{std::numeric_limits<Sequence>::max()} + 1;
  return static_cast<Sequence>((std::int64_t{base_sequence} + last_offset_delta) % wrap);
}

BatchHeader read_batch_header(ByteView bytes) {
  CHECK(bytes.size() >= batch_header_size);
  const std::uint8_t* p = bytes.data();
  BatchHeader header;
  header.base_offset = load_be<std::int64_t>(p);
  header.length = load_be<std::int32_t>(p + 8);
  header.leader_epoch = load_be<std::int32_t>(p + 12);
  header.magic = load_be<std::int8_t>(p + 16);
  header.crc = load_be<std::uint32_t>(p + 17);
  header.attributes = load_be<std::int16_t>(p + 21);
  header.last_offset_delta = load_be<std::int32_t>(p + 23);
  header.base_timestamp = load_be<std::int64_t>(p + 27);
  header.max_timestamp = load_be<std::int64_t>(p + 35);
  header.producer_id = load_be<std::int64_t>(p + 43);
  header.producer_epoch = load_be<std::int16_t>(p + 51);
  header.base_sequence = load_be<std::int32_t>(p + 53);
  header.record_count = load_be<std::int32_t>(p + 57);
  return header;
}

void write_batch_header(const BatchHeader& header, MutableByteView bytes) {
  CHECK(bytes.size() >= batch_header_size);
  std::uint8_t* p = bytes.data();
  store_be(p, header.base_offset);
  store_be(p + 8, header.length);
  store_be(p + 12, header.leader_epoch);
  store_be(p + 16, header.magic);
  store_be(p + 17, header.crc);
  store_be(p + 21, header.attributes);
  store_be(p + 23, header.last_offset_delta);
  store_be(p + 27, header.base_timestamp);
  store_be(p + 35, header.max_timestamp);
  store_be(p + 43, header.producer_id);
  store_be(p + 51, header.producer_epoch);
  store_be(p + 53, header.base_sequence);
  store_be(p + 57, header.record_count);
}

void set_base_offset(MutableByteView batch, Offset base_offset) {
  CHECK(batch.size() >= batch_header_size);
  store_be(batch.data(), base_offset);
}

void set_leader_epoch(MutableByteView batch, LeaderEpoch epoch) {
  CHECK(batch.size() >= batch_header_size);
  store_be(batch.data() + 12, epoch);
}

std::uint32_t compute_batch_crc(ByteView batch) {
  CHECK(batch.size() >= batch_header_size);
  return crc32c(batch.subspan(batch_crc_start));
}

}  // namespace chronik::protocol
