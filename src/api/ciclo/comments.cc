// SPDX-License-Identifier: Apache-2.0
#include "tracking/comments.h"
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/text.h"

// What people say about experiments, runs, models and versions.

namespace ciclo::api::native {
namespace {

using tracking::Commented;
using tracking::CommentId;

// What the path of a request is about.
using Subject = std::function<Result<Commented>(const Services&, const http::Request&)>;

Result<Commented> experiment_of(const Services& services, const http::Request& request) {
  return services.tracking.commented(request.context,
                                     tracking::ExperimentId(std::string(request.path_value("id"))));
}

Result<Commented> run_of(const Services& services, const http::Request& request) {
  return services.tracking.commented(request.context,
                                     tracking::RunId(std::string(request.path_value("id"))));
}

Result<Commented> model_of(const Services& services, const http::Request& request) {
  return services.registry.commented(request.context, std::string(request.path_value("name")));
}

Result<Commented> version_of(const Services& services, const http::Request& request) {
  const auto number = parse_int(request.path_value("version"));
  if (!number) {
    return invalid_argument("a version is a number, got " +
                            ciclo::quoted(request.path_value("version")));
  }
  return services.registry.commented(request.context, std::string(request.path_value("name")),
                                     *number);
}

struct TextBody {
  std::string text;
  template <class V>
  void fields(V& v) {
    v("text", text);
  }
};

Result<json::Value> add(const Services& services, http::Request& request, const Subject& subject) {
  TRY(const auto body, read_body<TextBody>(request));
  TRY(const auto about, subject(services, request));
  TRY(const auto comment, services.comments.add(request.context, about, body.text));
  return json::to_value(comment);
}

Result<json::Value> list(const Services& services, http::Request& request, const Subject& subject) {
  TRY(const int limit, limit_of(request));
  TRY(const auto about, subject(services, request));
  TRY(const auto comments,
      services.comments.list(request.context, about, request.query_value("page"), limit));
  json::Value::Array items;
  for (const auto& comment : comments) items.push_back(json::to_value(comment));
  const bool more = comments.size() == static_cast<std::size_t>(limit);
  return page_of(std::move(items), more ? comments.back().comment_id.str() : "");
}

CommentId id_of(const http::Request& request) {
  return CommentId(std::string(request.path_value("comment_id")));
}

Result<json::Value> show(const Services& services, http::Request& request) {
  TRY(const auto comment, services.comments.get(request.context, id_of(request)));
  TRY(const auto history, services.comments.history(request.context, id_of(request)));
  json::Value all = json::to_value(comment);
  all["history"] = json::to_value(history);
  return all;
}

Result<json::Value> edit(const Services& services, http::Request& request) {
  TRY(const auto body, read_body<TextBody>(request));
  TRY(const auto comment, services.comments.edit(request.context, id_of(request), body.text));
  return json::to_value(comment);
}

Result<json::Value> remove(const Services& services, http::Request& request) {
  TRY(const auto comment, services.comments.remove(request.context, id_of(request)));
  return json::to_value(comment);
}

}  // namespace

void add_comment_routes(http::Router& router, const Services& services) {
  const auto add_both = [&](const std::string& path, const Subject& subject) {
    router.add("GET", path, answering([services, subject](http::Request& request) {
                 return list(services, request, subject);
               }));
    router.add("POST", path, answering([services, subject](http::Request& request) {
                 return add(services, request, subject);
               }));
  };
  add_both("/api/v1/experiments/{id}/comments", experiment_of);
  add_both("/api/v1/runs/{id}/comments", run_of);
  add_both("/api/v1/models/{name}/comments", model_of);
  add_both("/api/v1/models/{name}/versions/{version}/comments", version_of);
  const std::string one = "/api/v1/comments/{comment_id}";
  router.add("GET", one,
             answering([services](http::Request& request) { return show(services, request); }));
  router.add("PATCH", one,
             answering([services](http::Request& request) { return edit(services, request); }));
  router.add("DELETE", one,
             answering([services](http::Request& request) { return remove(services, request); }));
}

}  // namespace ciclo::api::native
