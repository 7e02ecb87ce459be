// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

// Shared libraries that are opened at run time, on first use: a program that needs no trees does
// not pay for loading them.

namespace ciclo::train {

class Library {
 public:
  // Looks for `file_name` beside the program: in lib/ and in ../lib/. failed_precondition tells
  // where it was looked for. Sets OMP_WAIT_POLICY to passive before, unless the environment has a
  // value: otherwise the idle threads of OpenMP spin and take the processor from the rest of the
  // program.
  static Result<Library> open(const std::string& file_name);

  // The function of that name; failed_precondition when the library does not have it.
  template <class Function>
  Result<void> find(const char* name, Function*& function) const {
    TRY(void* const symbol, find_symbol(name));
    function = reinterpret_cast<Function*>(symbol);
    return {};
  }

 private:
  Library(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}
  Result<void*> find_symbol(const char* name) const;

  std::string path_;
  // Never closed: the library's threads may run until the end of the program.
  void* handle_;
};

}  // namespace ciclo::train
