// SPDX-License-Identifier: Apache-2.0
#include "tracking/search.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace {

using namespace ciclo;
using namespace ciclo::tracking;

// One of each kind that the objects of the platform have.
const Searchable& searchable() {
  static const Searchable object{
      .object = "run",
      .attribute_words = {"attribute", "attributes", "run"},
      .attributes = {{.name = "run_name", .column = "r.name", .nullable = true},
                     {.name = "status", .column = "r.status", .takes_list = true},
                     {.name = "start_time",
                      .column = "r.start_ms",
                      .type = Attribute::Type::kInteger,
                      .nullable = true}},
      .collections = {{.words = {"metric", "metrics"},
                       .table = "metrics",
                       .owner = "run_number",
                       .owner_column = "r.run_number",
                       .type = Collection::Type::kMetric},
                      {.words = {"tag", "tags"},
                       .table = "tags",
                       .owner = "run_number",
                       .owner_column = "r.run_number",
                       .takes_null_test = true,
                       .implied_key = "hidden",
                       .implied_value = "false"}},
      .related = {{.words = {"dataset"},
                   .keys = {{.name = "name",
                             .exists = "EXISTS (SELECT 1 FROM inputs i WHERE ",
                             .column = "i.name"}}}},
      .default_order = {{.column = "r.start_ms",
                         .type = Attribute::Type::kInteger,
                         .is_ascending = false},
                        {.column = "r.run_number", .type = Attribute::Type::kInteger}},
  };
  return object;
}

class OneRow final : public sql::Row {
 public:
  bool is_null(int) const override { return false; }
  std::int64_t integer(int) const override { return 7; }
  double number(int) const override { return 0.5; }
  std::string_view text(int) const override { return "it's"; }
  std::span<const std::byte> blob(int) const override { return {}; }
};

// Nothing of the user's text stands in the SQL: quotes are ours and come in pairs, and each $N has
// its parameter.
void check_sql(std::string_view sql, std::size_t parameters) {
  CHECK(std::ranges::count(sql, '\'') % 2 == 0);
  CHECK(sql.find(';') == std::string_view::npos);
  for (std::size_t at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
    std::size_t number = 0;
    std::from_chars(sql.data() + at + 1, sql.data() + sql.size(), number);
    CHECK(number >= 1);
    CHECK(number <= parameters);
  }
}

}  // namespace

// Lines: the filter, the page token, then the terms of the order. A plan that is made is sound SQL,
// and the token it writes is one that it takes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> lines;
  while (!rest.empty() && lines.size() < 8) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  lines.resize(std::max<std::size_t>(lines.size(), 2));
  SearchText text{.filter = lines[0],
                  .order_by = std::span(lines).subspan(2),
                  .page_token = lines[1],
                  .binding = "experiment 1"};
  Parameters first_parameters;
  auto plan = plan_search(searchable(), text, first_parameters);
  if (!plan.ok()) {
    CHECK(!plan.error().message.empty());
    text.page_token = {};
    Parameters parameters;
    plan = plan_search(searchable(), text, parameters);
    if (!plan.ok()) return 0;
    check_sql(plan->joins + plan->where + plan->order + plan->keys, parameters.params().size());
  } else {
    const std::size_t count = first_parameters.params().size();
    check_sql(plan->joins + plan->where + plan->order + plan->keys, count);
  }
  const std::string token = plan->token(OneRow(), 0);
  text.page_token = token;
  Parameters next_parameters;
  const auto next = plan_search(searchable(), text, next_parameters);
  CHECK(next.ok());
  CHECK(next->order == plan->order);
  return 0;
}
