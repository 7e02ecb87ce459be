// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "http/message.h"
#include "tracking/artifacts.h"

namespace {

using namespace ciclo;
using tracking::ArtifactPath;

// A path that was taken names something below every directory it is put under.
void check_taken(const ArtifactPath& path) {
  const std::string& text = path.str();
  CHECK(text.size() <= 1'024);
  CHECK(is_utf8(text));
  CHECK(std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\'; }));
  CHECK(std::filesystem::path(text).is_relative());
  for (const auto& part : std::filesystem::path(text)) {
    CHECK(!part.empty());
    CHECK(part != ".");
    CHECK(part != "..");
    CHECK(part.native().size() <= 255);
  }
  const auto placed = (std::filesystem::path("/root/artifacts") / text).lexically_normal();
  CHECK(placed.native().starts_with("/root/artifacts"));
}

// What was taken is taken again, as the same name, also as the URI that we write for it.
void check_stable(const ArtifactPath& path) {
  CHECK(*ArtifactPath::parse(path.str()) == path);
  CHECK(*ArtifactPath::from_uri(path.uri()) == path);
  const auto directory = *ArtifactPath::parse("0/run/artifacts");
  const ArtifactPath joined = directory / path;
  CHECK(joined.str().starts_with(directory.str()));
  if (path.is_root()) return;
  CHECK(joined.file_name() == path.file_name());
  CHECK(*ArtifactPath::parse(path.parent().str()) == path.parent());
  // "c:" is a name below a directory, and a drive by itself.
  const auto last = ArtifactPath::parse(path.file_name());
  CHECK(!last.ok() || path.parent() / *last == path);
}

void check(const Result<ArtifactPath>& path) {
  if (!path.ok()) {
    CHECK(path.error().code == Code::kInvalidArgument);
    CHECK(!path.error().message.empty());
    return;
  }
  check_taken(*path);
  check_stable(*path);
}

}  // namespace

// As a name, as a URI, and as the target of a request, which the server decodes once.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(ArtifactPath::parse(text));
  check(ArtifactPath::from_uri(text));
  if (const auto decoded = http::percent_decode(text, http::Plus::kKeep)) {
    check(ArtifactPath::parse(*decoded));
  }
  return 0;
}
