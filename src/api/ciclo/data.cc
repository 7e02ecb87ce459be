// SPDX-License-Identifier: Apache-2.0
#include "api/ciclo/answer.h"
#include "api/ciclo/routes.h"
#include "base/text.h"
#include "data/validate.h"

namespace ciclo::api::native {
namespace {

// Statistics are large; lists go without.
json::Value without_statistics(const data::DataSetVersion& version) {
  json::Value all = json::to_value(version);
  auto& members = all.members();
  std::erase_if(members, [](const auto& member) { return member.first == "statistics"; });
  return all;
}

Result<json::Value> list(const Services& services, http::Request& request) {
  TRY(const int limit, limit_of(request));
  TRY(const auto sets,
      services.data_sets.list(request.context, request.query_value("page"), limit));
  json::Value::Array items;
  for (const auto& set : sets) items.push_back(json::to_value(set));
  const bool more = sets.size() == static_cast<std::size_t>(limit);
  return page_of(std::move(items), more ? sets.back().name : "");
}

Result<json::Value> versions(const Services& services, http::Request& request) {
  TRY(const int limit, limit_of(request));
  TRY(const std::int64_t before, number_of(request, "page", 0));
  TRY(const auto log,
      services.data_sets.log(request.context, request.path_value("name"), limit, before));
  json::Value::Array items;
  for (const auto& version : log) items.push_back(without_statistics(version));
  const bool more = log.size() == static_cast<std::size_t>(limit);
  return page_of(std::move(items), more ? std::to_string(log.back().number) : "");
}

// Files that were sent as blobs before.
struct AddBody {
  std::vector<steps::SourceFile> files;
  data::SourceOptions options;
  template <class V>
  void fields(V& v) {
    v("files", files);
    v.or_default("options", options);
  }
};

Result<json::Value> add(const Services& services, http::Request& request) {
  TRY(const auto body, read_body<AddBody>(request));
  TRY(const auto registered, services.data_sets.add_blobs(
                                 request.context, request.path_value("name"),
                                 [&] {
                                   std::vector<data::NamedBlob> blobs;
                                   for (const auto& file : body.files)
                                     blobs.push_back({file.name, file.hash});
                                   return blobs;
                                 }(),
                                 body.options));
  json::Value answer = json::to_value(registered.version);
  answer["created"] = registered.created;
  return answer;
}

struct ValidateBody {
  json::Value schema;  // null: the schema of the version before
  std::string version = "latest";
  template <class V>
  void fields(V& v) {
    v.or_default("schema", schema);
    v.or_default("version", version);
  }
};

Result<json::Value> validate(const Services& services, http::Request& request) {
  TRY(const auto body, read_body<ValidateBody>(request));
  const std::string_view name = request.path_value("name");
  TRY(const auto version, services.data_sets.get(request.context, name, body.version));
  data::Schema schema;
  if (!body.schema.is_null()) {
    TRY(schema, data::schema_from_json(body.schema));
  } else if (version.number > 1) {
    TRY(const auto before,
        services.data_sets.get(request.context, name, std::to_string(version.number - 1)));
    schema = before.schema;
  } else {
    return failed_precondition("data set " + ciclo::quoted(name) +
                               " has no earlier version to compare with; give a schema");
  }
  TRY(const auto found, services.data_sets.validate(request.context, version, schema));
  json::Value answer = json::to_value(found);
  answer["passed"] = found.passed();
  return answer;
}

}  // namespace

void add_data_routes(http::Router& router, const Services& services) {
  router.add("GET", "/api/v1/datasets",
             answering([services](http::Request& request) { return list(services, request); }));
  router.add("GET", "/api/v1/datasets/{name}/versions",
             answering([services](http::Request& request) { return versions(services, request); }));
  router.add("POST", "/api/v1/datasets/{name}/versions",
             answering([services](http::Request& request) { return add(services, request); }));
  router.add("GET", "/api/v1/datasets/{name}/versions/{version}",
             answering([services](http::Request& request) -> Result<json::Value> {
               TRY(const auto version,
                   services.data_sets.get(request.context, request.path_value("name"),
                                          request.path_value("version")));
               return json::to_value(version);
             }));
  router.add("POST", "/api/v1/datasets/{name}/validate",
             answering([services](http::Request& request) { return validate(services, request); }));
}

}  // namespace ciclo::api::native
