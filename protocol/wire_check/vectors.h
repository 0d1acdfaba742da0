// Reading the files of golden vectors, and comparing what we print with what they say.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "protocol/wire_check/report.h"

namespace chronik::protocol::wire_check {

/// The names of the files in `folder` that end on `suffix`, sorted; none when there is no folder.
std::vector<std::string> files_in(Disk& disk, const std::string& folder, std::string_view suffix);

/// The message a file is about: "ProduceRequest" of 00_Produce.request.jsonl, "TopicRecord" of
/// metadata.TopicRecord.jsonl.
std::string message_name(const std::string& file);

/// Calls `check(where, line)` for each line of a .jsonl file, `where` being "file:line". A line
/// that is no JSON object is a mismatch. A file that is not there has no lines.
void for_each_line(
    Disk& disk, const std::string& file, Report& report,
    const std::function<void(const std::string& where, const boost::json::object& line)>& check);

/// As above for a .tsv file with a first line of names; cells by column. Lines with too few cells
/// are filled with empty ones.
void for_each_row(Disk& disk, const std::string& file,
                  const std::function<void(const std::string& where,
                                           const std::vector<std::string>& cells)>& check);

/// Nothing when `hex` is no hex.
std::optional<Bytes> from_hex(std::string_view hex);
std::string to_hex(ByteView bytes);

/// The member, or `fallback` when there is none or it is of another type.
std::string text_of(const boost::json::object& line, std::string_view key);
std::int64_t number_of(const boost::json::object& line, std::string_view key,
                       std::int64_t fallback = 0);

/// The first place where two values differ, with both; nothing when they are the same. Numbers are
/// compared by value.
std::optional<std::string> first_difference(const boost::json::value& expected,
                                            const boost::json::value& actual,
                                            const std::string& path = "");

/// "" when equal; else where they first differ and a few bytes of both.
std::string byte_difference(ByteView expected, ByteView actual);

}  // namespace chronik::protocol::wire_check
