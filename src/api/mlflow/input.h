// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "http/message.h"
#include "tracking/types.h"

// What a call says: the JSON body, or the query where there is no body, both by protobuf's JSON
// rules as MLflow's server has them: integers also as texts, numbers also as the texts "NaN",
// "Infinity" and
// "-Infinity", null like missing, unknown fields ignored. Errors name the field.

namespace ciclo::api::mlflow {

// An object of a body.
class Fields {
 public:
  Fields() = default;
  Fields(json::View object, std::string path) : object_(object), path_(std::move(path)) {}

  bool has(std::string_view key) const;
  // Required, and not empty.
  Result<std::string> text(std::string_view key) const;
  // Empty when missing.
  Result<std::string> text_or_empty(std::string_view key) const;
  Result<std::optional<std::string>> optional_text(std::string_view key) const;
  Result<std::int64_t> integer(std::string_view key) const;
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t otherwise) const;
  Result<std::optional<std::int64_t>> optional_integer(std::string_view key) const;
  // A time or step of a metric: the fraction of 1.5 is dropped, as MLflow does.
  Result<std::int64_t> whole_number(std::string_view key,
                                    std::optional<std::int64_t> otherwise) const;
  Result<double> number(std::string_view key) const;
  Result<bool> boolean_or(std::string_view key, bool otherwise) const;
  // The name of an enum's value, or its number as text; empty when missing.
  Result<std::string> word(std::string_view key) const;
  // A list of texts, or one text.
  Result<std::vector<std::string>> texts(std::string_view key) const;
  // The member as it is; null when it is missing.
  json::Value value_or_null(std::string_view key) const;
  // All members as texts, for a map of texts: numbers and booleans as JSON writes them.
  Result<void> each_text(
      const std::function<void(std::string_view name, std::string value)>& text) const;
  // Required.
  Result<Fields> member(std::string_view key) const;
  // Calls `item` for each object of a list; none when it is missing.
  Result<void> each(std::string_view key,
                    const std::function<Result<void>(const Fields&)>& item) const;

  // The structures that many calls share.
  Result<std::vector<tracking::Tag>> tags(std::string_view key) const;
  Result<std::vector<tracking::Param>> params(std::string_view key) const;
  Result<tracking::Metric> metric() const;
  Result<std::vector<tracking::Metric>> metrics(std::string_view key) const;
  // "ACTIVE_ONLY", "DELETED_ONLY", "ALL"; active ones when it is missing.
  Result<tracking::ViewType> view_type(std::string_view key) const;
  // "run_id", or its older name "run_uuid".
  Result<tracking::RunId> run_id() const;

 protected:
  Error wrong(std::string_view key, std::string_view expected, json::View found) const;
  std::string name_of(std::string_view key) const;

  json::View object_;
  std::string path_;
};

class Input : public Fields {
 public:
  // invalid_argument for a body that is no JSON object, failed_precondition for one that is not
  // declared as JSON.
  static Result<Input> of(http::Request& request);

 private:
  explicit Input(json::Document document);

  json::Document document_;
};

}  // namespace ciclo::api::mlflow
