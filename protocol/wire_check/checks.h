// The checks of wire_check, one for each kind of file in a folder of golden vectors (made by Apache
// Kafka's own code). Each reads what it finds of its kind; a missing file or folder is no error.
#pragma once

#include <string>

#include "base/file.h"
#include "protocol/wire_check/report.h"

namespace chronik::protocol::wire_check {

/// messages/*.jsonl: bodies of requests and responses.
void check_messages(Disk& disk, const std::string& folder, Report& report);
/// messages_other/*.jsonl: records and what else is stored or sent inside other messages.
void check_other_messages(Disk& disk, const std::string& folder, Report& report);
/// headers.jsonl and header_versions.tsv.
void check_headers(Disk& disk, const std::string& folder, Report& report);
/// errors.tsv, murmur2.tsv, group_partition.tsv, crc32c.tsv.
void check_tables(Disk& disk, const std::string& folder, Report& report);

/// batches.jsonl: record batches of magic 2, and message sets of magic 0 and 1.
void check_batches(Disk& disk, const std::string& folder, Report& report);
/// broken.jsonl and validated.jsonl, through the broker's produce path.
void check_produce(Disk& disk, const std::string& folder, Report& report);

/// All of the above.
void check_folder(Disk& disk, const std::string& folder, Report& report);

}  // namespace chronik::protocol::wire_check
