#include "protocol/compression.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <sys/resource.h>
#include <zstd.h>

#include <algorithm>
#include <string>

#include "base/coding.h"
#include "base/random.h"
#include "protocol/decompressor.h"
#include "protocol/xerial_snappy.h"

namespace chronik::protocol {
namespace {

constexpr Codec all_codecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};
constexpr Codec real_codecs[] = {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

Bytes compressed(Codec codec, ByteView input) {
  Bytes out;
  compress(codec, level_range(codec).standard, input, out);
  return out;
}

// Words from a small vocabulary with noise between them: compresses, but not to nothing.
Bytes text_like(Random& random, std::size_t size) {
  Bytes bytes;
  while (bytes.size() < size) {
    const std::string word = random.one_in(7) ? std::to_string(random.next())
                                              : "word" + std::to_string(random.below(50)) + " ";
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  bytes.resize(size);
  return bytes;
}

Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes bytes;
  for (const ByteView part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

TEST(Compression, EveryCodecGivesBackWhatItTook) {
  Random random(1);
  for (const Codec codec : all_codecs) {
    for (const std::size_t size : {0, 1, 100, 4096, 32'768, 32'769, 65'536, 300'000, 2'000'000}) {
      const Bytes input = text_like(random, size);
      const auto output = decompress(codec, compressed(codec, input));
      ASSERT_TRUE(output) << codec_name(codec) << " " << size << ": " << output.error().message;
      ASSERT_EQ(*output, input) << codec_name(codec) << " " << size;
    }
  }
}

TEST(Compression, EveryLevelGivesBackWhatItTook) {
  Random random(2);
  const Bytes input = text_like(random, 100'000);
  for (const Codec codec : real_codecs) {
    const LevelRange range = level_range(codec);
    EXPECT_TRUE(is_valid_level(codec, range.standard));
    EXPECT_FALSE(is_valid_level(codec, range.max + 1));
    for (int level = std::max(range.min, -7); level <= range.max; ++level) {
      ASSERT_TRUE(is_valid_level(codec, level));
      Bytes packed;
      compress(codec, level, input, packed);
      const auto output = decompress(codec, packed);
      ASSERT_TRUE(output) << codec_name(codec) << " level " << level;
      ASSERT_EQ(*output, input) << codec_name(codec) << " level " << level;
    }
  }
}

TEST(Compression, OneDecompressorReadsStreamAfterStreamInPiecesOfAnySize) {
  Random random(3);
  Decompressor decompressor;
  for (int round = 0; round < 200; ++round) {
    const Codec codec = all_codecs[random.below(5)];
    const Bytes input = text_like(random, random.below(200'000));
    const Bytes packed = compressed(codec, input);
    decompressor.start(codec, packed);
    Bytes output;
    // A stream that is left in the middle must not disturb the next one.
    const bool leave = random.one_in(4);
    for (;;) {
      Bytes piece(1 + random.below(random.one_in(2) ? 100'000 : 3'000));
      const auto size = decompressor.read(piece);
      ASSERT_TRUE(size) << codec_name(codec) << ": " << size.error().message;
      output.insert(output.end(), piece.begin(), piece.begin() + static_cast<long>(*size));
      if (*size < piece.size() || leave) break;
    }
    if (!leave) {
      ASSERT_EQ(output, input) << codec_name(codec);
    }
  }
}

TEST(Compression, StreamsEndToEndAreOneStreamWhereKafkaReadsThemSo) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::zstd}) {
    const Bytes two =
        joined({compressed(codec, as_bytes("one")), compressed(codec, as_bytes("two"))});
    const auto output = decompress(codec, two);
    ASSERT_TRUE(output) << codec_name(codec);
    EXPECT_EQ(as_text(*output), "onetwo") << codec_name(codec);
  }
  const Bytes frames =
      joined({compressed(Codec::lz4, as_bytes("one")), compressed(Codec::lz4, as_bytes("two"))});
  const auto first = decompress(Codec::lz4, frames);
  ASSERT_TRUE(first);
  EXPECT_EQ(as_text(*first), "one");
}

TEST(Compression, BytesAfterTheStreamAreTakenAsKafkaTakesThem) {
  for (const Codec codec : real_codecs) {
    const Bytes more =
        joined({compressed(codec, as_bytes("value")), as_bytes("stray bytes, twenty.")});
    const auto output = decompress(codec, more);
    const bool ignored = codec == Codec::gzip || codec == Codec::lz4;
    EXPECT_EQ(output.has_value(), ignored) << codec_name(codec);
  }
}

TEST(Compression, BareSnappyBlockIsRead) {
  const std::string text(100'000, 'x');
  std::string block;
  snappy::Compress(text.data(), text.size(), &block);
  const auto output = decompress(Codec::snappy, as_bytes(block));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(as_text(*output), text);
}

TEST(Compression, Lz4BlocksThatDependOnEachOtherAreRefused) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  const std::string text(200'000, 'x');
  Bytes frame(LZ4F_compressFrameBound(text.size(), &preferences));
  frame.resize(
      LZ4F_compressFrame(frame.data(), frame.size(), text.data(), text.size(), &preferences));
  const auto output = decompress(Codec::lz4, frame);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::corrupt);
  EXPECT_NE(output.error().message.find("independent"), std::string::npos);
}

TEST(Compression, ADamagedFurtherGzipMemberIsNotTakenForStrayBytes) {
  Bytes two =
      joined({compressed(Codec::gzip, as_bytes("one")), compressed(Codec::gzip, as_bytes("two"))});
  const std::size_t flags_of_second = two.size() / 2 + 3;
  two[flags_of_second] = 0x80;  // reserved
  EXPECT_FALSE(decompress(Codec::gzip, two));
  two[flags_of_second] = 0;
  EXPECT_TRUE(decompress(Codec::gzip, two));
  two.resize(two.size() - 3);
  EXPECT_FALSE(decompress(Codec::gzip, two));
}

// lz4 1.9.4 keeps what is left of the content size of a frame that was abandoned, through a reset
// of the context: good frames after a damaged one were refused.
TEST(Compression, ADamagedLz4FrameDoesNotSpoilTheNextOne) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentSize = 1;  // to be set by the library
  const std::string text(1'000, 'x');
  Bytes frame(LZ4F_compressFrameBound(text.size(), &preferences));
  frame.resize(
      LZ4F_compressFrame(frame.data(), frame.size(), text.data(), text.size(), &preferences));
  Decompressor decompressor;
  Bytes output;
  decompressor.start(Codec::lz4, ByteView(frame).first(frame.size() - 6));
  EXPECT_FALSE(decompressor.read_all(output));
  const Bytes good = compressed(Codec::lz4, as_bytes("good"));
  output.clear();
  decompressor.start(Codec::lz4, good);
  const auto result = decompressor.read_all(output);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(as_text(output), "good");
}

TEST(Compression, CutStreamsAreNeverWhole) {
  Random random(4);
  const Bytes input = text_like(random, 3'000);
  for (const Codec codec : real_codecs) {
    const Bytes packed = compressed(codec, input);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      const auto output = decompress(codec, ByteView(packed).first(size));
      if (!output) {
        ASSERT_EQ(output.error().code, Errc::corrupt) << codec_name(codec) << " cut at " << size;
        continue;
      }
      // A stream of no bytes is a stream of nothing to zstd, and snappy's framing has no end mark.
      ASSERT_LT(output->size(), input.size()) << codec_name(codec) << " cut at " << size;
      ASSERT_TRUE(codec == Codec::snappy || (codec == Codec::zstd && size == 0))
          << codec_name(codec) << " cut at " << size;
    }
  }
}

TEST(Compression, DamagedStreamsEndInAnErrorOrInOtherBytesButWithinTheLimits) {
  Random random(5);
  const Bytes input = text_like(random, 20'000);
  const DecompressionLimits limits{.output_bytes_max = 1 << 20};
  for (const Codec codec : real_codecs) {
    const Bytes packed = compressed(codec, input);
    for (int round = 0; round < 2'000; ++round) {
      Bytes damaged = packed;
      for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
        damaged[random.below(damaged.size())] ^= static_cast<std::uint8_t>(1u << random.below(8));
      }
      const auto output = decompress(codec, damaged, limits);
      if (output) {
        ASSERT_LE(output->size(), limits.output_bytes_max);
      }
    }
  }
}

TEST(Compression, SnappyBlockThatLiesAboutItsLengthCostsNoMemory) {
  // Declares 2^31-1 bytes in a block of eleven.
  const Bytes block{0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x61, 0x62, 0x63, 0x64, 0x65};
  const auto output = decompress(Codec::snappy, block);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::corrupt);
}

// Each bomb would give 1 GiB; what is read of it is bounded, in bytes and in memory.
Bytes bomb(Codec codec) {
  const Bytes zeros(std::size_t{16} << 20, 0);
  constexpr int copies = 64;
  if (codec == Codec::lz4) {
    const Bytes one = compressed(codec, zeros);
    constexpr std::size_t header_size = 7;
    const ByteView blocks = ByteView(one).subspan(header_size, one.size() - header_size - 4);
    Bytes frame(one.begin(), one.begin() + header_size);
    for (int i = 0; i < copies; ++i) frame.insert(frame.end(), blocks.begin(), blocks.end());
    frame.insert(frame.end(), 4, 0);
    return frame;
  }
  const Bytes one = compressed(codec, zeros);
  Bytes many;
  for (int i = 0; i < copies; ++i) many.insert(many.end(), one.begin(), one.end());
  return many;
}

std::int64_t peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(Compression, BombsStopAtTheLimits) {
  for (const Codec codec : real_codecs) {
    const Bytes packed = bomb(codec);
    const std::int64_t before = peak_memory_kib();
    Decompressor decompressor;
    const DecompressionLimits limits{.output_bytes_max = std::uint64_t{64} << 20};
    decompressor.start(codec, packed, limits);
    Bytes piece(64 * 1024);
    std::uint64_t total = 0;
    for (;;) {
      const auto size = decompressor.read(piece);
      if (!size) {
        EXPECT_EQ(size.error().code, Errc::too_large) << codec_name(codec) << size.error().message;
        break;
      }
      total += *size;
      ASSERT_LE(total, limits.output_bytes_max) << codec_name(codec);
      ASSERT_EQ(*size, piece.size()) << codec_name(codec) << " ended at " << total;
    }
    EXPECT_LE(peak_memory_kib() - before, 24 * 1024) << codec_name(codec);
  }
}

TEST(Compression, RatioIsBoundedOnceTheStreamIsLarge) {
  const DecompressionLimits limits;
  EXPECT_EQ(limits.output_max_of(100), std::uint64_t{32} << 20);
  EXPECT_EQ(limits.output_max_of(100'000), 51'200'000u);
  EXPECT_EQ(limits.output_max_of(50'000'000), std::uint64_t{96} << 20);
  const Bytes zeros(std::size_t{40} << 20, 0);
  const auto output = decompress(Codec::zstd, compressed(Codec::zstd, zeros));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::too_large);
}

TEST(Compression, ZstdWindowOfTheHighestLevelsIsReadAndGivenBack) {
  // As the Java client writes at level 22: a window of 128 MiB declared, the size not.
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 22);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 12);
  ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, 12);
  const std::string text(100'000, 'x');
  Bytes packed(1000);
  ZSTD_inBuffer in{.src = text.data(), .size = text.size(), .pos = 0};
  ZSTD_outBuffer out{.dst = packed.data(), .size = packed.size(), .pos = 0};
  ZSTD_inBuffer half{.src = text.data(), .size = text.size() / 2, .pos = 0};
  ZSTD_compressStream2(context, &out, &half, ZSTD_e_flush);
  in.pos = half.pos;
  ASSERT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  packed.resize(out.pos);
  const std::int64_t before = peak_memory_kib();
  const auto output = decompress(Codec::zstd, packed);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(as_text(*output), text);
  // The sanitizers' allocators keep what is given back.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(peak_memory_kib() - before, 16 * 1024);
#else
  static_cast<void>(before);
#endif
}

}  // namespace
}  // namespace chronik::protocol
