#include "broker/cli/log_commands.h"

#include <spdlog/fmt/fmt.h>

#include <ostream>
#include <set>

#include "broker/cli/command_line.h"
#include "broker/cli/data_directory.h"
#include "raft/multi/state_file.h"
#include "wal/log_repair.h"

namespace chronik::broker::cli {

namespace {

int fail(const Console& console, const Error& error) {
  console.err << "chronik: " << error.message << "\n";
  return exit_failed;
}

std::string readable_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

/// One line on the terminal that is written over and over, and is gone at the end.
class ProgressLine {
 public:
  explicit ProgressLine(const Console& console) : console_(console) {}
  ~ProgressLine() { clear(); }

  void show(const wal::ScanProgress& progress) {
    if (!console_.err_is_terminal) return;
    console_.err << fmt::format("\r\033[K{} of {} partitions, {} read", progress.partitions_done,
                                progress.partitions, readable_bytes(progress.bytes));
    console_.err.flush();
    shown_ = true;
  }
  void clear() {
    if (!shown_) return;
    console_.err << "\r\033[K";
    console_.err.flush();
    shown_ = false;
  }

 private:
  const Console& console_;
  bool shown_ = false;
};

std::string count(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

void print_advice(const std::vector<wal::LogDamage>& damages, std::ostream& out) {
  std::set<std::string> directories;
  bool stamp = false;
  bool records = false;
  for (const wal::LogDamage& damage : damages) {
    if (damage.in_records) {
      records = true;
    } else if (damage.directory.empty()) {
      stamp = stamp || damage.file.ends_with("chronik.stamp");
    } else {
      directories.insert(damage.directory);
    }
  }
  if (stamp) out << "Restore chronik.stamp from a copy.\n";
  if (!directories.empty()) {
    out << "Stop the broker; then restore from a copy, or give up what lies behind the first "
           "damage:\n";
    for (const std::string& directory : directories) {
      out << "  chronik log repair " << directory << "\n";
    }
  }
  if (records) {
    out << "Batches that are whole but have unreadable records stop no start; consumers must be "
           "moved behind them.\n";
  }
}

}  // namespace

int dump_log(const LogDumpCommand& command, Disk& disk, const Console& console) {
  const std::string path = full_path(command.directory);
  note_a_running_broker(path, disk, console);
  const Result<std::uint64_t> damages = wal::dump_logs(
      disk, path, command.options, [&](std::string_view line) { console.out << line << '\n'; });
  console.out.flush();
  if (!damages) return fail(console, damages.error());
  if (*damages == 0) return exit_fine;
  console.err << fmt::format("chronik: {} met; `chronik log verify {}` tells what to do\n",
                             count(*damages, "damage", "damages"), path);
  return exit_failed;
}

int verify_log(const LogVerifyCommand& command, Disk& disk, const Console& console) {
  const std::string path = full_path(command.directory);
  note_a_running_broker(path, disk, console);
  ProgressLine progress(console);
  const wal::VerifyCallbacks callbacks{
      .on_damage =
          [&](const wal::LogDamage& damage) {
            progress.clear();
            console.out << to_string(damage) << '\n';
          },
      .on_progress = [&](const wal::ScanProgress& far) { progress.show(far); }};
  const Result<wal::VerifyReport> report = wal::verify_logs(disk, path, command.options, callbacks);
  progress.clear();
  if (!report) return fail(console, report.error());
  console.out << fmt::format(
      "{}: {}, {}, {}, {}, {}\n", path, count(report->partitions, "partition", "partitions"),
      count(report->segments, "segment", "segments"), count(report->batches, "batch", "batches"),
      count(report->records, "record", "records"), count(report->bytes, "byte", "bytes"));
  if (report->journal_bytes != 0) {
    console.out << fmt::format("in the journal: {} of {}, which the next start copies there\n",
                               count(report->journal_bytes, "byte", "bytes"),
                               count(report->journal_segments, "segment", "segments"));
  }
  if (report->torn_tails != 0) {
    console.out << fmt::format(
        "{}: never acknowledged, cut at the next start\n",
        count(report->torn_tails, "write that did not finish", "writes that did not finish"));
  }
  if (report->damaged_indexes != 0) {
    console.out << fmt::format(
        "{}: made again from the records when wanted\n",
        count(report->damaged_indexes, "damage of an index", "damages of indexes"));
  }
  if (report->sound()) {
    console.out << "no damage\n";
    return exit_fine;
  }
  console.out << count(report->damages.size(), "damage", "damages") << "\n";
  print_advice(report->damages, console.out);
  return exit_failed;
}

int repair_log(const LogRepairCommand& command, Disk& disk, const Console& console) {
  const std::string path = full_path(command.directory);
  ProgressLine progress(console);
  const Result<wal::RepairReport> report = wal::repair_log(
      disk, path, [&](const wal::ScanProgress& far) { progress.show(far); },
      raft::StateFile::take_into(disk));
  progress.clear();
  if (!report) return fail(console, report.error());
  if (!report->changed) {
    console.out << path << ": no damage; nothing was changed\n";
    return exit_fine;
  }
  console.out << "first damage: " << to_string(report->first_damage) << "\n";
  console.out << fmt::format("kept: {}, offsets {} up to, not including, {}\n",
                             count(report->bytes_kept, "byte", "bytes"), report->log_start_offset,
                             report->end_offset);
  console.out << fmt::format("taken away: {}\n", count(report->bytes_taken, "byte", "bytes"));
  for (const std::string& file : report->kept_aside) console.out << "  copied to " << file << "\n";
  if (report->log_start_lost) {
    console.out << "The checkpoint was lost: records that DeleteRecords had hidden in the first "
                   "segment are visible again.\n";
  }
  return exit_fine;
}

}  // namespace chronik::broker::cli
