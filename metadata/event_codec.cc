#include "metadata/event_codec.h"

#include <spdlog/fmt/fmt.h>

#include <type_traits>
#include <utility>

#include "protocol/codec.h"

namespace chronik::metadata {

namespace {

constexpr std::uint8_t frame_version = 1;
constexpr std::uint8_t flag_ignorable = 1;

struct Frame {
  std::uint32_t kind = 0;
  std::uint32_t version = 0;
  bool ignorable = false;
};

Error no_event(const Frame& frame, const char* field, const char* why) {
  return {Errc::corrupt,
          fmt::format("a metadata event of kind {} version {} cannot be read: {}{}{}", frame.kind,
                      frame.version, field, *field ? ": " : "", why)};
}

Error newer(const std::string& what) {
  return {
      Errc::unsupported,
      fmt::format("{} was written by a newer chronik; start that version or a newer one", what)};
}

using Decoded = Result<std::optional<MetadataEvent>>;

template <class Event>
Decoded decode_as(const Frame& frame, Reader& reader) {
  if (frame.version > static_cast<std::uint32_t>(Event::max_version)) {
    if (frame.ignorable) return Decoded(std::nullopt);
    return newer(fmt::format("metadata event {} version {}", Event::message_name, frame.version));
  }
  Decoded decoded(std::make_optional<MetadataEvent>(std::in_place_type<Event>));
  protocol::DecodeFailure failure;
  Event& event = std::get<Event>(**decoded);
  if (!protocol::decode(reader, static_cast<std::int16_t>(frame.version), event, &failure)) {
    return no_event(frame, failure.field, failure.reason);
  }
  if (!reader.finished()) return no_event(frame, "", "bytes are left over");
  return decoded;
}

template <class... Events>
Decoded decode_kind(std::variant<Events...>*, const Frame& frame, Reader& reader) {
  std::optional<Decoded> decoded;
  const bool known = ((frame.kind == static_cast<std::uint32_t>(Events::record_type) &&
                       (decoded.emplace(decode_as<Events>(frame, reader)), true)) ||
                      ...);
  if (known) return std::move(*decoded);
  if (frame.ignorable) return Decoded(std::nullopt);
  return newer(fmt::format("a metadata event of the unknown kind {}", frame.kind));
}

}  // namespace

void encode_event(Writer& writer, const MetadataEvent& event) {
  std::visit(
      [&writer](const auto& kind) {
        using Event = std::decay_t<decltype(kind)>;
        writer.u8(frame_version);
        writer.uvarint(static_cast<std::uint32_t>(Event::record_type));
        writer.uvarint(static_cast<std::uint32_t>(Event::max_version));
        writer.u8(0);
        protocol::encode(writer, Event::max_version, kind);
      },
      event);
}

Result<std::optional<MetadataEvent>> decode_event(ByteView bytes) {
  Reader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (reader.ok() && version != frame_version) {
    return newer(fmt::format("a metadata event in frame version {}", version));
  }
  Frame frame;
  frame.kind = reader.uvarint();
  frame.version = reader.uvarint();
  const std::uint8_t flags = reader.u8();
  if (!reader.ok()) return no_event(frame, "", "the bytes end too early");
  if ((flags & ~flag_ignorable) != 0) return newer("a metadata event with unknown flags");
  frame.ignorable = (flags & flag_ignorable) != 0;
  return decode_kind(static_cast<MetadataEvent*>(nullptr), frame, reader);
}

std::string_view event_name(const MetadataEvent& event) {
  return std::visit([](const auto& kind) { return kind.message_name; }, event);
}

std::string describe_event(const MetadataEvent& event) {
  return std::visit(
      [](const auto& kind) {
        return fmt::format("{} {}", kind.message_name, protocol::to_json(kind.max_version, kind));
      },
      event);
}

}  // namespace chronik::metadata
