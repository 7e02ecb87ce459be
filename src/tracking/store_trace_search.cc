// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "tracking/store.h"
#include "tracking/store_traces.h"

namespace ciclo::tracking::store {

namespace {

constexpr std::string_view kAttributesPrefix = "attributes.";

// --- What only traces have

// Of one span, for which the other comparisons of spans hold too.
Result<std::string> span_comparison(const Comparison& comparison, Parameters& parameters) {
  const std::string& key = comparison.identifier.key;
  if (key == "name" || key == "type" || key == "status") {
    return text_or_list_condition("s." + key, comparison, parameters);
  }
  if (key == "content" || key == "text") {
    if (comparison.comparator != Comparator::kLike && comparison.comparator != Comparator::kILike) {
      return bad_comparator(comparison, "LIKE ILIKE");
    }
    return text_condition("s.content", comparison, parameters);
  }
  if (key.starts_with(kAttributesPrefix) && key.size() > kAttributesPrefix.size()) {
    const std::string name = parameters.add(key.substr(kAttributesPrefix.size()));
    TRY(const std::string condition, text_or_list_condition("x.value", comparison, parameters));
    return "EXISTS (SELECT 1 FROM span_attributes x WHERE x.span_number = s.span_number AND "
           "x.key = " +
           name + " AND " + condition + ")";
  }
  return invalid_argument("invalid span key " + quoted(key) +
                          ": valid keys are name, type, status, content and attributes.NAME");
}

Result<std::string> span_condition(std::span<const Comparison> comparisons,
                                   Parameters& parameters) {
  std::string all = "EXISTS (SELECT 1 FROM spans s WHERE s.trace_number = t.trace_number";
  for (const auto& comparison : comparisons) {
    TRY(const std::string condition, span_comparison(comparison, parameters));
    all += " AND " + condition;
  }
  return all + ")";
}

// The value is stored as JSON: 'yes' means the text "yes", 'true' also the boolean.
Result<std::string> assessed_value(const Comparison& comparison, Parameters& parameters) {
  switch (comparison.comparator) {
    case Comparator::kIsNull:
    case Comparator::kIsNotNull: return std::string();
    case Comparator::kLess:
    case Comparator::kLessEqual:
    case Comparator::kGreater:
    case Comparator::kGreaterEqual: {
      TRY(const std::string condition, number_condition("a.number", comparison, parameters));
      return " AND " + condition;
    }
    case Comparator::kIn:
    case Comparator::kNotIn:
      return bad_comparator(comparison, "= != < <= > >= LIKE ILIKE RLIKE, IS NULL and IS NOT NULL");
    default: break;
  }
  TRY(const std::string condition, text_condition("a.value", comparison, parameters));
  if (comparison.comparator != Comparator::kEqual && comparison.comparator != Comparator::kNotEqual)
    return " AND " + condition;
  Comparison quoted_too = comparison;
  quoted_too.value = json::dump(json::Value(std::get<std::string>(comparison.value)));
  TRY(const std::string as_text, text_condition("a.value", quoted_too, parameters));
  const bool is_equal = comparison.comparator == Comparator::kEqual;
  return " AND (" + condition + (is_equal ? " OR " : " AND ") + as_text + ")";
}

// What was said of the trace, or of the session that it belongs to.
Result<std::string> assessment_condition(std::span<const Comparison> comparisons,
                                         Parameters& parameters) {
  std::string all;
  for (const auto& comparison : comparisons) {
    const auto condition = [&]() -> Result<std::string> {
      std::string said = " AND a.kind = " + parameters.add(comparison.identifier.entity) +
                         " AND a.name = " + parameters.add(comparison.identifier.key) +
                         " AND a.is_valid = 1";
      TRY(const std::string value, assessed_value(comparison, parameters));
      return said + value;
    };
    TRY(const std::string of_trace, condition());
    TRY(const std::string of_session, condition());
    all += all.empty() ? "" : " AND ";
    if (comparison.comparator == Comparator::kIsNull) all += "NOT ";
    all +=
        "(EXISTS (SELECT 1 FROM trace_assessments a WHERE a.trace_number = t.trace_number" +
        of_trace +
        ") OR EXISTS (SELECT 1 FROM trace_metadata m JOIN trace_assessments a ON a.session = "
        "m.value AND a.experiment_id = m.experiment_id WHERE m.trace_number = t.trace_number AND "
        "m.key = 'mlflow.trace.session'" +
        of_session + "))";
  }
  return all;
}

// A trace belongs to the run it was made in and to those it was linked to.
Result<std::string> run_condition(std::span<const Comparison> comparisons, Parameters& parameters) {
  std::string all;
  for (const auto& comparison : comparisons) {
    TRY(const std::string made, text_or_list_condition("m.value", comparison, parameters));
    const std::string of_metadata =
        "EXISTS (SELECT 1 FROM trace_metadata m WHERE m.trace_number = t.trace_number AND m.key = "
        "'mlflow.sourceRun' AND " +
        made + ")";
    all += all.empty() ? "" : " AND ";
    if (comparison.comparator != Comparator::kEqual && comparison.comparator != Comparator::kIn) {
      all += of_metadata;
      continue;
    }
    TRY(const std::string linked, text_or_list_condition("l.run_id", comparison, parameters));
    all += "(" + of_metadata +
           " OR EXISTS (SELECT 1 FROM trace_runs l WHERE l.trace_number = t.trace_number AND " +
           linked + "))";
  }
  return all;
}

Result<std::string> prompt_condition(std::span<const Comparison> comparisons,
                                     Parameters& parameters) {
  std::string all;
  for (const auto& comparison : comparisons) {
    if (comparison.comparator != Comparator::kEqual) return bad_comparator(comparison, "=");
    const auto* prompt = std::get_if<std::string>(&comparison.value);
    if (prompt == nullptr || std::ranges::count(*prompt, '/') != 1) {
      return invalid_argument("prompt: expected a quoted 'name/version'" +
                              (prompt == nullptr ? std::string() : ", got " + quoted(*prompt)));
    }
    all += std::string(all.empty() ? "" : " AND ") +
           "EXISTS (SELECT 1 FROM trace_prompts p WHERE p.trace_number = t.trace_number AND "
           "p.prompt = " +
           parameters.add(*prompt) + ")";
  }
  return all;
}

Result<std::string> issue_condition(std::span<const Comparison> comparisons,
                                    Parameters& parameters) {
  std::string all;
  for (const auto& comparison : comparisons) {
    if (comparison.identifier.key != "id") {
      return invalid_argument("invalid issue key " + quoted(comparison.identifier.key) +
                              ": the valid key is id");
    }
    if (comparison.comparator != Comparator::kEqual) return bad_comparator(comparison, "=");
    TRY(const std::string condition, text_condition("a.name", comparison, parameters));
    all += std::string(all.empty() ? "" : " AND ") +
           "EXISTS (SELECT 1 FROM trace_assessments a WHERE a.trace_number = t.trace_number AND "
           "a.kind = 'issue' AND " +
           condition + ")";
  }
  return all;
}

const Searchable& trace_search() {
  using Type = Attribute::Type;
  constexpr std::string_view kEnd = "(t.request_ms + COALESCE(t.duration_ms, 0))";
  constexpr std::string_view kDuration = "t.duration_ms";
  static const Searchable kSearchable{
      .object = "trace",
      .takes_patterns = true,
      .attribute_words = {"attribute", "attributes", "trace"},
      .attributes =
          {
              {.name = "request_id", .column = "t.trace_id", .takes_list = true},
              {.name = "timestamp", .column = "t.request_ms", .type = Type::kInteger},
              {.name = "timestamp_ms", .column = "t.request_ms", .type = Type::kInteger},
              {.name = "execution_time",
               .column = kDuration,
               .type = Type::kInteger,
               .nullable = true},
              {.name = "execution_time_ms",
               .column = kDuration,
               .type = Type::kInteger,
               .nullable = true},
              {.name = "end_time", .column = kEnd, .type = Type::kInteger},
              {.name = "end_time_ms", .column = kEnd, .type = Type::kInteger},
              {.name = "status", .column = "t.state", .takes_list = true},
              {.name = "client_request_id",
               .column = "t.client_request_id",
               .nullable = true,
               .orderable = false,
               .takes_list = true},
              {.name = "experiment_id",
               .column = "t.experiment_id",
               .type = Type::kInteger,
               .filterable = false},
          },
      .collections = {{.words = {"tag", "tags"},
                       .table = "trace_tags",
                       .owner = "trace_number",
                       .owner_column = "t.trace_number",
                       .takes_null_test = true,
                       .takes_list = true,
                       .scope = "experiment_id"},
                      {.words = {"metadata", "request_metadata"},
                       .table = "trace_metadata",
                       .owner = "trace_number",
                       .owner_column = "t.trace_number",
                       .takes_null_test = true,
                       .scope = "experiment_id"}},
      .related = {},
      .specials = {{.words = {"span"}, .attributes = {"text"}, .condition = span_condition},
                   {.words = {"feedback", "expectation"},
                    .attributes = {},
                    .condition = assessment_condition},
                   {.words = {}, .attributes = {"run_id"}, .condition = run_condition},
                   {.words = {}, .attributes = {"prompt"}, .condition = prompt_condition},
                   {.words = {"issue"}, .attributes = {}, .condition = issue_condition}},
      .aliases = {{.attribute = "name", .word = "tag", .key = "mlflow.traceName"},
                  {.attribute = "run_id", .word = "metadata", .key = "mlflow.sourceRun"}},
      .default_order = {{"t.request_ms", Type::kInteger, false}, {"t.trace_id", Type::kText, true}},
  };
  return kSearchable;
}

// --- Where a search begins

// Rows that fulfil a comparison are few when there are fewer than these: then they are looked at
// one by one, whatever the order.
constexpr std::int64_t kFewRows = 2'000;

// A comparison that an index finds the rows of: " FROM table d WHERE d.experiment_id = $1 AND …",
// where d has a trace_number.
using Start = std::function<std::string(Parameters&)>;

std::string begins_with(const std::string& column, const std::string& value,
                        Parameters& parameters) {
  // An index holds the beginning of a text; the search itself compares the whole.
  return " AND SUBSTR(" + column + ", 1, 64) = SUBSTR(" + parameters.add(value) + ", 1, 64)";
}

std::optional<Start> span_start(const Comparison& comparison, std::int64_t experiment) {
  const auto* value = std::get_if<std::string>(&comparison.value);
  if (comparison.comparator != Comparator::kEqual || value == nullptr) return std::nullopt;
  const std::string& key = comparison.identifier.key;
  if (key == "name" || key == "type" || key == "status") {
    return [=, text = *value](Parameters& parameters) {
      const std::string from =
          " FROM spans d WHERE d.experiment_id = " + parameters.add(experiment);
      if (key == "status") return from + " AND d.status = " + parameters.add(text);
      return from + begins_with("d." + key, text, parameters);
    };
  }
  if (!key.starts_with(kAttributesPrefix)) return std::nullopt;
  return [=, text = *value](Parameters& parameters) {
    const std::string from =
        " FROM span_attributes d WHERE d.experiment_id = " + parameters.add(experiment) +
        " AND d.key = " + parameters.add(key.substr(kAttributesPrefix.size()));
    return from + begins_with("d.value", text, parameters);
  };
}

// Assessments of a name, and the traces of the sessions that they speak for.
Start assessment_start(std::string kind, std::string name, std::int64_t experiment) {
  return [=](Parameters& parameters) {
    const auto assessed = [&] {
      return " WHERE a.experiment_id = " + parameters.add(experiment) +
             " AND a.kind = " + parameters.add(kind) + " AND a.name = " + parameters.add(name);
    };
    const std::string of_traces = assessed();
    const std::string of_sessions = assessed();
    return " FROM (SELECT a.trace_number FROM trace_assessments a" + of_traces +
           " UNION ALL SELECT m.trace_number FROM trace_assessments a JOIN trace_metadata m ON "
           "m.experiment_id = a.experiment_id AND m.key = 'mlflow.trace.session' AND "
           "SUBSTR(m.value, 1, 64) = SUBSTR(a.session, 1, 64)" +
           of_sessions + ") d WHERE 1 = 1";
  };
}

// The traces made in a run and those linked to it.
Start run_start(std::string run, std::int64_t experiment) {
  return [=](Parameters& parameters) {
    const std::string made = "m.experiment_id = " + parameters.add(experiment) +
                             " AND m.key = 'mlflow.sourceRun'" +
                             begins_with("m.value", run, parameters);
    return " FROM (SELECT m.trace_number FROM trace_metadata m WHERE " + made +
           " UNION ALL SELECT l.trace_number FROM trace_runs l WHERE l.run_id = " +
           parameters.add(run) + ") d WHERE 1 = 1";
  };
}

// Of what only traces have; search.h knows the others.
std::optional<Start> special_start(const Comparison& comparison, std::int64_t experiment) {
  const auto& [entity, key] = comparison.identifier;
  if (entity == "span") return span_start(comparison, experiment);
  if (entity == "feedback" || entity == "expectation") {
    if (comparison.comparator == Comparator::kIsNull) return std::nullopt;
    return assessment_start(entity, key, experiment);
  }
  const auto* value = std::get_if<std::string>(&comparison.value);
  if (comparison.comparator != Comparator::kEqual || value == nullptr) return std::nullopt;
  if (entity == "issue") return assessment_start(entity, *value, experiment);
  const auto& words = trace_search().attribute_words;
  if (!entity.empty() && std::ranges::find(words, entity) == words.end()) return std::nullopt;
  if (key == "run_id") return run_start(*value, experiment);
  if (key != "prompt") return std::nullopt;
  return [prompt = *value](Parameters& parameters) {
    return " FROM trace_prompts d WHERE d.prompt = " + parameters.add(prompt);
  };
}

// One search of traces, along the index on their time or from the rows of one comparison.
class TraceQuery {
 public:
  TraceQuery(sql::Reader& reader, std::span<const std::int64_t> experiments, const SearchText& text)
      : reader_(reader), experiments_(experiments), text_(text) {}

  Result<Page<TraceInfo>> page(std::int64_t max_results) {
    Parameters unused;
    TRY(const SearchPlan plan, plan_search(trace_search(), text_, unused));
    Page<TraceInfo> page;
    if (experiments_.empty()) return page;
    TRY(const auto start, best_start(plan));
    TRY(read(start, max_results, page));
    TRY(load_trace_data(reader_, numbers_, page.items));
    return page;
  }

 private:
  Result<std::vector<Start>> starts(const SearchPlan& plan) const {
    std::vector<Start> found;
    const std::int64_t experiment = experiments_.front();
    for (const SearchStart& start : plan.starts) {
      found.push_back([start, experiment](Parameters& parameters) {
        const std::string from = " FROM " + std::string(start.collection->table) +
                                 " d WHERE d.experiment_id = " + parameters.add(experiment);
        return from + start.condition(parameters);
      });
    }
    TRY(const auto comparisons, parse_filter(text_.filter));
    for (const auto& comparison : comparisons) {
      if (auto start = special_start(comparison, experiment)) found.push_back(std::move(*start));
    }
    return found;
  }

  // The comparison with the fewest rows, if they are few; only within one experiment.
  Result<std::optional<Start>> best_start(const SearchPlan& plan) {
    std::optional<Start> best;
    if (experiments_.size() != 1) return best;
    std::int64_t fewest = kFewRows;
    TRY(const auto candidates, starts(plan));
    for (const Start& start : candidates) {
      Parameters parameters;
      const std::string from = start(parameters);
      const std::string limit = parameters.add(fewest);
      TRY(const auto count,
          reader_.query_one("SELECT COUNT(*) FROM (SELECT 1" + from + " LIMIT " + limit + ") few",
                            parameters.params(),
                            [](const sql::Row& row) { return row.integer(0); }));
      if (count.value_or(fewest) >= fewest) continue;
      fewest = *count;
      best = start;
    }
    return best;
  }

  Result<void> read(const std::optional<Start>& start, std::int64_t max_results,
                    Page<TraceInfo>& page) {
    Parameters parameters;
    const std::string in_experiments = placeholders(parameters, experiments_);
    TRY(const SearchPlan plan, plan_search(trace_search(), text_, parameters));
    // CROSS JOIN keeps SQLite from changing the order of the tables: the index comes first. With
    // one experiment the index on the time has the default order.
    const std::string from =
        start ? " FROM (SELECT DISTINCT d.trace_number AS found" + (*start)(parameters) +
                    ") f CROSS JOIN traces t" + plan.joins +
                    " WHERE t.trace_number = f.found AND t.experiment_id = " + in_experiments
              : " FROM traces t" + plan.joins + " WHERE t.experiment_id " +
                    (experiments_.size() == 1 ? "= " + in_experiments
                                              : "IN (" + in_experiments + ")");
    const std::string statement = "SELECT " + std::string(kTraceColumns) + plan.keys + from +
                                  plan.where + " ORDER BY " + plan.order + " LIMIT " +
                                  parameters.add(max_results + 1);
    std::string last_token;
    return reader_.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
      if (std::ssize(page.items) == max_results) {
        page.next_page_token = last_token;
        return {};
      }
      TraceRow trace = trace_of(row);
      numbers_.push_back(trace.number);
      page.items.push_back(std::move(trace.info));
      if (std::ssize(page.items) == max_results) last_token = plan.token(row, kTraceColumnCount);
      return {};
    });
  }

  sql::Reader& reader_;
  const std::span<const std::int64_t> experiments_;
  const SearchText& text_;
  std::vector<std::int64_t> numbers_;
};

}  // namespace

Result<Page<TraceInfo>> search_traces(sql::Reader& reader, std::string_view workspace,
                                      std::span<const ExperimentId> experiments,
                                      const SearchText& text, std::int64_t max_results) {
  TRY(const auto visible, visible_experiments(reader, workspace, experiments));
  return TraceQuery(reader, visible, text).page(max_results);
}

Result<std::int64_t> count_traces(sql::Reader& reader, std::span<const std::int64_t> experiments,
                                  std::span<const std::string_view> filters) {
  Parameters parameters;
  const std::string in_experiments = placeholders(parameters, experiments);
  std::string where;
  for (const auto filter : filters) {
    const SearchText text{.filter = filter, .order_by = {}, .page_token = {}, .binding = {}};
    TRY(const SearchPlan plan, plan_search(trace_search(), text, parameters));
    where += plan.where;
  }
  if (experiments.empty()) return 0;
  TRY(const auto count,
      reader.query_one(
          "SELECT COUNT(*) FROM traces t WHERE t.experiment_id IN (" + in_experiments + ")" + where,
          parameters.params(), [](const sql::Row& row) { return row.integer(0); }));
  return count.value_or(0);
}

}  // namespace ciclo::tracking::store
