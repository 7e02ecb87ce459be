// SPDX-License-Identifier: Apache-2.0
#include "serve/package_model.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

class PackageModel final : public Model {
 public:
  explicit PackageModel(train::Package package)
      : package_(std::move(package)),
        labels_{package_.metadata().task, package_.metadata().classes} {
    for (const auto& input : package_.signature().inputs) {
      signature_.inputs.push_back({input.name, input.type, true});
    }
    for (const auto& output : package_.signature().outputs) {
      signature_.outputs.push_back({output, data::ColumnType::kNumber, true});
    }
    signature_.positive = package_.signature().positive;
    signature_.null_texts = package_.signature().null_texts;
  }

  const Signature& signature() const override { return signature_; }
  std::string_view platform() const override { return package_.metadata().learner; }
  const train::LabelSpace& labels() const override { return labels_; }
  const data::Batch& input_example() const override { return package_.example(); }

  Result<data::Batch> predict(const data::Batch& rows) const override {
    TRY(auto predictions, package_.predict(rows));
    data::Batch out;
    out.columns.resize(signature_.outputs.size());
    for (std::size_t i = 0; i < out.columns.size(); ++i) {
      data::Column& column = out.columns[i];
      column.name = signature_.outputs[i].name;
      column.type = data::ColumnType::kNumber;
      if (predictions.outputs == 1) {
        column.numbers = std::move(predictions.values);
        break;
      }
      column.numbers.reserve(predictions.rows);
      for (std::size_t row = 0; row < predictions.rows; ++row) {
        column.numbers.push_back(predictions.at(row, i));
      }
    }
    return out;
  }

 private:
  const train::Package package_;
  const train::LabelSpace labels_;
  Signature signature_;
};

Result<std::int64_t> version_number(std::string_view model, std::string_view version) {
  const auto number = parse_int(version);
  if (number && *number > 0) return *number;
  return not_found("model " + ciclo::quoted(model) + " has no version " + ciclo::quoted(version) +
                   "; versions are whole numbers from 1");
}

}  // namespace

std::unique_ptr<Model> package_model(train::Package package) {
  return std::make_unique<PackageModel>(std::move(package));
}

PackageSource::PackageSource(registry::Registry& registry, tracking::Artifacts& artifacts,
                             fs::path directory, std::size_t kept_max)
    : registry_(registry),
      artifacts_(artifacts),
      directory_(std::move(directory)),
      kept_max_(kept_max) {}

Result<std::string> PackageSource::resolve(const Context& ctx, std::string_view model,
                                           std::string_view alias) {
  TRY(const auto version, registry_.version_by_alias(ctx, std::string(model), alias));
  return std::to_string(version.version);
}

Result<std::unique_ptr<Model>> PackageSource::load(const Context& ctx, std::string_view model,
                                                   std::string_view version) {
  TRY(auto loaded, package(ctx, model, version));
  return package_model(std::move(loaded));
}

Result<train::Package> PackageSource::package(const Context& ctx, std::string_view model,
                                              std::string_view version) {
  TRY(const auto number, version_number(model, version));
  TRY(const auto registered, registry_.version(ctx, std::string(model), number));
  const auto root = tracking::ArtifactPath::from_uri(registered.storage_uri);
  if (!root.ok()) {
    return failed_precondition("its files are at " + ciclo::quoted(registered.storage_uri) +
                               ", which this server does not hold");
  }
  const std::lock_guard lock(mutex_);
  TRY(const auto directory, check_out(ctx, *root));
  return train::Package::load(directory);
}

// The files under a name made of their content, written beside it first.
Result<fs::path> PackageSource::check_out(const Context& ctx, const tracking::ArtifactPath& root) {
  TRY(const auto files, artifacts_.tree(ctx, root));
  if (files.empty()) return not_found("there are no files below " + root.uri());
  Hasher hasher;
  for (const auto& file : files) hasher.field(file.path).field(file.hash);
  const fs::path kept = directory_ / hasher.digest();
  std::error_code error;
  if (fs::is_directory(kept, error)) {
    fs::last_write_time(kept, fs::file_time_type::clock::now(), error);
    return kept;
  }
  fs::create_directories(directory_, error);
  if (error) return file_error("create", directory_, error.value());
  const TemporaryDirectory partial(directory_);
  const fs::path made = partial.path() / "package";
  TRY(artifacts_.check_out(ctx, root, made));
  fs::rename(made, kept, error);
  if (error) return file_error("rename", made, error.value());
  remove_oldest();
  return kept;
}

// A package in use is in memory; its files are only read when it is loaded.
void PackageSource::remove_oldest() {
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory_, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unreadable;
    const auto time = entry->last_write_time(unreadable);
    if (!unreadable && entry->path().filename().string().size() == 64) {
      kept.emplace_back(time, entry->path());
    }
  }
  std::sort(kept.rbegin(), kept.rend());
  for (std::size_t i = kept_max_; i < kept.size(); ++i) {
    fs::remove_all(kept[i].second, error);
    if (error) log::warn("cannot remove an old package", {{"path", kept[i].second.string()}});
  }
}

}  // namespace ciclo::serve
