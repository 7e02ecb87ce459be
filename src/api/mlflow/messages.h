// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "registry/types.h"
#include "tracking/trace_types.h"
#include "tracking/types.h"

// MLflow's messages from our values. NaN is the text "NaN"; times are integers of milliseconds;
// numbers of model versions are texts.

namespace ciclo::api::mlflow {

void write(json::Writer& out, const tracking::Metric& metric);
void write(json::Writer& out, const tracking::Experiment& experiment);
void write(json::Writer& out, const tracking::RunInfo& info);
void write(json::Writer& out, const tracking::Run& run);
void write(json::Writer& out, const tracking::LoggedModel& model);
void write(json::Writer& out, const tracking::Assessment& assessment);
void write(json::Writer& out, const tracking::TraceInfo& trace);  // TraceInfoV3
void write(json::Writer& out, const registry::ModelVersion& version);
void write(json::Writer& out, const registry::RegisteredModel& model);

// "name": [items…], each written by `item`; nothing for an empty list, as protobuf has it.
template <class T, class Write>
void list_if_any(json::Writer& out, std::string_view name, const std::vector<T>& list, Write item) {
  if (list.empty()) return;
  out.key(name).begin_array();
  for (const auto& element : list) item(element);
  out.end_array();
}

// An object written by `members`.
std::string object(const std::function<void(json::Writer&)>& members);

// {"name": value}
template <class T>
std::string object_with(std::string_view name, const T& value) {
  return object([&](json::Writer& out) {
    out.key(name);
    write(out, value);
  });
}

// {"name": [items…], "next_page_token": "…"}; what is empty is left out, as is the last page's
// token.
template <class T>
std::string page_with(std::string_view name, const tracking::Page<T>& page) {
  return object([&](json::Writer& out) {
    list_if_any(out, name, page.items, [&](const T& item) { write(out, item); });
    if (!page.next_page_token.empty()) out.key("next_page_token").string(page.next_page_token);
  });
}

}  // namespace ciclo::api::mlflow
