#include "protocol/encoder.h"

#include <algorithm>

#include "protocol/decoder.h"
#include "protocol/utf8.h"

namespace chronik::protocol {

void Encoder::write_tags(std::vector<Tag> known, const UnknownTags& unknown) {
  if (known.empty() && unknown.empty()) [[likely]] {
    out_.uvarint(0);
    return;
  }
  for (const UnknownTags::Tag& tag : unknown.list()) {
    known.push_back({tag.tag, to_bytes(tag.payload)});
  }
  std::stable_sort(known.begin(), known.end(),
                   [](const Tag& a, const Tag& b) { return a.tag < b.tag; });
  out_.uvarint(static_cast<std::uint32_t>(known.size()));
  for (const Tag& tag : known) {
    out_.uvarint(tag.tag);
    out_.uvarint(static_cast<std::uint32_t>(tag.payload.size()));
    out_.bytes(tag.payload);
  }
}

bool Encoder::write_null() {
  if (!field_->nullable_in(version_)) return false;
  if (flexible_) {
    out_.uvarint(0);
  } else {
    out_.i32(-1);
  }
  return true;
}

void Encoder::array_length(std::size_t length) {
  if (flexible_) {
    out_.uvarint(static_cast<std::uint32_t>(length) + 1);
  } else {
    out_.i32(static_cast<std::int32_t>(length));
  }
}

void Encoder::write(const std::string& value) {
  const std::string_view text = cut_utf8(value, static_cast<std::size_t>(string_bytes_max));
  if (flexible_) {
    out_.uvarint(static_cast<std::uint32_t>(text.size()) + 1);
  } else {
    out_.i16(static_cast<std::int16_t>(text.size()));
  }
  out_.text(text);
}

void Encoder::write(const Bytes& value) {
  array_length(value.size());
  out_.bytes(value);
}

void Encoder::write(const RecordsField& value) {
  if (value.null && write_null()) return;
  array_length(value.chain.size());
  if (!value.chain.empty()) out_.splice(value.chain);
}

void Encoder::write(const std::optional<std::string>& value) {
  if (value) {
    write(*value);
  } else if (!field_->nullable_in(version_)) {
    write(std::string());
  } else if (flexible_) {
    out_.uvarint(0);
  } else {
    out_.i16(-1);
  }
}

void Encoder::write(const std::optional<Bytes>& value) {
  if (value) {
    write(*value);
  } else if (!write_null()) {
    array_length(0);
  }
}

}  // namespace chronik::protocol
