// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/text.h"

namespace ciclo::migrate {

// A duplicate, or a text that the database does not take, is of one object, which its error does
// not name. "cannot write run \"…\": …"
template <class Written>
Written naming(Written written, std::string_view kind, std::string_view id) {
  if (written.ok()) return written;
  return written.error().with_context("cannot write " + std::string(kind) + " " + quoted(id));
}

}  // namespace ciclo::migrate
