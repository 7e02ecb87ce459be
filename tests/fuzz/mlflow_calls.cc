// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/mlflow/routes.h"
#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "events/test_webhooks.h"
#include "http/local.h"
#include "http/parser.h"

namespace {

using namespace ciclo;

std::vector<sql::Migration> migrations() {
  std::vector<sql::Migration> all;
  for (const auto module : {events::schema(), tracking::schema(), registry::schema()}) {
    all.insert(all.end(), module.begin(), module.end());
  }
  return all;
}

// MLflow's whole protocol over services of its own, with a run, a logged model and a version.
class Platform {
 public:
  Platform() {
    CHECK(sql::migrate(*database_, migrations()).ok());
    api::mlflow::add_routes(
        router_, {tracking_, logged_models_, traces_, artifacts_, registry_, webhooks_, *blobs_});
    const auto run = answer_to("runs/create", R"({"experiment_id": "0"})");
    names_.emplace_back("{run}", run.find("run")->find("info")->string_or("run_id", ""));
    const auto model = answer_to("logged-models", R"({"experiment_id": "0", "name": "m"})");
    names_.emplace_back("{model}", model.find("model")->find("info")->string_or("model_id", ""));
    answer_to("registered-models/create", R"({"name": "m"})");
    answer_to("model-versions/create", R"({"name": "m", "source": "s3://bucket/m"})");
    beside_ = entries();
  }

  http::Response call(std::string_view method, std::string_view target, std::string_view body) {
    http::Headers headers;
    if (method != "GET") headers.add("Content-Type", "application/json");
    return http::call_local(router_, method, with_ids(target), with_ids(body), std::move(headers));
  }

  // Nothing was written beside the database and the blobs.
  bool wrote_elsewhere() const { return entries() != beside_; }

 private:
  json::Value answer_to(const std::string& path, std::string_view body) {
    const auto answer = call("POST", "/api/2.0/mlflow/" + path, body);
    CHECK(answer.status == 200);
    return *json::parse(answer.body);
  }

  std::string with_ids(std::string_view text) const {
    std::string out(text);
    for (const auto& [name, id] : names_) {
      for (std::size_t at = out.find(name); at != std::string::npos; at = out.find(name, at)) {
        out.replace(at, name.size(), id);
      }
    }
    return out;
  }

  std::set<std::string> entries() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  TemporaryDirectory folder_;
  SimClock clock_;
  SeededRandom random_{1};
  IdSource ids_{clock_, random_};
  std::unique_ptr<sql::Database> database_ =
      *sql::open("sqlite:" + (folder_.path() / "ciclo.db").string());
  std::unique_ptr<blob::Store> blobs_ = *blob::open_local((folder_.path() / "blobs").string());
  events::Log events_{*database_, clock_};
  tracking::Tracking tracking_{*database_, clock_, ids_, random_};
  tracking::LoggedModels logged_models_{*database_, clock_, ids_, random_};
  tracking::Traces traces_{*database_, clock_, ids_};
  tracking::Artifacts artifacts_{*database_, *blobs_, clock_};
  registry::Registry registry_{*database_, events_, clock_};
  events::SimSender sender_;
  events::SimSecrets secrets_;
  events::Webhooks webhooks_{*database_, events_, clock_, random_, ids_, sender_, secrets_};
  http::Router router_;
  std::vector<std::pair<std::string, std::string>> names_;
  std::set<std::string> beside_;
};

// One for all inputs: making it takes longer than thousands of calls.
Platform& platform() {
  static Platform& made = *new Platform();
  return made;
}

// Whatever is sent, the server is never at fault, and says in its JSON what is wrong.
void check(std::string_view target, std::string_view sent, const http::Response& answer) {
  CHECK(answer.status >= 200);
  CHECK(answer.status < 500 || answer.status == 501);
  const bool is_error = answer.status >= 400;
  const std::string_view type = answer.headers.get("Content-Type");
  if (type != "application/json" || !answer.headers.get("ETag").empty()) return;
  const auto body = json::parse(answer.body);
  CHECK(body.ok());
  if (!is_error || !target.starts_with("/api/2.0/mlflow")) return;
  CHECK(!body->string_or("error_code", "").empty());
  CHECK(!body->string_or("message", "").empty());
  // No message shows a statement of ours; it may quote what was sent.
  const bool is_quoted = sent.find("SELECT") != std::string_view::npos;
  CHECK(is_quoted || answer.body.find("SELECT ") == std::string::npos);
}

}  // namespace

// Where a body goes whose target names no route, so that it is tried all the same.
std::string other_target(std::size_t number) {
  constexpr std::array<std::string_view, 24> kPaths = {"experiments/create",
                                                       "experiments/update",
                                                       "experiments/search",
                                                       "experiments/search-datasets",
                                                       "experiments/set-experiment-tag",
                                                       "runs/create",
                                                       "runs/update",
                                                       "runs/log-metric",
                                                       "runs/log-batch",
                                                       "runs/log-parameter",
                                                       "runs/log-inputs",
                                                       "runs/outputs",
                                                       "runs/search",
                                                       "runs/set-tag",
                                                       "registered-models/create",
                                                       "registered-models/rename",
                                                       "registered-models/alias",
                                                       "registered-models/set-tag",
                                                       "model-versions/create",
                                                       "model-versions/transition-stage",
                                                       "logged-models",
                                                       "logged-models/search",
                                                       "logged-models/{model}/params",
                                                       "webhooks"};
  return "/api/2.0/mlflow/" + std::string(kPaths[number % kPaths.size()]);
}

// The first line is method and target, the rest the body: JSON, or the bytes of an upload. {run}
// and {model} stand for ids.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view method = line.substr(0, space);
  const std::string_view target = line.substr(std::min(space + 1, line.size()));
  const std::string_view body = text.substr(std::min(end + 1, text.size()));
  constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",  "POST",
                                                        "PUT", "PATCH", "DELETE"};
  // What the server's own reader refuses reaches no handler.
  http::Request parsed;
  if (std::ranges::find(kMethods, method) == kMethods.end() || !target.starts_with('/') ||
      http::fill_target(target, parsed)) {
    return 0;
  }
  const auto answer = platform().call(method, target, body);
  check(target, text, answer);
  if (answer.status == 404 && !body.empty()) {
    const std::string other = other_target(size);
    check(other, text, platform().call("POST", other, body));
  }
  CHECK(!platform().wrote_elsewhere());
  return 0;
}
