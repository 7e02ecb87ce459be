// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"

// Errors are values. A function that can fail returns Result<T>; the caller passes the error up
// with TRY or handles it. A message begins in lower case, has no final period, and names the
// offending value and what would be right.

namespace ciclo {

enum class Code {
  kInvalidArgument,     // the request is wrong, whatever the state of the system
  kNotFound,            // the object named does not exist
  kAlreadyExists,       // the object to be created exists
  kConflict,            // a concurrent change came first; reading again and retrying may succeed
  kFailedPrecondition,  // the system is not in the state that the request needs
  kPermissionDenied,    // the caller is known and may not
  kUnauthenticated,     // the caller is not known
  kResourceExhausted,   // a limit or quota is reached
  kUnavailable,         // a passing failure; a retry may succeed
  kDeadlineExceeded,
  kCancelled,
  kUnimplemented,
  kDataLoss,  // stored bytes are not what was written
  kInternal,  // a bug, or a failure below us that has no better name
};

// The snake_case name of a code, as it stands in JSON and logs: "not_found".
std::string_view code_name(Code code);

struct Error {
  Code code = Code::kInternal;
  std::string message;

  // The same error with `context + ": "` before its message.
  Error with_context(std::string_view context) const&;
};

Error invalid_argument(std::string message);
Error not_found(std::string message);
Error already_exists(std::string message);
Error conflict(std::string message);
Error failed_precondition(std::string message);
Error permission_denied(std::string message);
Error unauthenticated(std::string message);
Error resource_exhausted(std::string message);
Error unavailable(std::string message);
Error deadline_exceeded(std::string message);
Error cancelled(std::string message);
Error unimplemented(std::string message);
Error data_loss(std::string message);
Error internal(std::string message);

// A value or an error. Reading the value of a failed result is a bug and ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  using Value = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  // Whatever converts to T converts to a result of T.
  template <class U>
    requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, Error> &&
             !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  void value() const { CHECK(ok_); }
  const Error& error() const {
    CHECK(!ok_);
    return error_;
  }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace ciclo

// TRY(auto run, store.get(id));  declares `run`, or returns the error from the enclosing function.
// TRY(store.remove(id));         for a Result<void>.
#define TRY(...)                                                                       \
  CICLO_TRY_PICK(__VA_ARGS__, CICLO_TRY_DECLARE, CICLO_TRY_DECLARE, CICLO_TRY_DECLARE, \
                 CICLO_TRY_DECLARE, CICLO_TRY_DO, )                                    \
  (__VA_ARGS__)
#define CICLO_TRY_PICK(a, b, c, d, e, chosen, ...) chosen
#define CICLO_TRY_JOIN_(a, b) a##b
#define CICLO_TRY_JOIN(a, b) CICLO_TRY_JOIN_(a, b)
// Names are unique: a lambda in the expression may hold a TRY of its own.
#define CICLO_TRY_DO(expression) \
  CICLO_TRY_DO_AS(CICLO_TRY_JOIN(ciclo_result_, __COUNTER__), expression)
#define CICLO_TRY_DO_AS(name, expression) \
  do {                                    \
    auto name = (expression);             \
    if (!name.ok()) return name.error();  \
  } while (false)
#define CICLO_TRY_DECLARE(declaration, ...) \
  CICLO_TRY_DECLARE_AS(CICLO_TRY_JOIN(ciclo_result_, __COUNTER__), declaration, __VA_ARGS__)
#define CICLO_TRY_DECLARE_AS(name, declaration, ...) \
  auto name = (__VA_ARGS__);                         \
  if (!name.ok()) return name.error();               \
  declaration = std::move(name).value()
