// SPDX-License-Identifier: Apache-2.0
#include "migrate/digest.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/hash.h"
#include "base/text.h"

namespace ciclo::migrate {

namespace {

using tracking::Param;
using tracking::Tag;

// Fields with their lengths, so that ("ab", "c") and ("a", "bc") differ.
class RowText {
 public:
  RowText& add(std::string_view field) {
    text_ += std::to_string(field.size());
    text_ += ':';
    text_ += field;
    return *this;
  }
  RowText& add(std::int64_t number) { return add(std::string_view(std::to_string(number))); }
  RowText& add(const std::optional<std::int64_t>& number) {
    return number ? add(*number) : add(std::string_view("-"));
  }
  RowText& add(const std::optional<std::string>& text) {
    return add(std::string_view(text ? "=" : "-")).add(std::string_view(text ? *text : ""));
  }
  // As it is stored: all NaNs are one, -0 is 0, infinities are the largest finite numbers.
  RowText& add_value(double value) {
    const auto kept = tracking::store::stored(value);
    return add(std::bit_cast<std::int64_t>(kept.value)).add(kept.is_nan);
  }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

template <class Pair>
Digest digest_of_pairs(const std::vector<Pair>& pairs) {
  Digest digest;
  for (const auto& pair : pairs) {
    digest.add(RowText().add(std::string_view(pair.key)).add(std::string_view(pair.value)).str());
  }
  return digest;
}

Digest digest_of(const RowText& row) {
  Digest digest;
  digest.add(row.str());
  return digest;
}

Digest digest_of(const std::vector<tracking::DatasetInput>& datasets) {
  Digest digest;
  for (const auto& dataset : datasets) {
    RowText row;
    row.add(std::string_view(dataset.name)).add(std::string_view(dataset.digest));
    row.add(std::string_view(dataset.source_type)).add(std::string_view(dataset.source));
    row.add(dataset.schema).add(dataset.profile);
    digest.add(row.str());
    for (const auto& tag : dataset.tags) {
      RowText tag_row;
      tag_row.add(std::string_view(dataset.name)).add(std::string_view(dataset.digest));
      digest.add(tag_row.add(std::string_view(tag.key)).add(std::string_view(tag.value)).str());
    }
  }
  return digest;
}

Digest digest_of(const std::vector<tracking::ModelReference>& models) {
  Digest digest;
  for (const auto& model : models) {
    digest.add(RowText().add(std::string_view(model.model_id.str())).add(model.step).str());
  }
  return digest;
}

void add_version(Digests& out, const registry::ModelVersion& version) {
  RowText row;
  row.add(version.version).add(version.created_ms).add(version.updated_ms);
  for (const std::string* text : {&version.description, &version.user_id, &version.source,
                                  &version.storage_uri, &version.run_id, &version.run_link}) {
    row.add(std::string_view(*text));
  }
  row.add(registry::name_of(version.stage));
  out["versions"].add(row.str());
  for (const auto& tag : version.tags) {
    RowText tag_row;
    tag_row.add(version.version).add(std::string_view(tag.key)).add(std::string_view(tag.value));
    out["version tags"].add(tag_row.str());
  }
}

}  // namespace

void Digest::add(std::string_view row) {
  const std::string hash = hash_bytes(row);
  const auto half = [&](std::size_t at) {
    std::uint64_t number = 0;
    std::from_chars(hash.data() + at, hash.data() + at + 16, number, 16);
    return number;
  };
  const std::uint64_t low = half(16);
  low_ += low;
  high_ += half(0) + (low_ < low ? 1 : 0);
  ++count_;
}

Digests digests_of(const ExperimentRecord& record) {
  const auto& experiment = record.experiment;
  RowText row;
  row.add(std::string_view(experiment.experiment_id.str())).add(std::string_view(experiment.name));
  row.add(std::string_view(experiment.artifact_location));
  row.add(tracking::name_of(experiment.lifecycle_stage));
  row.add(experiment.created_ms).add(experiment.updated_ms);
  return {{"name, times or stage", digest_of(row)}, {"tags", digest_of_pairs(experiment.tags)}};
}

Digests digests_of(const RunRecord& record) {
  const auto& run = record.run;
  RowText row;
  row.add(std::string_view(run.info.run_id.str()));
  row.add(std::string_view(run.info.experiment_id.str())).add(std::string_view(run.info.name));
  row.add(std::string_view(run.info.user_id)).add(tracking::name_of(run.info.status));
  row.add(run.info.start_ms).add(run.info.end_ms);
  row.add(tracking::name_of(run.info.lifecycle_stage)).add(record.deleted_ms);
  row.add(std::string_view(run.info.artifact_uri));
  return {{"name, status, times or stage", digest_of(row)},
          {"params", digest_of_pairs(run.params)},
          {"tags", digest_of_pairs(run.tags)},
          {"data sets", digest_of(run.datasets)},
          {"model inputs", digest_of(run.model_inputs)},
          {"model outputs", digest_of(run.model_outputs)}};
}

Digests digests_of(const ModelRecord& record) {
  const auto& model = record.model;
  RowText row;
  row.add(std::string_view(model.model_id.str()));
  row.add(std::string_view(model.experiment_id.str())).add(std::string_view(model.name));
  row.add(std::string_view(model.model_type)).add(std::string_view(model.source_run_id.str()));
  row.add(std::string_view(model.artifact_location)).add(tracking::name_of(model.status));
  row.add(std::string_view(model.status_message)).add(tracking::name_of(record.stage));
  row.add(model.created_ms).add(model.updated_ms);
  Digest metrics;
  for (const auto& value : model.metrics) {
    RowText metric;
    metric.add(std::string_view(value.metric.key)).add(std::string_view(value.run_id.str()));
    metric.add(std::string_view(value.metric.dataset_name));
    metric.add(std::string_view(value.metric.dataset_digest));
    metric.add(value.metric.step).add(value.metric.timestamp_ms).add_value(value.metric.value);
    metrics.add(metric.str());
  }
  return {{"name, status, times or stage", digest_of(row)},
          {"params", digest_of_pairs(model.params)},
          {"tags", digest_of_pairs(model.tags)},
          {"metrics", metrics}};
}

Digests digests_of(const RegisteredRecord& record) {
  const auto& model = record.model;
  RowText row;
  row.add(std::string_view(model.name)).add(std::string_view(model.description));
  row.add(model.created_ms).add(model.updated_ms);
  Digest aliases;
  for (const auto& alias : model.aliases) {
    aliases.add(RowText().add(std::string_view(alias.alias)).add(alias.version).str());
  }
  Digests out = {{"description or times", digest_of(row)},
                 {"tags", digest_of_pairs(model.tags)},
                 {"aliases", aliases}};
  for (const auto& version : record.versions) add_version(out, version);
  return out;
}

void add_points(Digest& digest, std::span<const Metric> points) {
  for (const auto& point : points) {
    RowText row;
    row.add(std::string_view(point.key)).add(point.timestamp_ms).add(point.step);
    digest.add(row.add_value(point.value).str());
  }
}

std::string differences(const Digests& source, const Digests& here) {
  std::vector<std::string> found;
  Digests all = source;
  all.insert(here.begin(), here.end());
  const auto get = [](const Digests& digests, std::string_view kind) {
    const auto at = digests.find(kind);
    return at == digests.end() ? Digest() : at->second;
  };
  for (const auto& [kind, digest] : all) {
    const Digest theirs = get(source, kind);
    const Digest ours = get(here, kind);
    if (theirs == ours) continue;
    std::string text(kind);
    if (theirs.count() != ours.count()) {
      text += " (" + std::to_string(theirs.count()) + " in the source, " +
              std::to_string(ours.count()) + " here)";
    }
    found.push_back(text);
  }
  return join(found, ", ");
}

}  // namespace ciclo::migrate
