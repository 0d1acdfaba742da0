#include "protocol/catalog.h"

namespace chronik::protocol {

const MessageType* find_message_type(std::string_view name) {
  for (const MessageType* type : message_types()) {
    if (type->name == name) return type;
  }
  return nullptr;
}

const MessageType* find_request_type(std::int16_t api_key) {
  for (const MessageType* type : message_types()) {
    if (type->kind == MessageKind::request && type->key == api_key) return type;
  }
  return nullptr;
}

}  // namespace chronik::protocol
