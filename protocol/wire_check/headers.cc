#include <fmt/format.h>

#include "protocol/api_keys.h"
#include "protocol/header.h"
#include "protocol/print.h"
#include "protocol/wire_check/checks.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol::wire_check {

namespace json = boost::json;

namespace {

json::value values(const RequestHeader& header) {
  json::object object{{"requestApiKey", header.api_key},
                      {"requestApiVersion", header.api_version},
                      {"correlationId", header.correlation_id}};
  object["clientId"] = header.client_id ? json::value(*header.client_id) : json::value(nullptr);
  return object;
}

json::value values(const ResponseHeader& header) {
  return json::object{{"correlationId", header.correlation_id}};
}

template <class Header>
void check_header(const std::string& where, const json::object& line, Report& report) {
  report.vector();
  const auto version = static_cast<std::int16_t>(number_of(line, "v"));
  const auto bytes = from_hex(text_of(line, "hex"));
  if (!bytes) return report.mismatch(where, "no hex");
  Reader reader{ByteView(*bytes)};
  Header header;
  if (!decode_header(reader, version, header) || !reader.finished()) {
    return report.mismatch(where, "cannot be decoded, or bytes are left over");
  }
  Writer writer;
  encode_header(writer, version, header);
  const std::string difference = byte_difference(*bytes, writer.take_bytes());
  if (!difference.empty()) report.mismatch(where, difference);
  if (const auto wrong = first_difference(line.at("json"), values(header))) {
    report.mismatch(where, *wrong);
  }
  const json::value* listed = line.if_contains("unknown_tags");
  const std::size_t expected = listed != nullptr ? listed->as_array().size() : 0;
  if (header.unknown_tags.count() != expected) {
    report.mismatch(where, fmt::format("{} unknown tagged fields expected, got {}", expected,
                                       header.unknown_tags.count()));
  }
}

void check_versions(const std::string& where, const std::vector<std::string>& cells,
                    Report& report) {
  report.vector();
  const auto key = static_cast<std::int16_t>(std::stoi(cells[0]));
  const ApiInfo* info = find_api(key);
  if (cells[2] == "none") {
    if (info != nullptr) report.mismatch(where, "we have versions of an API that has none");
    return;
  }
  if (info == nullptr || info->name != cells[1]) {
    return report.mismatch(where, fmt::format("{} is {} here", cells[1], api_name(key)));
  }
  const auto version = static_cast<std::int16_t>(std::stoi(cells[2]));
  const std::string ours =
      fmt::format("request {} response {} {} {} {}", *request_header_version(key, version),
                  *response_header_version(key, version), version >= info->first_flexible,
                  version > info->max_stable_version,
                  version >= info->min_version && version <= info->max_version);
  const std::string theirs =
      fmt::format("request {} response {} {} {} true", cells[3], cells[4], cells[5], cells[6]);
  if (ours != theirs) report.mismatch(where, fmt::format("{} expected, got {}", theirs, ours));
}

}  // namespace

void check_headers(Disk& disk, const std::string& folder, Report& report) {
  for_each_line(disk, folder + "/" + "headers.jsonl", report,
                [&](const std::string& where, const json::object& line) {
                  if (text_of(line, "header") == "request") {
                    check_header<RequestHeader>(where, line, report);
                  } else {
                    check_header<ResponseHeader>(where, line, report);
                  }
                });
  for_each_row(disk, folder + "/" + "header_versions.tsv",
               [&](const std::string& where, const std::vector<std::string>& cells) {
                 check_versions(where, cells, report);
               });
}

}  // namespace chronik::protocol::wire_check
