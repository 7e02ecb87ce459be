// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "http/message.h"

// The past of the registry: how models stood at a moment, and what happened to one.

namespace ciclo::cli {
namespace {

std::string text_of(const json::Value& object, const char* name) {
  const json::Value* value = object.find(name);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? value->string() : json::dump(*value);
}

// "champion, blue" for version 3.
std::string aliases_of(const json::Value& model, std::int64_t version) {
  std::vector<std::string> names;
  if (const json::Value* aliases = model.find("aliases")) {
    for (const auto& [alias, points_at] : aliases->members()) {
      if (points_at == json::Value(version)) names.push_back(alias);
    }
  }
  return names.empty() ? "-" : join(names, ", ");
}

// The endpoints that served it.
std::string endpoints_of(const json::Value& model, const std::string& version) {
  std::vector<std::string> names;
  for (const auto& one : items_of(model, "deployments")) {
    if (version.empty() || text_of(one, "version") == version) {
      names.push_back(text_of(one, "endpoint") +
                      (version.empty() ? ":" + text_of(one, "version") : ""));
    }
  }
  return names.empty() ? "-" : join(names, ", ");
}

std::string with_moment(std::string path, const std::string& as_of) {
  return path + "?as_of=" + http::percent_encode(as_of);
}

// "champion → 3 (before: 2)"
std::string what_of(const json::Value& item) {
  const std::string kind = text_of(item, "kind");
  const std::string previous = text_of(item, "previous");
  const std::string before = previous == "-" ? "" : " (before: " + previous + ")";
  if (kind == "alias.moved") {
    const std::string to = text_of(item, "version");
    return text_of(item, "alias") + (to == "-" ? " removed" : " → " + to) + before;
  }
  if (kind == "model.renamed" || kind == "stage.changed") return text_of(item, "value") + before;
  if (kind.starts_with("endpoint.")) return text_of(item, "endpoint") + before;
  return kind == "version.created" ? text_of(item, "source") : "";
}

std::string why_of(const json::Value& item) {
  for (const char* name : {"reason", "gate"}) {
    if (const std::string text = text_of(item, name); text != "-") return text;
  }
  return "";
}

}  // namespace

Result<void> models_list_as_of(Session& session, const std::string& as_of) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get(with_moment("/api/v1/models", as_of)));
  session.show(page, [&] {
    Table table({"model", "versions", "champion", "serves"});
    for (const auto& model : items_of(page)) {
      const json::Value* aliases = model.find("aliases");
      table.add({text_of(model, "name"), std::to_string(items_of(model, "versions").size()),
                 aliases == nullptr ? "-" : text_of(*aliases, "champion"),
                 endpoints_of(model, "")});
    }
    table.print();
  });
  return {};
}

Result<void> models_show_as_of(Session& session, const std::string& name,
                               const std::string& as_of) {
  TRY(Api * api, session.api());
  TRY(const json::Value model,
      api->get(with_moment("/api/v1/models/" + http::percent_encode(name), as_of)));
  session.show(model, [&] {
    std::printf("%s at %s\n\n", name.c_str(), format_utc(model.integer_or("as_of_ms", 0)).c_str());
    Table table({"version", "run", "stage", "aliases", "served by", "made"});
    for (const auto& version : items_of(model, "versions")) {
      const std::int64_t number = version.integer_or("version", 0);
      table.add({std::to_string(number), text_of(version, "run_id"), text_of(version, "stage"),
                 aliases_of(model, number), endpoints_of(model, std::to_string(number)),
                 format_utc(version.integer_or("created_ms", 0))});
    }
    table.print();
  });
  return {};
}

Result<void> models_history(Session& session, const std::string& name, std::int64_t limit) {
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get("/api/v1/models/" + http::percent_encode(name) +
                                       "/history?limit=" + std::to_string(limit)));
  session.show(page, [&] {
    Table table({"when", "by", "event", "version", "what", "why"});
    for (const auto& item : items_of(page)) {
      table.add({format_utc(item.integer_or("time_ms", 0)), text_of(item, "caller"),
                 text_of(item, "kind"), text_of(item, "version"), what_of(item), why_of(item)});
    }
    table.print();
  });
  return {};
}

}  // namespace ciclo::cli
