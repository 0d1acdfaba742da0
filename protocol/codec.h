// Encode, decode, check and print any generated message. Declared here only; the generated sources
// instantiate them, so that including a message costs its includer no codec.
//
// What decode takes (the rules of Kafka 4.4's own decoder, where not said otherwise):
//  - Counts and lengths are checked against the bytes that are there before anything is allocated;
//    at most 1,000,000 elements an array, 10,000 tagged fields a struct, 32,767 bytes a string.
//  - Tags ascend strictly, and a known tagged field fills its declared size (Kafka ignores it).
//  - Null only where the version allows it. Any negative length is null. A bool is any byte.
//  - Text that is not UTF-8 becomes U+FFFD, as Java does it, so all text inside is valid; text
//    that outgrows 32,767 bytes by that is refused.
//  - Trailing bytes are the caller's to see: reader.finished().
// Memory: a request costs up to about 45 times its bytes (arrays of the smallest structs), and up
// to three times that while a vector grows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/result.h"

namespace chronik::protocol {

/// Where and why decoding failed, for the log line; static text.
struct DecodeFailure {
  const char* field = "";
  const char* reason = "";
};

/// Fills `message`, which must be fresh. False on bytes that are no message of that version (which
/// must be within min_version..max_version); the reader has then failed, `message` is to be
/// dropped.
template <class M>
bool decode(Reader& reader, std::int16_t version, M& message, DecodeFailure* failure = nullptr);

/// Appends the message. Total: a field the version lacks is left out, null where the version has no
/// null is written as empty, text over 32,767 bytes is cut at a character's border (only texts of
/// errors grow so long). check_encodable() tells beforehand whether that would lose something.
template <class M>
void encode(Writer& writer, std::int16_t version, const M& message);

/// An error (Errc::unsupported) naming the first field whose value would be lost or bent in this
/// version: not its default, and not marked lossy. Kafka throws UnsupportedVersionException there.
template <class M>
Result<> check_encodable(std::int16_t version, const M& message);

enum class RecordsText { size, hex };

/// One line of JSON as Kafka's JsonConverter gives it (camelCase keys, bytes in base64, a tagged
/// field that equals its default left out). Records are printed as "<name>SizeInBytes": N, or
/// as hex under their name (memory only).
template <class M>
std::string to_json(std::int16_t version, const M& message,
                    RecordsText records = RecordsText::size);

/// Precondition: no records in it.
template <class M>
Bytes encode_to_bytes(std::int16_t version, const M& message) {
  Writer writer;
  encode(writer, version, message);
  return writer.take_bytes();
}

}  // namespace chronik::protocol
