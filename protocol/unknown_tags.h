// The tagged fields of a struct that this build does not know (KIP-482): kept as they came, so that
// encoding what was decoded gives the same bytes. Eight bytes when there are none.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace chronik::protocol {

class UnknownTags {
 public:
  UnknownTags() = default;
  UnknownTags(const UnknownTags& other);
  UnknownTags(UnknownTags&&) noexcept = default;
  UnknownTags& operator=(const UnknownTags& other);
  UnknownTags& operator=(UnknownTags&&) noexcept = default;
  ~UnknownTags() = default;

  bool empty() const { return fields_ == nullptr; }
  std::uint32_t count() const;
  /// Precondition: `tag` is greater than every tag there.
  void append(std::uint32_t tag, ByteView payload);

  struct Tag {
    std::uint32_t tag;
    ByteView payload;
  };
  /// In ascending order of tags; the views live as long as this does and is not appended to.
  std::vector<Tag> list() const;

  bool operator==(const UnknownTags& other) const;

 private:
  struct Block;
  struct Delete {
    void operator()(Block* block) const;
  };
  std::unique_ptr<Block, Delete> fields_;
};

static_assert(sizeof(UnknownTags) == sizeof(void*));

}  // namespace chronik::protocol
