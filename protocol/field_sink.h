// A message walked once, field by field, through virtual calls: printing and checking need no
// speed, and so each message has one such walk instead of one per purpose.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "protocol/field.h"
#include "protocol/field_defaults.h"
#include "protocol/records_field.h"
#include "protocol/unknown_tags.h"

namespace chronik::protocol {

class FieldSink {
 public:
  virtual ~FieldSink() = default;

  struct State {
    bool present;     // this version has the field
    bool is_default;  // its value is the default
    bool nullable;    // this version allows null
  };
  /// Called for every field, also those this version lacks; true: the value shall follow.
  virtual bool begin_field(const Field& field, const State& state) = 0;
  /// Fields of one struct follow; end_struct() has what this build does not know.
  virtual void begin_struct() = 0;
  virtual void end_struct(const UnknownTags& unknown) = 0;
  virtual void begin_array(std::size_t size) = 0;
  virtual void end_array() = 0;
  virtual void null() = 0;
  virtual void boolean(bool value) = 0;
  virtual void number(std::int64_t value) = 0;
  virtual void floating(double value) = 0;
  virtual void text(const std::string& value) = 0;
  virtual void uuid(const Uuid& value) = 0;
  virtual void bytes(ByteView value) = 0;
  virtual void records(const RecordsField& value) = 0;
};

/// Instantiated by the generated sources.
template <class M>
void describe(FieldSink& sink, std::int16_t version, const M& message);

/// The visitor behind describe(); for generated sources only.
class Describer {
 public:
  Describer(FieldSink& sink, std::int16_t version) : sink_(sink), version_(version) {}

  template <class T>
  void operator()(const T& value, const Field& field) {
    const FieldSink::State state{field.in(version_), is_default(value, field),
                                 field.nullable_in(version_)};
    if (sink_.begin_field(field, state)) tell(value);
  }

  template <class S>
  void structure(const S& value) {
    sink_.begin_struct();
    Fields<S>::visit(*this, value);
    sink_.end_struct(value.unknown_tags);
  }

 private:
  template <class T>
  void tell(const std::optional<T>& value) {
    if (value) {
      tell(*value);
    } else {
      sink_.null();
    }
  }
  template <class T>
  void tell(const std::vector<T>& value) {
    sink_.begin_array(value.size());
    for (const auto& element : value) tell(element);
    sink_.end_array();
  }
  void tell(const Bytes& value) { sink_.bytes(value); }
  void tell(const std::string& value) { sink_.text(value); }
  void tell(const Uuid& value) { sink_.uuid(value); }
  void tell(const RecordsField& value) { sink_.records(value); }
  template <class T>
  void tell(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      sink_.boolean(value);
    } else if constexpr (std::is_same_v<T, double>) {
      sink_.floating(value);
    } else if constexpr (std::is_integral_v<T>) {
      sink_.number(value);
    } else {
      structure(value);
    }
  }

  FieldSink& sink_;
  const std::int16_t version_;
};

}  // namespace chronik::protocol
