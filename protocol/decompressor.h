// Decompressor: the records of a compressed batch as a stream of bytes, in pieces of the caller's
// size. Owned by a shard and used again for every batch, so that a stream costs no allocation; not
// for two threads at a time.
//
// What it reads comes from the network. It never allocates by a length that the stream declares
// beyond what the bytes at hand could hold, it stops at an output and at a ratio limit, and damage
// is an Error. Where codecs leave a choice it does as Kafka's broker: gzip members and snappy
// streams may follow each other and bytes that begin no further gzip member are ignored; zstd
// frames may follow each other and nothing else may; of lz4 the first frame counts and its blocks
// must be independent of each other. It is stricter where other readers are: a damaged further gzip
// member or zstd frame, a wrong content checksum of lz4, reserved bits in gzip's header are damage.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/record_batch.h"

namespace chronik::protocol {

/// What one stream may give: at most output_bytes_max, and beyond ratio_free_bytes no more than
/// ratio_max times its own size. The work that a sender can cause is bounded by these.
struct DecompressionLimits {
  std::uint64_t output_bytes_max = std::uint64_t{96} << 20;
  std::uint64_t ratio_free_bytes = std::uint64_t{32} << 20;
  std::uint64_t ratio_max = 512;

  std::uint64_t output_max_of(std::size_t compressed_size) const;
};

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  /// Begins a stream and forgets the one before. `compressed` must live until the last read().
  void start(Codec codec, ByteView compressed, const DecompressionLimits& limits = {});

  /// Fills `out`, or as much of it as the stream still has: fewer bytes than asked mean that the
  /// stream has ended, in good order and checksums included. Errc::corrupt: the stream is damaged;
  /// Errc::too_large: it is over the limits. After an error only start() may be called.
  Result<std::size_t> read(MutableByteView out);

  /// Appends all that is left to `out`, which grows with what is really there.
  Result<> read_all(Bytes& out);

 private:
  struct Streams;
  std::unique_ptr<Streams> streams_;
  Codec codec_ = Codec::none;
  std::uint64_t output_ = 0;
  std::uint64_t output_max_ = 0;
  std::size_t compressed_size_ = 0;
};

/// A whole stream at once, for callers that do it rarely.
Result<Bytes> decompress(Codec codec, ByteView compressed, const DecompressionLimits& limits = {});

}  // namespace chronik::protocol
