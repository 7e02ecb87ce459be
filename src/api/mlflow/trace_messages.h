// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "api/mlflow/input.h"
#include "base/json.h"
#include "base/result.h"
#include "tracking/trace_types.h"

// MLflow's messages of traces, to and from our values, by protobuf's JSON rules: times are texts of
// RFC 3339, durations texts such as "1.500s", maps are objects.

namespace ciclo::api::mlflow {

// The TraceInfoV3 of a request; its assessments may lack ids.
Result<tracking::TraceInfo> trace_info_of(const Fields& fields);
// The Assessment of a request. invalid_argument unless it has one of feedback, expectation and
// issue.
Result<tracking::Assessment> assessment_of(const Fields& fields);
// Metadata is a map of texts, for all of which protobuf takes numbers and booleans too.
Result<std::vector<tracking::Tag>> pairs_of(const Fields& fields, std::string_view key);
// Their values.
Result<json::Value> feedback_value(const Fields& feedback);
Result<std::optional<json::Value>> feedback_error(const Fields& feedback);
Result<json::Value> expectation_value(const Fields& expectation);
// "OK", or its number.
Result<tracking::TraceState> trace_state_of(const Fields& fields, std::string_view key);

// The members of a Trace: its info, and its spans as OpenTelemetry's messages.
void write_trace(json::Writer& out, const tracking::Trace& trace);
// The TraceInfo of clients before MLflow 3; that of MLflow 3 is in messages.h.
void write_v2(json::Writer& out, const tracking::TraceInfo& trace);

}  // namespace ciclo::api::mlflow
