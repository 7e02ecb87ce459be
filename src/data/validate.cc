// SPDX-License-Identifier: Apache-2.0
#include "data/validate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "base/clock.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr std::array<std::string_view, 3> kSeverityNames = {"info", "warning", "error"};
constexpr int kExamples = 5;
constexpr std::size_t kShownDomain = 8;

std::string number_text(double value) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

std::string percent_text(double percent) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, percent < 0.1 && percent > 0 ? "%.3g" : "%.1f", percent);
  return std::string(buffer) + " %";
}

std::string value_text(ColumnType type, double value) {
  return type == ColumnType::kTimestamp ? format_utc(static_cast<std::int64_t>(value))
                                        : number_text(value);
}

std::string domain_text(const std::vector<std::string>& domain) {
  std::string out;
  for (std::size_t i = 0; i < std::min(domain.size(), kShownDomain); ++i) {
    out += (i == 0 ? "" : ", ") + quoted(domain[i]);
  }
  if (domain.size() > kShownDomain) out += ", … (" + std::to_string(domain.size()) + " values)";
  return out;
}

std::string literal_list(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + quote_literal(text);
  return out;
}

// Number by its shortest text, so that a bound survives the way into SQL.
std::string literal(ColumnType type, double value) {
  return type == ColumnType::kTimestamp
             ? "make_timestamp(" + std::to_string(static_cast<std::int64_t>(value)) +
                   "::BIGINT * 1000)"
             : number_text(value) + "::DOUBLE";
}

// A rule that some rows break.
struct Violation {
  std::string kind;
  Severity severity = Severity::kError;
  std::string condition;  // SQL, true for offending rows
  std::string allowed;    // ends the sentence: "allowed is at most 10"
  double kept_min = 1;    // no finding while at least this share of the values keeps to the rule
};

class Validator {
 public:
  Validator(const Engine& engine, const Context& context, const Table& table,
            const Statistics& statistics, const Schema& schema)
      : engine_(engine),
        context_(context),
        table_(table),
        statistics_(statistics),
        schema_(schema) {}

  Result<Validation> run() {
    out_.rows = statistics_.rows;
    if (statistics_.rows < schema_.rows_min) {
      add({"",
           "too_few_rows",
           Severity::kError,
           "the table has " + std::to_string(statistics_.rows) + " rows; at least " +
               std::to_string(schema_.rows_min) + " are required",
           statistics_.rows,
           100,
           {},
           std::nullopt});
    }
    for (const auto& column : schema_.columns) TRY(check(column));
    check_new_columns();
    std::stable_sort(out_.findings.begin(), out_.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return std::move(out_);
  }

 private:
  void add(Finding finding) { out_.findings.push_back(std::move(finding)); }

  Result<void> check(const ColumnSchema& column) {
    const ColumnStatistics* found = statistics_.find(column.name);
    if (found == nullptr) {
      if (column.required) {
        add({column.name,
             "column_missing",
             Severity::kError,
             "column " + quoted(column.name) + " is missing",
             statistics_.rows,
             100,
             {},
             std::nullopt});
      }
      return {};
    }
    // A column of nulls only has whatever type the reader chose.
    if (found->present() > 0 && !compatible(column.type, *found)) return check_type(column, *found);
    TRY(check_nulls(column, *found));
    if (found->present() == 0) return {};
    TRY(check_domain(column, *found));
    TRY(check_range(column, *found));
    TRY(check_length(column, *found));
    return check_unique(column, *found);
  }

  // Whole numbers may stand for numbers, and numbers that are all whole for integers.
  static bool compatible(ColumnType wanted, const ColumnStatistics& found) {
    if (wanted == found.type) return true;
    if (wanted == ColumnType::kNumber && found.type == ColumnType::kInteger) return true;
    return wanted == ColumnType::kInteger && found.type == ColumnType::kNumber && found.integral;
  }

  Result<void> check_type(const ColumnSchema& column, const ColumnStatistics& found) {
    const std::string sentence = "column " + quoted(column.name) + " is " +
                                 std::string(type_name(found.type)) + "; expected " +
                                 std::string(type_name(column.type));
    Finding finding{column.name, "type_changed",  Severity::kError,
                    sentence,    found.present(), percent_of(found.present()),
                    {},          std::nullopt};
    // Among texts, those that are no numbers are the ones to look at.
    const bool numeric = column.type == ColumnType::kNumber || column.type == ColumnType::kInteger;
    if (found.type == ColumnType::kText && numeric) {
      const std::string name = quote_identifier(column.name);
      TRY(fill(finding, name + " IS NOT NULL AND try_cast(" + name + " AS DOUBLE) IS NULL",
               column.name));
    } else {
      for (std::size_t i = 0; i < std::min<std::size_t>(kExamples, found.top.size()); ++i) {
        finding.examples.push_back(found.top[i].value);
      }
    }
    add(std::move(finding));
    return {};
  }

  Result<void> check_nulls(const ColumnSchema& column, const ColumnStatistics& found) {
    const double share = 1 - found.null_share();
    if (found.rows == 0 || share >= column.present_min) return {};
    const std::string allowed =
        column.present_min == 1
            ? "none are allowed"
            : "at most " + percent_text(100 * (1 - column.present_min)) + " are allowed";
    Finding finding{
        column.name,
        "nulls",
        Severity::kError,
        "column " + quoted(column.name) + ": " + counted(found.nulls) + " null; " + allowed,
        found.nulls,
        percent_of(found.nulls),
        {},
        std::nullopt};
    TRY(const Batch first,
        engine_.query_all(context_, {table_},
                          "SELECT min(ciclo_row) AS first_row FROM (SELECT NOT (" +
                              present(found, quote_identifier(column.name)) +
                              ") AS ciclo_null, row_number() OVER () AS ciclo_row FROM " +
                              quote_identifier(table_.name) + ") WHERE ciclo_null"));
    if (!first.columns[0].is_null(0)) {
      finding.first_row = static_cast<std::int64_t>(first.columns[0].numbers[0]);
    }
    add(std::move(finding));
    return {};
  }

  Result<void> check_domain(const ColumnSchema& column, const ColumnStatistics& found) {
    if (column.domain.empty()) return {};
    const std::set<std::string_view> domain(column.domain.begin(), column.domain.end());
    if (found.top_is_complete()) {
      const bool inside =
          std::all_of(found.top.begin(), found.top.end(),
                      [&](const ValueCount& value) { return domain.contains(value.value); });
      if (inside && found.infinite == 0) return {};
    }
    const std::string name = quote_identifier(column.name);
    const std::string text =
        found.type == ColumnType::kNumber || found.type == ColumnType::kInteger
            ? number_domain(column, name)
            : "CAST(" + name + " AS VARCHAR) NOT IN (" + literal_list(column.domain) + ")";
    return check_rows(column, found,
                      {"unexpected_values", Severity::kError, present(found, name) + " AND " + text,
                       "allowed are " + domain_text(column.domain), column.domain_share_min});
  }

  static std::string number_domain(const ColumnSchema& column, const std::string& name) {
    return name + " NOT IN (SELECT unnest([" + literal_list(column.domain) + "])::DOUBLE)";
  }

  Result<void> check_range(const ColumnSchema& column, const ColumnStatistics& found) {
    const std::string name = quote_identifier(column.name);
    const auto bound = [&](double value) { return value_text(column.type, value); };
    const bool bounded = column.min || column.max;
    if (bounded && found.infinite > 0) {
      TRY(check_rows(
          column, found,
          {"infinite", Severity::kError, "isinf(" + name + ")", "allowed are finite values", 1}));
    }
    const std::string finite =
        present(found, name) +
        (found.type == ColumnType::kNumber ? " AND isfinite(" + name + ")" : "");
    if (column.min && found.min && *found.min < *column.min) {
      TRY(check_rows(column, found,
                     {"below_min", Severity::kError,
                      finite + " AND " + name + " < " + literal(found.type, *column.min),
                      "allowed is at least " + bound(*column.min), 1}));
    }
    if (column.max && found.max && *found.max > *column.max) {
      TRY(check_rows(column, found,
                     {"above_max", Severity::kError,
                      finite + " AND " + name + " > " + literal(found.type, *column.max),
                      "allowed is at most " + bound(*column.max), 1}));
    }
    return {};
  }

  Result<void> check_length(const ColumnSchema& column, const ColumnStatistics& found) {
    if (!column.length_max || !found.length_max || *found.length_max <= *column.length_max)
      return {};
    const std::string name = quote_identifier(column.name);
    return check_rows(column, found,
                      {"text_too_long", Severity::kWarning,
                       "strlen(" + name + ") > " + std::to_string(*column.length_max),
                       "allowed are " + std::to_string(*column.length_max) + " bytes", 1});
  }

  Result<void> check_unique(const ColumnSchema& column, const ColumnStatistics& found) {
    if (!column.unique || (found.exact && found.distinct == found.present())) return {};
    const std::string name = quote_identifier(column.name);
    // The second and later rows of a value offend.
    return check_rows(column, found,
                      {"not_unique", Severity::kError,
                       present(found, name) + " AND row_number() OVER (PARTITION BY " + name +
                           " ORDER BY ciclo_row) > 1",
                       "no value may occur twice", 1});
  }

  static std::string present(const ColumnStatistics& found, const std::string& name) {
    return name + " IS NOT NULL" +
           (found.type == ColumnType::kNumber ? " AND NOT isnan(" + name + ")" : "");
  }

  Result<void> check_rows(const ColumnSchema& column, const ColumnStatistics& found,
                          const Violation& violation) {
    Finding finding{column.name, violation.kind, violation.severity, "", 0, 0, {}, std::nullopt};
    TRY(fill(finding, violation.condition, column.name));
    const double share = static_cast<double>(finding.count) / static_cast<double>(found.present());
    if (finding.count == 0 || 1 - share >= violation.kept_min) return {};
    static constexpr std::array<std::array<std::string_view, 2>, 6> kWords = {{
        {"unexpected_values", "not among the allowed values"},
        {"infinite", "infinite"},
        {"below_min", "too small"},
        {"above_max", "too large"},
        {"text_too_long", "too long"},
        {"not_unique", "with a value that occurred before"},
    }};
    std::string_view words;
    for (const auto& [kind, text] : kWords) {
      if (kind == violation.kind) words = text;
    }
    finding.message =
        "column " + quoted(column.name) + ": " + counted(finding.count) + " " + std::string(words);
    if (!finding.examples.empty())
      finding.message += ", for instance " + quoted(finding.examples.front());
    if (finding.first_row)
      finding.message += " in row " + std::to_string(*finding.first_row) + " first";
    finding.message += "; " + violation.allowed;
    add(std::move(finding));
    return {};
  }

  // Count, examples and first row of the rows that meet the condition.
  Result<void> fill(Finding& finding, const std::string& condition, const std::string& column) {
    const std::string name = quote_identifier(column);
    const std::string offending =
        "SELECT CAST(value AS VARCHAR) AS value, ciclo_row FROM (SELECT " + name +
        " AS value, ciclo_row, (" + condition + ") AS ciclo_bad FROM (SELECT " + name +
        ", row_number() OVER () AS ciclo_row FROM " + quote_identifier(table_.name) +
        ")) WHERE ciclo_bad";
    TRY(const Batch batch,
        engine_.query_all(context_, {table_},
                          "SELECT value, count(*) AS n, min(ciclo_row) AS first_row, sum(count(*)) "
                          "OVER () AS total, "
                          "min(min(ciclo_row)) OVER () AS first_of_all FROM (" +
                              offending + ") GROUP BY value ORDER BY n DESC, value LIMIT " +
                              std::to_string(kExamples)));
    finding.count = 0;
    for (std::size_t i = 0; i < batch.rows(); ++i) {
      finding.examples.push_back(batch.columns[0].texts[i]);
      finding.count = static_cast<std::int64_t>(batch.columns[3].numbers[i]);
      finding.first_row = static_cast<std::int64_t>(batch.columns[4].numbers[i]);
    }
    finding.percent = percent_of(finding.count);
    return {};
  }

  void check_new_columns() {
    for (const auto& column : statistics_.columns) {
      if (schema_.find(column.name) != nullptr) continue;
      add({column.name,
           "column_new",
           schema_.closed ? Severity::kError : Severity::kInfo,
           "column " + quoted(column.name) + " is not in the schema" + did_you_mean(column.name),
           column.rows,
           100,
           {},
           std::nullopt});
    }
  }

  // A new column that resembles a missing one was probably renamed.
  std::string did_you_mean(const std::string& name) const {
    std::vector<std::string> missing;
    for (const auto& column : schema_.columns) {
      if (statistics_.find(column.name) == nullptr) missing.push_back(column.name);
    }
    const std::string_view near = nearest(name, missing);
    return near.empty() ? "" : "; is it " + quoted(near) + ", renamed?";
  }

  double percent_of(std::int64_t count) const {
    return statistics_.rows == 0
               ? 0
               : 100 * static_cast<double>(count) / static_cast<double>(statistics_.rows);
  }
  std::string counted(std::int64_t count) const {
    return std::to_string(count) + (count == 1 ? " row (" : " rows (") +
           percent_text(percent_of(count)) + (count == 1 ? ") is" : ") are");
  }

  const Engine& engine_;
  const Context& context_;
  const Table& table_;
  const Statistics& statistics_;
  const Schema& schema_;
  Validation out_;
};

}  // namespace

std::span<const std::string_view> enum_names(Severity) { return kSeverityNames; }

bool Validation::passed() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.severity == Severity::kError; });
}

Result<Validation> validate(const Engine& engine, const Context& context, const Table& table,
                            const Statistics& statistics, const Schema& schema) {
  return Validator(engine, context, table, statistics, schema).run();
}

std::string to_text(const Validation& validation) {
  std::string out;
  for (const auto& finding : validation.findings) {
    out += std::string(kSeverityNames[static_cast<std::size_t>(finding.severity)]) + ": " +
           finding.message + "\n";
  }
  return out;
}

std::string to_json(const Validation& validation) { return json::write(validation); }

}  // namespace ciclo::data
