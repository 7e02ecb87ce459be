// SPDX-License-Identifier: Apache-2.0
// Commands that show what there is: data, models, endpoints, status.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/submission.h"
#include "cli/table.h"
#include "cli/tracked.h"
#include "http/message.h"

namespace ciclo::cli {
namespace {

void print_findings(const json::Value& validation) {
  for (const auto& finding : items_of(validation, "findings")) {
    std::printf("%s: %s\n", finding.string_or("severity", "").c_str(),
                finding.string_or("message", "").c_str());
  }
}

}  // namespace

Result<void> data_add(Session& session, const DataAddOptions& options) {
  TRY(Api * api, session.api_or_new());
  TRY(const auto files, expand_below(".", options.files));
  json::Value list = json::Value::array();
  for (const auto& file : files) {
    TRY(const std::string hash, api->upload(file));
    list.push_back(json::Value::object(
        {{"name", std::filesystem::path(file).filename().string()}, {"hash", hash}}));
  }
  json::Value body = json::Value::object({{"files", std::move(list)}});
  if (!options.format.empty()) body["options"]["format"] = options.format;
  TRY(const json::Value version,
      api->post(path_of("/api/v1/datasets/", options.name, "/versions"), body));
  session.show(version, [&] {
    std::printf("%s version %s: %s rows, %s%s\n", options.name.c_str(),
                cell(version, "number").c_str(), count_text(version.integer_or("rows", 0)).c_str(),
                bytes_text(version.integer_or("bytes", 0)).c_str(),
                version.boolean_or("created", true) ? "" : " (the same content was there already)");
  });
  return {};
}

Result<void> data_list(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get("/api/v1/datasets?limit=1000"));
  session.show(page, [&] {
    Table table({"data set", "latest", "updated"});
    for (const auto& item : items_of(page)) {
      table.add({cell(item, "name"), cell(item, "latest"),
                 ago(item.integer_or("updated_ms", 0), now_ms())});
    }
    table.print();
  });
  return {};
}

Result<void> data_show(Session& session, const std::string& name) {
  TRY(Api * api, session.api());
  TRY(const json::Value version, api->get(path_of("/api/v1/datasets/", name, "/versions/latest")));
  session.show(version, [&] {
    std::printf("%s version %s: %s rows, %s, hash %s\n\n", name.c_str(),
                cell(version, "number").c_str(), count_text(version.integer_or("rows", 0)).c_str(),
                bytes_text(version.integer_or("bytes", 0)).c_str(),
                cell(version, "hash").substr(0, 12).c_str());
    Table table({"column", "type", "nulls", "distinct", "min", "mean", "max", "most frequent"});
    const json::Value* statistics = version.find("statistics");
    for (const auto& column : items_of(statistics, "columns")) {
      const auto& top = items_of(column, "top");
      table.add({cell(column, "name"), cell(column, "type"), cell(column, "nulls"),
                 cell(column, "distinct"), cell(column, "min"), cell(column, "mean"),
                 cell(column, "max"), top.empty() ? "-" : cell(top.front(), "value")});
    }
    table.print();
  });
  return {};
}

Result<void> data_log(Session& session, const std::string& name) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get(path_of("/api/v1/datasets/", name, "/versions")));
  session.show(page, [&] {
    Table table({"version", "rows", "size", "hash", "made"});
    for (const auto& item : items_of(page)) {
      table.add({cell(item, "number"), count_text(item.integer_or("rows", 0)),
                 bytes_text(item.integer_or("bytes", 0)), cell(item, "hash").substr(0, 12),
                 ago(item.integer_or("created_ms", 0), now_ms())});
    }
    table.print();
  });
  return {};
}

Result<void> data_validate(Session& session, const std::string& name,
                           const std::string& schema_file) {
  TRY(Api * api, session.api());
  json::Value body = json::Value::object();
  if (!schema_file.empty()) {
    TRY(const std::string text, read_file(schema_file));
    auto schema = data::read_schema(text);
    if (!schema.ok()) return schema.error().with_context(schema_file);
    TRY(body["schema"], json::parse(data::to_json(*schema)));
  }
  TRY(const json::Value found, api->post(path_of("/api/v1/datasets/", name, "/validate"), body));
  const bool passed = found.boolean_or("passed", false);
  session.show(found, [&] {
    print_findings(found);
    std::printf("%s: %s\n", name.c_str(), passed ? "keeps to the schema" : "breaks the schema");
  });
  if (passed) return {};
  return failed_precondition("data set " + ciclo::quoted(name) + " breaks its schema");
}

namespace {

// What all pages of a search hold below `list`, or the first `limit` of them.
Result<json::Value::Array> all_pages(Api& api, const std::string& path, const char* list,
                                     std::int64_t limit) {
  json::Value::Array found;
  std::string token;
  do {
    TRY(const json::Value page,
        api.get(token.empty() ? path : path + "&page_token=" + http::percent_encode(token)));
    const auto& items = items_of(page, list);
    found.insert(found.end(), items.begin(), items.end());
    token = page.string_or("next_page_token", "");
  } while (!token.empty() && std::ssize(found) < limit);
  if (std::ssize(found) > limit) found.resize(static_cast<std::size_t>(limit));
  return found;
}

Result<json::Value::Array> find_models(Api& api, const ListOptions& options) {
  constexpr std::int64_t kPerPage = 1000;
  const std::int64_t limit = options.limit > 0 ? options.limit : INT64_MAX;
  std::string path = "/api/2.0/mlflow/registered-models/search?max_results=" +
                     std::to_string(std::min(limit, kPerPage));
  if (!options.filter.empty()) path += "&filter=" + http::percent_encode(options.filter);
  for (const auto& order : options.order_by) path += "&order_by=" + http::percent_encode(order);
  return all_pages(api, path, "registered_models", limit);
}

Result<json::Value::Array> find_versions(Api& api, const std::string& model) {
  const auto name = literal(model);
  if (!name) {
    return invalid_argument("the versions of model " + ciclo::quoted(model) +
                            " cannot be asked for: a filter takes no name with both ' and \"");
  }
  return all_pages(api,
                   "/api/2.0/mlflow/model-versions/search?max_results=1000&filter=" +
                       http::percent_encode("name = " + *name),
                   "model_versions", INT64_MAX);
}

}  // namespace

Result<void> models_list(Session& session, const ListOptions& options) {
  TRY(Api * api, session.api());
  TRY(const auto found, find_models(*api, options));
  const json::Value page = json::Value::object({{"registered_models", found}});
  session.show(page, [&] {
    Table table({"model", "latest", "champion", "updated"});
    for (const auto& model : items_of(page, "registered_models")) {
      std::string champion = "-";
      for (const auto& alias : items_of(model, "aliases")) {
        if (alias.string_or("alias", "") == "champion") champion = cell(alias, "version");
      }
      const auto& latest = items_of(model, "latest_versions");
      table.add({cell(model, "name"), latest.empty() ? "-" : cell(latest.front(), "version"),
                 champion, ago(integer_of(model, "last_updated_timestamp"), now_ms())});
    }
    table.print();
  });
  return {};
}

Result<void> models_show(Session& session, const std::string& name) {
  TRY(Api * api, session.api());
  TRY(const json::Value model,
      api->get("/api/2.0/mlflow/registered-models/get?name=" + http::percent_encode(name)));
  TRY(const auto versions, find_versions(*api, name));
  TRY(const json::Value history, api->get(path_of("/api/v1/models/", name, "/aliases/history")));
  const json::Value document = json::Value::object({{"model", *model.find("registered_model")},
                                                    {"versions", versions},
                                                    {"alias_history", items_of(history)}});
  session.show(document, [&] {
    Table table({"version", "run", "aliases", "made"});
    for (const auto& version : versions) {
      std::vector<std::string> aliases;
      for (const auto& alias : items_of(version, "aliases")) aliases.push_back(alias.string());
      table.add({cell(version, "version"), cell(version, "run_id"), join(aliases, ", "),
                 ago(integer_of(version, "creation_timestamp"), now_ms())});
    }
    table.print();
    std::printf("\ndeployment history\n");
    Table moves({"alias", "version", "before", "when", "by", "reason"});
    for (const auto& move : items_of(history)) {
      moves.add({cell(move, "alias"), cell(move, "version"), cell(move, "previous"),
                 ago(move.integer_or("time_ms", 0), now_ms()), cell(move, "caller"),
                 cell(move, "reason")});
    }
    moves.print();
  });
  return {};
}

Result<void> models_promote(Session& session, const std::string& name, std::int64_t version,
                            const std::string& alias) {
  TRY(Api * api, session.api());
  const json::Value body =
      json::Value::object({{"name", name}, {"alias", alias}, {"version", std::to_string(version)}});
  TRY(api->post("/api/2.0/mlflow/registered-models/alias", body));
  session.show(body, [&] {
    std::printf("%s of %s is now version %lld\n", alias.c_str(), name.c_str(),
                static_cast<long long>(version));
  });
  return {};
}

Result<void> endpoints_list(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get("/api/v1/endpoints"));
  session.show(page, [&] {
    Table table({"endpoint", "model", "version", "state", "requests", "p50 µs", "p99 µs"});
    for (const auto& item : items_of(page)) {
      const json::Value* stats = item.find("stats");
      const json::Value none = json::Value::object();
      const json::Value& numbers = stats == nullptr ? none : *stats;
      table.add({cell(item, "name"), cell(item, "model"), cell(item, "serving_version"),
                 cell(item, "state"), cell(numbers, "requests"), cell(numbers, "p50_us"),
                 cell(numbers, "p99_us")});
    }
    table.print();
  });
  return {};
}

Result<void> status(Session& session) {
  TRY(Api * api, session.api());
  TRY(const json::Value answer, api->get("/api/v1/status"));
  TRY(const json::Value runs, api->get("/api/v1/pipeline-runs?limit=5"));
  TRY(const json::Value endpoints, api->get("/api/v1/endpoints"));
  TRY(const json::Value alerts, api->get("/api/v1/alerts?limit=5"));
  json::Value document = answer;
  document["pipeline_runs"] = items_of(runs);
  document["endpoints"] = items_of(endpoints);
  document["alerts"] = items_of(alerts);
  session.show(document, [&] {
    std::printf("ciclo %s at %s, %s\n\n", cell(answer, "version").c_str(), api->target().c_str(),
                cell(answer, "database").c_str());
    Table pipelines({"pipeline run", "pipeline", "state", "started"});
    for (const auto& run : items_of(runs)) {
      pipelines.add({cell(run, "pipeline_run_id"), cell(run, "pipeline"), cell(run, "state"),
                     ago(run.integer_or("created_ms", 0), now_ms())});
    }
    pipelines.print();
    std::printf("\n");
    Table serving({"endpoint", "model", "version", "state"});
    for (const auto& endpoint : items_of(endpoints)) {
      serving.add({cell(endpoint, "name"), cell(endpoint, "model"),
                   cell(endpoint, "serving_version"), cell(endpoint, "state")});
    }
    serving.print();
    if (items_of(alerts).empty()) return;
    std::printf("\n");
    Table raised({"alert", "endpoint", "version", "window"});
    for (const auto& alert : items_of(alerts)) {
      raised.add({cell(alert, "kind"), cell(alert, "endpoint"), cell(alert, "version"),
                  format_utc(alert.integer_or("start_ms", 0)).substr(0, 10)});
    }
    raised.print();
  });
  return {};
}

}  // namespace ciclo::cli
