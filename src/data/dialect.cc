// SPDX-License-Identifier: Apache-2.0
#include "data/dialect.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr std::array<char, 4> kDelimiters = {',', ';', '\t', '|'};
constexpr std::size_t kRecords = 200;

using Records = std::vector<std::vector<std::string>>;

// The share of records with as many fields as the first; 0 for a single column.
double agreement(const Records& records) {
  if (records.empty() || records.front().size() < 2) return 0;
  const auto same = std::count_if(records.begin(), records.end(), [&](const auto& record) {
    return record.size() == records.front().size();
  });
  return static_cast<double>(same) / static_cast<double>(records.size());
}

Result<char> find_delimiter(std::string_view head, bool complete, const std::string& wanted) {
  if (wanted == "tab" || wanted == "\\t") return '\t';
  if (wanted.size() == 1 && wanted != "\"" && wanted != "\n" && wanted != "\r") return wanted[0];
  if (!wanted.empty()) {
    return invalid_argument("delimiter must be one character or \"tab\", got " + quoted(wanted));
  }
  char best = ',';
  double best_agreement = 0;
  std::size_t best_fields = 1;
  for (const char delimiter : kDelimiters) {
    const Records records = split_records(head, delimiter, complete, kRecords);
    const double share = agreement(records);
    const std::size_t fields = records.empty() ? 0 : records.front().size();
    if (share > best_agreement || (share > 0 && share == best_agreement && fields > best_fields)) {
      best = delimiter;
      best_agreement = share;
      best_fields = fields;
    }
  }
  return best;
}

bool is_header(const std::vector<std::string>& first) {
  bool counted = true;
  bool any_number = false;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::string_view field = trim(first[i]);
    any_number = any_number || parse_double(field).has_value();
    counted = counted && parse_int(field) == static_cast<std::int64_t>(i);
  }
  return !any_number || (counted && first.size() > 1);
}

std::string place(std::size_t index) { return std::to_string(index + 1); }

Result<std::vector<std::string>> column_names(const std::vector<std::string>& header) {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < header.size(); ++i) {
    std::string name(trim(header[i]));
    if (name.empty()) name = "column_" + place(i);
    if (!is_utf8(name)) {
      return invalid_argument("the name of column " + place(i) +
                              " is not UTF-8; set the encoding, for instance to latin-1");
    }
    const auto [at, is_new] = seen.emplace(to_lower_ascii(name), i);
    if (!is_new) {
      return invalid_argument("the header names column " + place(at->second) + " " +
                              quoted(names[at->second]) + " and column " + place(i) + " " +
                              quoted(name) + "; names must differ in more than case");
    }
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Records split_records(std::string_view text, char delimiter, bool complete,
                      std::size_t records_max) {
  Records records;
  std::vector<std::string> record;
  std::string field;
  bool inside_quotes = false;
  bool field_begun = false;
  const auto end_field = [&] {
    record.push_back(std::move(field));
    field.clear();
    field_begun = false;
  };
  for (std::size_t i = 0; i < text.size() && records.size() < records_max; ++i) {
    const char c = text[i];
    if (inside_quotes) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        inside_quotes = false;
      }
    } else if (c == '"' && !field_begun) {
      inside_quotes = true;
      field_begun = true;
    } else if (c == delimiter) {
      end_field();
    } else if (c == '\n' || c == '\r') {
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
      const bool blank = record.empty() && field.empty() && !field_begun;
      if (blank) continue;
      end_field();
      records.push_back(std::exchange(record, {}));
    } else {
      field += c;
      field_begun = true;
    }
  }
  const bool rest = !record.empty() || !field.empty() || field_begun;
  if (rest && complete && records.size() < records_max) {
    end_field();
    records.push_back(std::move(record));
  }
  return records;
}

Result<CsvDialect> sniff_csv(std::string_view head, bool complete, const SourceOptions& options) {
  CsvDialect dialect;
  TRY(dialect.delimiter, find_delimiter(head, complete, options.delimiter));
  const Records records = split_records(head, dialect.delimiter, complete, 2);
  if (records.empty()) {
    return invalid_argument(complete
                                ? "the file is empty"
                                : "the first line is longer than " + std::to_string(head.size()) +
                                      " bytes or has a quote that never ends");
  }
  if (options.header.empty()) {
    dialect.header = is_header(records.front());
  } else if (options.header == "yes" || options.header == "no") {
    dialect.header = options.header == "yes";
  } else {
    return invalid_argument("header must be yes or no, got " + quoted(options.header));
  }
  std::vector<std::string> header = records.front();
  if (!dialect.header) std::fill(header.begin(), header.end(), "");
  TRY(dialect.names, column_names(header));
  dialect.null_texts = options.null_texts;
  dialect.timestamp_format = options.timestamp_format;
  return dialect;
}

}  // namespace ciclo::data
