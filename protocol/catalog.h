// Every generated message as data: for tools, tests and fuzzers that go over all of them. Handlers
// name their types.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/result.h"
#include "protocol/codec.h"
#include "protocol/field_sink.h"

namespace chronik::protocol {

enum class MessageKind { request, response, record };

/// What stands before the body of a record where it is stored: nothing; its type (int16); its
/// version (int16); frame version 1, type and version as uvarints.
enum class RecordFraming { none, key, version, metadata };

class AnyMessage {
 public:
  virtual ~AnyMessage() = default;
  virtual bool decode(Reader& reader, std::int16_t version, DecodeFailure* failure = nullptr) = 0;
  virtual void encode(Writer& writer, std::int16_t version) const = 0;
  virtual Result<> check_encodable(std::int16_t version) const = 0;
  virtual void describe(FieldSink& sink, std::int16_t version) const = 0;
  virtual std::string to_json(std::int16_t version, RecordsText records) const = 0;
  virtual bool equals(const AnyMessage& other) const = 0;  // of the same type
};

struct MessageType {
  std::string_view name;
  MessageKind kind;
  std::int16_t key;  // api key, or type of the record; -1: a record without
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t first_flexible;
  std::int16_t first_unstable;  // layout may still change from here on; never_flexible: none
  RecordFraming framing;
  std::unique_ptr<AnyMessage> (*make)();

  bool flexible_in(std::int16_t version) const { return version >= first_flexible; }
};

/// All messages of protocol/schema: by api key, each request before its response, then the records.
std::span<const MessageType* const> message_types();
/// nullptr when there is none of that name.
const MessageType* find_message_type(std::string_view name);
/// nullptr when this build does not know the api key.
const MessageType* find_request_type(std::int16_t api_key);

}  // namespace chronik::protocol
