// One body for the fuzz targets of the decompressors: hostile bytes as a stream of the codec, read
// whole and in pieces, and the same bytes as input of a round trip.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "protocol/compression.h"
#include "protocol/decompressor.h"

namespace chronik::protocol::testing {

inline int fuzz_decompressor(Codec codec, ByteView data) {
  static Decompressor decompressor;
  const DecompressionLimits limits{
      .output_bytes_max = 1 << 20, .ratio_free_bytes = 1 << 16, .ratio_max = 300};
  decompressor.start(codec, data, limits);
  Bytes whole;
  const Result<> result = decompressor.read_all(whole);
  CHECK(whole.size() <= limits.output_max_of(data.size()) + 1 || !result);

  // In pieces it must be the same stream; errors may come earlier or later in it.
  const std::size_t step = data.empty() ? 1 : 1 + data.back() * std::size_t{7};
  decompressor.start(codec, data, limits);
  Bytes piece(step);
  Bytes joined;
  for (;;) {
    const Result<std::size_t> size = decompressor.read(piece);
    CHECK(size.has_value() || !result);
    if (!size) break;
    joined.insert(joined.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*size));
    if (*size < step) {
      CHECK(result.has_value());
      CHECK(joined == whole);
      break;
    }
  }

  // Making a compressor costs more than all of the above.
  if (data.size() % 8 != 0) return 0;
  Bytes packed;
  compress(codec, level_range(codec).standard, data, packed);
  const Result<Bytes> back = decompress(codec, packed);
  CHECK(back.has_value() && std::equal(back->begin(), back->end(), data.begin(), data.end()));
  return 0;
}

}  // namespace chronik::protocol::testing
