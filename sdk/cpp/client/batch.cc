// SPDX-License-Identifier: Apache-2.0
#include "client/batch.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace ciclo::client {
namespace {

constexpr std::size_t kValuesMax = 1'000;
constexpr std::array<std::size_t, 3> kCountsMax = {1'000, 100, 100};  // by kind
constexpr std::size_t kBytesMax = 512 << 10;

// Letters, digits, "_-.: /", and what is not ASCII, of which the server knows the letters.
constexpr std::array<bool, 256> make_key_characters() {
  std::array<bool, 256> may{};
  for (int c = 0; c < 256; ++c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_sign = c == '_' || c == '-' || c == '.' || c == ':' || c == ' ' || c == '/';
    may[static_cast<std::size_t>(c)] = is_letter || is_digit || is_sign || c >= 0x80;
  }
  return may;
}
constexpr std::array<bool, 256> kKeyCharacters = make_key_characters();

bool is_own_path(std::string_view key) {
  for (const std::string_view part : split(key, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

Error wrong_key(std::string_view what, std::string_view key, const std::string& why) {
  return invalid_argument(std::string(what) + " key " + quoted(key) + " " + why);
}

}  // namespace

void Item::set_key(std::string_view name) {
  key_length = static_cast<std::uint16_t>(std::min(name.size(), key.size()));
  std::copy_n(name.data(), key_length, key.data());
}

void Item::take(Item& other) {
  run = other.run;
  value = other.value;
  step = other.step;
  timestamp_ms = other.timestamp_ms;
  text = std::move(other.text);
  kind = other.kind;
  set_key(other.key_view());
}

Result<void> check_key(std::string_view what, std::string_view key) {
  if (key.empty()) return invalid_argument(std::string(what) + " key is empty: a name is needed");
  if (key.size() > kKeyBytesMax) {
    return wrong_key(what, key,
                     "has " + std::to_string(key.size()) + " bytes, at most " +
                         std::to_string(kKeyBytesMax) + " are allowed");
  }
  bool is_plain = key.front() != '.';
  for (const char c : key) {
    if (!kKeyCharacters[static_cast<unsigned char>(c)]) {
      return wrong_key(what, key,
                       "may hold only letters, digits, underscores, dashes, periods, colons, "
                       "spaces and slashes");
    }
    is_plain = is_plain && c != '/';
  }
  if (is_plain || is_own_path(key)) return {};
  return wrong_key(what, key,
                   "must have no empty, \".\" or \"..\" part and no slash at either end");
}

bool Batch::has_room_for(const Item& item) const {
  if (values_.size() == kValuesMax) return false;
  const auto kind = static_cast<std::size_t>(item.kind);
  if (counts_[kind] == kCountsMax[kind]) return false;
  const std::size_t bytes = item.key_length + (item.text ? item.text->size() : 0);
  if (!values_.empty() && bytes_ + bytes > kBytesMax) return false;
  if (item.kind == Kind::kMetric) return true;
  return std::none_of(values_.begin(), values_.end(), [&](const Value& value) {
    return value.kind == item.kind && value.key == item.key_view();
  });
}

void Batch::add(const Item& item) {
  add(Value{.kind = item.kind,
            .key = std::string(item.key_view()),
            .text = item.text ? *item.text : std::string(),
            .value = item.value,
            .step = item.step,
            .timestamp_ms = item.timestamp_ms});
}

void Batch::add(const Value& value) {
  bytes_ += value.key.size() + value.text.size();
  ++count_of(value.kind);
  values_.push_back(value);
}

std::string Batch::body() const {
  std::string out;
  out.reserve(values_.size() * 96 + bytes_ + 128);
  json::Writer writer(out, json::NonFinite::kString);
  writer.begin_object().key("run_id").string(run_->id);
  const auto write_list = [&](std::string_view name, Kind kind, const auto& write_value) {
    writer.key(name).begin_array();
    for (const Value& value : values_) {
      if (value.kind != kind) continue;
      writer.begin_object().key("key").string(value.key);
      write_value(value);
      writer.end_object();
    }
    writer.end_array();
  };
  const auto write_text = [&](const Value& value) { writer.key("value").string(value.text); };
  write_list("metrics", Kind::kMetric, [&](const Value& value) {
    writer.key("value").number(value.value);
    writer.key("timestamp").integer(value.timestamp_ms);
    writer.key("step").integer(value.step);
  });
  write_list("params", Kind::kParam, write_text);
  write_list("tags", Kind::kTag, write_text);
  writer.end_object();
  return out;
}

std::pair<Batch, Batch> Batch::halves() const {
  std::pair<Batch, Batch> halves{Batch(*run_, began_ns_), Batch(*run_, began_ns_)};
  for (std::size_t i = 0; i < values_.size(); ++i) {
    (i < values_.size() / 2 ? halves.first : halves.second).add(values_[i]);
  }
  return halves;
}

}  // namespace ciclo::client
