#include "protocol/decompressor.h"

#include <fmt/format.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/check.h"
#include "base/coding.h"
#include "protocol/compression.h"
#include "protocol/xerial_snappy.h"

namespace chronik::protocol {
namespace {

/// What a codec's state may keep for the next stream; a stream that needed more gives it back.
constexpr std::size_t retained_bytes_max = std::size_t{4} << 20;

Error damage(Codec codec, std::string_view what) {
  return {Errc::corrupt, fmt::format("damaged {} stream: {}", codec_name(codec), what)};
}

class PlainStream {
 public:
  void start(ByteView input) { input_ = input; }

  Result<std::size_t> read(MutableByteView out) {
    const std::size_t size = std::min(out.size(), input_.size());
    std::copy_n(input_.begin(), size, out.begin());
    input_ = input_.subspan(size);
    return size;
  }

 private:
  ByteView input_;
};

class GzipStream {
 public:
  GzipStream() = default;
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;
  ~GzipStream() {
    if (ready_) inflateEnd(&stream_);
  }

  void start(ByteView input) {
    CHECK(input.size() <= std::numeric_limits<uInt>::max());
    if (!ready_) {
      constexpr int gzip_only_window_bits = 15 + 16;
      CHECK(inflateInit2(&stream_, gzip_only_window_bits) == Z_OK);
      ready_ = true;
    }
    stream_.next_in = const_cast<Bytef*>(input.data());
    stream_.avail_in = static_cast<uInt>(input.size());
    first_member_ = true;
    ended_ = false;
    begin_member();
  }

  Result<std::size_t> read(MutableByteView out) {
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(
        std::min<std::size_t>(out.size(), std::size_t{std::numeric_limits<uInt>::max()}));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out != 0 && !ended_) {
      TRY(step());
    }
    return std::size_t{wanted - stream_.avail_out};
  }

 private:
  void begin_member() {
    CHECK(inflateReset(&stream_) == Z_OK);
    header_ = {};
    CHECK(inflateGetHeader(&stream_, &header_) == Z_OK);
    member_ = {stream_.next_in, stream_.avail_in};
  }

  /// What follows a member and does not even begin as another one is none of the stream's.
  bool looks_like_member() const {
    constexpr std::array<std::uint8_t, 3> begin{0x1f, 0x8b, Z_DEFLATED};
    return member_.size() >= begin.size() &&
           std::equal(begin.begin(), begin.end(), member_.begin());
  }

  Result<> step() {
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      first_member_ = false;
      // As Java's GZIPInputStream, which sees no member in so few bytes.
      constexpr uInt too_few_for_a_member = 18;
      ended_ = stream_.avail_in <= too_few_for_a_member;
      if (!ended_) begin_member();
      return {};
    }
    const bool starved =
        (code == Z_OK || code == Z_BUF_ERROR) && stream_.avail_in == 0 && stream_.avail_out != 0;
    if (code == Z_OK && !starved) return {};
    CHECK(code != Z_MEM_ERROR && code != Z_STREAM_ERROR);
    if (!first_member_ && header_.done != 1 && !looks_like_member()) {
      ended_ = true;
      return {};
    }
    if (starved) return damage(Codec::gzip, "it ends before its end mark");
    return damage(Codec::gzip, stream_.msg != nullptr ? stream_.msg : "it does not decode");
  }

  z_stream stream_{};
  gz_header header_{};
  ByteView member_;  // from the member at hand to the end of the stream
  bool ready_ = false;
  bool first_member_ = true;
  bool ended_ = false;
};

class SnappyStream {
 public:
  Result<> start(ByteView input) {
    input_ = input;
    block_ = {};
    framed_ = has_header(input);
    if (framed_) {
      TRY(take_header());
    } else if (input.empty()) {
      return damage(Codec::snappy, "it is empty");
    }
    return {};
  }

  Result<std::size_t> read(MutableByteView out) {
    std::size_t size = 0;
    while (size < out.size()) {
      if (block_.empty()) {
        if (input_.empty()) break;
        TRY_ASSIGN(const std::size_t written, next_block(out.subspan(size)));
        size += written;
        continue;
      }
      const std::size_t piece = std::min(out.size() - size, block_.size());
      std::copy_n(block_.begin(), piece, out.begin() + static_cast<std::ptrdiff_t>(size));
      block_ = block_.subspan(piece);
      size += piece;
    }
    if (block_.empty() && block_capacity_ > retained_bytes_max) release_block();
    return size;
  }

 private:
  static bool has_header(ByteView input) {
    return input.size() >= xerial_header.size() &&
           std::equal(xerial_header.begin(), xerial_header.begin() + xerial_magic_size,
                      input.begin());
  }

  Result<> take_header() {
    // A second number, the oldest version that can read the stream, is looked at by nobody.
    const auto version = load_be<std::int32_t>(input_.data() + xerial_magic_size);
    if (version < 1) {
      return damage(Codec::snappy, fmt::format("unknown framing version {}", version));
    }
    input_ = input_.subspan(xerial_header.size());
    return {};
  }

  /// Decodes one block: into `out` if it has the room (returns the size), else into block_
  /// (returns 0).
  Result<std::size_t> next_block(MutableByteView out) {
    ByteView compressed = input_;
    if (framed_) {
      if (input_.size() < 4) {
        input_ = {};
        return std::size_t{0};
      }
      if (has_header(input_)) {
        TRY(take_header());
        return std::size_t{0};
      }
      const auto length = load_be<std::int32_t>(input_.data());
      if (length < 0 || static_cast<std::size_t>(length) > input_.size() - 4) {
        return damage(Codec::snappy, fmt::format("a block of {} bytes where {} are left", length,
                                                 input_.size() - 4));
      }
      compressed = input_.subspan(4, static_cast<std::size_t>(length));
    }
    const std::size_t used = static_cast<std::size_t>(compressed.data() - input_.data());
    input_ = input_.subspan(used + compressed.size());
    return decode(compressed, out);
  }

  Result<std::size_t> decode(ByteView compressed, MutableByteView out) {
    const char* data = reinterpret_cast<const char*>(compressed.data());
    // No element of the format gives more than 64 bytes for 3.
    constexpr std::size_t ratio_max = 22;
    std::size_t size = 0;
    if (!snappy::GetUncompressedLength(data, compressed.size(), &size) ||
        size > compressed.size() * ratio_max) {
      return damage(Codec::snappy, "a block declares a length that it cannot have");
    }
    const bool direct = size <= out.size();
    if (!direct && block_capacity_ < size) {
      release_block();
      memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(size);
      block_capacity_ = size;
    }
    std::uint8_t* to = direct ? out.data() : memory_.get();
    if (!snappy::RawUncompress(data, compressed.size(), reinterpret_cast<char*>(to))) {
      return damage(Codec::snappy, "a block does not decode");
    }
    if (direct) return size;
    block_ = ByteView{to, size};
    return std::size_t{0};
  }

  void release_block() {
    memory_.reset();
    block_capacity_ = 0;
  }

  ByteView input_;
  ByteView block_;  // decoded and not yet read
  bool framed_ = false;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t block_capacity_ = 0;
};

class Lz4Stream {
 public:
  Lz4Stream() = default;
  Lz4Stream(const Lz4Stream&) = delete;
  Lz4Stream& operator=(const Lz4Stream&) = delete;
  ~Lz4Stream() { LZ4F_freeDecompressionContext(context_); }

  Result<> start(ByteView input) {
    input_ = input;
    TRY(check_header());
    has_big_blocks_ = (input[5] >> 4 & 7) == LZ4F_max4MB;
    // lz4 1.9.4 carries the content size of a frame that was left in the middle over into the next
    // one, also through a reset: only a context that has come to its end is used again.
    if (!ended_) release_context();
    ended_ = false;
    if (context_ == nullptr) {
      CHECK(LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0);
    }
    return {};
  }

  Result<std::size_t> read(MutableByteView out) {
    std::size_t size = 0;
    while (size < out.size() && !ended_) {
      std::size_t written = out.size() - size;
      std::size_t taken = input_.size();
      const std::size_t hint =
          LZ4F_decompress(context_, out.data() + size, &written, input_.data(), &taken, nullptr);
      if (LZ4F_isError(hint) != 0) return damage(Codec::lz4, LZ4F_getErrorName(hint));
      size += written;
      input_ = input_.subspan(taken);
      ended_ = hint == 0;
      if (!ended_ && written == 0 && taken == 0) {
        return damage(Codec::lz4, "it ends before its end mark");
      }
    }
    if (ended_ && has_big_blocks_) release_context();
    return size;
  }

 private:
  /// Kafka takes one frame of version 1 with independent blocks; the library would take more.
  Result<> check_header() const {
    constexpr std::size_t shortest_header = 7;
    constexpr std::array<std::uint8_t, 4> magic{0x04, 0x22, 0x4d, 0x18};
    if (input_.size() < shortest_header) return damage(Codec::lz4, "it ends inside its header");
    if (!std::equal(magic.begin(), magic.end(), input_.begin())) {
      return damage(Codec::lz4, "it does not begin with a frame");
    }
    const std::uint8_t flags = input_[4];
    if (flags >> 6 != 1) {
      return damage(Codec::lz4, fmt::format("frames of version {} are unknown", flags >> 6));
    }
    if ((flags & 0x20) == 0) {
      return damage(Codec::lz4,
                    "its blocks depend on each other, which Kafka's clients do not read: the "
                    "producer must write independent blocks");
    }
    if ((flags & 0x03) != 0) {
      return damage(Codec::lz4, "it wants a dictionary or sets a reserved bit");
    }
    return {};
  }

  void release_context() {
    LZ4F_freeDecompressionContext(context_);
    context_ = nullptr;
  }

  LZ4F_dctx* context_ = nullptr;
  ByteView input_;
  bool ended_ = true;            // the context, if there is one, awaits a frame
  bool has_big_blocks_ = false;  // of 4 MiB: the context then holds twice as much
};

class ZstdStream {
 public:
  ZstdStream() = default;
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;
  ~ZstdStream() { ZSTD_freeDCtx(context_); }

  void start(ByteView input) {
    input_ = {.src = input.data(), .size = input.size(), .pos = 0};
    between_frames_ = true;
    if (context_ == nullptr) {
      context_ = ZSTD_createDCtx();
      CHECK(context_ != nullptr);
      // Kafka's highest levels declare a window of 2^27 bytes, however short the stream. The
      // library reserves that much address space and touches only what it has decoded.
      CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 27)) == 0);
    } else {
      CHECK(ZSTD_isError(ZSTD_DCtx_reset(context_, ZSTD_reset_session_only)) == 0);
    }
  }

  Result<std::size_t> read(MutableByteView out) {
    ZSTD_outBuffer output{.dst = out.data(), .size = out.size(), .pos = 0};
    while (output.pos < output.size && !(between_frames_ && input_.pos == input_.size)) {
      const std::size_t written_before = output.pos;
      const std::size_t taken_before = input_.pos;
      if (between_frames_) {
        frame_size_declared_ = ZSTD_getFrameContentSize(
            static_cast<const std::uint8_t*>(input_.src) + input_.pos, input_.size - input_.pos);
        frame_size_ = 0;
      }
      const std::size_t hint = ZSTD_decompressStream(context_, &output, &input_);
      if (ZSTD_isError(hint) != 0) return damage(Codec::zstd, ZSTD_getErrorName(hint));
      between_frames_ = hint == 0;
      frame_size_ += output.pos - written_before;
      // The library checks this or not depending on how much room it is given.
      if (between_frames_ && frame_size_declared_ != ZSTD_CONTENTSIZE_UNKNOWN &&
          frame_size_declared_ != ZSTD_CONTENTSIZE_ERROR && frame_size_declared_ != frame_size_) {
        return damage(Codec::zstd, "a frame does not have the size that it declares");
      }
      if (!between_frames_ && output.pos == written_before && input_.pos == taken_before) {
        return damage(Codec::zstd, "it ends inside a frame");
      }
    }
    if (output.pos < output.size && ZSTD_sizeof_DCtx(context_) > retained_bytes_max) {
      ZSTD_freeDCtx(context_);
      context_ = nullptr;
    }
    return output.pos;
  }

 private:
  ZSTD_DCtx* context_ = nullptr;
  ZSTD_inBuffer input_{};
  bool between_frames_ = true;
  unsigned long long frame_size_declared_ = 0;
  unsigned long long frame_size_ = 0;
};

}  // namespace

struct Decompressor::Streams {
  PlainStream plain;
  GzipStream gzip;
  SnappyStream snappy;
  Lz4Stream lz4;
  ZstdStream zstd;
  Result<> started;
};

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

std::uint64_t DecompressionLimits::output_max_of(std::size_t compressed_size) const {
  return std::min(output_bytes_max, std::max(ratio_free_bytes, ratio_max * compressed_size));
}

void Decompressor::start(Codec codec, ByteView compressed, const DecompressionLimits& limits) {
  if (streams_ == nullptr) streams_ = std::make_unique<Streams>();
  codec_ = codec;
  output_ = 0;
  output_max_ = limits.output_max_of(compressed.size());
  compressed_size_ = compressed.size();
  streams_->started = {};
  switch (codec) {
    case Codec::none:
      streams_->plain.start(compressed);
      return;
    case Codec::gzip:
      streams_->gzip.start(compressed);
      return;
    case Codec::snappy:
      streams_->started = streams_->snappy.start(compressed);
      return;
    case Codec::lz4:
      streams_->started = streams_->lz4.start(compressed);
      return;
    case Codec::zstd:
      streams_->zstd.start(compressed);
      return;
  }
}

Result<std::size_t> Decompressor::read(MutableByteView out) {
  CHECK(streams_ != nullptr);
  if (!streams_->started) return streams_->started.error();
  // One byte over the limit is asked for, no more, whatever room the caller has.
  out = out.first(std::min<std::uint64_t>(out.size(), output_max_ - output_ + 1));
  const auto from_codec = [&]() -> Result<std::size_t> {
    switch (codec_) {
      case Codec::none:
        return streams_->plain.read(out);
      case Codec::gzip:
        return streams_->gzip.read(out);
      case Codec::snappy:
        return streams_->snappy.read(out);
      case Codec::lz4:
        return streams_->lz4.read(out);
      case Codec::zstd:
        return streams_->zstd.read(out);
    }
    UNREACHABLE();
  };
  TRY_ASSIGN(const std::size_t size, from_codec());
  output_ += size;
  if (output_ > output_max_) {
    return Error{Errc::too_large,
                 fmt::format("{} bytes of {} decompress to more than {} bytes, the limit for that "
                             "size: send fewer records in a batch",
                             compressed_size_, codec_name(codec_), output_max_)};
  }
  return size;
}

Result<> Decompressor::read_all(Bytes& out) {
  std::size_t step = std::max<std::size_t>(4096, std::min(compressed_size_ * 4, 1UL << 20));
  for (;;) {
    const std::size_t begin = out.size();
    out.resize(begin + step);
    TRY_ASSIGN(const std::size_t size, read(MutableByteView(out).subspan(begin)));
    out.resize(begin + size);
    if (size < step) return {};
    step = std::max(step, begin + size);
  }
}

Result<Bytes> decompress(Codec codec, ByteView compressed, const DecompressionLimits& limits) {
  Decompressor decompressor;
  decompressor.start(codec, compressed, limits);
  Bytes out;
  TRY(decompressor.read_all(out));
  return out;
}

}  // namespace chronik::protocol
