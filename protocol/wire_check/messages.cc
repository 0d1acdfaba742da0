#include <fmt/format.h>

#include <algorithm>

#include "protocol/catalog.h"
#include "protocol/decode_oracle.h"
#include "protocol/wire_check/checks.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol::wire_check {

namespace json = boost::json;

namespace {

// Where in a message unknown tagged fields stand, as the vectors say it.
class UnknownTagPaths final : public FieldSink {
 public:
  json::array take() && { return std::move(found_); }

  bool begin_field(const Field& field, const State& state) override {
    field_ = &field;
    return state.present;
  }
  void begin_struct() override {
    // The root has neither a field nor an array around it.
    if (!levels_.empty() || field_ != nullptr) enter();
    levels_.push_back({"", -1});
  }
  void end_struct(const UnknownTags& unknown) override {
    levels_.pop_back();
    for (const UnknownTags::Tag& tag : unknown.list()) {
      found_.push_back({{"at", path()},
                        {"tag", static_cast<std::int64_t>(tag.tag)},
                        {"hex", to_hex(tag.payload)}});
    }
    leave();
  }
  void begin_array(std::size_t) override {
    enter();
    levels_.push_back({"", 0});
  }
  void end_array() override {
    levels_.pop_back();
    leave();
  }
  void null() override { skip(); }
  void boolean(bool) override { skip(); }
  void number(std::int64_t) override { skip(); }
  void floating(double) override { skip(); }
  void text(const std::string&) override { skip(); }
  void uuid(const Uuid&) override { skip(); }
  void bytes(ByteView) override { skip(); }
  void records(const RecordsField&) override { skip(); }

 private:
  struct Level {
    std::string name;    // of the field of a struct that is being told
    std::int64_t index;  // of the element of an array that is being told; -1 in a struct
  };

  void enter() {
    if (levels_.back().index < 0) levels_.back().name = field_->name;
  }
  void leave() {
    if (!levels_.empty() && levels_.back().index >= 0) ++levels_.back().index;
  }
  void skip() { leave(); }
  std::string path() const {
    std::string path;
    for (const Level& level : levels_) {
      path += level.index < 0 ? "/" + level.name : fmt::format("/{}", level.index);
    }
    return path;
  }

  const Field* field_ = nullptr;
  std::vector<Level> levels_;
  json::array found_;
};

// Order does not matter: we list a struct after the structs in it.
std::vector<std::string> sorted_texts(const json::array& values) {
  std::vector<std::string> texts;
  for (const json::value& value : values) {
    const json::object& tag = value.as_object();
    texts.push_back(
        fmt::format("{} {} {}", text_of(tag, "at"), number_of(tag, "tag"), text_of(tag, "hex")));
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

void check_unknown_tags(const std::string& where, const json::object& line, std::int16_t version,
                        const AnyMessage& message, Report& report) {
  UnknownTagPaths paths;
  message.describe(paths, version);
  const std::vector<std::string> actual = sorted_texts(std::move(paths).take());
  const json::value* listed = line.if_contains("unknown_tags");
  const std::vector<std::string> expected =
      listed != nullptr ? sorted_texts(listed->as_array()) : std::vector<std::string>();
  if (actual != expected) {
    report.mismatch(where, fmt::format("{} unknown tagged fields expected, got {} or others",
                                       expected.size(), actual.size()));
  }
}

void check_value(const std::string& where, const json::object& line, std::int16_t version,
                 const AnyMessage& message, Report& report) {
  boost::system::error_code error;
  const json::value ours = json::parse(message.to_json(version, RecordsText::hex), error);
  if (error) return report.mismatch(where, "what we print is no JSON");
  if (const auto difference = first_difference(line.at("json"), ours)) {
    report.mismatch(where, *difference);
  }
}

// What is stored in front of the body, by the framing of the record.
Bytes framed(const MessageType& type, std::int16_t version, ByteView body) {
  Writer writer;
  switch (type.framing) {
    case RecordFraming::none:
      break;
    case RecordFraming::key:
      writer.i16(type.key);
      break;
    case RecordFraming::version:
      writer.i16(version);
      break;
    case RecordFraming::metadata:
      writer.uvarint(1);
      writer.uvarint(static_cast<std::uint32_t>(type.key));
      writer.uvarint(static_cast<std::uint32_t>(version));
      break;
  }
  writer.bytes(body);
  return writer.take_bytes();
}

void check_vector(const MessageType& type, const std::string& where, const json::object& line,
                  Report& report) {
  report.vector();
  const auto version = static_cast<std::int16_t>(number_of(line, "v", -1));
  if (version < type.min_version || version > type.max_version) {
    return report.mismatch(where, fmt::format("{} has no version {}", type.name, version));
  }
  if (type.flexible_in(version) != line.at("flexible").as_bool()) {
    report.mismatch(where, fmt::format("version {} is flexible here and not there", version));
  }
  const auto bytes = from_hex(text_of(line, "hex"));
  if (!bytes) return report.mismatch(where, "no hex");

  Reader reader(SharedBytes::copy_of(*bytes));
  DecodeFailure failure;
  const auto message = type.make();
  if (!message->decode(reader, version, &failure)) {
    return report.mismatch(where, fmt::format("field {}: {}", failure.field, failure.reason));
  }
  if (!reader.finished()) {
    report.mismatch(where, fmt::format("{} bytes left over", reader.remaining()));
  }
  const Bytes again = encoded(*message, version);
  if (const auto difference = byte_difference(*bytes, again); !difference.empty()) {
    report.mismatch(where, difference);
  }
  check_value(where, line, version, *message, report);
  check_unknown_tags(where, line, version, *message, report);
  if (const Result<> loss = message->check_encodable(version); !loss) {
    report.mismatch(where, loss.error().message);
  }
  if (text_of(line, "kind") == "default") {
    if (!type.make()->equals(*message)) report.mismatch(where, "a fresh message is not this one");
  }
  if (line.contains("log_hex") &&
      to_hex(framed(type, version, again)) != text_of(line, "log_hex")) {
    report.mismatch(where, "what stands in front of the stored record differs");
  }
}

void check_files(Disk& disk, const std::string& folder, Report& report) {
  for (const std::string& file : files_in(disk, folder, ".jsonl")) {
    const std::string message = message_name(file);
    const MessageType* type = find_message_type(message);
    for_each_line(disk, fmt::format("{}/{}", folder, file), report,
                  [&](const std::string& where, const json::object& line) {
                    if (type == nullptr) {
                      report.left_out(message);
                    } else {
                      check_vector(*type, where, line, report);
                    }
                  });
  }
}

}  // namespace

void check_messages(Disk& disk, const std::string& folder, Report& report) {
  check_files(disk, folder + "/messages", report);
}

void check_other_messages(Disk& disk, const std::string& folder, Report& report) {
  check_files(disk, folder + "/messages_other", report);
}

void check_folder(Disk& disk, const std::string& folder, Report& report) {
  check_messages(disk, folder, report);
  check_other_messages(disk, folder, report);
  check_headers(disk, folder, report);
  check_tables(disk, folder, report);
  check_batches(disk, folder, report);
  check_produce(disk, folder, report);
}

}  // namespace chronik::protocol::wire_check
