// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "api/mlflow/routes.h"
#include "base/file.h"
#include "base/json.h"
#include "events/test_webhooks.h"
#include "http/local.h"
#include "sql/test_database.h"

namespace ciclo::api::mlflow {
namespace {

class MlflowTest : public testing::Test {
 protected:
  MlflowTest() {
    std::vector<sql::Migration> migrations;
    for (const auto module :
         {sql::schema(), events::schema(), tracking::schema(), registry::schema()}) {
      migrations.insert(migrations.end(), module.begin(), module.end());
    }
    EXPECT_TRUE(sql::migrate(*database, migrations).ok());
    add_routes(router, {tracking, logged_models, traces, artifacts, registry, webhooks, *blobs});
  }

  http::Response call(std::string_view method, const std::string& target, std::string body = {},
                      http::Headers headers = {}) {
    if (!body.empty() && !headers.has("Content-Type")) {
      headers.add("Content-Type", "application/json");
    }
    return http::call_local(router, method, target, std::move(body), std::move(headers));
  }
  // Below /api/2.0/mlflow/.
  http::Response post(const std::string& path, std::string body) {
    return call("POST", "/api/2.0/mlflow/" + path, std::move(body));
  }
  http::Response get(const std::string& path) { return call("GET", "/api/2.0/mlflow/" + path); }

  static json::Value json_of(const http::Response& response) {
    auto parsed = json::parse(response.body);
    EXPECT_TRUE(parsed.ok()) << response.body;
    return parsed.ok() ? *parsed : json::Value();
  }
  static std::string code_of(const http::Response& response) {
    return std::to_string(response.status) + " " + json_of(response).string_or("error_code", "");
  }

  std::string new_run() {
    const auto answer = json_of(post("runs/create", R"({"experiment_id":"0"})"));
    return answer.find("run")->find("info")->string_or("run_id", "");
  }

  TemporaryDirectory folder;
  SimClock clock;
  SeededRandom random{1};
  IdSource ids{clock, random};
  sql::TestDatabase database{sql::Engine::kSqlite};
  std::unique_ptr<blob::Store> blobs = *blob::open_local((folder.path() / "blobs").string());
  events::Log events{*database, clock};
  tracking::Tracking tracking{*database, clock, ids, random};
  tracking::LoggedModels logged_models{*database, clock, ids, random};
  tracking::Traces traces{*database, clock, ids};
  tracking::Artifacts artifacts{*database, *blobs, clock};
  registry::Registry registry{*database, events, clock};
  events::SimSender sender;
  events::SimSecrets secrets;
  events::Webhooks webhooks{*database, events, clock, random, ids, sender, secrets};
  http::Router router;
};

TEST_F(MlflowTest, numbers_come_as_numbers_or_texts_and_nan_goes_as_text) {
  const std::string run = new_run();
  const auto logged = post("runs/log-batch", R"({"run_id":")" + run + R"(","metrics":[
      {"key":"a","value":"NaN","timestamp":"1700000000000","step":"3"},
      {"key":"b","value":"-Infinity","timestamp":1700000000000},
      {"key":"c","value":true,"timestamp":1.0},
      {"key":"d","value":NaN,"timestamp":1},
      {"key":"e","value":"3.5","timestamp":9007199254740993}]})");
  ASSERT_EQ(logged.status, 200) << logged.body;
  EXPECT_EQ(logged.body, "{}");
  const auto metrics = json_of(get("runs/get?run_id=" + run));
  const auto& list = metrics.find("run")->find("data")->find("metrics")->items();
  ASSERT_EQ(list.size(), 5U);
  EXPECT_EQ(list[0].string_or("value", ""), "NaN");
  EXPECT_EQ(list[0].integer_or("step", 0), 3);
  EXPECT_EQ(list[1].number_or("value", 0), -1.7976931348623157e308);
  EXPECT_EQ(list[2].number_or("value", 0), 1);
  EXPECT_EQ(list[3].string_or("value", ""), "NaN");
  EXPECT_EQ(list[4].integer_or("timestamp", 0), 9007199254740993);
}

TEST_F(MlflowTest, bad_input_is_a_400_that_names_the_field) {
  const std::string run = new_run();
  const std::string start = R"({"run_id":")" + run + R"(",)";
  for (const std::string& body :
       {start + R"("metrics":[{"key":"a","value":1}]})",
        start + R"("metrics":[{"key":"a","timestamp":1}]})",
        start + R"("metrics":[{"key":"a","value":null,"timestamp":1}]})",
        start + R"("metrics":[{"key":"a","value":"x","timestamp":1}]})",
        start + R"("metrics":[{"key":"a","value":1,"timestamp":-1}]})",
        start + R"("metrics":[{"key":"../a","value":1,"timestamp":1}]})",
        start + R"("metrics":[1]})", start + R"("metrics":{}})", start + R"("params":"x"})",
        start + R"("tags":[{"key":5,"value":""}]})", std::string(R"({"run_id":5})"),
        std::string("{}")}) {
    const auto response = post("runs/log-batch", body);
    EXPECT_EQ(code_of(response), "400 INVALID_PARAMETER_VALUE") << body;
    EXPECT_EQ(response.body.find("SELECT"), std::string::npos);
  }
  for (const std::string& body :
       {std::string("[]"), std::string("{"), std::string("nonsense"), std::string("\"x\""),
        std::string("\xff"), std::string(2000, '[')}) {
    EXPECT_EQ(code_of(post("runs/log-batch", body)), "400 BAD_REQUEST") << body;
  }
  EXPECT_EQ(json_of(post("runs/log-batch", start + R"("metrics":[{"key":"a","value":1}]})"))
                .string_or("message", ""),
            "metrics[0]: missing value for required parameter \"timestamp\"");
}

TEST_F(MlflowTest, a_query_that_is_not_utf8_is_refused) {
  const std::string run = new_run();
  const auto listed = get("artifacts/list?run_id=" + run + "&path=%c0%ae%c0%ae");
  EXPECT_EQ(code_of(listed), "400 BAD_REQUEST");
  EXPECT_EQ(json_of(listed).string_or("message", ""), "the query parameter \"path\" is not UTF-8");
}

TEST_F(MlflowTest, a_version_of_files_in_this_server_names_whose_they_are) {
  const std::string run = new_run();
  const std::string place = R"("source":"mlflow-artifacts:/0/)" + run + R"(/artifacts/model")";
  ASSERT_EQ(post("registered-models/create", R"({"name":"m"})").status, 200);
  EXPECT_EQ(code_of(post("model-versions/create", R"({"name":"m",)" + place + "}")),
            "400 INVALID_PARAMETER_VALUE");
  const auto owned =
      post("model-versions/create", R"({"name":"m",)" + place + R"(,"run_id":")" + run + "\"}");
  EXPECT_EQ(owned.status, 200) << owned.body;
}

TEST_F(MlflowTest, errors_have_the_codes_that_clients_look_at) {
  EXPECT_EQ(code_of(get("runs/get?run_id=none")), "404 RESOURCE_DOES_NOT_EXIST");
  EXPECT_EQ(code_of(get("runs/get")), "400 INVALID_PARAMETER_VALUE");
  EXPECT_EQ(code_of(get("experiments/get?experiment_id=abc")), "400 INVALID_PARAMETER_VALUE");
  EXPECT_EQ(code_of(post("experiments/create", R"({"name":"Default"})")),
            "400 RESOURCE_ALREADY_EXISTS");
  EXPECT_EQ(code_of(post("experiments/search", "{}")), "400 INVALID_PARAMETER_VALUE");
  EXPECT_EQ(code_of(get("nothing/here")), "404 ENDPOINT_NOT_FOUND");
  EXPECT_EQ(code_of(get("runs/create")), "405 BAD_REQUEST");
}

TEST_F(MlflowTest, unknown_fields_and_statuses_are_ignored) {
  const std::string run = new_run();
  const auto updated =
      post("runs/update", R"({"run_id":")" + run + R"(","status":"NOT_A_STATUS","color":"red"})");
  EXPECT_EQ(updated.status, 200);
  EXPECT_EQ(json_of(updated).find("run_info")->string_or("status", ""), "RUNNING");
}

TEST_F(MlflowTest, a_long_history_is_streamed_whole) {
  const std::string run = new_run();
  std::vector<tracking::Metric> points;
  for (int i = 0; i < 5000; ++i) points.push_back({.key = "m", .value = 0.5 * i, .step = i});
  ASSERT_TRUE(tracking.log_metrics({}, tracking::RunId(run), points).ok());
  const auto whole = json_of(get("metrics/get-history?metric_key=m&run_id=" + run));
  ASSERT_EQ(whole.find("metrics")->items().size(), 5000U);
  const auto page = json_of(get("metrics/get-history?metric_key=m&max_results=10&run_id=" + run));
  EXPECT_EQ(page.find("metrics")->items().size(), 10U);
  EXPECT_FALSE(page.string_or("next_page_token", "").empty());
  const auto sampled =
      json_of(get("metrics/get-history-bulk-interval?metric_key=m&max_results=32&run_ids=" + run));
  EXPECT_EQ(sampled.find("metrics")->items().size(), 32U);
}

TEST_F(MlflowTest, artifacts_go_through_the_proxy) {
  const std::string base = "/api/2.0/mlflow-artifacts/artifacts";
  EXPECT_EQ(call("PUT", base + "/0/r/artifacts/a/b%20c.json", R"({"x":1})").status, 200);
  const auto file = call("GET", base + "/0/r/artifacts/a/b%20c.json");
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.body, R"({"x":1})");
  EXPECT_EQ(file.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(file.headers.get("X-Content-Type-Options"), "nosniff");
  EXPECT_TRUE(file.headers.get("Content-Disposition").starts_with("attachment"));
  const std::string etag(file.headers.get("ETag"));
  EXPECT_EQ(call("GET", base + "/0/r/artifacts/a/b%20c.json", "", {{"If-None-Match", etag}}).status,
            304);
  const auto listed = json_of(call("GET", base + "?path=0%2Fr%2Fartifacts%2Fa"));
  EXPECT_EQ(listed.find("files")->items()[0].string_or("path", ""), "b c.json");
  EXPECT_EQ(listed.find("files")->items()[0].integer_or("file_size", 0), 7);
  EXPECT_EQ(call("DELETE", base + "/0/r/artifacts/a").status, 200);
  EXPECT_EQ(call("GET", base + "/0/r/artifacts/a/b%20c.json").status, 404);
}

TEST_F(MlflowTest, ranges_of_artifacts) {
  const std::string file = "/api/2.0/mlflow-artifacts/artifacts/f.bin";
  ASSERT_EQ(call("PUT", file, "0123456789").status, 200);
  const auto part = [&](const std::string& range) {
    const auto response = call("GET", file, "", {{"Range", range}});
    return std::to_string(response.status) + " " + response.body + " " +
           std::string(response.headers.get("Content-Range"));
  };
  EXPECT_EQ(part("bytes=2-4"), "206 234 bytes 2-4/10");
  EXPECT_EQ(part("bytes=7-"), "206 789 bytes 7-9/10");
  EXPECT_EQ(part("bytes=-3"), "206 789 bytes 7-9/10");
  EXPECT_EQ(part("bytes=5-99"), "206 56789 bytes 5-9/10");
  EXPECT_EQ(part("bytes=10-"), "416  bytes */10");
  EXPECT_EQ(part("bytes=-0"), "416  bytes */10");
  for (const char* ignored : {"bytes=4-2", "bytes=a-b", "items=0-1", "bytes=0-1,3-4",
                              "bytes=", "bytes=99999999999999999999-"}) {
    EXPECT_EQ(part(ignored), "200 0123456789 ") << ignored;
  }
}

TEST_F(MlflowTest, paths_out_of_the_tree_are_refused) {
  const std::string base = "/api/2.0/mlflow-artifacts/artifacts/";
  for (const std::string path :
       {"..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a/%2e%2e/b", "a/..%5cb", "%252e%252e/x",
        "%2fetc%2fpasswd", "C:%5cwindows", "a%0ab", "a%255cb"}) {
    for (const std::string method : {"GET", "PUT", "DELETE"}) {
      EXPECT_EQ(code_of(call(method, base + path, "x")), "400 INVALID_PARAMETER_VALUE")
          << method << " " << path;
    }
  }
  const std::string run = new_run();
  for (const std::string path : {"../../x", "/etc/passwd", "%2e%2e"}) {
    EXPECT_EQ(call("GET", "/get-artifact?run_id=" + run + "&path=" + path).status, 400) << path;
    EXPECT_EQ(get("artifacts/list?run_id=" + run + "&path=" + path).status, 400) << path;
  }
}

TEST_F(MlflowTest, a_version_of_a_logged_model_points_at_its_files) {
  const auto created = json_of(post(
      "logged-models", R"({"experiment_id":"0","name":"m","params":[{"key":"p","value":"1"}]})"));
  const auto& info = *created.find("model")->find("info");
  const std::string id = info.string_or("model_id", "");
  EXPECT_EQ(info.string_or("status", ""), "LOGGED_MODEL_PENDING");
  EXPECT_EQ(
      call("PATCH", "/api/2.0/mlflow/logged-models/" + id, R"({"status":"LOGGED_MODEL_READY"})")
          .status,
      200);
  ASSERT_EQ(post("registered-models/create", R"({"name":"m"})").status, 200);
  const auto version =
      post("model-versions/create", R"({"name":"m","source":"models:/)" + id + R"("})");
  ASSERT_EQ(version.status, 200) << version.body;
  EXPECT_EQ(json_of(version).find("model_version")->string_or("model_id", ""), id);
  EXPECT_EQ(json_of(get("model-versions/get-download-uri?name=m&version=1"))
                .string_or("artifact_uri", ""),
            "mlflow-artifacts:/0/models/" + id + "/artifacts");
  EXPECT_EQ(
      call("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/models/" + id + "/artifacts/MLmodel", "m")
          .status,
      200);
  EXPECT_EQ(call("GET", "/model-versions/get-artifact?name=m&version=1&path=MLmodel").body, "m");
  const auto files = json_of(get("logged-models/" + id + "/artifacts/directories"));
  EXPECT_EQ(files.find("files")->items().size(), 1U);
}

TEST_F(MlflowTest, a_missing_alias_is_a_400_as_in_mlflow) {
  ASSERT_EQ(post("registered-models/create", R"({"name":"m"})").status, 200);
  EXPECT_EQ(code_of(get("registered-models/alias?name=m&alias=x")), "400 INVALID_PARAMETER_VALUE");
  EXPECT_EQ(code_of(get("registered-models/alias?name=none&alias=x")),
            "404 RESOURCE_DOES_NOT_EXIST");
}

TEST_F(MlflowTest, the_same_calls_answer_under_ajax_api) {
  EXPECT_EQ(call("GET", "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0").status, 200);
  EXPECT_EQ(call("GET", "/api/3.0/mlflow/server-info").status, 200);
}

TEST_F(MlflowTest, webhooks_take_events_by_name_or_number_and_never_show_their_secret) {
  const auto made = post("webhooks", R"({"name":"w","url":"https://h/","secret":"s3cret","status":2,
      "events":[{"entity":"PROMPT","action":"CREATED"},{"entity":2,"action":"CREATED"}]})");
  ASSERT_EQ(made.status, 200) << made.body;
  const auto webhook = *json_of(made).find("webhook");
  const std::string id = webhook.string_or("webhook_id", "");
  EXPECT_EQ(json::dump(*webhook.find("events")),
            R"([{"entity":"MODEL_VERSION","action":"CREATED"},)"
            R"({"entity":"PROMPT","action":"CREATED"}])");
  EXPECT_EQ(webhook.string_or("status", ""), "DISABLED");
  EXPECT_EQ(webhook.find("description"), nullptr);
  for (const auto& answer : {made, get("webhooks"), get("webhooks/" + id)}) {
    EXPECT_EQ(answer.body.find("s3cret"), std::string::npos) << answer.body;
  }
  const auto tested = json_of(post("webhooks/" + id + "/test", "{}"));
  EXPECT_EQ(json::dump(tested),
            R"({"result":{"success":true,"response_status":200,"response_body":"thanks"}})");
  EXPECT_EQ(code_of(post("webhooks", R"({"name":"w","url":"http://h/","events":[
      {"entity":"PROMPT","action":"CREATED"}]})")),
            "400 INVALID_PARAMETER_VALUE");
  EXPECT_EQ(code_of(get("webhooks/none")), "404 RESOURCE_DOES_NOT_EXIST");
  EXPECT_EQ(call("DELETE", "/api/2.0/mlflow/webhooks/" + id).body, "{}");
  EXPECT_EQ(code_of(call("DELETE", "/ajax-api/2.0/mlflow/webhooks/" + id)),
            "404 RESOURCE_DOES_NOT_EXIST");
}

// One call of each route that writes. A route that is added must be added here, or to those that
// need no key.
struct Sample {
  std::string method;
  std::string route;  // below /api
  std::string target;
  std::string body;
};

// <run>, <logged>, <hook>, <trace> and <said>, an assessment, stand for what is there.
const std::vector<Sample>& samples() {
  static const std::string v = "/2.0/mlflow/";
  static const std::string v3 = "/3.0/mlflow/";
  static const std::vector<Sample> all = {
      {"POST", v + "experiments/create", "", R"({"name":"e"})"},
      {"POST", v + "experiments/update", "", R"({"experiment_id":"1","new_name":"f"})"},
      {"POST", v + "experiments/set-experiment-tag", "",
       R"({"experiment_id":"1","key":"k","value":"v"})"},
      {"POST", v + "experiments/delete-experiment-tag", "", R"({"experiment_id":"1","key":"k"})"},
      {"POST", v + "experiments/delete", "", R"({"experiment_id":"1"})"},
      {"POST", v + "experiments/restore", "", R"({"experiment_id":"1"})"},
      {"POST", v + "runs/create", "", R"({"experiment_id":"0","tags":[{"key":"a","value":"b"}]})"},
      {"POST", v + "runs/log-metric", "",
       R"({"run_id":"<run>","key":"m","value":"NaN","timestamp":1})"},
      {"POST", v + "runs/log-parameter", "", R"({"run_id":"<run>","key":"p","value":"1"})"},
      {"POST", v + "runs/log-batch", "",
       R"({"run_id":"<run>","metrics":[{"key":"n","value":1,"timestamp":1}]})"},
      {"POST", v + "runs/set-tag", "", R"({"run_id":"<run>","key":"t","value":"1"})"},
      {"POST", v + "runs/delete-tag", "", R"({"run_id":"<run>","key":"t"})"},
      {"POST", v + "runs/log-inputs", "",
       R"({"run_id":"<run>","datasets":[{"dataset":{"name":"d","digest":"1","source_type":"s",
           "source":"{}"}}]})"},
      {"POST", v + "runs/outputs", "", R"({"run_id":"<run>","models":[{"model_id":"<logged>"}]})"},
      {"POST", v + "runs/log-model", "",
       R"({"run_id":"<run>","model_json":"{\"artifact_path\":\"m\",\"flavors\":{},\"run_id\":\"r\",)"
       R"(\"utc_time_created\":\"t\"}"})"},
      {"POST", v + "runs/update", "", R"({"run_id":"<run>","status":"FINISHED","end_time":5})"},
      {"POST", v + "runs/delete", "", R"({"run_id":"<run>"})"},
      {"POST", v + "runs/restore", "", R"({"run_id":"<run>"})"},
      {"POST", v + "logged-models", "", R"({"experiment_id":"0","name":"l"})"},
      {"PATCH", v + "logged-models/{model_id}", v + "logged-models/<logged>",
       R"({"status":"LOGGED_MODEL_READY"})"},
      {"POST", v + "logged-models/{model_id}/params", v + "logged-models/<logged>/params",
       R"({"params":[{"key":"p","value":"1"}]})"},
      {"PATCH", v + "logged-models/{model_id}/tags", v + "logged-models/<logged>/tags",
       R"({"tags":[{"key":"t","value":"1"}]})"},
      {"DELETE", v + "logged-models/{model_id}/tags/{tag_key*}",
       v + "logged-models/<logged>/tags/t", ""},
      {"DELETE", v + "logged-models/{model_id}", v + "logged-models/<logged>", ""},
      {"POST", v + "registered-models/create", "",
       R"({"name":"n","tags":[{"key":"a","value":"b"}]})"},
      {"PATCH", v + "registered-models/update", "", R"({"name":"m","description":"d"})"},
      {"POST", v + "registered-models/set-tag", "", R"({"name":"m","key":"k","value":"v"})"},
      {"DELETE", v + "registered-models/delete-tag", "", R"({"name":"m","key":"k"})"},
      {"POST", v + "model-versions/create", "", R"({"name":"m","source":"s3://b/1"})"},
      {"POST", v + "model-versions/transition-stage", "",
       R"({"name":"m","version":"1","stage":"Staging","archive_existing_versions":true})"},
      {"PATCH", v + "model-versions/update", "", R"({"name":"m","version":"1","description":"d"})"},
      {"POST", v + "model-versions/set-tag", "",
       R"({"name":"m","version":"1","key":"k","value":"v"})"},
      {"DELETE", v + "model-versions/delete-tag", "", R"({"name":"m","version":"1","key":"k"})"},
      {"POST", v + "registered-models/alias", "", R"({"name":"m","alias":"a","version":"1"})"},
      {"DELETE", v + "registered-models/alias", "", R"({"name":"m","alias":"a"})"},
      {"DELETE", v + "model-versions/delete", "", R"({"name":"m","version":"1"})"},
      {"POST", v + "registered-models/rename", "", R"({"name":"m","new_name":"o"})"},
      {"DELETE", v + "registered-models/delete", "", R"({"name":"n"})"},
      {"POST", v + "webhooks", "",
       R"({"name":"h","url":"https://h/","secret":"s","events":[{"entity":"PROMPT","action":"CREATED"}]})"},
      {"PATCH", v + "webhooks/{webhook_id}", v + "webhooks/<hook>", R"({"status":"DISABLED"})"},
      {"DELETE", v + "webhooks/{webhook_id}", v + "webhooks/<hook>", ""},
      {"POST", v3 + "traces", "",
       R"({"trace":{"trace_info":{"trace_id":"tr-new","state":"OK","request_time":
           "2025-01-02T03:04:05.678Z","execution_duration":"1.5s","request_preview":"in",
           "trace_location":{"mlflow_experiment":{"experiment_id":"0"}},"tags":{"a":"b"},
           "assessments":[{"assessment_name":"ok","feedback":{"value":[1.0,{"deep":null}],
           "error":{"error_code":"E"}},"metadata":{"m":"1"}},
           {"assessment_name":"right","expectation":{"value":2}}]}}})"},
      {"POST", v3 + "traces/{trace_id}/assessments", v3 + "traces/<trace>/assessments",
       R"({"assessment":{"assessment_name":"more","feedback":{"value":1}}})"},
      {"PATCH", v3 + "traces/{trace_id}/assessments/{assessment_id}",
       v3 + "traces/<trace>/assessments/<said>",
       R"({"assessment":{"feedback":{"value":2}},"update_mask":"feedback"})"},
      {"DELETE", v3 + "traces/{trace_id}/assessments/{assessment_id}",
       v3 + "traces/<trace>/assessments/<said>", ""},
      {"PATCH", v3 + "traces/{trace_id}/tags", v3 + "traces/<trace>/tags",
       R"({"key":"t","value":"1"})"},
      {"DELETE", v3 + "traces/{trace_id}/tags", v3 + "traces/<trace>/tags", R"({"key":"t"})"},
      {"PATCH", v + "traces/{trace_id}/tags", v + "traces/<trace>/tags",
       R"({"key":"u","value":"1"})"},
      {"DELETE", v + "traces/{trace_id}/tags", v + "traces/<trace>/tags", R"({"key":"u"})"},
      {"POST", v + "traces/link-to-run", "", R"({"trace_ids":["<trace>"],"run_id":"<run>"})"},
      {"POST", v + "traces/link-prompts", "",
       R"({"trace_id":"<trace>","prompt_versions":[{"name":"p","version":"1"}]})"},
      {"POST", v + "traces", "", R"({"experiment_id":"0","timestamp_ms":5})"},
      {"PATCH", v + "traces/{trace_id}", v + "traces/<trace>",
       R"({"timestamp_ms":1700000000000,"status":"OK"})"},
      {"POST", v3 + "traces/delete-traces", "",
       R"({"experiment_id":"0","max_timestamp_millis":10})"},
      {"POST", v + "traces/delete-traces", "",
       R"({"experiment_id":"0","request_ids":["<trace>"]})"},
  };
  return all;
}

// Routes that only read, that write the same however often they are called (a file at its path), or
// that refuse every call.
bool needs_no_key(const std::string& label) {
  for (const std::string_view part :
       {"GET ", "/search", "get-latest-versions", "/test", "mlflow-artifacts/", "upload-artifact",
        "artifacts/presigned", "/batchGetInfos", "/calculate-filter-correlation"}) {
    if (label.find(part) != std::string::npos) return true;
  }
  return false;
}

void put_in(std::string& text, const std::string& word, const std::string& value) {
  const std::size_t found = text.find(word);
  if (found != std::string::npos) text.replace(found, word.size(), value);
}

TEST_F(MlflowTest, every_call_that_writes_is_answered_again_for_its_key_and_done_once) {
  const std::string run = new_run();
  const std::string logged = json_of(post("logged-models", R"({"experiment_id":"0","name":"x"})"))
                                 .find("model")
                                 ->find("info")
                                 ->string_or("model_id", "");
  ASSERT_EQ(post("registered-models/create", R"({"name":"m"})").status, 200);
  const std::string hook = json_of(post("webhooks", R"({"name":"w","url":"https://h/","events":[
          {"entity":"PROMPT","action":"CREATED"}]})"))
                               .find("webhook")
                               ->string_or("webhook_id", "");
  const std::string trace = json_of(post("traces", R"({"experiment_id":"0","timestamp_ms":20})"))
                                .find("trace_info")
                                ->string_or("request_id", "");
  const std::string said =
      json_of(call("POST", "/api/3.0/mlflow/traces/" + trace + "/assessments",
                   R"({"assessment":{"assessment_name":"ok","feedback":{"value":"yes"}}})"))
          .find("assessment")
          ->string_or("assessment_id", "");
  std::set<std::string> left;
  for (const auto& label : router.list()) {
    if (label.find(" /api/") != std::string::npos && !needs_no_key(label)) left.insert(label);
  }
  int number = 0;
  for (Sample sample : samples()) {
    SCOPED_TRACE(sample.method + " " + sample.route);
    left.erase(sample.method + " /api" + sample.route);
    std::string target = "/api" + (sample.target.empty() ? sample.route : sample.target);
    for (std::string* text : {&target, &sample.body}) {
      put_in(*text, "<run>", run);
      put_in(*text, "<logged>", logged);
      put_in(*text, "<hook>", hook);
      put_in(*text, "<trace>", trace);
      put_in(*text, "<said>", said);
    }
    const http::Headers key = {{"Idempotency-Key", "key-" + std::to_string(number++)}};
    const auto first = call(sample.method, target, sample.body, key);
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_FALSE(first.headers.has("Idempotent-Replayed"));
    clock.advance_ms(1000);
    const auto again = call(sample.method, target, sample.body, key);
    EXPECT_EQ(again.status, 200) << again.body;
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.headers.get("Idempotent-Replayed"), "true");
  }
  for (const auto& label : left) ADD_FAILURE() << label << " has no sample";
  EXPECT_EQ(json_of(get("experiments/search?max_results=10")).find("experiments")->items().size(),
            2U);
}

TEST_F(MlflowTest, spans_are_taken_once_for_their_key) {
  const std::string body = R"({"resourceSpans":[{"scopeSpans":[{"spans":[{
      "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a",
      "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000000000001"}]}]}]})";
  const http::Headers headers = {
      {"Idempotency-Key", "k"}, {"x-mlflow-experiment-id", "0"}, {"x-mlflow-run-id", new_run()}};
  const auto first = call("POST", "/v1/traces", body, headers);
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_FALSE(first.headers.has("Idempotent-Replayed"));
  const std::string trace = "tr-5b8efff798038103d269b633813fc60c";
  ASSERT_EQ(
      post("traces/delete-traces", R"({"experiment_id":"0","request_ids":[")" + trace + "\"]}")
          .status,
      200);
  const auto again = call("POST", "/v1/traces", body, headers);
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.headers.get("Idempotent-Replayed"), "true");
  EXPECT_EQ(call("GET", "/api/3.0/mlflow/traces/" + trace).status, 404);
}

// An exporter sends again what is answered with 429, and it would be too large again.
TEST_F(MlflowTest, spans_that_are_too_many_for_a_request_are_a_400) {
  std::string list = "{}";
  for (int i = 0; i < 1'000'000; ++i) list += ",{}";
  const auto answer = call("POST", "/v1/traces", "{\"resourceSpans\":[" + list + "]}",
                           {{"x-mlflow-experiment-id", "0"}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("1000000 values"), std::string::npos) << answer.body;
}

TEST_F(MlflowTest, a_key_is_for_one_request_and_a_call_that_failed_keeps_none) {
  const http::Headers key = {{"Idempotency-Key", "k"}};
  const std::string target = "/api/2.0/mlflow/experiments/create";
  EXPECT_EQ(call("POST", target, R"({"name":"Default"})", key).status, 400);
  EXPECT_EQ(call("POST", target, R"({"name":"e"})", key).status, 200);
  const auto other = call("POST", target, R"({"name":"f"})", key);
  EXPECT_EQ(code_of(other), "400 INVALID_PARAMETER_VALUE");
  EXPECT_NE(other.body.find("with another body"), std::string::npos) << other.body;
  EXPECT_EQ(code_of(call("POST", target, R"({"name":"g"})", {{"Idempotency-Key", "a b"}})),
            "400 BAD_REQUEST");
}

}  // namespace
}  // namespace ciclo::api::mlflow
