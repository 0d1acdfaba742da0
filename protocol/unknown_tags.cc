#include "protocol/unknown_tags.h"

#include "base/coding.h"

namespace chronik::protocol {

// Tag, length and payload of each field one after the other: one block however many there are.
struct UnknownTags::Block {
  std::uint32_t count = 0;
  std::uint32_t last_tag = 0;
  Bytes bytes;

  bool operator==(const Block&) const = default;
};

void UnknownTags::Delete::operator()(Block* block) const { delete block; }

UnknownTags::UnknownTags(const UnknownTags& other)
    : fields_(other.fields_ ? new Block(*other.fields_) : nullptr) {}

UnknownTags& UnknownTags::operator=(const UnknownTags& other) {
  if (this != &other) fields_.reset(other.fields_ ? new Block(*other.fields_) : nullptr);
  return *this;
}

std::uint32_t UnknownTags::count() const { return fields_ ? fields_->count : 0; }

void UnknownTags::append(std::uint32_t tag, ByteView payload) {
  if (!fields_) {
    fields_.reset(new Block);
  } else {
    CHECK(tag > fields_->last_tag);
  }
  std::uint8_t head[10];
  std::size_t used = 0;
  for (std::uint32_t number : {tag, static_cast<std::uint32_t>(payload.size())}) {
    for (; number >= 0x80; number >>= 7) head[used++] = static_cast<std::uint8_t>(number | 0x80);
    head[used++] = static_cast<std::uint8_t>(number);
  }
  fields_->bytes.insert(fields_->bytes.end(), head, head + used);
  fields_->bytes.insert(fields_->bytes.end(), payload.begin(), payload.end());
  fields_->last_tag = tag;
  ++fields_->count;
}

std::vector<UnknownTags::Tag> UnknownTags::list() const {
  std::vector<Tag> tags;
  if (!fields_) return tags;
  tags.reserve(fields_->count);
  Reader reader(ByteView(fields_->bytes));
  while (!reader.finished()) {
    const std::uint32_t tag = reader.uvarint();
    tags.push_back({tag, reader.bytes(reader.uvarint())});
    CHECK(reader.ok());
  }
  return tags;
}

bool UnknownTags::operator==(const UnknownTags& other) const {
  if (!fields_ || !other.fields_) return fields_ == other.fields_;
  return *fields_ == *other.fields_;
}

}  // namespace chronik::protocol
