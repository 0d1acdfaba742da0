// How a MetadataEvent lies in a record of the metadata log, of a snapshot and of a Raft entry:
//
//   frame version u8 = 1 | kind uvarint | version uvarint | flags u8 | body
//
// The body is the kind's schema record (metadata/schema/records/) in that version; what a newer
// build adds to it as tagged fields an older one skips. A kind, or a version of one, that this
// build does not know stops it, unless the newer build has marked the event ignorable: then it is
// stepped over. Flags: bit 0 ignorable; the others are zero.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/coding.h"
#include "base/result.h"
#include "metadata/events.h"

namespace chronik::metadata {

void encode_event(Writer& writer, const MetadataEvent& event);

/// Nothing: an event to step over. Errors: corrupt (these bytes are no event), unsupported (a newer
/// build wrote it; the message says what to do).
Result<std::optional<MetadataEvent>> decode_event(ByteView bytes);

/// "TopicCreated", ...
std::string_view event_name(const MetadataEvent& event);
/// One line: the name and the fields as JSON.
std::string describe_event(const MetadataEvent& event);

}  // namespace chronik::metadata
