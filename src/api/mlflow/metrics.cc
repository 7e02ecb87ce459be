// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::Tracking;

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kRunsMax = 100;

// An answer that stays whole while it is short and becomes a stream when it is long, so that a
// history of any length takes the same memory.
class GrowingAnswer {
 public:
  explicit GrowingAnswer(http::Reply reply) : reply_(std::move(reply)) {}

  std::string& text() { return text_; }

  Result<void> grown() {
    if (text_.size() < kPieceBytes) return {};
    if (!stream_) stream_ = reply_.stream(200, {{"Content-Type", "application/json"}});
    TRY(stream_->write(text_));
    text_.clear();
    return {};
  }

  void end(const Result<void>& result) {
    if (!stream_) {
      return reply_.send(result.ok() ? http::Response::json(std::move(text_))
                                     : error_response(result.error()));
    }
    // Cut off, the client sees that the answer is not whole.
    if (!result.ok() || !stream_->write(text_).ok() || !stream_->finish().ok()) stream_.reset();
  }

 private:
  http::Reply reply_;
  std::unique_ptr<http::Stream> stream_;
  std::string text_;
};

Result<void> write_whole_history(Tracking& tracking, const Context& context,
                                 const tracking::RunId& run, const std::string& key,
                                 GrowingAnswer& answer) {
  json::Writer out(answer.text(), json::NonFinite::kString);
  out.begin_object();
  bool is_empty = true;
  TRY(tracking.stream_metric_history(context, run, key, [&](const tracking::Metric& point) {
    if (std::exchange(is_empty, false)) out.key("metrics").begin_array();
    write(out, point);
    return answer.grown();
  }));
  if (!is_empty) out.end_array();
  out.end_object();
  return {};
}

Result<std::string> history_page(Tracking& tracking, const Context& context, const Input& input,
                                 tracking::HistoryQuery query) {
  TRY(const auto max_results, input.integer_or("max_results", query.max_results));
  query.max_results = std::min(max_results, query.max_results);
  TRY(query.page_token, input.text_or_empty("page_token"));
  TRY(const auto page, tracking.metric_history(context, query));
  return page_with("metrics", page);
}

Result<tracking::HistoryQuery> query_of(const Input& input) {
  tracking::HistoryQuery query;
  TRY(query.run_id, input.run_id());
  TRY(query.key, input.text("metric_key"));
  return query;
}

void get_history(Tracking& tracking, http::Request& request, http::Reply reply) {
  const auto input = Input::of(request);
  if (!input.ok()) return reply.send(malformed_response(input.error()));
  const auto query = query_of(*input);
  if (!query.ok()) return reply.send(error_response(query.error()));
  if (input->has("max_results") || input->has("page_token")) {
    auto page = history_page(tracking, request.context, *input, *query);
    return reply.send(page.ok() ? http::Response::json(std::move(page).value())
                                : error_response(page.error()));
  }
  GrowingAnswer answer(std::move(reply));
  answer.end(write_whole_history(tracking, request.context, query->run_id, query->key, answer));
}

Result<std::vector<std::string>> run_ids_of(const Input& input, std::string_view key) {
  TRY(auto run_ids, input.texts(key));
  if (!run_ids.empty() && run_ids.size() <= kRunsMax) return run_ids;
  return invalid_argument(std::string(key) + ": expected 1 to " + std::to_string(kRunsMax) +
                          " runs, got " + std::to_string(run_ids.size()));
}

void write_point_of(json::Writer& out, const std::string& run_id, const tracking::Metric& point) {
  out.begin_object();
  out.key("key").string(point.key);
  out.key("value").number(point.value);
  out.key("timestamp").integer(point.timestamp_ms);
  out.key("step").integer(point.step);
  out.key("run_id").string(run_id);
  out.end_object();
}

struct StepRange {
  std::int64_t first = std::numeric_limits<std::int64_t>::min();
  std::int64_t last = std::numeric_limits<std::int64_t>::max();
};

Result<StepRange> step_range_of(const Input& input) {
  if (input.has("start_step") != input.has("end_step")) {
    return invalid_argument("start_step and end_step are given together or not at all");
  }
  StepRange range;
  TRY(range.first, input.integer_or("start_step", range.first));
  TRY(range.last, input.integer_or("end_step", range.last));
  if (range.first > range.last) {
    return invalid_argument("start_step must not be greater than end_step");
  }
  return range;
}

// Charts of many runs go on when one of them is gone.
Result<std::string> get_history_bulk_interval(Tracking& tracking, const Context& context,
                                              const Input& input) {
  TRY(const auto run_ids, run_ids_of(input, "run_ids"));
  TRY(const auto key, input.text("metric_key"));
  TRY(const StepRange range, step_range_of(input));
  TRY(const auto max_results, input.integer_or("max_results", 2'500));
  std::string body;
  json::Writer out(body, json::NonFinite::kString);
  out.begin_object();
  bool is_empty = true;
  for (const auto& run_id : run_ids) {
    const auto points = tracking.sampled_metric_history(context, tracking::RunId(run_id), key,
                                                        range.first, range.last, max_results);
    if (!points.ok() && points.error().code == Code::kNotFound) continue;
    if (!points.ok()) return points.error();
    if (!points->empty() && std::exchange(is_empty, false)) out.key("metrics").begin_array();
    for (const auto& point : *points) write_point_of(out, run_id, point);
  }
  if (!is_empty) out.end_array();
  out.end_object();
  return body;
}

// What older pages ask: the first points of each run, at most 25,000 of all.
Result<std::string> get_history_bulk(Tracking& tracking, const Context& context,
                                     const Input& input) {
  TRY(const auto run_ids, run_ids_of(input, "run_id"));
  tracking::HistoryQuery query;
  TRY(query.key, input.text("metric_key"));
  TRY(const auto max_results, input.integer_or("max_results", query.max_results));
  std::int64_t left = std::clamp<std::int64_t>(max_results, 1, query.max_results);
  std::string body;
  json::Writer out(body, json::NonFinite::kString);
  out.begin_object().key("metrics").begin_array();
  for (auto run_id = run_ids.begin(); run_id != run_ids.end() && left > 0; ++run_id) {
    query.run_id = tracking::RunId(*run_id);
    query.max_results = left;
    const auto page = tracking.metric_history(context, query);
    if (!page.ok() && page.error().code == Code::kNotFound) continue;
    if (!page.ok()) return page.error();
    for (const auto& point : page->items) write_point_of(out, *run_id, point);
    left -= std::ssize(page->items);
  }
  out.end_array().end_object();
  return body;
}

}  // namespace

void add_metric_routes(http::Router& router, const Services& services) {
  Tracking& tracking = services.tracking;
  add_handler(router, "GET", "/2.0/mlflow/metrics/get-history",
              [&tracking](http::Request& request, http::Reply reply) {
                get_history(tracking, request, std::move(reply));
              });
  add_call(router, "GET", "/2.0/mlflow/metrics/get-history-bulk-interval",
           [&tracking](const Context& context, const Input& input) {
             return get_history_bulk_interval(tracking, context, input);
           });
  add_call(router, "GET", "/2.0/mlflow/metrics/get-history-bulk",
           [&tracking](const Context& context, const Input& input) {
             return get_history_bulk(tracking, context, input);
           });
}

}  // namespace ciclo::api::mlflow
