// RecordReader: the records of a magic 2 batch, one after the other, as views. A plain batch is
// read where it stands; a compressed one is decompressed whole first, within limits. Strict: each
// record's parts must fill its length exactly, and the header's count must be met with nothing left
// over. It does not look at the CRC: the log and produce validation have done so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/record_batch.h"
#include "protocol/record_scanner.h"

namespace chronik::protocol {

struct RecordHeader {
  std::string_view key;  // bytes that should be UTF-8; nobody checks
  std::optional<ByteView> value;
};

/// Views into the batch or into the reader that gave it.
struct Record {
  Offset offset = 0;
  Timestamp timestamp = 0;
  /// As the producer set it: differs from `timestamp` in batches that carry LogAppendTime.
  Timestamp create_timestamp = 0;
  Sequence sequence = no_sequence;
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  std::int32_t header_count = 0;
  ByteView header_bytes;  // as they stand, checked

  std::vector<RecordHeader> headers() const;
  /// The same into a vector that is used again and again.
  void headers(std::vector<RecordHeader>& into) const;
};

class RecordReader {
 public:
  /// `batch` begins with a whole batch and outlives the reader. An error where it is no whole magic
  /// 2 batch, names an unknown codec, or is compressed and damaged or over the limits.
  static Result<RecordReader> open(ByteView batch, RecordScratch& scratch,
                                   const RecordLimits& limits = {});

  const BatchHeader& header() const { return header_; }

  /// The next record, or false: then either all were read (ok()) or there is a problem().
  bool next(Record& record);
  bool ok() const { return problem_.empty(); }
  /// What is damaged. Precondition: !ok().
  const std::string& problem() const { return problem_; }

 private:
  RecordReader() = default;
  bool fail(std::string_view what);
  bool read_body(const std::uint8_t* at, const std::uint8_t* end, Record& record);

  BatchHeader header_;
  Bytes decompressed_;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::int32_t read_ = 0;
  std::int32_t record_bytes_max_ = 0;
  bool done_ = false;
  std::string problem_;
};

/// Whether `bytes` begin with a whole magic 2 batch (the CRC included), and its header.
/// Errc::corrupt says what is wrong.
Result<BatchHeader> check_batch(ByteView bytes);

struct RecordPosition {
  Offset offset = 0;
  Timestamp timestamp = 0;
};

/// The first record of the batch with an offset of at least `from` and a timestamp of at least
/// `target`; nothing when there is none. `batch` is a whole magic 2 batch.
Result<std::optional<RecordPosition>> find_by_timestamp(ByteView batch, Timestamp target,
                                                        Offset from, RecordScratch& scratch);

}  // namespace chronik::protocol
