// SPDX-License-Identifier: Apache-2.0
#include "client/mlflow.h"

#include <errno.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/text.h"
#include "base/version.h"
#include "http/message.h"

namespace ciclo::client {
namespace {

constexpr std::string_view kApi = "/api/2.0/mlflow/";
constexpr const char* kStartKeyTag = "ciclo.client.start_key";

// The codes of MLflow's errors that callers tell apart; else by the status.
Code code_of(int status, std::string_view error_code) {
  if (error_code == "RESOURCE_ALREADY_EXISTS") return Code::kAlreadyExists;
  if (error_code == "RESOURCE_DOES_NOT_EXIST" || status == 404) return Code::kNotFound;
  if (status == 401) return Code::kUnauthenticated;
  if (status == 403) return Code::kPermissionDenied;
  if (status == 408 || status == 429 || status >= 500) return Code::kUnavailable;
  return Code::kInvalidArgument;
}

Answer read(const http::ClientRequest& request, const http::Response& response) {
  Answer answer;
  answer.status = response.status;
  const std::string where = request.method + " " + request.url + ": ";
  auto parsed = json::parse(response.body);
  if (response.status == 200) {
    if (parsed.ok() && parsed->is_object()) {
      answer.document = std::move(parsed).value();
      return answer;
    }
    // Such as the page of a proxy before the server.
    answer.status = 502;
    answer.error = unavailable(where + "the answer is not JSON but " + quoted(response.body) +
                               "; is that a tracking server?");
    return answer;
  }
  std::string code;
  std::string message = std::string(http::reason(response.status));
  if (parsed.ok() && parsed->is_object()) {
    code = parsed->string_or("error_code", "");
    message = parsed->string_or("message", message);
  }
  answer.error = {code_of(response.status, code),
                  where + std::to_string(response.status) + " " + message};
  constexpr std::int64_t kAskedMax = 60;
  const auto seconds = parse_int(response.headers.get("Retry-After")).value_or(0);
  answer.retry_after = std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kAskedMax));
  return answer;
}

json::Value tag(const char* key, std::string value) {
  return json::Value::object({{"key", key}, {"value", std::move(value)}});
}

// As MLflow's own client marks what started a run.
json::Value source_tags(const std::string& start_key) {
  json::Value tags = json::Value::array();
  tags.push_back(tag(kStartKeyTag, start_key));
  tags.push_back(tag("mlflow.source.type", "LOCAL"));
  tags.push_back(tag("mlflow.source.name", program_invocation_name));
  const char* user = std::getenv("USER");
  if (user != nullptr && *user != '\0') tags.push_back(tag("mlflow.user", user));
  return tags;
}

void wait_for(std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, time, [] { return false; });
}

std::string member_of(const json::Value& document, const char* object, const char* key) {
  const json::Value* inner = document.find(object);
  return inner == nullptr ? "" : inner->string_or(key, "");
}

Result<std::string> id_of(const Answer& answer, std::string id) {
  if (!answer.is_done()) return answer.error;
  if (id.empty()) return internal("the server's answer holds no id; is it a tracking server?");
  return id;
}

}  // namespace

bool Answer::is_passing() const {
  if (status == 0) return error.code != Code::kInvalidArgument && error.code != Code::kCancelled;
  return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

bool Answer::is_trouble_of_the_server() const {
  return status == 401 || status == 403 || status >= 500;
}

std::chrono::milliseconds Backoff::next(std::chrono::milliseconds asked) {
  const std::chrono::milliseconds ceiling = std::min(ceiling_, longest_);
  ceiling_ = std::min(ceiling_ * 2, longest_);
  const double part = 1 - random_.uniform() / 2;
  const auto delay = std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(ceiling.count()) * part));
  return std::max(delay, asked);
}

Mlflow::Mlflow(http::Client& client, Clock& clock, Random& random, Target target, Options options)
    : client_(client),
      clock_(clock),
      random_(random),
      target_(std::move(target)),
      options_(options) {}

Answer Mlflow::ask(http::ClientRequest request) {
  request.headers.add("User-Agent", "ciclo-client/" + std::string(kVersion));
  if (!target_.authorization.empty()) request.headers.add("Authorization", target_.authorization);
  const auto response = client_.call(request);
  if (response.ok()) return read(request, *response);
  Answer answer;
  answer.error = response.error();
  return answer;
}

Answer Mlflow::post(std::string_view path, std::string body, const std::string& idempotency_key,
                    std::stop_token stop) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = target_.url + std::string(kApi) + std::string(path);
  request.headers.add("Content-Type", "application/json");
  if (!idempotency_key.empty()) request.headers.add("Idempotency-Key", idempotency_key);
  request.body = std::move(body);
  request.stop = std::move(stop);
  return ask(std::move(request));
}

Answer Mlflow::get(const std::string& path_and_query, std::stop_token stop) {
  http::ClientRequest request;
  request.url = target_.url + std::string(kApi) + path_and_query;
  request.stop = std::move(stop);
  return ask(std::move(request));
}

std::int64_t Mlflow::deadline() {
  return clock_.monotonic_ns() + options_.call_timeout.count() * 1'000'000;
}

template <class Once>
Answer Mlflow::until_done(std::int64_t deadline_ns, Once&& once) {
  Backoff backoff(random_, options_.retry_delay_max);
  for (;;) {
    Answer answer = once();
    const bool may_pass = answer.is_passing() || answer.status >= 500;
    const std::chrono::milliseconds delay = backoff.next(answer.retry_after);
    const bool is_late = clock_.monotonic_ns() + delay.count() * 1'000'000 > deadline_ns;
    if (!may_pass || is_late) return answer;
    wait_for(delay);
  }
}

Result<std::string> Mlflow::create_experiment(const std::string& name) {
  const std::string key = new_key();
  const std::string body = json::dump(json::Value::object({{"name", name}}));
  bool asked_before = false;
  const Answer answer = until_done(deadline(), [&] {
    Answer once = post("experiments/create", body, key);
    // The one that is there may be ours, made by a request whose answer was lost.
    if (asked_before && once.error.code == Code::kAlreadyExists) {
      once = get("experiments/get-by-name?experiment_name=" + http::percent_encode(name));
      if (once.is_done()) {
        once.document["experiment_id"] = member_of(once.document, "experiment", "experiment_id");
      }
    }
    asked_before = true;
    return once;
  });
  return id_of(answer, answer.document.string_or("experiment_id", ""));
}

Result<std::string> Mlflow::get_experiment(const std::string& name) {
  const Answer answer = until_done(deadline(), [&] {
    return get("experiments/get-by-name?experiment_name=" + http::percent_encode(name));
  });
  if (answer.is_done() &&
      member_of(answer.document, "experiment", "lifecycle_stage") == "deleted") {
    return failed_precondition("experiment " + quoted(name) +
                               " is deleted: restore it, or choose another name");
  }
  return id_of(answer, member_of(answer.document, "experiment", "experiment_id"));
}

Answer Mlflow::find_started(const std::string& experiment_id, const std::string& start_key) {
  json::Value ids = json::Value::array();
  ids.push_back(experiment_id);
  const json::Value body = json::Value::object(
      {{"experiment_ids", std::move(ids)},
       {"max_results", 1},
       {"filter", "tags.`" + std::string(kStartKeyTag) + "` = '" + start_key + "'"}});
  Answer answer = post("runs/search", json::dump(body), {});
  const json::Value* runs = answer.document.find("runs");
  if (runs != nullptr && runs->is_array() && !runs->items().empty()) {
    answer.document["run"] = json::Value(runs->items().front());
  }
  return answer;
}

Result<std::string> Mlflow::create_run(const std::string& experiment_id, const std::string& name) {
  const std::string start_key = new_key();
  json::Value body = json::Value::object({{"experiment_id", experiment_id},
                                          {"start_time", clock_.now_ms()},
                                          {"tags", source_tags(start_key)}});
  if (!name.empty()) body["run_name"] = name;
  const std::string text = json::dump(body);
  bool may_be_there = false;
  const Answer answer = until_done(deadline(), [&] {
    if (may_be_there) {
      Answer found = find_started(experiment_id, start_key);
      if (!found.is_done() || found.document.find("run") != nullptr) return found;
    }
    may_be_there = true;
    return post("runs/create", text, start_key);
  });
  const json::Value* run = answer.document.find("run");
  return id_of(answer, run == nullptr ? "" : member_of(*run, "info", "run_id"));
}

bool Mlflow::may_take_values(const std::string& run_id, std::stop_token stop) {
  const Answer answer = get("runs/get?run_id=" + http::percent_encode(run_id), std::move(stop));
  if (!answer.is_done()) return answer.error.code != Code::kNotFound;
  const json::Value* run = answer.document.find("run");
  return run == nullptr || member_of(*run, "info", "lifecycle_stage") != "deleted";
}

Result<void> Mlflow::find_run(const std::string& run_id) {
  const Answer answer = until_done(
      deadline(), [&] { return get("runs/get?run_id=" + http::percent_encode(run_id)); });
  if (!answer.is_done()) return answer.error;
  return {};
}

Result<void> Mlflow::end_run(const std::string& run_id, std::string_view status,
                             std::int64_t deadline_ns) {
  const std::string body = json::dump(
      json::Value::object({{"run_id", run_id}, {"status", status}, {"end_time", clock_.now_ms()}}));
  const std::string key = new_key();
  const Answer answer = until_done(deadline_ns, [&] { return post("runs/update", body, key); });
  if (!answer.is_done()) return answer.error;
  return {};
}

std::string Mlflow::new_key() {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx",
                static_cast<unsigned long long>(random_.next()),
                static_cast<unsigned long long>(random_.next()));
  return text;
}

}  // namespace ciclo::client
