// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "data/dialect.h"

// The first bytes of any file have a dialect with distinct names, or a message; and any text has as
// many records as were asked for, at most.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ciclo::data;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char delimiter : {',', ';', '\t', '|'}) {
    const auto whole = split_records(text, delimiter, true, 50);
    const auto cut = split_records(text, delimiter, false, 50);
    CHECK(whole.size() <= 50);
    CHECK(cut.size() <= whole.size());
    for (const auto& record : whole) CHECK(!record.empty());
    CHECK(std::equal(cut.begin(), cut.end(), whole.begin()));
  }
  for (const std::string header : {"", "yes", "no"}) {
    SourceOptions options;
    options.header = header;
    const auto dialect = sniff_csv(text, true, options);
    if (!dialect.ok()) {
      CHECK(!dialect.error().message.empty());
      continue;
    }
    std::set<std::string> names;
    for (const auto& name : dialect->names) {
      CHECK(!name.empty());
      CHECK(names.insert(ciclo::to_lower_ascii(name)).second);
    }
    CHECK(!names.empty());
    if (!header.empty()) CHECK(dialect->header == (header == "yes"));
  }
  return 0;
}
