// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <cstdio>

namespace ciclo::cli {

Result<Api*> Session::api() {
  if (api_ != nullptr) return api_.get();
  if (!server.empty()) {
    TRY(api_, wiring_.open_remote(server));
  } else {
    TRY(api_, wiring_.open_local(root.empty() ? project / ".ciclo" : root));
  }
  return api_.get();
}

void Session::show(const json::Value& document, const std::function<void()>& print) const {
  if (!json) return print();
  const std::string text = json::dump_pretty(document);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace ciclo::cli
