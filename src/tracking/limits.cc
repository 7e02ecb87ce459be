// SPDX-License-Identifier: Apache-2.0
#include "tracking/limits.h"

#include "base/text.h"

namespace ciclo::tracking {

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-.: /").find(c) != std::string_view::npos ||
         static_cast<unsigned char>(c) >= 0x80;
}

// posixpath.normpath leaves the name as it is, and the result stays below where it starts.
bool is_own_path(std::string_view name) {
  if (name.starts_with("..")) return false;
  for (const auto segment : split(name, '/')) {
    if (segment.empty() || segment == "." || segment == "..") return false;
  }
  return true;
}

}  // namespace

std::size_t length_of(std::string_view text) {
  std::size_t length = 0;
  for (const char c : text) length += is_continuation(c) ? 0 : 1;
  return length;
}

std::string_view cut_to(std::string_view text, std::size_t length_max) {
  if (text.size() <= length_max) return text;
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_continuation(text[i])) continue;
    if (length == length_max) return text.substr(0, i);
    ++length;
  }
  return text;
}

Result<void> check_length(std::string_view what, std::string_view text, std::size_t length_max) {
  if (text.size() <= length_max) return {};
  const std::size_t length = length_of(text);
  if (length <= length_max) return {};
  return invalid_argument(std::string(what) + " " + quoted(text) + " has " +
                          std::to_string(length) + " characters, at most " +
                          std::to_string(length_max) + " are allowed");
}

Result<void> check_key(std::string_view what, std::string_view key) {
  const std::string name = std::string(what) + " name ";
  if (key.empty()) return invalid_argument(name + "is empty: a name is needed");
  for (const char c : key) {
    if (!is_key_character(c)) {
      return invalid_argument(name + quoted(key) +
                              " may hold only letters, digits, underscores, dashes, periods, "
                              "colons, spaces and slashes");
    }
  }
  if (!is_own_path(key)) {
    return invalid_argument(name + quoted(key) +
                            " must be its own normalised path: no empty, \".\" or \"..\" parts and "
                            "no slash at either end");
  }
  return check_length(name, key, kKeyLengthMax);
}

Result<void> check_metric(const Metric& metric) {
  TRY(check_key("metric", metric.key));
  if (metric.timestamp_ms < 0) {
    return invalid_argument("metric " + quoted(metric.key) +
                            ": timestamp must not be negative, got " +
                            std::to_string(metric.timestamp_ms));
  }
  return {};
}

Result<void> check_experiment_name(std::string_view name) {
  if (trim(name).empty()) return invalid_argument("experiment name is empty: a name is needed");
  return check_length("experiment name", name, kExperimentNameLengthMax);
}

Result<void> check_dataset(const DatasetInput& dataset) {
  if (dataset.name.empty()) return invalid_argument("dataset name is empty: a name is needed");
  if (dataset.digest.empty()) {
    return invalid_argument("dataset " + quoted(dataset.name) + " has no digest");
  }
  TRY(check_length("dataset name", dataset.name, kDatasetNameLengthMax));
  TRY(check_length("dataset digest", dataset.digest, kDatasetDigestLengthMax));
  TRY(check_length("dataset source", dataset.source, kDatasetSourceLengthMax));
  TRY(check_length("dataset schema", dataset.schema.value_or(""), kDatasetSchemaLengthMax));
  TRY(check_length("dataset profile", dataset.profile.value_or(""), kDatasetProfileLengthMax));
  return {};
}

Result<void> check_max_results(std::int64_t max_results, std::int64_t limit) {
  if (max_results >= 1 && max_results <= limit) return {};
  return invalid_argument("max_results must be between 1 and " + std::to_string(limit) + ", got " +
                          std::to_string(max_results));
}

}  // namespace ciclo::tracking
