// The one decoder: walks a message by its fields (protocol/field.h) and reads them. Included by
// generated sources only; everyone else uses protocol/codec.h, which states the rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/uuid.h"
#include "protocol/codec.h"
#include "protocol/field.h"
#include "protocol/records_field.h"
#include "protocol/unknown_tags.h"

namespace chronik::protocol {

inline constexpr std::int64_t array_elements_max = 1'000'000;
inline constexpr std::uint32_t tagged_fields_max = 10'000;
inline constexpr std::int64_t string_bytes_max = 32'767;

class Decoder {
 public:
  Decoder(Reader& reader, std::int16_t version, std::int16_t first_flexible, DecodeFailure* failure)
      : in_(reader), version_(version), flexible_(version >= first_flexible), failure_(failure) {}

  template <class T>
  void operator()(T& value, const Field& field) {
    if (field.tag == wanted_tag_ && field.in(version_)) {
      field_ = &field;
      read(value);
    }
  }

  template <class S>
  void structure(S& value) {
    const std::int32_t outer = std::exchange(wanted_tag_, -1);
    Fields<S>::visit(*this, value);
    if (flexible_) tagged(value);
    wanted_tag_ = outer;
  }

  bool ok() const { return in_.ok(); }

 private:
  // The length in front of a string, bytes, records or array; -1 is null.
  std::int64_t length_or_null(std::int64_t fixed_length);
  std::int64_t string_length() { return length_or_null(flexible_ ? 0 : in_.i16()); }
  std::int64_t long_length() { return length_or_null(flexible_ ? 0 : in_.i32()); }
  // As above for an array: fails unless that many elements of `min_size` bytes can be there.
  std::int64_t array_length(std::uint32_t min_size);
  // Whether the version allows null here; the caller fails otherwise.
  bool accept_null();
  void fail(const char* reason);

  void read(bool& value) { value = in_.i8() != 0; }
  void read(std::int8_t& value) { value = in_.i8(); }
  void read(std::int16_t& value) { value = in_.i16(); }
  void read(std::int32_t& value) { value = in_.i32(); }
  void read(std::int64_t& value) { value = in_.i64(); }
  void read(std::uint16_t& value) { value = in_.u16(); }
  void read(std::uint32_t& value) { value = in_.u32(); }
  void read(double& value) { value = in_.f64(); }
  void read(Uuid& value);
  void read(std::string& value) { text(value, string_length()); }
  void read(Bytes& value) { bytes(value, long_length()); }
  void read(RecordsField& value);
  void read(std::optional<std::string>& value);
  void read(std::optional<Bytes>& value);
  void text(std::string& value, std::int64_t length);
  void bytes(Bytes& value, std::int64_t length);

  template <class T>
  void read(std::vector<T>& value) {
    elements(value, array_length(min_size<T>()));
  }
  template <class T>
  void read(std::optional<std::vector<T>>& value) {
    const std::int64_t length = array_length(min_size<T>());
    if (length < 0 && accept_null()) {
      value.reset();
    } else {
      elements(value.emplace(), length);
    }
  }
  template <class S>
  void read(std::optional<S>& value) {
    // In front of a nullable struct stands its presence; a tagged one says 0 for null.
    const std::int8_t present = field_->nullable_in(version_) ? in_.i8() : std::int8_t{1};
    if (present < 0 || (field_->tag >= 0 && present == 0)) {
      value.reset();
    } else {
      structure(value.emplace());
    }
  }
  template <class S>
  void read(S& value) {
    structure(value);
  }

  template <class T>
  void elements(std::vector<T>& value, std::int64_t length) {
    value.clear();
    if (length < 0) return fail("null, which is not allowed here");
    // The count is a promise only: room for few elements at first, and the rest as they come.
    constexpr std::size_t first_room = 4096 / sizeof(T) + 1;
    value.reserve(std::min(static_cast<std::size_t>(length), first_room));
    for (std::int64_t i = 0; i < length && in_.ok(); ++i) {
      if constexpr (std::is_same_v<T, bool>) {
        value.push_back(in_.i8() != 0);
      } else {
        read(value.emplace_back());
      }
    }
  }

  template <class T>
  std::uint32_t min_size() const {
    if constexpr (std::is_arithmetic_v<T>) {
      return sizeof(T);
    } else if constexpr (std::is_same_v<T, Uuid>) {
      return 16;
    } else if constexpr (std::is_same_v<T, std::string>) {
      return flexible_ ? 1 : 2;
    } else if constexpr (std::is_same_v<T, Bytes>) {
      return flexible_ ? 1 : 4;
    } else {
      return Fields<T>::min_size;
    }
  }

  template <class S>
  void tagged(S& value) {
    std::uint32_t count = tag_count();
    std::int64_t previous = -1;
    for (; count > 0 && in_.ok(); --count) {
      std::uint32_t size = 0;
      const std::uint32_t tag = next_tag(previous, size);
      if (!in_.ok()) return;
      if (!is_known(Fields<S>::table.data(), Fields<S>::table.size(), tag)) {
        value.unknown_tags.append(tag, in_.bytes(size));
        continue;
      }
      if constexpr (Fields<S>::has_tags) {
        const std::size_t before = in_.remaining();
        wanted_tag_ = static_cast<std::int32_t>(tag);
        Fields<S>::visit(*this, value);
        wanted_tag_ = -1;
        if (in_.ok() && before - in_.remaining() != size) fail("a tagged field of another size");
      }
    }
  }
  std::uint32_t tag_count();
  std::uint32_t next_tag(std::int64_t& previous, std::uint32_t& size);
  bool is_known(const Field* table, std::size_t size, std::uint32_t tag) const;

  Reader& in_;
  const std::int16_t version_;
  const bool flexible_;
  std::int32_t wanted_tag_ = -1;  // fields with this tag are read; -1: the untagged ones
  const Field* field_ = nullptr;  // being read
  DecodeFailure* const failure_;
};

}  // namespace chronik::protocol
