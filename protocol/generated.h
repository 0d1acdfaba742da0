// What every generated source needs: the codec's templates and the macros that instantiate them for
// one message. Included by generated sources only.
#pragma once

#include <array>

#include "protocol/catalog.h"
#include "protocol/codec.h"
#include "protocol/decoder.h"
#include "protocol/encoder.h"
#include "protocol/field.h"
#include "protocol/field_sink.h"
#include "protocol/print.h"

namespace chronik::protocol {

// Not inlined: each has one caller more, behind AnyMessage, and there are hundreds of messages.
template <class M>
[[gnu::noinline]] bool decode(Reader& reader, std::int16_t version, M& message,
                              DecodeFailure* failure) {
  CHECK(M::min_version <= version && version <= M::max_version);
  Decoder decoder(reader, version, M::first_flexible, failure);
  decoder.structure(message);
  if (reader.ok()) return true;
  if (failure != nullptr && *failure->reason == '\0') failure->reason = "the bytes end too early";
  return false;
}

template <class M>
[[gnu::noinline]] void encode(Writer& writer, std::int16_t version, const M& message) {
  CHECK(M::min_version <= version && version <= M::max_version);
  Encoder(writer, version, M::first_flexible).structure(message);
}

template <class M>
[[gnu::noinline]] void describe(FieldSink& sink, std::int16_t version, const M& message) {
  Describer(sink, version).structure(message);
}

template <class M>
void describe_any(FieldSink& sink, std::int16_t version, const void* message) {
  describe(sink, version, *static_cast<const M*>(message));
}

template <class M>
Result<> check_encodable(std::int16_t version, const M& message) {
  return find_loss(M::message_name, version, {&describe_any<M>, &message});
}

template <class M>
std::string to_json(std::int16_t version, const M& message, RecordsText records) {
  return print_json(version, {&describe_any<M>, &message}, records);
}

template <class M>
class MessageOf final : public AnyMessage {
 public:
  bool decode(Reader& reader, std::int16_t version, DecodeFailure* failure) override {
    return protocol::decode(reader, version, message_, failure);
  }
  void encode(Writer& writer, std::int16_t version) const override {
    protocol::encode(writer, version, message_);
  }
  Result<> check_encodable(std::int16_t version) const override {
    return protocol::check_encodable(version, message_);
  }
  void describe(FieldSink& sink, std::int16_t version) const override {
    protocol::describe(sink, version, message_);
  }
  std::string to_json(std::int16_t version, RecordsText records) const override {
    return protocol::to_json(version, message_, records);
  }
  bool equals(const AnyMessage& other) const override {
    return message_ == static_cast<const MessageOf&>(other).message_;
  }

 private:
  M message_;
};

template <class M>
std::unique_ptr<AnyMessage> make_message() {
  return std::make_unique<MessageOf<M>>();
}

}  // namespace chronik::protocol

#define CHRONIK_INSTANTIATE_MESSAGE(M)                                                   \
  template bool chronik::protocol::decode(Reader&, std::int16_t, M&, DecodeFailure*);    \
  template void chronik::protocol::encode(Writer&, std::int16_t, const M&);              \
  template void chronik::protocol::describe(FieldSink&, std::int16_t, const M&);         \
  template chronik::Result<> chronik::protocol::check_encodable(std::int16_t, const M&); \
  template std::string chronik::protocol::to_json(std::int16_t, const M&, RecordsText);  \
  template std::unique_ptr<chronik::protocol::AnyMessage> chronik::protocol::make_message<M>();
