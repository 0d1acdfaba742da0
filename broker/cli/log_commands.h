// `chronik log dump|verify|repair DIR`: a data directory seen from outside, without a broker. What
// they find is decided in wal/log_dump.h, log_verify.h and log_repair.h; here is how it is told.
#pragma once

#include <iosfwd>
#include <string>

#include "base/file.h"
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

/// Where a command writes: findings to `out`; mistakes, notes and how far it is to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;  // then long work shows how far it is
};

/// Each gives the exit code: exit_failed when it met damage (repair: when it could not mend it).
int dump_log(const LogDumpCommand& command, Disk& disk, const Console& console);
int verify_log(const LogVerifyCommand& command, Disk& disk, const Console& console);
int repair_log(const LogRepairCommand& command, Disk& disk, const Console& console);

}  // namespace chronik::broker::cli
