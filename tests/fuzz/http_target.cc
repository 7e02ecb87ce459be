// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/message.h"
#include "http/router.h"

namespace {

using namespace ciclo::http;

const Router& router() {
  static const Router& routes = *[] {
    auto* made = new Router();
    const Handler nothing = [](Request&, Reply) {};
    for (const auto* path : {"/", "/runs/{id}", "/runs/search", "/runs/{id}/metrics/{step:int}",
                             "/runs/{a}/{b}/{rest*}", "/files/{path*}"}) {
      made->add("GET", path, nothing);
    }
    return made;
  }();
  return routes;
}

}  // namespace

// Decoding undoes encoding, and the router finds every path that is put together from decoded
// parts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto decoded = percent_decode(text, Plus::kSpace)) {
    CHECK(decoded->size() <= text.size());
    CHECK(percent_decode(percent_encode(*decoded), Plus::kKeep) == *decoded);
  }
  if (const auto query = parse_query(text)) {
    std::string again;
    for (const auto& [name, value] : *query) {
      again += percent_encode(name) + "=" + percent_encode(value) + "&";
    }
    CHECK(parse_query(again) == query);
  }
  const auto match = router().match("GET", text);
  if (match.route != nullptr && match.route->path == "/runs/{id}") {
    const auto& id = match.parameters.at(0).second;
    CHECK(!id.empty());
    CHECK(id != "search");
    const auto again = router().match("GET", "/runs/" + percent_encode(id));
    CHECK(again.route == match.route);
    CHECK(again.parameters == match.parameters);
  }
  return 0;
}
