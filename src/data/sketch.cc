// SPDX-License-Identifier: Apache-2.0
#include "data/sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace ciclo::data {
namespace {

// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double y = 1;
  double z = x;
  for (double previous = -1; z != previous;) {
    x *= x;
    previous = z;
    z += x * y;
    y += y;
  }
  return z;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1;
  double z = 1 - x;
  for (double previous = -1; z != previous;) {
    x = std::sqrt(x);
    previous = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

template <class Item, class Count>
std::int64_t median_count(const std::vector<Item>& items, Count&& count) {
  std::vector<std::int64_t> counts;
  counts.reserve(items.size());
  for (const auto& item : items) {
    if (count(item) > 0) counts.push_back(count(item));
  }
  const auto middle = counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2);
  std::nth_element(counts.begin(), middle, counts.end());
  return *middle;
}

}  // namespace

std::uint64_t mix_number(double value) {
  return mix(std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value) + 0x9e3779b97f4a7c15U);
}

std::uint64_t mix_text(std::string_view text) {
  std::uint64_t hash = text.size() * 0x9e3779b97f4a7c15U;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    hash = mix(hash ^ word) + 0x9e3779b97f4a7c15U;
  }
  if (at < text.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, text.size() - at);
    hash ^= word;
  }
  return mix(hash);
}

double DistinctSketch::estimate() const {
  constexpr std::size_t kBits = 50;  // of a mixed value that are left for the rank
  std::array<double, kBits + 2> histogram{};
  for (const std::uint8_t rank : registers_) histogram[rank] += 1;
  const auto m = static_cast<double>(registers_.size());
  double z = m * tau(1 - histogram[kBits + 1] / m);
  for (std::size_t rank = kBits; rank >= 1; --rank) z = 0.5 * (z + histogram[rank]);
  z += m * sigma(histogram[0] / m);
  return m * m / (2 * std::log(2.0) * z);
}

void QuantileSketch::add(double value, std::int64_t count) {
  for (std::size_t level = 0; count > 0; ++level, count >>= 1) {
    if ((count & 1) == 0) continue;
    while (levels_.size() <= level) levels_.emplace_back();
    auto& values = levels_[level];
    values.insert(level == 0 ? values.end() : std::upper_bound(values.begin(), values.end(), value),
                  value);
  }
  compact();
}

void QuantileSketch::compact() {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    if (levels_[level].size() < kCapacity) continue;
    if (level + 1 == levels_.size()) levels_.emplace_back();
    auto& from = levels_[level];
    auto& to = levels_[level + 1];
    if (level == 0) std::sort(from.begin(), from.end());
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    const std::size_t pairs = from.size() / 2;
    const std::size_t middle = to.size();
    for (std::size_t i = 0; i < pairs; ++i) to.push_back(from[2 * i + (random_ >> 63)]);
    std::inplace_merge(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(middle), to.end());
    // Of an odd number of values the last stays: every value keeps its weight.
    from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(2 * pairs));
  }
}

std::vector<std::pair<double, std::int64_t>> QuantileSketch::weighted() const {
  std::vector<std::pair<double, std::int64_t>> out;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    for (const double value : levels_[level]) out.emplace_back(value, std::int64_t{1} << level);
  }
  std::sort(out.begin(), out.end());
  return out;
}

NumberCounts::NumberCounts() : slots_(64) {}

bool NumberCounts::add(double value, std::size_t limit) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = mix_number(value) & mask;
  while (slots_[at].count != 0) {
    if (slots_[at].value == value) {
      ++slots_[at].count;
      return true;
    }
    at = (at + 1) & mask;
  }
  if (size_ >= limit) return false;
  slots_[at] = {value, 1};
  if (++size_ * 2 > slots_.size()) grow();
  return true;
}

void NumberCounts::insert(double value, std::int64_t count) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = mix_number(value) & mask;
  while (slots_[at].count != 0) at = (at + 1) & mask;
  slots_[at] = {value, count};
}

void NumberCounts::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  for (const auto& slot : old) {
    if (slot.count != 0) insert(slot.value, slot.count);
  }
}

void NumberCounts::shrink() {
  const std::int64_t less = median_count(slots_, [](const Slot& slot) { return slot.count; });
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size()));
  size_ = 0;
  for (const auto& slot : old) {
    if (slot.count <= less) continue;
    insert(slot.value, slot.count - less);
    ++size_;
  }
}

std::vector<std::pair<double, std::int64_t>> NumberCounts::items() const {
  std::vector<std::pair<double, std::int64_t>> out;
  out.reserve(size_);
  for (const auto& slot : slots_) {
    if (slot.count != 0) out.emplace_back(slot.value, slot.count);
  }
  std::sort(out.begin(), out.end());
  return out;
}

TextCounts::TextCounts() : slots_(64) {}

bool TextCounts::add(std::string_view text, std::uint64_t mixed, std::size_t limit) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = mixed & mask;
  while (slots_[at] != 0) {
    Item& item = items_[slots_[at] - 1];
    if (item.mixed == mixed && item.text == text) {
      ++item.count;
      return true;
    }
    at = (at + 1) & mask;
  }
  if (items_.size() >= limit) return false;
  items_.push_back({std::string(text), mixed, 1});
  slots_[at] = static_cast<std::uint32_t>(items_.size());
  if (items_.size() * 2 > slots_.size()) {
    slots_.resize(slots_.size() * 2);
    index();
  }
  return true;
}

void TextCounts::shrink() {
  const std::int64_t less = median_count(items_, [](const Item& item) { return item.count; });
  std::erase_if(items_, [less](const Item& item) { return item.count <= less; });
  for (auto& item : items_) item.count -= less;
  index();
}

void TextCounts::index() {
  std::fill(slots_.begin(), slots_.end(), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    std::size_t at = items_[i].mixed & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace ciclo::data
