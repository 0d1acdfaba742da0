#include <fmt/format.h>

#include "base/crc32c.h"
#include "protocol/errors.h"
#include "protocol/partitioner.h"
#include "protocol/wire_check/checks.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol::wire_check {

namespace {

using Cells = std::vector<std::string>;

// Compares one computed value with one cell.
void expect(const std::string& where, std::string_view what, const std::string& cell,
            const std::string& ours, Report& report) {
  if (cell != ours) {
    report.mismatch(where, fmt::format("{}: {} expected, got {}", what, cell, ours));
  }
}

void check_error(const std::string& where, const Cells& cells, Report& report) {
  report.vector();
  const auto code = error_from_wire(static_cast<std::int16_t>(std::stoi(cells[0])));
  if (!code) return report.mismatch(where, "we do not know this code");
  expect(where, "name", cells[1], std::string(error_name(*code)), report);
  expect(where, "retriable", cells[3], fmt::format("{}", is_retriable(*code)), report);
  expect(where, "refresh", cells[4], fmt::format("{}", wants_metadata_refresh(*code)), report);
  expect(where, "message", cells[5], std::string(error_message(*code)), report);
}

void check_murmur2(const std::string& where, const Cells& cells, Report& report) {
  report.vector();
  const auto key = from_hex(cells[0]);
  if (!key) return report.mismatch(where, "no hex");
  expect(where, "murmur2", cells[1], fmt::format("{}", murmur2(*key)), report);
  expect(where, "of 12", cells[2], fmt::format("{}", partition_of_key(*key, 12)), report);
  expect(where, "of 100", cells[3], fmt::format("{}", partition_of_key(*key, 100)), report);
}

void check_group(const std::string& where, const Cells& cells, Report& report) {
  report.vector();
  const auto id = from_hex(cells[0]);
  if (!id) return report.mismatch(where, "no hex");
  const std::string_view text = as_text(*id);
  expect(where, "hashCode", cells[2], fmt::format("{}", java_hash(text)), report);
  expect(where, "of 50", cells[3], fmt::format("{}", partition_of_id(text, 50)), report);
}

void check_crc32c(const std::string& where, const Cells& cells, Report& report) {
  report.vector();
  const auto data = from_hex(cells[0]);
  if (!data) return report.mismatch(where, "no hex");
  expect(where, "crc32c", cells[1], fmt::format("{:08x}", crc32c(*data)), report);
}

}  // namespace

void check_tables(Disk& disk, const std::string& folder, Report& report) {
  const auto rows = [&](const char* file, auto check) {
    for_each_row(disk, folder + "/" + file, [&](const std::string& where, const Cells& cells) {
      check(where, cells, report);
    });
  };
  rows("errors.tsv", check_error);
  rows("murmur2.tsv", check_murmur2);
  rows("crc32c.tsv", check_crc32c);
  rows("group_partition.tsv", check_group);
}

}  // namespace chronik::protocol::wire_check
