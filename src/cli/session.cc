// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <cstdio>

namespace ciclo::cli {

Result<Api*> Session::api_or_new() {
  if (api_ != nullptr) return api_.get();
  if (!server.empty()) {
    TRY(api_, wiring_.open_remote(server));
  } else {
    TRY(api_, wiring_.open_local(local_root()));
  }
  return api_.get();
}

Result<Api*> Session::api() {
  if (api_ == nullptr && server.empty() && !std::filesystem::exists(local_root())) {
    return failed_precondition("nothing was run here yet: there is no " + local_root().string() +
                               "; `ciclo run` makes it, or name a platform with --server");
  }
  return api_or_new();
}

std::filesystem::path Session::local_root() const {
  return root.empty() ? project / ".ciclo" : root;
}

void Session::show(const json::Value& document, const std::function<void()>& print) {
  shown_ = true;
  if (!json) return print();
  const std::string text = json::dump_pretty(document);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace ciclo::cli
