// SPDX-License-Identifier: Apache-2.0
#include "tracking/search.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/pattern.h"
#include "base/text.h"

namespace ciclo::tracking {

std::string Parameters::add(std::string text) {
  params_.emplace_back(std::string_view(texts_.emplace_back(std::move(text))));
  return placeholder();
}

std::string Parameters::add(std::int64_t number) {
  params_.emplace_back(number);
  return placeholder();
}

std::string Parameters::add(double number) {
  params_.emplace_back(number);
  return placeholder();
}

namespace {

template <class Words>
std::string list_of(const Words& words) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

bool is_one_of(std::string_view word, const std::vector<std::string_view>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_numeric_comparator(Comparator comparator) {
  return comparator <= Comparator::kGreaterEqual;
}

bool is_text_comparator(Comparator comparator) {
  return comparator == Comparator::kEqual || comparator == Comparator::kNotEqual ||
         comparator == Comparator::kLike || comparator == Comparator::kILike ||
         comparator == Comparator::kRLike;
}

std::string name_of(const Identifier& identifier) {
  return identifier.entity.empty() ? identifier.key : identifier.entity + "." + identifier.key;
}

Error bad_value(const Comparison& comparison, std::string_view expected) {
  return invalid_argument("invalid value for " + quoted(name_of(comparison.identifier)) +
                          ": expected " + std::string(expected));
}

// The language has no escape character; the databases' is the backslash, as we say.
std::string without_escapes(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\\') out.push_back(c);
    out.push_back(c);
  }
  return out;
}

}  // namespace

Error bad_comparator(const Comparison& comparison, std::string_view allowed) {
  return invalid_argument("invalid comparator " + std::string(text_of(comparison.comparator)) +
                          " for " + quoted(name_of(comparison.identifier)) + ": it takes " +
                          std::string(allowed));
}

Result<std::string> number_condition(std::string_view column, const Comparison& comparison,
                                     Parameters& parameters) {
  if (!is_numeric_comparator(comparison.comparator)) {
    return bad_comparator(comparison, "= != < <= > >=");
  }
  const auto* number = std::get_if<Number>(&comparison.value);
  if (number == nullptr) return bad_value(comparison, "a number without quotes");
  const std::string value =
      number->is_integer ? parameters.add(number->integer) : parameters.add(number->value);
  return std::string(column) + " " + std::string(text_of(comparison.comparator)) + " " + value;
}

Result<std::string> text_condition(std::string_view column, const Comparison& comparison,
                                   Parameters& parameters) {
  if (!is_text_comparator(comparison.comparator)) {
    return bad_comparator(comparison, "= != LIKE ILIKE");
  }
  const auto* value = std::get_if<std::string>(&comparison.value);
  if (value == nullptr) return bad_value(comparison, "a quoted text such as 'my-value'");
  const std::string left(column);
  if (comparison.comparator == Comparator::kEqual) return left + " = " + parameters.add(*value);
  if (comparison.comparator == Comparator::kNotEqual) {
    return left + " <> " + parameters.add(*value);
  }
  if (comparison.comparator == Comparator::kRLike) {
    auto pattern = Pattern::parse(*value);
    if (!pattern.ok()) return pattern.error().with_context(name_of(comparison.identifier));
    return "textregexeq(" + left + ", " + parameters.add(pattern->text()) + ")";
  }
  const std::string pattern = without_escapes(*value);
  constexpr std::string_view kEscape = " ESCAPE '\\'";
  if (comparison.comparator == Comparator::kLike) {
    return left + " LIKE " + parameters.add(pattern) + std::string(kEscape);
  }
  // The column's LOWER follows its collation, which knows ASCII alone; a parameter's would follow
  // the database's.
  return "LOWER(" + left + ") LIKE " + parameters.add(to_lower_ascii(pattern)) +
         std::string(kEscape);
}

Result<std::string> text_or_list_condition(std::string_view column, const Comparison& comparison,
                                           Parameters& parameters) {
  if (comparison.comparator != Comparator::kIn && comparison.comparator != Comparator::kNotIn) {
    return text_condition(column, comparison, parameters);
  }
  std::string list;
  for (const auto& item : std::get<std::vector<std::string>>(comparison.value)) {
    list += (list.empty() ? "" : ", ") + parameters.add(item);
  }
  return std::string(column) + " " + std::string(text_of(comparison.comparator)) + " (" + list +
         ")";
}

namespace {

class Planner {
 public:
  Planner(const Searchable& searchable, const SearchText& text, Parameters& parameters)
      : searchable_(searchable), text_(text), parameters_(parameters) {}

  Result<SearchPlan> plan() {
    plan_.binding = binding();
    TRY(auto comparisons, parse_filter(text_.filter));
    std::vector<std::vector<Comparison>> special(searchable_.specials.size());
    for (auto& comparison : comparisons) {
      if (comparison.comparator == Comparator::kRLike && !searchable_.takes_patterns) {
        return bad_comparator(comparison, "= != LIKE ILIKE");
      }
      if (const auto index = special_of(comparison.identifier)) {
        special[*index].push_back(comparison);
        continue;
      }
      comparison.identifier = resolved(comparison.identifier);
      TRY(const std::string condition, condition_of(comparison));
      plan_.where += " AND " + condition;
      note_start(comparison);
    }
    for (std::size_t i = 0; i < special.size(); ++i) {
      if (special[i].empty()) continue;
      TRY(const std::string condition, searchable_.specials[i].condition(special[i], parameters_));
      plan_.where += " AND " + condition;
    }
    for (std::size_t i = 0; i < text_.order_by.size(); ++i) {
      TRY(OrderTerm term, parse_order_term(text_.order_by[i]));
      term.identifier = resolved(term.identifier);
      TRY(order_by(term,
                   i < text_.order_datasets.size() ? text_.order_datasets[i] : DatasetName{}));
    }
    for (const auto& column : searchable_.default_order) {
      if (!is_one_of(column.column, ordered_)) {
        add_key(std::string(column.column), key_type(column.type), column.is_ascending);
        ordered_.push_back(column.column);
      }
    }
    TRY(start_after(text_.page_token));
    if (plan_.walked != nullptr) note_walk(comparisons);
    for (const auto& key : keys_) {
      plan_.order +=
          (plan_.order.empty() ? "" : ", ") + key.expression + (key.is_ascending ? "" : " DESC");
      plan_.keys += ", " + key.expression;
      plan_.key_types.push_back(key.type);
    }
    return std::move(plan_);
  }

 private:
  using KeyType = SearchPlan::KeyType;
  struct Key {
    std::string expression;
    KeyType type;
    bool is_ascending;
  };

  static KeyType key_type(Attribute::Type type) {
    return type == Attribute::Type::kText ? KeyType::kText : KeyType::kInteger;
  }

  bool is_attribute_word(std::string_view word) const {
    return word.empty() || is_one_of(word, searchable_.attribute_words);
  }

  std::optional<std::size_t> special_of(const Identifier& identifier) const {
    for (std::size_t i = 0; i < searchable_.specials.size(); ++i) {
      const Special& special = searchable_.specials[i];
      const bool is_attribute =
          is_attribute_word(identifier.entity) && is_one_of(identifier.key, special.attributes);
      if (is_attribute || is_one_of(identifier.entity, special.words)) return i;
    }
    return std::nullopt;
  }

  Identifier resolved(const Identifier& identifier) const {
    if (!is_attribute_word(identifier.entity)) return identifier;
    for (const auto& alias : searchable_.aliases) {
      if (alias.attribute == identifier.key) {
        return {std::string(alias.word), std::string(alias.key)};
      }
    }
    return identifier;
  }

  Result<const Attribute*> attribute(const Identifier& identifier, bool Attribute::*allowed) const {
    std::vector<std::string> known;
    for (const auto& candidate : searchable_.attributes) {
      if (!(candidate.*allowed)) continue;
      if (candidate.name == identifier.key) return &candidate;
      known.emplace_back(candidate.name);
    }
    return invalid_argument("invalid attribute key " + quoted(identifier.key) + " of a " +
                            std::string(searchable_.object) + ": valid keys are " + list_of(known));
  }

  const Collection* collection(std::string_view word) const {
    for (const auto& candidate : searchable_.collections) {
      if (is_one_of(word, candidate.words)) return &candidate;
    }
    return nullptr;
  }

  const Related* related(std::string_view word) const {
    for (const auto& candidate : searchable_.related) {
      if (is_one_of(word, candidate.words)) return &candidate;
    }
    return nullptr;
  }

  Error unknown_entity(const Identifier& identifier) const {
    std::vector<std::string_view> known = {"attribute"};
    for (const auto& candidate : searchable_.collections) known.push_back(candidate.words.front());
    for (const auto& candidate : searchable_.related) known.push_back(candidate.words.front());
    for (const auto& candidate : searchable_.specials) {
      known.insert(known.end(), candidate.words.begin(), candidate.words.end());
    }
    return invalid_argument("invalid entity type " + quoted(identifier.entity) +
                            ": valid ones are " + list_of(known));
  }

  Result<std::string> condition_of(const Comparison& comparison) {
    const Identifier& identifier = comparison.identifier;
    if (is_attribute_word(identifier.entity)) {
      TRY(const Attribute* found, attribute(identifier, &Attribute::filterable));
      return attribute_condition(*found, comparison);
    }
    if (const Collection* found = collection(identifier.entity)) {
      return collection_condition(*found, comparison);
    }
    if (const Related* found = related(identifier.entity)) {
      return related_condition(*found, comparison);
    }
    return unknown_entity(identifier);
  }

  Result<std::string> attribute_condition(const Attribute& attribute,
                                          const Comparison& comparison) {
    if (attribute.type == Attribute::Type::kInteger) {
      return number_condition(attribute.column, comparison, parameters_);
    }
    if (attribute.takes_list)
      return text_or_list_condition(attribute.column, comparison, parameters_);
    return text_condition(attribute.column, comparison, parameters_);
  }

  Result<std::string> collection_condition(const Collection& collection,
                                           const Comparison& comparison) {
    const std::string_view table =
        collection.rows_by_dataset.empty() ? collection.table : collection.rows_by_dataset;
    std::string rows = "EXISTS (SELECT 1 FROM " + std::string(table) + " c WHERE c." +
                       std::string(collection.owner) + " = " +
                       std::string(collection.owner_column) +
                       " AND c.key = " + parameters_.add(comparison.identifier.key);
    if (!collection.rows_by_dataset.empty()) rows += on_one_of_the_datasets();
    if (comparison.comparator == Comparator::kIsNull ||
        comparison.comparator == Comparator::kIsNotNull) {
      if (!collection.takes_null_test) return bad_comparator(comparison, "no test for NULL");
      return (comparison.comparator == Comparator::kIsNull ? "NOT " : "") + rows + ")";
    }
    if (collection.type == Collection::Type::kText) {
      TRY(const std::string condition,
          collection.takes_list ? text_or_list_condition("c.value", comparison, parameters_)
                                : text_condition("c.value", comparison, parameters_));
      const std::string holds = rows + " AND " + condition + ")";
      if (!holds_for_implied(collection, comparison)) return holds;
      return "(NOT " + rows + ") OR " + holds + ")";
    }
    TRY(const std::string condition, number_condition("c.value", comparison, parameters_));
    // NaN is equal to nothing and not less or greater than anything.
    const bool holds_for_nan = comparison.comparator == Comparator::kNotEqual;
    return rows + (holds_for_nan ? " AND (c.is_nan <> 0 OR " : " AND (c.is_nan = 0 AND ") +
           condition + "))";
  }

  std::string on_one_of_the_datasets() {
    std::string any;
    for (const auto& dataset : text_.datasets) {
      any += (any.empty() ? "" : " OR ") + ("(" + is_dataset("c", dataset) + ")");
    }
    return any.empty() ? any : " AND (" + any + ")";
  }

  std::string is_dataset(const std::string& alias, const DatasetName& dataset) {
    std::string condition = alias + ".dataset_name = " + parameters_.add(dataset.name);
    if (!dataset.digest.empty()) {
      condition += " AND " + alias + ".dataset_digest = " + parameters_.add(dataset.digest);
    }
    return condition;
  }

  static bool holds_for_implied(const Collection& collection, const Comparison& comparison) {
    if (collection.implied_key.empty() || comparison.identifier.key != collection.implied_key) {
      return false;
    }
    const bool is_implied = std::get<std::string>(comparison.value) == collection.implied_value;
    return (comparison.comparator == Comparator::kEqual && is_implied) ||
           (comparison.comparator == Comparator::kNotEqual && !is_implied);
  }

  Result<std::string> related_condition(const Related& related, const Comparison& comparison) {
    std::vector<std::string_view> known;
    for (const auto& key : related.keys) {
      if (key.name == comparison.identifier.key) {
        TRY(const std::string condition,
            text_or_list_condition(key.column, comparison, parameters_));
        return std::string(key.exists) + condition + ")";
      }
      known.push_back(key.name);
    }
    return invalid_argument("invalid " + std::string(related.words.front()) + " key " +
                            quoted(comparison.identifier.key) + ": valid keys are " +
                            list_of(known));
  }

  // Of the rows of one key on that data set, only the newest.
  std::string newest_on(const std::string& alias, const DatasetName& dataset,
                        std::string_view table) {
    const std::string later = alias + "n";
    return " AND " + is_dataset(alias, dataset) + " AND NOT EXISTS (SELECT 1 FROM " +
           std::string(table) + " " + later + " WHERE " + later + ".model_number = " + alias +
           ".model_number AND " + later + ".key = " + alias + ".key AND " +
           is_dataset(later, dataset) + " AND (" + later + ".timestamp_ms, " + later + ".step, " +
           later + ".run_id, " + later + ".dataset_digest) > (" + alias + ".timestamp_ms, " +
           alias + ".step, " + alias + ".run_id, " + alias + ".dataset_digest))";
  }

  static bool finds_few_rows(const Collection& collection, const Comparison& comparison) {
    if (collection.type == Collection::Type::kText) {
      return comparison.comparator == Comparator::kEqual;
    }
    return is_numeric_comparator(comparison.comparator) &&
           comparison.comparator != Comparator::kNotEqual;
  }

  void note_start(const Comparison& comparison) {
    const Collection* found = collection(comparison.identifier.entity);
    if (found == nullptr || found->scope.empty() || !finds_few_rows(*found, comparison)) return;
    plan_.starts.push_back({found, comparison});
  }

  void note_walk(const std::vector<Comparison>& comparisons) {
    for (const auto& comparison : comparisons) {
      const bool is_same = collection(comparison.identifier.entity) == plan_.walked &&
                           comparison.identifier.key == walked_key_;
      if (is_same && finds_few_rows(*plan_.walked, comparison)) plan_.walk_is_all = true;
    }
    if (text_.walk == Walk::kRest) {
      plan_.where += " AND (o1.value IS NULL OR o1.is_nan <> 0)";
    }
  }

  // The first order term, when it is a metric that an index has in order.
  bool is_walked(const Collection& collection, bool has_dataset) const {
    return keys_.empty() && collection.type == Collection::Type::kMetric && !has_dataset &&
           !collection.scope.empty();
  }

  Result<void> order_by(const OrderTerm& term, const DatasetName& dataset) {
    const std::string name = name_of(term.identifier);
    if (is_attribute_word(term.identifier.entity)) {
      TRY(const Attribute* found, attribute(term.identifier, &Attribute::orderable));
      if (is_one_of(found->column, ordered_)) return repeated(name);
      ordered_.push_back(found->column);
      add_value(std::string(found->column), key_type(found->type), found->nullable, term);
      return {};
    }
    const Collection* found = collection(term.identifier.entity);
    if (found == nullptr) return unknown_entity(term.identifier);
    const bool has_dataset = !dataset.name.empty() && !found->rows_by_dataset.empty();
    const std::string_view table = has_dataset ? found->rows_by_dataset : found->table;
    const std::string identity =
        std::string(table) + "/" + term.identifier.key + "/" + dataset.name + "/" + dataset.digest;
    if (std::find(joined_.begin(), joined_.end(), identity) != joined_.end()) return repeated(name);
    joined_.push_back(identity);
    const std::string alias = "o" + std::to_string(joined_.size());
    if (is_walked(*found, has_dataset)) {
      plan_.walked = found;
      walked_key_ = term.identifier.key;
      if (text_.walk == Walk::kNumbers) {
        plan_.walk_condition =
            " AND o1.key = " + parameters_.add(term.identifier.key) + " AND o1.is_nan = 0";
        // The same keys as of the other ways, so that a token leads from one to the other.
        add_key("o1.is_nan", KeyType::kInteger, true);
        add_key("o1.value", KeyType::kNumber, term.is_ascending);
        return {};
      }
    }
    plan_.joins += " LEFT JOIN " + std::string(table) + " " + alias + " ON " + alias + "." +
                   std::string(found->owner) + " = " + std::string(found->owner_column) + " AND " +
                   alias + ".key = " + parameters_.add(term.identifier.key);
    if (has_dataset) plan_.joins += newest_on(alias, dataset, table);
    if (found->type == Collection::Type::kMetric) {
      add_key("CASE WHEN " + alias + ".value IS NULL THEN 2 WHEN " + alias +
                  ".is_nan <> 0 THEN 1 ELSE 0 END",
              KeyType::kInteger, true);
      add_key("COALESCE(" + alias + ".value, 0)", KeyType::kNumber, term.is_ascending);
    } else {
      add_value(alias + ".value", KeyType::kText, true, term);
    }
    return {};
  }

  static Error repeated(const std::string& name) {
    return invalid_argument("order_by names " + quoted(name) + " twice");
  }

  void add_value(const std::string& column, KeyType type, bool nullable, const OrderTerm& term) {
    if (!nullable) return add_key(column, type, term.is_ascending);
    add_key("CASE WHEN " + column + " IS NULL THEN 1 ELSE 0 END", KeyType::kInteger, true);
    add_key("COALESCE(" + column + (type == KeyType::kText ? ", '')" : ", 0)"), type,
            term.is_ascending);
  }

  void add_key(std::string expression, KeyType type, bool is_ascending) {
    keys_.push_back({std::move(expression), type, is_ascending});
  }

  // Rows behind the token's: (k1, k2, …) > (v1, v2, …), written out because directions may differ.
  Result<void> start_after(std::string_view token) {
    if (token.empty()) return {};
    TRY(const auto values, token_values(token));
    if (plan_.walked != nullptr) plan_.begins_in_rest = values.front().integer() > 0;
    // Of a token that lies among the numbers, the rest is all behind.
    if (text_.walk == Walk::kRest && !plan_.begins_in_rest) return {};
    std::string equal;
    std::string behind;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const Key& key = keys_[i];
      const std::string value = add_token_value(key.type, values[i]);
      const std::string strict = key.expression + (key.is_ascending ? " > " : " < ") + value;
      if (i == 0) {
        // Follows from the rest; lets an index on the first key find the place.
        plan_.where += " AND " + key.expression + (key.is_ascending ? " >= " : " <= ") + value;
      }
      behind += (i == 0 ? "" : " OR ") + ("(" + equal + strict + ")");
      equal += key.expression + " = " + value + " AND ";
    }
    plan_.where += " AND (" + behind + ")";
    return {};
  }

  std::string add_token_value(KeyType type, const json::Value& value) {
    switch (type) {
      case KeyType::kText: return parameters_.add(value.string());
      case KeyType::kInteger: return parameters_.add(value.integer());
      case KeyType::kNumber: return parameters_.add(value.number());
    }
    return {};
  }

  Result<json::Value::Array> token_values(std::string_view token) const {
    const Error invalid =
        invalid_argument("invalid page token: expected the next_page_token of the same search");
    const auto text = hex_decoded(token);
    if (!text) return invalid;
    auto parsed = json::parse(*text);
    if (!parsed.ok() || !parsed->is_array() || parsed->items().size() != keys_.size() + 1) {
      return invalid;
    }
    auto values = std::move(parsed->items());
    if (!values.front().is_string() || values.front().string() != plan_.binding) return invalid;
    values.erase(values.begin());
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const bool fits = keys_[i].type == KeyType::kText      ? values[i].is_string()
                        : keys_[i].type == KeyType::kInteger ? values[i].is_int()
                                                             : values[i].is_number();
      if (!fits) return invalid;
    }
    return values;
  }

  static std::optional<std::string> hex_decoded(std::string_view hex) {
    const auto digit = [](char c) {
      if (c >= '0' && c <= '9') return c - '0';
      if (c >= 'a' && c <= 'f') return c - 'a' + 10;
      return -1;
    };
    if (hex.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      if (digit(hex[i]) < 0 || digit(hex[i + 1]) < 0) return std::nullopt;
      out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
    }
    return out;
  }

  std::string binding() const {
    Hasher hasher;
    hasher.field(searchable_.object).field(text_.filter).field(text_.binding);
    for (const auto& term : text_.order_by) hasher.field(term);
    return hasher.digest().substr(0, 16);
  }

  const Searchable& searchable_;
  const SearchText& text_;
  Parameters& parameters_;
  SearchPlan plan_;
  std::vector<Key> keys_;
  std::vector<std::string_view> ordered_;  // attribute columns in the order
  std::vector<std::string> joined_;        // table/key in the order
  std::string walked_key_;
};

std::string hex_encoded(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

}  // namespace

std::string SearchStart::condition(Parameters& parameters) const {
  std::string out = " AND d.key = " + parameters.add(comparison.identifier.key);
  if (const auto* text = std::get_if<std::string>(&comparison.value)) {
    // An index holds the beginning of a text; the search itself compares the whole.
    const std::string value = parameters.add(*text);
    return out + " AND SUBSTR(d.value, 1, 64) = SUBSTR(" + value + ", 1, 64)";
  }
  const auto& number = std::get<Number>(comparison.value);
  out += " AND d.is_nan = 0 AND d.value " + std::string(text_of(comparison.comparator)) + " ";
  return out + (number.is_integer ? parameters.add(number.integer) : parameters.add(number.value));
}

std::string SearchPlan::token(const sql::Row& row, int first_key) const {
  json::Value values = json::Value::array();
  values.push_back(binding);
  int column = first_key;
  for (const KeyType type : key_types) {
    switch (type) {
      case KeyType::kText: values.push_back(row.text(column)); break;
      case KeyType::kInteger: values.push_back(row.integer(column)); break;
      case KeyType::kNumber: values.push_back(row.number(column)); break;
    }
    ++column;
  }
  return hex_encoded(json::dump(values));
}

Result<SearchPlan> plan_search(const Searchable& searchable, const SearchText& text,
                               Parameters& parameters) {
  return Planner(searchable, text, parameters).plan();
}

}  // namespace ciclo::tracking
