// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "base/result.h"

namespace ciclo::sql {

// Runs a transaction's or a read's body. What it throws becomes an error: on the writer thread
// nobody could catch it, and a connection must not go back to its pool with an open transaction.
template <class Argument>
Result<void> run_body(const std::function<Result<void>(Argument&)>& body, Argument& argument) {
  try {
    return body(argument);
  } catch (const std::exception& exception) {
    return internal(std::string("a transaction's body threw: ") + exception.what());
  } catch (...) {
    return internal("a transaction's body threw");
  }
}

}  // namespace ciclo::sql
