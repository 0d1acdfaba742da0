#include "protocol/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "base/check.h"
#include "base/coding.h"
#include "protocol/xerial_snappy.h"

namespace chronik::protocol {
namespace {

// A library that refuses to compress has run out of memory or was called wrongly: both are beyond
// what a caller could answer, so the functions below CHECK.

void compress_gzip(int level, ByteView input, Bytes& out) {
  constexpr int gzip_window_bits = 15 + 16;
  constexpr int default_memory_level = 8;
  z_stream stream{};
  CHECK(deflateInit2(&stream, level, Z_DEFLATED, gzip_window_bits, default_memory_level,
                     Z_DEFAULT_STRATEGY) == Z_OK);
  CHECK(input.size() <= std::numeric_limits<uInt>::max());
  const std::size_t begin = out.size();
  out.resize(begin + deflateBound(&stream, static_cast<uLong>(input.size())));
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = out.data() + begin;
  stream.avail_out = static_cast<uInt>(out.size() - begin);
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(begin + stream.total_out);
  deflateEnd(&stream);
}

void compress_snappy(ByteView input, Bytes& out) {
  out.insert(out.end(), xerial_header.begin(), xerial_header.end());
  while (!input.empty()) {
    const ByteView block = input.first(std::min(input.size(), xerial_block_size));
    input = input.subspan(block.size());
    const std::size_t begin = out.size();
    out.resize(begin + 4 + snappy::MaxCompressedLength(block.size()));
    std::size_t size = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(),
                        reinterpret_cast<char*>(out.data() + begin + 4), &size);
    store_be(out.data() + begin, static_cast<std::int32_t>(size));
    out.resize(begin + 4 + size);
  }
}

void compress_lz4(int level, ByteView input, Bytes& out) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  // Kafka takes lz4's fast compressor at its default level and the "high" one, by level, at others.
  preferences.compressionLevel = level == level_range(Codec::lz4).standard ? 0 : std::max(level, 3);
  const std::size_t begin = out.size();
  out.resize(begin + LZ4F_compressFrameBound(input.size(), &preferences));
  const std::size_t size = LZ4F_compressFrame(out.data() + begin, out.size() - begin, input.data(),
                                              input.size(), &preferences);
  CHECK_MSG(LZ4F_isError(size) == 0, LZ4F_getErrorName(size));
  out.resize(begin + size);
}

void compress_zstd(int level, ByteView input, Bytes& out) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                        &ZSTD_freeCCtx);
  CHECK(context != nullptr);
  const std::size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(input.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data() + begin, out.size() - begin,
                                             input.data(), input.size(), level);
  CHECK_MSG(ZSTD_isError(size) == 0, ZSTD_getErrorName(size));
  out.resize(begin + size);
}

}  // namespace

std::string_view codec_name(Codec codec) {
  constexpr std::array<std::string_view, 5> names{"none", "gzip", "snappy", "lz4", "zstd"};
  return names[static_cast<std::size_t>(codec)];
}

std::optional<Codec> codec_from_bits(std::uint8_t bits) {
  if (bits > static_cast<std::uint8_t>(Codec::zstd)) return std::nullopt;
  return static_cast<Codec>(bits);
}

LevelRange level_range(Codec codec) {
  switch (codec) {
    case Codec::none:
    case Codec::snappy:
      return {};
    case Codec::gzip:
      return {.min = 1, .max = 9, .standard = -1};
    case Codec::lz4:
      return {.min = 1, .max = 17, .standard = 9};
    case Codec::zstd:
      return {.min = ZSTD_minCLevel(), .max = ZSTD_maxCLevel(), .standard = 3};
  }
  UNREACHABLE();
}

bool is_valid_level(Codec codec, int level) {
  const LevelRange range = level_range(codec);
  return level == range.standard || (level >= range.min && level <= range.max);
}

void compress(Codec codec, int level, ByteView input, Bytes& out) {
  CHECK(is_valid_level(codec, level));
  switch (codec) {
    case Codec::none:
      out.insert(out.end(), input.begin(), input.end());
      return;
    case Codec::gzip:
      compress_gzip(level, input, out);
      return;
    case Codec::snappy:
      compress_snappy(input, out);
      return;
    case Codec::lz4:
      compress_lz4(level, input, out);
      return;
    case Codec::zstd:
      compress_zstd(level, input, out);
      return;
  }
}

}  // namespace chronik::protocol
