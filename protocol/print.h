// Two walks over a message: JSON for logs and tests, and the check for what a version cannot carry.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/codec.h"
#include "protocol/field_sink.h"

namespace chronik::protocol {

/// Behind to_json().
class JsonPrinter final : public FieldSink {
 public:
  explicit JsonPrinter(RecordsText records) : records_(records) {}
  std::string text() && { return std::move(out_); }

  bool begin_field(const Field& field, const State& state) override;
  void begin_struct() override;
  void end_struct(const UnknownTags& unknown) override;
  void begin_array(std::size_t size) override;
  void end_array() override;
  void null() override;
  void boolean(bool value) override;
  void number(std::int64_t value) override;
  void floating(double value) override;
  void text(const std::string& value) override;
  void uuid(const Uuid& value) override;
  void bytes(ByteView value) override;
  void records(const RecordsField& value) override;

 private:
  void before_value();

  const RecordsText records_;
  std::string out_;
  bool first_ = true;      // nothing yet in the innermost struct or array
  bool in_array_ = false;  // a value needs a comma of its own
  const Field* field_ = nullptr;
  std::vector<bool> outer_arrays_;
};

/// Behind check_encodable().
class LossCheck final : public FieldSink {
 public:
  LossCheck(std::string_view message, std::int16_t version)
      : message_(message), version_(version) {}
  Result<> result() &&;

  bool begin_field(const Field& field, const State& state) override;
  void begin_struct() override {}
  void end_struct(const UnknownTags&) override {}
  void begin_array(std::size_t) override {}
  void end_array() override {}
  void null() override;
  void boolean(bool) override {}
  void number(std::int64_t) override {}
  void floating(double) override {}
  void text(const std::string& value) override;
  void uuid(const Uuid&) override {}
  void bytes(ByteView) override {}
  void records(const RecordsField& value) override;

 private:
  void complain(std::string_view what);

  const std::string_view message_;
  const std::int16_t version_;
  const Field* field_ = nullptr;
  bool nullable_ = false;
  std::optional<Error> error_;
};

/// A message of whatever type, and its walk.
struct Describable {
  void (*describe)(FieldSink& sink, std::int16_t version, const void* message);
  const void* message;
};
/// to_json() and check_encodable(), the same for all messages.
std::string print_json(std::int16_t version, Describable what, RecordsText records);
Result<> find_loss(std::string_view name, std::int16_t version, Describable what);

/// `text` between quotes, escaped; bytes that are not UTF-8 as U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace chronik::protocol
