// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <unordered_map>
#include <utility>

#include "tracking/store.h"
#include "tracking/store_traces.h"

namespace ciclo::tracking::store {

namespace {

constexpr std::string_view kSessionKey = "mlflow.trace.session";
// No trace has a longer one.
constexpr std::size_t kSessionBytesMax = 1'000;

constexpr std::string_view kColumns =
    "a.trace_number, t.trace_id, a.assessment_id, a.kind, a.name, a.value, a.error, a.source_type, "
    "a.source_id, a.run_id, a.span_id, a.rationale, a.metadata, a.overrides, a.is_valid, "
    "a.created_ms, a.updated_ms";

AssessmentKind kind_of(std::string_view name) {
  for (const auto kind : {AssessmentKind::kFeedback, AssessmentKind::kExpectation}) {
    if (name == name_of(kind)) return kind;
  }
  return AssessmentKind::kIssue;
}

Result<Assessment> assessment_of(const sql::Row& row) {
  Assessment out;
  out.trace_id = TraceId(row.string(1));
  out.assessment_id = AssessmentId(row.string(2));
  out.kind = kind_of(row.text(3));
  out.name = row.string(4);
  TRY(out.value, json::parse(row.text(5)));
  if (!row.is_null(6)) {
    TRY(out.error, json::parse(row.text(6)));
  }
  out.source_type = row.string(7);
  out.source_id = row.string(8);
  out.run_id = row.string(9);
  out.span_id = row.optional_string(10);
  out.rationale = row.optional_string(11);
  TRY(const auto metadata, json::parse(row.text(12)));
  if (metadata.is_object()) {
    for (const auto& [key, value] : metadata.members()) {
      if (value.is_string()) out.metadata.push_back({key, value.string()});
    }
  }
  out.overrides = row.optional_string(13);
  out.is_valid = row.boolean(14);
  out.created_ms = row.integer(15);
  out.updated_ms = row.integer(16);
  return out;
}

// What the columns repeat of an assessment; the texts live as long as this does.
struct Written {
  explicit Written(const Assessment& assessment)
      : value(json::dump(assessment.value, json::NonFinite::kString)) {
    if (assessment.error) error = json::dump(*assessment.error);
    json::Value pairs = json::Value::object();
    for (const auto& pair : assessment.metadata) {
      pairs[pair.key] = pair.value;
      if (pair.key == kSessionKey && pair.value.size() <= kSessionBytesMax) session = pair.value;
    }
    metadata = json::dump(pairs);
    if (assessment.value.is_number() && std::isfinite(assessment.value.number())) {
      number = assessment.value.number();
    }
  }

  std::string value;
  std::optional<std::string> error;
  std::string metadata;
  std::optional<std::string> session;
  std::optional<double> number;
};

}  // namespace

Result<void> insert_assessment(sql::Txn& txn, const TraceRow& trace, const Assessment& assessment) {
  const Written written(assessment);
  TRY(txn.execute(
      R"(
      INSERT INTO trace_assessments (assessment_id, trace_number, experiment_id, kind, name, value,
        number, error, source_type, source_id, run_id, span_id, rationale, metadata, session,
        overrides, is_valid, created_ms, updated_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, $17, $18))",
      {assessment.assessment_id.str(), trace.number, trace.experiment, name_of(assessment.kind),
       assessment.name, written.value, sql::param(written.number), sql::param(written.error),
       assessment.source_type, assessment.source_id, assessment.run_id,
       sql::param(assessment.span_id), sql::param(assessment.rationale), written.metadata,
       sql::param(written.session), sql::param(assessment.overrides), assessment.created_ms,
       assessment.updated_ms}));
  return {};
}

Result<std::optional<Assessment>> find_assessment(sql::Reader& reader, const TraceRow& trace,
                                                  const AssessmentId& id) {
  std::optional<Assessment> found;
  TRY(reader.query("SELECT " + std::string(kColumns) +
                       " FROM trace_assessments a JOIN traces t ON t.trace_number ="
                       " a.trace_number WHERE a.assessment_id = $1 AND a.trace_number = $2",
                   {id.str(), trace.number}, [&](const sql::Row& row) -> Result<void> {
                     TRY(found, assessment_of(row));
                     return {};
                   }));
  return found;
}

Result<void> update_assessment(sql::Txn& txn, const Assessment& assessment) {
  const Written written(assessment);
  TRY(txn.execute(
      R"(
      UPDATE trace_assessments SET name = $2, value = $3, number = $4, error = $5, rationale = $6,
        metadata = $7, session = $8, updated_ms = $9
      WHERE assessment_id = $1)",
      {assessment.assessment_id.str(), assessment.name, written.value, sql::param(written.number),
       sql::param(written.error), sql::param(assessment.rationale), written.metadata,
       sql::param(written.session), assessment.updated_ms}));
  return {};
}

Result<bool> set_assessment_valid(sql::Txn& txn, std::int64_t trace, std::string_view id,
                                  bool is_valid) {
  TRY(const std::int64_t changed, txn.execute(R"(
      UPDATE trace_assessments SET is_valid = $3 WHERE trace_number = $1 AND assessment_id = $2)",
                                              {trace, id, sql::param(is_valid)}));
  return changed > 0;
}

Result<void> delete_assessment(sql::Txn& txn, std::int64_t trace, const AssessmentId& id) {
  TRY(txn.execute("DELETE FROM trace_assessments WHERE trace_number = $1 AND assessment_id = $2",
                  {trace, id.str()}));
  return {};
}

Result<bool> has_assessment_id(sql::Reader& reader, const AssessmentId& id) {
  TRY(const auto found, reader.query_one("SELECT 1 FROM trace_assessments WHERE assessment_id = $1",
                                         {id.str()}, [](const sql::Row&) { return true; }));
  return found.has_value();
}

Result<void> load_assessments(sql::Reader& reader, std::span<const std::int64_t> traces,
                              std::span<TraceInfo> out) {
  std::unordered_map<std::int64_t, TraceInfo*> by_number;
  for (std::size_t i = 0; i < traces.size(); ++i) by_number[traces[i]] = &out[i];
  return in_chunks(traces, [&](std::span<const std::int64_t> some) {
    Parameters parameters;
    const std::string statement = "SELECT " + std::string(kColumns) +
                                  " FROM trace_assessments a JOIN traces t ON t.trace_number ="
                                  " a.trace_number WHERE a.trace_number IN (" +
                                  placeholders(parameters, some) +
                                  ") ORDER BY a.trace_number, a.created_ms, a.assessment_id";
    return reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
      TRY(auto assessment, assessment_of(row));
      by_number[row.integer(0)]->assessments.push_back(std::move(assessment));
      return {};
    });
  });
}

}  // namespace ciclo::tracking::store
