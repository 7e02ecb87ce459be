// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "features/calendar.h"

// What a project declares about its features: for each raw column how it becomes numbers. As JSON
// (or YAML) a list of objects, one for each column:
//
//   - {column: distance,  encode: numeric, impute: median, standardise: true}
//   - {column: origin,    encode: one_hot}
//   - {column: departure, encode: timestamp, parts: [hour, day_of_week]}

namespace ciclo::features {

enum class Encoding {
  kNumeric,     // "numeric": impute, clip, log, standardise; without options the number as it is
  kOneHot,      // "one_hot": a 0/1 number for each category
  kOrdinal,     // "ordinal": the category's place by falling count; null is missing
  kTarget,      // "target": smoothed mean of the target in the category
  kFrequency,   // "frequency": share of the category among the training rows
  kTimestamp,   // "timestamp": parts of a date and time in UTC
  kHashedText,  // "hashed_text": counts of words, hashed into buckets
};

std::span<const std::string_view> enum_names(Encoding encoding);

struct ColumnSpec {
  std::string column;
  Encoding encode = Encoding::kNumeric;

  // kNumeric, applied in this order.
  enum class Impute { kNone, kMean, kMedian, kConstant };
  Impute impute = Impute::kNone;  // kNone keeps a null missing
  double fill = 0;                // for kConstant
  std::optional<double> clip_low;
  std::optional<double> clip_high;
  bool log = false;          // sign(x) · log(1 + |x|)
  bool standardise = false;  // (x − mean) / standard deviation (divisor n); a constant becomes 0
  bool indicator = false;    // one number more: 1 where the column was null

  // kOneHot, kOrdinal, kTarget, kFrequency. The most frequent categories keep their own place, the
  // rest share one ("other"), which unseen values then join. Without it an unseen value is all 0 in
  // one-hot, missing in ordinal, the overall mean in target, and 0 in frequency encoding.
  int categories_max = 50;
  // kTarget: a category's mean counts n, the overall mean counts `smoothing`.
  double smoothing = 20;
  int folds = 5;

  // kTimestamp: year, month, day, day_of_week (Monday is 0), day_of_year, hour, minute, is_weekend,
  // epoch_day.
  std::vector<Part> parts = {Part::kMonth, Part::kDayOfWeek, Part::kHour};

  // kHashedText
  int buckets = 64;

  template <class V>
  void fields(V& v) {
    v("column", column);
    v.or_default("encode", encode);
    v.or_default("impute", impute);
    v.or_default("fill", fill);
    v("clip_low", clip_low);
    v("clip_high", clip_high);
    v.or_default("log", log);
    v.or_default("standardise", standardise);
    v.or_default("indicator", indicator);
    v.or_default("categories_max", categories_max);
    v.or_default("smoothing", smoothing);
    v.or_default("folds", folds);
    v.or_default("parts", parts);
    v.or_default("buckets", buckets);
  }
};

std::span<const std::string_view> enum_names(ColumnSpec::Impute impute);

using Spec = std::vector<ColumnSpec>;

// invalid_argument names the place (`features[2].impute`), what was found, and what would be right;
// a column may be named once.
Result<Spec> parse_spec(const json::Value& value);
json::Value spec_to_json(const Spec& spec);

// A spec that suits most tables: numbers as they are for trees, imputed and standardised for linear
// learners; few categories one-hot, many by target, free text hashed; parts of times.
// Columns that hold no value or one value only, and texts that differ in nearly every row without
// being free text (keys), are left out. Looks at the first 20,000 rows.
enum class Family { kTrees, kLinear };
Spec suggest_spec(const data::Batch& features, Family family);

}  // namespace ciclo::features
