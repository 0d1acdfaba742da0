// Arbitrary bytes as a stream of events: decoding and applying them never aborts, what was decoded
// encodes and decodes to itself, and the image that comes of it equals what its own events make.
#include <cstdint>

#include "base/check.h"
#include "metadata/apply.h"
#include "metadata/event_codec.h"
#include "metadata/image_events.h"

using namespace chronik;            // NOLINT
using namespace chronik::metadata;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader reader(ByteView(data, size));
  ImageBuilder builder(std::make_shared<const Image>());
  while (reader.remaining() > 0) {
    // Each event behind its length, as in a snapshot.
    const std::size_t length = std::min<std::size_t>(reader.u16(), reader.remaining());
    const auto event = decode_event(reader.bytes(length));
    if (!event || !*event) continue;
    Writer writer;
    encode_event(writer, **event);
    const auto again = decode_event(writer.take_bytes());
    CHECK(again && *again && **again == **event);
    builder.apply(**event);
  }
  const auto image = builder.finish().image;
  ImageBuilder rebuilt(std::make_shared<const Image>());
  ImageEvents events(image);
  while (const auto event = events.next()) {
    const ApplyResult result = rebuilt.apply(*event);
    CHECK(result.ok() && result.rejected.empty());
  }
  CHECK(image_hash(rebuilt.finish().image) == image_hash(image));
  return 0;
}
