// SPDX-License-Identifier: Apache-2.0
#include "features/column.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/json.h"

namespace ciclo::features {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

template <class Key>
std::vector<Key> most_frequent(const std::unordered_map<Key, std::size_t>& counts,
                               std::size_t max) {
  std::vector<std::pair<Key, std::size_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (sorted.size() > max) sorted.resize(max);
  std::vector<Key> keys;
  for (auto& [key, count] : sorted) keys.push_back(key);
  return keys;
}

bool is_word_byte(unsigned char byte) {
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z');
}

// Counts of words by FNV-1a of their bytes, ASCII letters in lower case, modulo `buckets`.
void count_words(std::string_view text, int buckets, float* out) {
  std::size_t i = 0;
  while (i < text.size()) {
    while (i < text.size() && !is_word_byte(static_cast<unsigned char>(text[i]))) ++i;
    if (i == text.size()) return;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (; i < text.size() && is_word_byte(static_cast<unsigned char>(text[i])); ++i) {
      auto byte = static_cast<unsigned char>(text[i]);
      if (byte >= 'A' && byte <= 'Z') byte = static_cast<unsigned char>(byte + 32);
      hash = (hash ^ byte) * 0x100000001b3;
    }
    // The low bits of FNV-1a are its weakest; the high ones are folded in.
    out[(hash ^ (hash >> 32)) % static_cast<std::uint64_t>(buckets)] += 1;
  }
}

std::string number_name(double number) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (std::trunc(number) == number && std::abs(number) < kExact) {
    return std::to_string(static_cast<std::int64_t>(number));
  }
  return json::dump(json::Value(number));
}

}  // namespace

float to_float(double value) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  if (value > kLargest) return std::numeric_limits<float>::max();
  if (value < -kLargest) return std::numeric_limits<float>::lowest();
  return static_cast<float>(value);
}

Categories Categories::learn(const data::Column& column, int max, bool null_has_slot) {
  Categories learned;
  const auto limit = static_cast<std::size_t>(max);
  bool null_seen = false;
  std::size_t distinct = 0;
  if (column.type == data::ColumnType::kText) {
    std::unordered_map<std::string_view, std::size_t> counts;
    for (std::size_t row = 0; row < column.rows(); ++row) {
      if (column.is_null(row)) {
        null_seen = true;
      } else {
        ++counts[column.texts[row]];
      }
    }
    distinct = counts.size();
    const auto kept = most_frequent(counts, limit);
    learned.texts_.assign(kept.begin(), kept.end());
  } else {
    std::unordered_map<double, std::size_t> counts;
    for (const double number : column.numbers) {
      if (std::isnan(number)) {
        null_seen = true;
      } else {
        ++counts[number];
      }
    }
    distinct = counts.size();
    learned.numbers_ = most_frequent(counts, limit);
  }
  learned.has_other_ = distinct > limit;
  learned.has_null_ = null_seen && null_has_slot;
  learned.index();
  return learned;
}

void Categories::index() {
  names_ = texts_;
  for (std::size_t i = 0; i < texts_.size(); ++i) slot_of_text_[texts_[i]] = static_cast<int>(i);
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    slot_of_number_.emplace_back(numbers_[i], static_cast<int>(i));
    names_.push_back(number_name(numbers_[i]));
  }
  std::sort(slot_of_number_.begin(), slot_of_number_.end());
  if (has_other_) {
    other_slot_ = static_cast<int>(names_.size());
    names_.emplace_back("other");
  }
  if (has_null_) {
    null_slot_ = static_cast<int>(names_.size());
    names_.emplace_back("null");
  }
}

int Categories::slot(const data::Column& column, std::size_t row) const {
  if (column.type == data::ColumnType::kText) {
    if (column.valid[row] == 0) return null_slot_;
    const auto found = slot_of_text_.find(std::string_view(column.texts[row]));
    return found == slot_of_text_.end() ? other_slot_ : found->second;
  }
  const double number = column.numbers[row];
  if (std::isnan(number)) return null_slot_;
  const auto found = std::lower_bound(slot_of_number_.begin(), slot_of_number_.end(), number,
                                      [](const auto& entry, double n) { return entry.first < n; });
  return found == slot_of_number_.end() || found->first != number ? other_slot_ : found->second;
}

bool FittedColumn::is_identity() const {
  return encode == Encoding::kNumeric && type != data::ColumnType::kTimestamp && !fill &&
         !clip_low && !clip_high && !log && mean == 0 && scale == 1 && !indicator;
}

std::size_t FittedColumn::width() const {
  switch (encode) {
    case Encoding::kNumeric: return indicator ? 2 : 1;
    case Encoding::kOneHot: return categories.slots();
    case Encoding::kOrdinal:
    case Encoding::kFrequency: return 1;
    case Encoding::kTarget: return unseen.size();
    case Encoding::kTimestamp: return parts.size();
    case Encoding::kHashedText: return static_cast<std::size_t>(buckets);
  }
  return 0;
}

std::vector<std::string> FittedColumn::outputs() const {
  switch (encode) {
    case Encoding::kNumeric:
      if (indicator) return {name, name + ".is_null"};
      return {name};
    case Encoding::kOrdinal: return {name};
    case Encoding::kFrequency: return {name + ".frequency"};
    case Encoding::kTarget:
      if (unseen.size() == 1) return {name + ".target"};
      break;
    default: break;
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < width(); ++i) {
    switch (encode) {
      case Encoding::kOneHot: names.push_back(name + "=" + categories.names()[i]); break;
      case Encoding::kTarget: names.push_back(name + ".target" + std::to_string(i)); break;
      case Encoding::kTimestamp:
        names.push_back(name + "." +
                        std::string(enum_names(parts[i])[static_cast<std::size_t>(parts[i])]));
        break;
      default: names.push_back(name + "#" + std::to_string(i)); break;
    }
  }
  return names;
}

double FittedColumn::shaped(double value) const {
  if (std::isnan(value)) {
    if (!fill) return value;
    value = *fill;
  }
  if (clip_low && value < *clip_low) value = *clip_low;
  if (clip_high && value > *clip_high) value = *clip_high;
  if (log) value = std::copysign(std::log1p(std::abs(value)), value);
  return value;
}

void FittedColumn::encode_row(const data::Column& column, std::size_t row, float* out) const {
  switch (encode) {
    case Encoding::kNumeric: {
      const double value = column.numbers[row];
      out[0] = to_float((shaped(value) - mean) / scale);
      if (indicator) out[1] = std::isnan(value) ? 1 : 0;
      return;
    }
    case Encoding::kOneHot: {
      std::fill_n(out, categories.slots(), 0.0F);
      const int slot = categories.slot(column, row);
      if (slot != Categories::kNoSlot) out[slot] = 1;
      return;
    }
    case Encoding::kOrdinal: {
      const int slot = categories.slot(column, row);
      out[0] = slot == Categories::kNoSlot ? kMissing : static_cast<float>(slot);
      return;
    }
    case Encoding::kTarget:
    case Encoding::kFrequency: {
      const int slot = categories.slot(column, row);
      const double* from = slot == Categories::kNoSlot
                               ? unseen.data()
                               : values.data() + static_cast<std::size_t>(slot) * unseen.size();
      for (std::size_t i = 0; i < unseen.size(); ++i) out[i] = to_float(from[i]);
      return;
    }
    case Encoding::kTimestamp:
      for (std::size_t i = 0; i < parts.size(); ++i) {
        out[i] = part_of(parts[i], column.numbers[row]);
      }
      return;
    case Encoding::kHashedText:
      std::fill_n(out, buckets, 0.0F);
      if (column.valid[row] != 0) count_words(column.texts[row], buckets, out);
      return;
  }
}

}  // namespace ciclo::features
