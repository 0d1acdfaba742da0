#include "protocol/decoder.h"

#include "protocol/utf8.h"

namespace chronik::protocol {

void Decoder::fail(const char* reason) {
  if (in_.ok() && failure_ != nullptr) *failure_ = {field_ ? field_->name : "", reason};
  in_.fail();
}

std::int64_t Decoder::length_or_null(std::int64_t fixed_length) {
  const std::int64_t length =
      flexible_ ? static_cast<std::int64_t>(in_.uvarint()) - 1 : fixed_length;
  if (!in_.ok()) return 0;
  return length < 0 ? -1 : length;
}

std::int64_t Decoder::array_length(std::uint32_t min_size) {
  const std::int64_t length = long_length();
  if (length > array_elements_max) {
    fail("an array of more than 1,000,000 elements");
  } else if (length > 0 && static_cast<std::uint64_t>(length) > in_.remaining() / min_size) {
    fail("an array of more elements than the bytes that follow can hold");
  }
  return in_.ok() ? length : 0;
}

bool Decoder::accept_null() { return field_->nullable_in(version_); }

void Decoder::read(Uuid& value) {
  const ByteView view = in_.bytes(value.bytes.size());
  if (in_.ok()) std::memcpy(value.bytes.data(), view.data(), view.size());
}

void Decoder::text(std::string& value, std::int64_t length) {
  if (length < 0) return fail("null, which is not allowed here");
  if (length > string_bytes_max) return fail("a string of more than 32,767 bytes");
  const std::string_view raw = in_.text(static_cast<std::size_t>(length));
  if (is_utf8(raw)) [[likely]] {
    value.assign(raw);
    return;
  }
  value = replace_invalid_utf8(raw);
  if (value.size() > static_cast<std::size_t>(string_bytes_max)) {
    fail("a string of more than 32,767 bytes once its bytes that are not UTF-8 are replaced");
  }
}

void Decoder::bytes(Bytes& value, std::int64_t length) {
  if (length < 0) return fail("null, which is not allowed here");
  const ByteView view = in_.bytes(static_cast<std::size_t>(length));
  value.assign(view.begin(), view.end());
}

void Decoder::read(std::optional<std::string>& value) {
  const std::int64_t length = string_length();
  if (length < 0 && accept_null()) {
    value.reset();
  } else {
    text(value.emplace(), length);
  }
}

void Decoder::read(std::optional<Bytes>& value) {
  const std::int64_t length = long_length();
  if (length < 0 && accept_null()) {
    value.reset();
  } else {
    bytes(value.emplace(), length);
  }
}

void Decoder::read(RecordsField& value) {
  const std::int64_t length = long_length();
  value = {};
  if (length < 0) {
    if (!accept_null()) fail("null, which is not allowed here");
    return;
  }
  value.null = false;
  value.chain.append(in_.shared_slice(static_cast<std::size_t>(length)));
}

std::uint32_t Decoder::tag_count() {
  const std::uint32_t count = in_.uvarint();
  if (count > tagged_fields_max) fail("more than 10,000 tagged fields");
  return in_.ok() ? count : 0;
}

std::uint32_t Decoder::next_tag(std::int64_t& previous, std::uint32_t& size) {
  const std::uint32_t tag = in_.uvarint();
  size = in_.uvarint();
  if (tag <= previous) fail("tags that do not ascend");
  if (size > in_.remaining()) fail("a tagged field longer than the bytes that follow");
  previous = tag;
  return tag;
}

bool Decoder::is_known(const Field* table, std::size_t size, std::uint32_t tag) const {
  for (std::size_t i = 0; i < size; ++i) {
    if (table[i].tag >= 0 && static_cast<std::uint32_t>(table[i].tag) == tag) {
      return table[i].in(version_);
    }
  }
  return false;
}

}  // namespace chronik::protocol
