#include "protocol/print.h"

#include <fmt/format.h>

#include <cmath>

#include "protocol/decoder.h"
#include "protocol/utf8.h"

namespace chronik::protocol {

namespace {

void append_base64(std::string& out, ByteView bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
    if (left > 1) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
    if (left > 2) group |= bytes[i + 2];
    out += digits[group >> 18];
    out += digits[(group >> 12) & 63];
    out += left > 1 ? digits[(group >> 6) & 63] : '=';
    out += left > 2 ? digits[group & 63] : '=';
  }
}

void append_hex(std::string& out, const ByteChain& chain) {
  static constexpr char digits[] = "0123456789abcdef";
  for (const ByteChain::Part& part : chain.parts()) {
    CHECK(std::holds_alternative<SharedBytes>(part));
    for (const std::uint8_t byte : std::get<SharedBytes>(part).view()) {
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  std::string replaced;
  if (!is_utf8(text)) text = replaced = replace_invalid_utf8(text);
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

bool JsonPrinter::begin_field(const Field& field, const State& state) {
  if (!state.present || (field.tag >= 0 && state.is_default)) return false;
  field_ = &field;
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += field.name;
  out_ += "\":";
  return true;
}

void JsonPrinter::before_value() {
  if (!in_array_) return;
  if (!first_) out_ += ',';
  first_ = false;
}

void JsonPrinter::begin_struct() {
  before_value();
  out_ += '{';
  outer_arrays_.push_back(in_array_);
  in_array_ = false;
  first_ = true;
}

void JsonPrinter::end_struct(const UnknownTags&) {
  out_ += '}';
  in_array_ = outer_arrays_.back();
  outer_arrays_.pop_back();
  first_ = false;
}

void JsonPrinter::begin_array(std::size_t) {
  before_value();
  out_ += '[';
  outer_arrays_.push_back(in_array_);
  in_array_ = true;
  first_ = true;
}

void JsonPrinter::end_array() {
  out_ += ']';
  in_array_ = outer_arrays_.back();
  outer_arrays_.pop_back();
  first_ = false;
}

void JsonPrinter::null() {
  before_value();
  out_ += "null";
}

void JsonPrinter::boolean(bool value) {
  before_value();
  out_ += value ? "true" : "false";
}

void JsonPrinter::number(std::int64_t value) {
  before_value();
  out_ += fmt::format_int(value).c_str();
}

void JsonPrinter::floating(double value) {
  before_value();
  // JSON has no number for these; Kafka's printer gives the names.
  out_ += std::isfinite(value) ? fmt::format("{}", value)
          : std::isnan(value)  ? "\"NaN\""
          : value > 0          ? "\"Infinity\""
                               : "\"-Infinity\"";
}

void JsonPrinter::text(const std::string& value) {
  before_value();
  append_json_string(out_, value);
}

void JsonPrinter::uuid(const Uuid& value) {
  before_value();
  out_ += fmt::format("\"{}\"", value.to_string());
}

void JsonPrinter::bytes(ByteView value) {
  before_value();
  out_ += '"';
  append_base64(out_, value);
  out_ += '"';
}

void JsonPrinter::records(const RecordsField& value) {
  before_value();
  if (value.null) {
    out_ += "null";
  } else if (records_ == RecordsText::size) {
    out_.insert(out_.size() - 2, "SizeInBytes");  // before the `":` of the key
    out_ += fmt::format_int(value.chain.size()).c_str();
  } else {
    out_ += '"';
    append_hex(out_, value.chain);
    out_ += '"';
  }
}

void LossCheck::complain(std::string_view what) {
  if (error_) return;
  error_ = Error{Errc::unsupported, fmt::format("{} version {}: field {} {}", message_, version_,
                                                field_ ? field_->name : "", what)};
}

bool LossCheck::begin_field(const Field& field, const State& state) {
  field_ = &field;
  nullable_ = state.nullable;
  if (!state.present && !state.is_default && !field.lossy) {
    complain("is set, but this version does not have it");
  }
  return state.present;
}

void LossCheck::null() {
  if (!nullable_) complain("is null, which this version does not allow");
}

void LossCheck::text(const std::string& value) {
  if (value.size() > static_cast<std::size_t>(string_bytes_max)) {
    complain("is longer than 32,767 bytes");
  }
}

void LossCheck::records(const RecordsField& value) {
  if (value.null) null();
}

Result<> LossCheck::result() && {
  if (error_) return std::move(*error_);
  return {};
}

std::string print_json(std::int16_t version, Describable what, RecordsText records) {
  JsonPrinter printer(records);
  what.describe(printer, version, what.message);
  return std::move(printer).text();
}

Result<> find_loss(std::string_view name, std::int16_t version, Describable what) {
  LossCheck check(name, version);
  what.describe(check, version, what.message);
  return std::move(check).result();
}

}  // namespace chronik::protocol
