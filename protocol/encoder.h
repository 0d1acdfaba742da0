// The one encoder: walks a message by its fields (protocol/field.h) and appends them. Included by
// generated sources only; everyone else uses protocol/codec.h, which states the rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/uuid.h"
#include "protocol/field.h"
#include "protocol/field_defaults.h"
#include "protocol/records_field.h"
#include "protocol/unknown_tags.h"

namespace chronik::protocol {

class Encoder {
 public:
  Encoder(Writer& writer, std::int16_t version, std::int16_t first_flexible)
      : Encoder(writer, version, version >= first_flexible) {}

  template <class T>
  void operator()(const T& value, const Field& field) {
    if (!field.in(version_) || (field.tag >= 0) != (tags_ != nullptr)) return;
    if (tags_ == nullptr) {
      field_ = &field;
      write(value);
    } else if (!is_default(value, field)) {
      Writer payload;
      Encoder inner(payload, version_, flexible_);
      inner.field_ = &field;
      inner.write(value);
      tags_->push_back({static_cast<std::uint32_t>(field.tag), payload.take_bytes()});
    }
  }

  template <class S>
  void structure(const S& value) {
    Fields<S>::visit(*this, value);
    if (!flexible_) return;
    if constexpr (Fields<S>::has_tags) {
      std::vector<Tag> tags;
      tags_ = &tags;
      Fields<S>::visit(*this, value);
      tags_ = nullptr;
      write_tags(std::move(tags), value.unknown_tags);
    } else {
      write_tags({}, value.unknown_tags);
    }
  }

 private:
  struct Tag {
    std::uint32_t tag;
    Bytes payload;
  };

  Encoder(Writer& writer, std::int16_t version, bool flexible)
      : out_(writer), version_(version), flexible_(flexible) {}

  // Known and unknown tagged fields, merged by tag.
  void write_tags(std::vector<Tag> known, const UnknownTags& unknown);
  bool write_null();  // false where null is not allowed: the caller writes an empty value
  void array_length(std::size_t length);

  void write(bool value) { out_.i8(value ? 1 : 0); }
  void write(std::int8_t value) { out_.i8(value); }
  void write(std::int16_t value) { out_.i16(value); }
  void write(std::int32_t value) { out_.i32(value); }
  void write(std::int64_t value) { out_.i64(value); }
  void write(std::uint16_t value) { out_.u16(value); }
  void write(std::uint32_t value) { out_.u32(value); }
  void write(double value) { out_.f64(value); }
  void write(const Uuid& value) { out_.bytes(value.bytes); }
  void write(const std::string& value);
  void write(const Bytes& value);
  void write(const RecordsField& value);
  void write(const std::optional<std::string>& value);
  void write(const std::optional<Bytes>& value);

  template <class T>
  void write(const std::vector<T>& value) {
    array_length(value.size());
    for (const auto& element : value) write(element);
  }
  template <class T>
  void write(const std::optional<std::vector<T>>& value) {
    if (value) {
      write(*value);
    } else if (!write_null()) {
      array_length(0);
    }
  }
  template <class S>
  void write(const std::optional<S>& value) {
    if (field_->nullable_in(version_)) {
      const bool tagged = field_->tag >= 0;
      out_.i8(value ? std::int8_t{1} : tagged ? std::int8_t{0} : std::int8_t{-1});
      if (value) structure(*value);
    } else {
      structure(value ? *value : S{});
    }
  }
  template <class S>
  void write(const S& value) {
    structure(value);
  }

  Writer& out_;
  const std::int16_t version_;
  const bool flexible_;
  std::vector<Tag>* tags_ = nullptr;  // set while tagged fields are collected
  const Field* field_ = nullptr;      // being written
};

}  // namespace chronik::protocol
