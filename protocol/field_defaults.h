// Whether a value is its field's default: such a tagged field is not written, such a field is never
// lost in a version that lacks it.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/uuid.h"
#include "protocol/field.h"
#include "protocol/records_field.h"

namespace chronik::protocol {

template <class T>
bool is_default(const T& value, const Field& field) {
  if constexpr (std::is_same_v<T, double>) {
    return value == 0;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<std::int64_t>(value) == field.default_number;
  } else if constexpr (std::is_same_v<T, Uuid>) {
    return value.is_zero();
  } else if constexpr (std::is_same_v<T, RecordsField>) {
    return value.null;
  } else if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else {
    return value == T{};
  }
}

template <class T>
bool is_default(const std::optional<T>& value, const Field& field) {
  if (field.default_null || !value) return field.default_null && !value;
  return is_default(*value, field);
}

}  // namespace chronik::protocol
