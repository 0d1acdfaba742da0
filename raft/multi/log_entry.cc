#include "raft/multi/log_entry.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "protocol/record_batch.h"

namespace chronik::raft {

namespace {

constexpr std::uint8_t own_version = 1;
constexpr std::uint8_t kind_no_op = 1;
constexpr std::uint8_t kind_membership = 2;
constexpr std::int16_t control_bit = 0x20;
constexpr std::size_t own_prefix = 2;

Result<protocol::BatchHeader> checked_header(const SharedBytes& batch) {
  if (batch.size() < protocol::batch_header_size) {
    return Error{Errc::corrupt, fmt::format("{} bytes are no record batch", batch.size())};
  }
  const protocol::BatchHeader header = protocol::read_batch_header(batch.view());
  if (header.magic != 2 || header.length <= 0 || header.size() != batch.size()) {
    return Error{Errc::corrupt,
                 fmt::format("a record batch of magic {} says it has {} bytes, of {}", header.magic,
                             header.length, batch.size())};
  }
  if (protocol::compute_batch_crc(batch.view()) != header.crc) {
    return Error{Errc::corrupt, "the checksum of a record batch does not match"};
  }
  return header;
}

}  // namespace

Result<void> check_payload(const SharedBytes& payload) {
  TRY_ASSIGN(const protocol::BatchHeader header, checked_header(payload));
  if (header.last_offset_delta < 0) {
    return Error{Errc::corrupt, "a record batch that takes no offset cannot be proposed"};
  }
  return {};
}

SharedBytes own_entry_batch(const Entry& entry, Offset base_offset) {
  CHECK(entry.kind != EntryKind::data);
  SharedBytes batch =
      SharedBytes::allocate(protocol::batch_header_size + own_prefix + entry.payload.size());
  const MutableByteView view = batch.mutable_view();
  protocol::BatchHeader header;
  header.base_offset = base_offset;
  header.length = static_cast<std::int32_t>(batch.size() - protocol::batch_length_overhead);
  header.leader_epoch = entry.term;
  header.attributes = control_bit;
  header.last_offset_delta = -1;
  header.base_timestamp = header.max_timestamp = -1;
  protocol::write_batch_header(header, view);
  view[protocol::batch_header_size] = own_version;
  view[protocol::batch_header_size + 1] =
      entry.kind == EntryKind::no_op ? kind_no_op : kind_membership;
  std::ranges::copy(entry.payload.view(), view.begin() + protocol::batch_header_size + own_prefix);
  header.crc = protocol::compute_batch_crc(view);
  protocol::write_batch_header(header, view);
  return batch;
}

Result<Entry> entry_of_batch(SharedBytes batch, Index index) {
  TRY_ASSIGN(const protocol::BatchHeader header, checked_header(batch));
  Entry entry;
  entry.term = header.leader_epoch;
  entry.index = index;
  if (header.last_offset_delta >= 0) {
    entry.payload = std::move(batch);
    return entry;
  }
  const ByteView body = batch.view().subspan(protocol::batch_header_size);
  if (body.size() < own_prefix) {
    return Error{Errc::corrupt, fmt::format("entry {} of Raft's own has no kind", index)};
  }
  if (body[0] != own_version || (body[1] != kind_no_op && body[1] != kind_membership)) {
    return Error{
        Errc::unsupported,
        fmt::format("entry {} is of version {}, kind {}, written by a newer chronik; start "
                    "that version or a newer one",
                    index, body[0], body[1])};
  }
  entry.kind = body[1] == kind_no_op ? EntryKind::no_op : EntryKind::membership;
  entry.payload = batch.slice(protocol::batch_header_size + own_prefix, body.size() - own_prefix);
  return entry;
}

}  // namespace chronik::raft
