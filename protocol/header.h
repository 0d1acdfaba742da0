// What stands between the length of a frame and the body of its message. Written by hand: the
// client id stays a string with an int16 length in the flexible version too, which no .msg can say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/coding.h"
#include "protocol/unknown_tags.h"

namespace chronik::protocol {

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id = std::string();
  UnknownTags unknown_tags;  // version 2

  bool operator==(const RequestHeader&) const = default;
};

struct ResponseHeader {
  std::int32_t correlation_id = 0;
  UnknownTags unknown_tags;  // version 1

  bool operator==(const ResponseHeader&) const = default;
};

enum class HeaderStatus {
  ok,
  unknown_api,  // the fields up to correlation_id are filled, no more can be read
  malformed,
};

/// Reads a request header in the version its api key and version ask for. The version itself may be
/// one we do not serve: that is the caller's to see.
HeaderStatus decode_header(Reader& reader, RequestHeader& header);
/// In a given header version, 1 or 2.
bool decode_header(Reader& reader, std::int16_t header_version, RequestHeader& header);
bool decode_header(Reader& reader, std::int16_t header_version, ResponseHeader& header);

/// A client id over 32,767 bytes is cut.
void encode_header(Writer& writer, std::int16_t header_version, const RequestHeader& header);
void encode_header(Writer& writer, std::int16_t header_version, const ResponseHeader& header);
/// The header of the answer to a request of that api and version. Precondition: a known api key.
void encode_response_header(Writer& writer, std::int16_t api_key, std::int16_t api_version,
                            std::int32_t correlation_id);

}  // namespace chronik::protocol
