// SPDX-License-Identifier: Apache-2.0
#include "monitor/rows.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "data/number_name.h"
#include "train/label.h"

namespace ciclo::monitor {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

bool is_missing(json::View value) { return !value.has_value() || value.is_null(); }

void add_value(ColumnSample& sample, bool is_categorical, json::View value) {
  if (is_missing(value)) return sample.add_null();
  if (is_categorical) return sample.add(category_of(value));
  if (value.is_number()) return sample.add(value.number());
  if (value.is_bool()) return sample.add(value.boolean() ? 1.0 : 0.0);
  sample.add_null();
}

struct KnownLabel {
  double number = 0;
  std::int64_t time_ms = 0;
};
using Labels = std::unordered_map<std::string, KnownLabel>;

// A label may carry a time somewhat before its event's: one day is granted.
Result<Labels> read_known_labels(const std::filesystem::path& root, const std::string& endpoint,
                                 const Range& range, const Reference& reference) {
  Labels labels;
  const train::LabelSpace space{reference.task, reference.classes};
  const auto on_label = [&](const serve::LabelRow& row) -> Result<void> {
    const auto number = train::label_number(row.label.to_value(), space);
    if (!number.ok()) return {};  // taken while another model served
    const auto [known, is_new] =
        labels.try_emplace(std::string(row.inference_id), KnownLabel{*number, row.time_ms});
    if (!is_new && row.time_ms >= known->second.time_ms) known->second = {*number, row.time_ms};
    return {};
  };
  TRY(serve::read_labels(root, endpoint, range.from_ms - kDayMs, range.labels_until_ms, on_label));
  return labels;
}

}  // namespace

TrafficSample::TrafficSample(std::shared_ptr<const Reference> reference,
                             const std::vector<std::string>& columns)
    : reference_(std::move(reference)) {
  for (const auto& column : reference_->columns) {
    if (!columns.empty() &&
        std::find(columns.begin(), columns.end(), column.name) == columns.end()) {
      continue;
    }
    const bool is_output = column.name.starts_with(kPredictionPrefix);
    parts_.push_back(
        {.name = is_output ? column.name.substr(kPredictionPrefix.size()) : column.name,
         .is_output = is_output,
         .sample = ColumnSample(column)});
  }
}

void TrafficSample::add(const serve::CapturedRow& row) {
  ++rows_;
  for (Part& part : parts_) {
    const json::View object = part.is_output ? row.outputs : row.inputs;
    const json::View value = object.is_object() ? object.find(part.name) : json::View();
    add_value(part.sample, part.sample.reference().is_categorical, value);
  }
}

std::vector<ColumnDrift> TrafficSample::measure() const {
  std::vector<ColumnDrift> columns;
  for (const Part& part : parts_) columns.push_back(part.sample.measure());
  return columns;
}

void TrafficParts::add(const Served& served, std::int64_t event_ms) {
  const auto part = static_cast<std::size_t>(event_ms - start_ms_) * kParts /
                    static_cast<std::size_t>(end_ms_ - start_ms_);
  ++by_version_[served][part];
  first_ms_ = std::min(first_ms_, event_ms);
}

double TrafficParts::covered_share(const Served& served) const {
  const auto own = by_version_.find(served);
  if (own == by_version_.end()) return 0;
  std::int64_t covered = 0;
  std::int64_t all = 0;
  for (const auto& [version, counts] : by_version_) {
    for (std::size_t part = 0; part < kParts; ++part) {
      all += counts[part];
      if (own->second[part] > 0) covered += counts[part];
    }
  }
  return static_cast<double>(covered) / static_cast<double>(all);
}

std::string category_of_number(double number) { return data::number_name(number); }

std::string category_of(json::View value) {
  switch (value.kind()) {
    case json::Kind::kString: return std::string(value.string());
    case json::Kind::kBool: return value.boolean() ? "true" : "false";
    case json::Kind::kInt: return std::to_string(value.integer());
    case json::Kind::kDouble: return category_of_number(value.number());
    default: return {};
  }
}

Result<Scores> read_scores(const std::filesystem::path& root, const std::string& endpoint,
                           const ModelFilter& filter, const Range& range,
                           const Reference& reference) {
  TRY(const auto labels, read_known_labels(root, endpoint, range, reference));
  Scores out;
  out.outputs = reference.task == Task::kMulticlass ? reference.classes.size() : 1;
  std::unordered_set<std::string> seen;
  const auto on_row = [&](const serve::CapturedRow& row) -> Result<void> {
    if (!row.model.empty() && row.model != filter.model) return {};
    if (!filter.version.empty() && row.version != filter.version) return {};
    if (!seen.emplace(row.inference_id).second) return {};
    ++out.rows;
    const auto label = labels.find(std::string(row.inference_id));
    if (label == labels.end() || !row.outputs.is_object()) return {};
    const std::size_t before = out.predictions.size();
    bool is_whole = row.outputs.size() == out.outputs;
    row.outputs.each_member([&](std::string_view, json::View value) {
      is_whole = is_whole && value.is_number();
      if (is_whole) out.predictions.push_back(value.number());
      return is_whole;
    });
    if (is_whole) {
      out.labels.push_back(label->second.number);
    } else {
      out.predictions.resize(before);
    }
    return {};
  };
  TRY(serve::read_captured(root, endpoint, range.from_ms, range.to_ms, on_row));
  return out;
}

}  // namespace ciclo::monitor
