// SPDX-License-Identifier: Apache-2.0
#include "monitor/package_reference.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "monitor/rows.h"
#include "monitor/training_windows.h"

namespace ciclo::monitor {
namespace {

// Whole numbers of few values are codes or counts: compared by value, a new one shows as such.
constexpr std::int64_t kCategoriesOfNumbersMax = 20;

bool is_categorical(const data::ColumnStatistics& column) {
  if (column.type == data::ColumnType::kText || column.type == data::ColumnType::kBoolean)
    return true;
  return column.top_is_complete() && column.distinct <= kCategoriesOfNumbersMax;
}

void add_columns(const data::Statistics* statistics, std::string_view prefix,
                 std::vector<ColumnReference>& out) {
  if (statistics == nullptr) return;
  for (const auto& column : statistics->columns) {
    auto reference = column_reference(column);
    if (!reference) continue;
    reference->name = std::string(prefix) + reference->name;
    out.push_back(std::move(*reference));
  }
}

Result<void> put_windows(TrainingWindows windows, Reference& out) {
  out.training_window_ms = windows.window_ms;
  for (auto& column : windows.columns) {
    const auto reference =
        std::find_if(out.columns.begin(), out.columns.end(),
                     [&](const ColumnReference& other) { return other.name == column.name; });
    if (reference == out.columns.end()) continue;
    const std::size_t buckets = ColumnSample(*reference).counts().buckets.size();
    for (const WindowCounts& window : column.windows) {
      if (window.buckets.size() != buckets) {
        return data_loss("training windows of column " + ciclo::quoted(column.name) + " have " +
                         std::to_string(window.buckets.size()) + " buckets instead of " +
                         std::to_string(buckets));
      }
    }
    set_training_windows(*reference, std::move(column.windows));
  }
  return {};
}

}  // namespace

std::optional<ColumnReference> column_reference(const data::ColumnStatistics& statistics) {
  if (statistics.type == data::ColumnType::kTimestamp) return std::nullopt;
  ColumnReference out;
  out.name = statistics.name;
  out.rows = static_cast<double>(statistics.rows);
  out.nulls = static_cast<double>(statistics.nulls);
  out.is_categorical = is_categorical(statistics);
  if (!out.is_categorical) {
    const std::size_t known = std::min(statistics.quantiles.size(), data::kQuantileLevels.size());
    for (std::size_t i = 0; i < known; ++i) {
      out.quantiles.push_back({data::kQuantileLevels[i], statistics.quantiles[i]});
    }
    return out;
  }
  if (statistics.top.empty() && statistics.present() > 0) return std::nullopt;
  double listed = 0;
  for (const auto& value : statistics.top) {
    out.categories.emplace_back(value.value, static_cast<double>(value.count));
    listed += static_cast<double>(value.count);
  }
  if (!statistics.top_is_complete()) {
    // At least one, so that an unlisted value is not taken for a new one.
    out.other = std::max(1.0, static_cast<double>(statistics.present()) - listed);
  }
  return out;
}

PackageReferences::PackageReferences(serve::PackageSource& packages, registry::Registry& registry,
                                     tracking::Tracking& tracking, lineage::Lineage& lineage,
                                     blob::Store& blobs)
    : packages_(packages),
      registry_(registry),
      tracking_(tracking),
      lineage_(lineage),
      blobs_(blobs) {}

Result<Reference> PackageReferences::reference(const Context& ctx, std::string_view model,
                                               std::string_view version) {
  TRY(const auto package, packages_.package(ctx, model, version));
  Reference out;
  out.task = package.metadata().task;
  out.classes = package.metadata().classes;
  add_columns(package.statistics(), "", out.columns);
  add_columns(package.prediction_statistics(), kPredictionPrefix, out.columns);
  TRY(const auto registered,
      registry_.version(ctx, std::string(model), parse_int(version).value_or(0)));
  TRY(add_windows(ctx, registered, out));
  TRY(out.metrics, promised(ctx, registered));
  return out;
}

// Versions that no pipeline deployed have none.
Result<void> PackageReferences::add_windows(const Context& ctx,
                                            const registry::ModelVersion& version, Reference& out) {
  const auto tag =
      std::find_if(version.tags.begin(), version.tags.end(),
                   [](const registry::Tag& other) { return other.key == kTrainingWindowsTag; });
  if (tag == version.tags.end()) return {};
  TRY(const lineage::Tree tree, lineage_.tree(ctx, lineage::ArtifactId(tag->value)));
  const lineage::File* file = tree.find(kTrainingWindowsFile);
  if (file == nullptr) {
    return data_loss("artifact " + tag->value + " has no file " + kTrainingWindowsFile);
  }
  TRY(const std::string text, blobs_.get(file->hash));
  TRY(auto windows, json::read<TrainingWindows>(text));
  return put_windows(std::move(windows), out);
}

Result<std::map<std::string, double>> PackageReferences::promised(
    const Context& ctx, const registry::ModelVersion& registered) {
  std::map<std::string, double> metrics;
  if (registered.run_id.empty()) return metrics;
  const auto run = tracking_.run(ctx, tracking::RunId(registered.run_id));
  if (!run.ok()) return metrics;  // the run may have been deleted; the version serves on
  for (const std::string_view prefix : {"validation_", "test_"}) {
    for (const auto& metric : run->metrics) {
      if (metric.key.starts_with(prefix)) metrics[metric.key.substr(prefix.size())] = metric.value;
    }
  }
  return metrics;
}

}  // namespace ciclo::monitor
