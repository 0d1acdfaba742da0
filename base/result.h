// Result<T>: a value or an Error; what every call that can fail in operation returns. The names are
// std::expected's, which g++ 12 offers in C++23 mode only. Nothing here throws: value() of an error
// is a bug and aborts.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"

namespace chronik {

enum class Errc {
  invalid_argument,  // the caller's input is at fault; the message says which limit and which value
  out_of_range,      // an offset, index or position outside of what exists
  not_found,
  already_exists,
  corrupt,      // bytes on disk or on the wire contradict their checksum or their format
  io,           // the operating system refused; of a write or sync this is fatal to the process
  no_space,     // the disk is full or below its reserve; may pass
  unsupported,  // a format or version this build does not know
  too_large,
  busy,        // somebody else holds it (a lock, a port), or it is full; may pass
  not_leader,  // of a Raft group: its leader has to be asked, if there is one
  closed,      // the thing asked is shutting down
  timeout,
};

const char* to_string(Errc code);

struct Error {
  Errc code;
  std::string message;  // what failed, on what, why, and what to do: for a person
};

template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    CHECK_MSG(has_value(), std::get<1>(state_).message);
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK_MSG(has_value(), std::get<1>(state_).message);
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK_MSG(has_value(), std::get<1>(state_).message);
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    CHECK(!has_value());
    return std::get<1>(state_);
  }
  Error&& error() && {
    CHECK(!has_value());
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return error_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  void value() const { CHECK_MSG(has_value(), std::get<1>(error_).message); }

  const Error& error() const& {
    CHECK(!has_value());
    return std::get<1>(error_);
  }
  Error&& error() && {
    CHECK(!has_value());
    return std::get<1>(std::move(error_));
  }

 private:
  std::variant<std::monostate, Error> error_;
};

}  // namespace chronik

#define CHRONIK_CONCAT_INNER(a, b) a##b
#define CHRONIK_CONCAT(a, b) CHRONIK_CONCAT_INNER(a, b)

/// TRY(expression): returns the error to the caller, for a Result<void> or where the value is not
/// wanted.
#define TRY(expression)                                 \
  do {                                                  \
    auto chronik_try_result = (expression);             \
    if (!chronik_try_result.has_value()) [[unlikely]] { \
      return std::move(chronik_try_result).error();     \
    }                                                   \
  } while (false)

/// TRY_ASSIGN(auto size, file.size()): declares `size`, or returns the error to the caller.
#define TRY_ASSIGN(declaration, expression) \
  TRY_ASSIGN_INNER(CHRONIK_CONCAT(chronik_try_, __LINE__), declaration, expression)
// NOLINTBEGIN(bugprone-macro-parentheses): a name and a declaration cannot stand in parentheses
#define TRY_ASSIGN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                             \
  if (!temporary.has_value()) [[unlikely]] {                 \
    return std::move(temporary).error();                     \
  }                                                          \
  declaration = std::move(temporary).value()
// NOLINTEND(bugprone-macro-parentheses)
