// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "http/client.h"
#include "http/router.h"

namespace ciclo::cli {

// What every command talks to: the native API under /api/v1, of a server over HTTP or of a platform
// in this process. So a command does the same in both, and the API can do all that the commands
// can.
class Api {
 public:
  virtual ~Api() = default;

  // The answer's JSON document (null for an empty one). A status of 400 or more is an error with
  // the server's own message.
  virtual Result<json::Value> call(std::string_view method, const std::string& path,
                                   const json::Value& body = {}) = 0;

  // Stores the file as a blob, unless the same bytes are there already, and returns its hash.
  virtual Result<std::string> upload(const std::filesystem::path& file) = 0;

  // "http://127.0.0.1:5000", or the root directory of the platform in this process.
  virtual std::string target() const = 0;

  Result<json::Value> get(const std::string& path) { return call("GET", path); }
  Result<json::Value> post(const std::string& path, const json::Value& body) {
    return call("POST", path, body);
  }
};

// Over HTTP; `client` must outlive it.
std::unique_ptr<Api> remote_api(http::Client& client, std::string url);

// Through the router, without a socket. `keep_alive` holds the platform whose routes they are.
std::unique_ptr<Api> local_api(const http::Router& router, std::string root,
                               std::shared_ptr<void> keep_alive);

}  // namespace ciclo::cli
