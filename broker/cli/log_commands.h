// `chronik log dump|verify|repair DIR`: a data directory seen from outside, without a broker. What
// they find is decided in wal/log_dump.h, log_verify.h and log_repair.h; here is how it is told.
#pragma once

#include <string>

#include "base/file.h"
#include "broker/cli/data_directory.h"
#include "wal/log_dump.h"
#include "wal/log_verify.h"

namespace chronik::broker::cli {

struct LogDumpCommand {
  std::string directory;
  wal::DumpOptions options;
};

struct LogVerifyCommand {
  std::string directory;
  wal::VerifyOptions options;
};

struct LogRepairCommand {
  std::string directory;
};

/// Each gives the exit code: exit_failed when it met damage (repair: when it could not mend it).
int dump_log(const LogDumpCommand& command, Disk& disk, const Console& console);
int verify_log(const LogVerifyCommand& command, Disk& disk, const Console& console);
int repair_log(const LogRepairCommand& command, Disk& disk, const Console& console);

}  // namespace chronik::broker::cli
