// What commands on a data directory have in common: where they write, and how they look at it.
#pragma once

#include <iosfwd>
#include <string>

#include "base/file.h"

namespace chronik::broker::cli {

/// Where a command writes: findings to `out`; mistakes, notes and how far it is to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;  // then long work shows how far it is
};

/// Absolute, so that "." and ".." have a name and a parent.
std::string full_path(const std::string& path);

/// What a broker writes meanwhile may look damaged: says so. The lock is let go at once.
void note_a_running_broker(const std::string& path, Disk& disk, const Console& console);

}  // namespace chronik::broker::cli
