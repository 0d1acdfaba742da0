#include "wal/log_dump.h"

#include <spdlog/fmt/fmt.h>

#include "protocol/record_reader.h"
#include "wal/format.h"
#include "wal/journal_view.h"
#include "wal/log_verify.h"
#include "wal/partition_scan.h"

namespace chronik::wal {

namespace {

const char* codec_name(std::uint8_t bits) {
  constexpr const char* names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  return bits < std::size(names) ? names[bits] : "unknown";
}

class Dumper final : public ScanVisitor {
 public:
  Dumper(const DumpOptions& options, const std::function<void(std::string_view)>& line)
      : options_(options), line_(line) {}

  void describe(const PartitionScan& scan) {
    if (!scan.checkpoint().has_value()) {
      line_(fmt::format("{} without checkpoint", scan.directory()));
      return;
    }
    const Checkpoint& checkpoint = *scan.checkpoint();
    std::string text = fmt::format(
        "{} topic_id={} log_start_offset={} checkpoint_end_offset={} "
        "checkpoint_last_index={} segments={} epochs={} derived_bytes={}",
        scan.directory(), checkpoint.identity.topic_id.to_string(), checkpoint.start_offset,
        checkpoint.end_offset, checkpoint.last_index, checkpoint.segments.size(),
        checkpoint.epochs.size(), checkpoint.derived.size());
    if (checkpoint.first_dirty_offset != 0) {
      text += fmt::format(" first_dirty_offset={}", checkpoint.first_dirty_offset);
    }
    line_(text);
  }

  void on_segment(const std::string& file, const SegmentName&, std::uint64_t size) override {
    line_(fmt::format("{} size={}", file, size));
  }

  void on_entry(const ScannedEntry& entry) override {
    const protocol::BatchHeader& header = entry.place->header;
    if (options_.from.has_value() && header.next_offset() <= *options_.from) return;
    if (options_.below.has_value() && header.base_offset >= *options_.below) return;
    std::string text = fmt::format("  position={} ", entry.place->position);
    if (takes_no_offset(header)) {
      text += fmt::format("no_offset at={}", header.base_offset);
    } else {
      text += fmt::format("offsets={}..{} records={}", header.base_offset, header.last_offset(),
                          header.record_count);
    }
    if (entry.index != 0) text += fmt::format(" index={}", entry.index);
    text += fmt::format(" epoch={} size={} crc={:08x} codec={} {}={}", header.leader_epoch,
                        header.size(), header.crc, codec_name(header.codec_bits()),
                        header.timestamp_type() == protocol::TimestampType::log_append_time
                            ? "log_append_time"
                            : "max_create_time",
                        header.max_timestamp);
    if (header.has_producer_id()) {
      text += fmt::format(" producer_id={} producer_epoch={} sequences={}..{}", header.producer_id,
                          header.producer_epoch, header.base_sequence, header.last_sequence());
    }
    if (header.has_delete_horizon()) {
      text += fmt::format(" delete_horizon={}", header.base_timestamp);
    }
    if (header.is_transactional()) text += " transactional";
    if (header.is_control()) text += " control";
    line_(text);
    if (options_.records && !takes_no_offset(header)) dump_records(entry);
  }

  void on_damage(const LogDamage& damage) override {
    if (!damage.torn_tail && !damage.mends_itself) ++damages;
    line_(to_string(damage));
  }

  std::uint64_t damages = 0;

 private:
  void damaged_records(std::string_view what) {
    ++damages;
    line_(fmt::format("    DAMAGE: {}", what));
  }

  std::string preview(const std::optional<ByteView>& bytes) const {
    if (!bytes.has_value()) return "null";
    std::string text = "\"";
    for (const std::uint8_t byte : bytes->first(std::min(bytes->size(), options_.preview_bytes))) {
      if (byte == '"' || byte == '\\') text.push_back('\\');
      if (byte < 0x20 || byte >= 0x7f) {
        text += fmt::format("\\x{:02x}", byte);
      } else {
        text.push_back(static_cast<char>(byte));
      }
    }
    text.push_back('"');
    if (bytes->size() > options_.preview_bytes) text += fmt::format("+{}", bytes->size());
    return text;
  }

  void dump_records(const ScannedEntry& entry) {
    Bytes batch(entry.place->header.size());
    const Result<std::size_t> read = entry.file->read_at(entry.place->position, batch);
    if (!read || *read != batch.size()) return damaged_records("the batch cannot be read");
    Result<protocol::RecordReader> reader = protocol::RecordReader::open(batch, scratch_);
    if (!reader) return damaged_records(reader.error().message);
    protocol::Record record;
    while (reader->next(record)) {
      if (options_.from.has_value() && record.offset < *options_.from) continue;
      if (options_.below.has_value() && record.offset >= *options_.below) continue;
      line_(fmt::format("    offset={} timestamp={} headers={} key={} value={}", record.offset,
                        record.timestamp, record.header_count, preview(record.key),
                        preview(record.value)));
    }
    if (!reader->ok()) damaged_records(reader->problem());
  }

  const DumpOptions& options_;
  const std::function<void(std::string_view)>& line_;
  protocol::RecordScratch scratch_;
};

}  // namespace

Result<std::uint64_t> dump_logs(Disk& disk, const std::string& path, const DumpOptions& options,
                                const std::function<void(std::string_view line)>& line) {
  TRY_ASSIGN(const std::vector<std::string> directories, partition_directories(disk, path));
  std::uint64_t damages = 0;
  Result<std::unique_ptr<JournalView>> view = JournalView::open(disk, path);
  if (!view) {
    if (view.error().code != Errc::corrupt) return std::move(view).error();
    line(view.error().message);
    ++damages;
  } else if ((*view)->bytes() != 0) {
    line(
        fmt::format("# {} bytes of {} segments are shown as the next start copies them there from "
                    "the journal",
                    (*view)->bytes(), (*view)->segments()));
  }
  Disk& seen = view ? static_cast<Disk&>(**view) : disk;
  for (const std::string& directory : directories) {
    Dumper dumper(options, line);
    TRY_ASSIGN(PartitionScan scan, PartitionScan::open(seen, directory, dumper));
    dumper.describe(scan);
    TRY(scan.run());
    damages += dumper.damages;
  }
  return damages;
}

}  // namespace chronik::wal
