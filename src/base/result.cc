// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace ciclo {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kNotFound: return "not_found";
    case Code::kAlreadyExists: return "already_exists";
    case Code::kConflict: return "conflict";
    case Code::kFailedPrecondition: return "failed_precondition";
    case Code::kPermissionDenied: return "permission_denied";
    case Code::kUnauthenticated: return "unauthenticated";
    case Code::kResourceExhausted: return "resource_exhausted";
    case Code::kUnavailable: return "unavailable";
    case Code::kDeadlineExceeded: return "deadline_exceeded";
    case Code::kCancelled: return "cancelled";
    case Code::kUnimplemented: return "unimplemented";
    case Code::kDataLoss: return "data_loss";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

Error Error::with_context(std::string_view context) const& {
  return {code, std::string(context) + ": " + message};
}

Error invalid_argument(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }
Error not_found(std::string message) { return {Code::kNotFound, std::move(message)}; }
Error already_exists(std::string message) { return {Code::kAlreadyExists, std::move(message)}; }
Error conflict(std::string message) { return {Code::kConflict, std::move(message)}; }
Error failed_precondition(std::string message) {
  return {Code::kFailedPrecondition, std::move(message)};
}
Error permission_denied(std::string message) {
  return {Code::kPermissionDenied, std::move(message)};
}
Error unauthenticated(std::string message) { return {Code::kUnauthenticated, std::move(message)}; }
Error resource_exhausted(std::string message) {
  return {Code::kResourceExhausted, std::move(message)};
}
Error unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
Error deadline_exceeded(std::string message) {
  return {Code::kDeadlineExceeded, std::move(message)};
}
Error cancelled(std::string message) { return {Code::kCancelled, std::move(message)}; }
Error unimplemented(std::string message) { return {Code::kUnimplemented, std::move(message)}; }
Error data_loss(std::string message) { return {Code::kDataLoss, std::move(message)}; }
Error internal(std::string message) { return {Code::kInternal, std::move(message)}; }

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "ciclo: bug: CHECK(%s) failed at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace ciclo
