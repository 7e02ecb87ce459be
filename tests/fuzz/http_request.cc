// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/parser.h"

namespace {

using ciclo::http::BodyParser;
using ciclo::http::HeadParser;

// What the bytes of a connection mean, as text: every head, every body, and how it ended. `step` is
// the number of bytes that arrive at a time.
std::string meaning(std::string_view wire, std::size_t step) {
  constexpr std::size_t kHeadBytesMax = 4096;
  std::string out;
  std::size_t begin = 0;
  std::size_t end = 0;
  HeadParser heads(kHeadBytesMax);
  BodyParser body;
  bool in_body = false;
  while (true) {
    const auto seen = wire.substr(begin, end - begin);
    if (in_body) {
      const auto part = body.next(seen);
      CHECK(part.consumed <= seen.size());
      CHECK(part.data.size() <= part.consumed);
      begin += part.consumed;
      out += part.data;
      if (body.failed()) return out + "|bad body";
      in_body = !body.done();
      if (part.consumed > 0) continue;
    } else {
      const auto step_taken = heads.look(seen);
      if (step_taken == HeadParser::Step::kRefused) {
        CHECK(heads.refusal().status >= 400);
        return out + "|refused " + std::to_string(heads.refusal().status);
      }
      if (step_taken == HeadParser::Step::kDone) {
        CHECK(heads.bytes() <= seen.size());
        CHECK(heads.bytes() <= kHeadBytesMax);
        const auto& head = heads.head();
        CHECK(head.target == "*" || head.target.starts_with('/'));
        CHECK(!head.chunked || head.content_length == 0);
        out += "|" + head.method + " " + head.target + " " + std::to_string(head.content_length);
        for (const auto& [name, value] : head.headers.all()) out += "\n" + name + ":" + value;
        out += "|";
        ciclo::http::Request request;
        if (!ciclo::http::fill_target(head.target, request)) {
          CHECK(request.path.find('\0') == std::string::npos);
          CHECK(("/" + request.path + "/").find("/../") == std::string::npos);
        }
        begin += heads.bytes();
        body.start(head);
        heads.reset();
        in_body = !body.done();
        continue;
      }
    }
    if (end == wire.size()) return out + "|more";
    end = std::min(wire.size(), end + step);
  }
}

}  // namespace

// A connection means the same however its bytes are cut into packets.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view wire(reinterpret_cast<const char*>(data), size);
  const std::string whole = meaning(wire, wire.size() + 1);
  CHECK(meaning(wire, 1) == whole);
  CHECK(meaning(wire, 7) == whole);
  return 0;
}
