// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/api.h"

namespace ciclo::cli {

// What the program's wiring gives to the commands, so that they need to know no service.
struct Wiring {
  // A platform in this process over the given root directory.
  std::function<Result<std::unique_ptr<Api>>(const std::filesystem::path& root)> open_local;
  std::function<Result<std::unique_ptr<Api>>(const std::string& url)> open_remote;
};

// What all commands share: where the platform is, and how results are printed.
class Session {
 public:
  Session(Wiring wiring) : wiring_(std::move(wiring)) {}

  bool json = false;                    // --json: one document on standard output
  std::string server;                   // --server; empty: a platform in this process
  std::filesystem::path project = ".";  // --project
  std::filesystem::path root;           // --root; empty: PROJECT/.ciclo

  // The platform that the options name; opened at the first call. failed_precondition, and nothing
  // is made, when a platform of this process has no root directory yet.
  Result<Api*> api();
  // The same for commands that bring something: makes the platform of this process where it is not
  // there yet.
  Result<Api*> api_or_new();

  // Prints the document when --json was given; otherwise calls `print`.
  void show(const json::Value& document, const std::function<void()>& print);
  // Whether the one document has been printed: an error after it goes to standard error alone.
  bool has_shown() const { return shown_; }

 private:
  std::filesystem::path local_root() const;

  Wiring wiring_;
  std::unique_ptr<Api> api_;
  bool shown_ = false;
};

}  // namespace ciclo::cli
