// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "features/calendar.h"
#include "features/spec.h"

// The fitted transform of one raw column, inside Transform: what was learned, how it is written,
// and the encoding of one value.

namespace ciclo::features {

// The categories of a column and the place ("slot") of each: the kept ones by falling count, then
// "other", then null, where there are such.
class Categories {
 public:
  static constexpr int kNoSlot = -1;

  // The `max` most frequent of the column; equal counts in order of their value.
  static Categories learn(const data::Column& column, int max, bool null_has_slot);

  // kNoSlot for an unseen value without "other", and for a null without a slot.
  int slot(const data::Column& column, std::size_t row) const;
  std::size_t slots() const { return names_.size(); }
  const std::vector<std::string>& names() const { return names_; }  // "JFK", "other", "null"

  template <class V>
  void fields(V& v) {
    v.or_default("texts", texts_);
    v.or_default("numbers", numbers_);
    v.or_default("has_other", has_other_);
    v.or_default("has_null", has_null_);
  }
  // Derives the rest from the fields.
  void index();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  std::vector<std::string> texts_;  // of a text column
  std::vector<double> numbers_;     // of any other
  bool has_other_ = false;
  bool has_null_ = false;

  std::vector<std::string> names_;
  std::unordered_map<std::string, int, Hash, std::equal_to<>> slot_of_text_;
  std::vector<std::pair<double, int>> slot_of_number_;  // by number
  int other_slot_ = kNoSlot;
  int null_slot_ = kNoSlot;
};

struct FittedColumn {
  std::string name;
  data::ColumnType type = data::ColumnType::kNumber;
  bool nullable = true;
  Encoding encode = Encoding::kNumeric;

  // kNumeric
  std::optional<double> fill;
  std::optional<double> clip_low;
  std::optional<double> clip_high;
  bool log = false;
  double mean = 0;
  double scale = 1;
  bool indicator = false;

  // Encodings by category. `values` holds for each slot one number (frequency) or one for each
  // number of the target; `unseen` the same for kNoSlot.
  Categories categories;
  std::vector<double> values;
  std::vector<double> unseen;

  std::vector<Part> parts;
  int buckets = 0;

  template <class V>
  void fields(V& v) {
    v("column", name);
    v("type", type);
    v("nullable", nullable);
    v("encode", encode);
    v("fill", fill);
    v("clip_low", clip_low);
    v("clip_high", clip_high);
    v.or_default("log", log);
    v.or_default("mean", mean);
    v.or_default("scale", scale);
    v.or_default("indicator", indicator);
    v.or_default("categories", categories);
    v.or_default("values", values);
    v.or_default("unseen", unseen);
    v.or_default("parts", parts);
    v.or_default("buckets", buckets);
  }

  bool is_identity() const;
  std::size_t width() const;
  std::vector<std::string> outputs() const;
  // Writes width() numbers.
  void encode_row(const data::Column& column, std::size_t row, float* out) const;
  // The number after imputing, clipping and the logarithm, before standardising.
  double shaped(double value) const;
};

// Numbers beyond the range of float become its largest ones, so that no infinity reaches a learner.
float to_float(double value);

}  // namespace ciclo::features
