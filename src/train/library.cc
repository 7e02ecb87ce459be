// SPDX-License-Identifier: Apache-2.0
#include "train/library.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <system_error>

namespace ciclo::train {
namespace fs = std::filesystem;

Result<Library> Library::open(const std::string& file_name) {
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  if (error) return failed_precondition("cannot tell where this program lies: " + error.message());
  const auto here = program.parent_path();
  for (const auto& path : {here / "lib" / file_name, here.parent_path() / "lib" / file_name}) {
    if (!fs::exists(path, error)) continue;
    setenv("OMP_WAIT_POLICY", "passive", 0);
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* reason = dlerror();
      return failed_precondition("cannot load " + path.string() + ": " +
                                 (reason == nullptr ? "unknown reason" : reason));
    }
    return Library(path.string(), handle);
  }
  return failed_precondition("library " + file_name + " is neither in " + (here / "lib").string() +
                             " nor in " + (here.parent_path() / "lib").string());
}

Result<void*> Library::find_symbol(const char* name) const {
  void* symbol = dlsym(handle_, name);
  if (symbol == nullptr) {
    return failed_precondition(path_ + " has no function " + name +
                               "; is it of another version than the one that was pinned?");
  }
  return symbol;
}

}  // namespace ciclo::train
