// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/filter.h"

// From a filter, an order and a page token to SQL with parameters, for any searchable object: a
// Searchable says which words of the language mean which columns. Every user text becomes a
// parameter.
//
// Large searches follow an index. A collection whose rows carry a `scope` (the experiment of a run)
// offers two ways: to start from the rows that fulfil one comparison, when they are few
// (SearchPlan::starts), and to walk along a metric in the order asked for (SearchText::walk).
//
// Pages are cut by key: the ORDER BY expressions of the last row, with the object's unique id as
// the last of them, are in the token, and the next page begins behind them. Missing values sort
// last in both directions, NaN between the numbers and the missing. LIKE tells upper from lower
// case; ILIKE does not for the letters of ASCII. RLIKE looks for a pattern (base/pattern.h) in the
// text, in linear time.

namespace ciclo::tracking {

// A column of the object itself.
struct Attribute {
  enum class Type { kText, kInteger };
  std::string_view name;
  std::string_view column;  // SQL: "r.start_ms"
  Type type = Type::kText;
  bool nullable = false;
  bool filterable = true;
  bool orderable = true;
  bool takes_list = false;  // IN and NOT IN
};

// Rows (owner, key, value) below the object.
struct Collection {
  enum class Type { kText, kMetric };   // a metric has `is_nan` besides `value`
  std::vector<std::string_view> words;  // "param", "params", …; the first is used in messages
  std::string_view table;
  std::string_view owner;         // column of the table: "run_number"
  std::string_view owner_column;  // what it equals in the object: "r.run_number"
  Type type = Type::kText;
  bool takes_null_test = false;
  bool takes_list = false;  // IN and NOT IN
  // Column of the table that holds the object's parent; with indexes (scope, key, is_nan, value) of
  // metrics and (scope, key, the value's first 64 characters) of texts. Empty: there is none.
  std::string_view scope;
  // Where one key has several values: the rows that a filter asks, each with dataset_name and
  // dataset_digest; one that fulfils it is enough. `table` then holds the newest of each key.
  std::string_view rows_by_dataset;
  // Of objects that lack this key, it is as if it had this value.
  std::string_view implied_key;
  std::string_view implied_value;
};

// Rows that belong to the object by a chain of tables; only in filters.
struct Related {
  std::vector<std::string_view> words;
  struct Key {
    std::string_view name;
    std::string_view exists;  // SQL up to the comparison: "EXISTS (SELECT 1 FROM … WHERE … AND "
    std::string_view column;
  };
  std::vector<Key> keys;
};

// The parameters of a statement under construction. Keeps the texts that they view.
class Parameters {
 public:
  // Each returns its placeholder: "$3".
  std::string add(std::string text);
  std::string add(std::int64_t number);
  std::string add(double number);
  const sql::Params& params() const { return params_; }

 private:
  std::string placeholder() const { return "$" + std::to_string(params_.size()); }
  std::deque<std::string> texts_;
  sql::Params params_;
};

// What one object alone has, and what is no row with a key and a value. All comparisons of a filter
// that name it are handed over together, so that they can be made to hold for one and the same row.
struct Special {
  std::vector<std::string_view> words;       // entities: "span"
  std::vector<std::string_view> attributes;  // or attributes: "text"
  Result<std::string> (*condition)(std::span<const Comparison> comparisons, Parameters& parameters);
};

struct Searchable {
  std::string_view object;      // "run", for messages
  bool takes_patterns = false;  // whether texts take RLIKE
  std::vector<std::string_view> attribute_words;
  std::vector<Attribute> attributes;
  std::vector<Collection> collections;
  std::vector<Related> related;
  std::vector<Special> specials;
  // Attributes that are rows of a collection: "name" is the tag "mlflow.traceName".
  struct Alias {
    std::string_view attribute;
    std::string_view word;
    std::string_view key;
  };
  std::vector<Alias> aliases;
  // Appended to any order, as far as it does not name them already; the last is unique.
  struct Default {
    std::string_view column;
    Attribute::Type type = Attribute::Type::kText;
    bool is_ascending = true;
  };
  std::vector<Default> default_order;
};

// A comparison that an index finds the rows of.
struct SearchStart {
  const Collection* collection = nullptr;
  Comparison comparison;

  // " AND d.key = … AND …" on the collection's table under the name `d`.
  std::string condition(Parameters& parameters) const;
};

// How a search is ordered by a metric that comes first in the order.
enum class Walk {
  kNone,     // all objects; NaN and missing values sorted behind the numbers
  kNumbers,  // those with a number, along the index; the first join is left to the caller
  kRest,     // the others
};

struct SearchPlan {
  std::string joins;  // " LEFT JOIN …"
  std::string where;  // " AND …" for each condition
  std::string order;  // "… DESC, …"
  std::string keys;   // ", …": the order's expressions, to be selected last
  enum class KeyType { kText, kInteger, kNumber };
  std::vector<KeyType> key_types;
  std::string binding;

  std::vector<SearchStart> starts;
  // Set when the first order term is a metric with a scope: Walk::kNumbers can be asked for.
  const Collection* walked = nullptr;
  std::string walk_condition;   // of kNumbers: " AND o1.key = $3 AND o1.is_nan = 0"
  bool walk_is_all = false;     // the filter lets no object without a number through
  bool begins_in_rest = false;  // the token's row was one without a number

  // The token of the page behind this row, whose keys begin at column `first_key`.
  std::string token(const sql::Row& row, int first_key) const;
};

// A data set that metrics were measured on; with an empty digest, any of that name.
struct DatasetName {
  std::string name;
  std::string digest;
};

struct SearchText {
  std::string_view filter;
  std::span<const std::string> order_by;
  std::string_view page_token;
  // What else decides the result (experiment ids, view); a token of another search is refused.
  std::string binding;
  // Metrics of the filter count only where they were measured on one of these; empty: on any.
  std::span<const DatasetName> datasets = {};
  // For each of `order_by`, on which data set its metric was measured; shorter, or with an empty
  // name: on any.
  std::span<const DatasetName> order_datasets = {};
  Walk walk = Walk::kNone;
};

// The comparison as SQL on a column of numbers, of texts, or of texts that also takes IN and NOT
// IN. invalid_argument for a comparator or value that such a column does not take.
Result<std::string> number_condition(std::string_view column, const Comparison& comparison,
                                     Parameters& parameters);
Result<std::string> text_condition(std::string_view column, const Comparison& comparison,
                                   Parameters& parameters);
Result<std::string> text_or_list_condition(std::string_view column, const Comparison& comparison,
                                           Parameters& parameters);
// The error of a comparator that an identifier does not take; `allowed` is "= != LIKE".
Error bad_comparator(const Comparison& comparison, std::string_view allowed);

// invalid_argument for unknown words and keys, comparators that the key does not take, values of
// the wrong type, repeated order keys, and tokens that are broken or of another search.
Result<SearchPlan> plan_search(const Searchable& searchable, const SearchText& text,
                               Parameters& parameters);

}  // namespace ciclo::tracking
