// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/artifact_transfers.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "base/text.h"
#include "blob/direct.h"
#include "tracking/transfers.h"

namespace ciclo::api::mlflow {
namespace {

using tracking::ArtifactPath;

constexpr std::int64_t kDownloadUrlSeconds = 300;  // as MLflow's are

// The folder of the address and, as a client names it, the file: of its path only the last part.
Result<ArtifactPath> uploaded_path(const http::Request& request, const Input& input) {
  TRY(const auto folder, ArtifactPath::parse(request.path_value("artifact_path")));
  TRY(const auto path, input.text("path"));
  const std::string_view whole(path);
  const std::size_t slash = whole.rfind('/');
  TRY(const auto name,
      ArtifactPath::parse(slash == std::string_view::npos ? whole : whole.substr(slash + 1)));
  if (name.is_root()) return invalid_argument("path " + quoted(path) + " does not name a file");
  return folder / name;
}

Result<std::string> create(const tracking::Transfers& transfers, const http::Request& request,
                           const Input& input) {
  TRY(const auto path, uploaded_path(request, input));
  TRY(const auto parts, input.integer_or("num_parts", 1));
  TRY(const auto upload, transfers.begin(request.context, path, parts));
  return object([&](json::Writer& out) {
    out.key("upload_id").string(upload.id);
    out.key("credentials").begin_array();
    for (std::size_t i = 0; i < upload.part_urls.size(); ++i) {
      out.begin_object();
      out.key("url").string(upload.part_urls[i]);
      out.key("part_number").integer(static_cast<std::int64_t>(i) + 1);
      out.end_object();
    }
    out.end_array();
  });
}

Result<std::string> complete(const tracking::Transfers& transfers, const http::Request& request,
                             const Input& input) {
  TRY(const auto path, uploaded_path(request, input));
  TRY(const auto id, input.text("upload_id"));
  std::vector<blob::Direct::Part> parts;
  TRY(input.each("parts", [&](const Fields& part) -> Result<void> {
    TRY(const auto number, part.integer("part_number"));
    TRY(auto tag, part.text("etag"));
    parts.push_back({number, std::move(tag)});
    return {};
  }));
  if (parts.empty()) return invalid_argument("missing value for required parameter \"parts\"");
  TRY(transfers.complete(request.context, path, id, parts));
  return std::string("{}");
}

Result<std::string> abort(const tracking::Transfers& transfers, const http::Request& request,
                          const Input& input) {
  TRY(const auto path, uploaded_path(request, input));
  TRY(const auto id, input.text("upload_id"));
  TRY(transfers.abort(request.context, path, id));
  return std::string("{}");
}

Result<std::string> download_url(const tracking::Transfers& transfers,
                                 const http::Request& request) {
  TRY(const auto path, ArtifactPath::parse(request.path_value("artifact_path")));
  TRY(const auto download, transfers.download(request.context, path, kDownloadUrlSeconds));
  return object([&](json::Writer& out) {
    out.key("url").string(download.url);
    out.key("headers").begin_object().end_object();
    out.key("file_size").integer(static_cast<std::int64_t>(download.size));
  });
}

using Step = Result<std::string> (*)(const tracking::Transfers&, const http::Request&,
                                     const Input&);

// Where it is not possible, clients learn that from server-info and do not call this; the answers
// say why they fail.
void add_step(http::Router& router, const tracking::Transfers& transfers, std::string_view name,
              Step step) {
  add_handler(router, "POST",
              "/2.0/mlflow-artifacts/mpu/" + std::string(name) + "/{artifact_path*}",
              [transfers, step](http::Request& request, http::Reply reply) {
                if (!transfers.are_possible()) {
                  return reply.send(error_response(
                      unimplemented("uploads in parts are for object stores that clients reach "
                                    "themselves: PUT the whole file")));
                }
                const auto input = Input::of(request);
                if (!input.ok()) return reply.send(malformed_response(input.error()));
                auto answer = step(transfers, request, *input);
                reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                       : error_response(answer.error()));
              });
}

}  // namespace

void add_transfer_routes(http::Router& router, const Services& services) {
  const tracking::Transfers transfers(services.artifacts, services.blobs);
  add_step(router, transfers, "create", &create);
  add_step(router, transfers, "complete", &complete);
  add_step(router, transfers, "abort", &abort);
  add_handler(router, "GET", "/2.0/mlflow-artifacts/presigned/{artifact_path*}",
              [transfers](http::Request& request, http::Reply reply) {
                if (!transfers.are_possible()) {
                  return reply.send(
                      error_response(unimplemented("files are sent by this server: GET them from "
                                                   "mlflow-artifacts/artifacts, also in ranges")));
                }
                auto answer = download_url(transfers, request);
                reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                       : error_response(answer.error()));
              });
  // As MLflow answers for all artifacts that pass through a server, whatever is behind it.
  for (const std::string_view direction : {"download", "upload"}) {
    add_handler(router, "POST",
                "/2.0/mlflow/artifacts/presigned-" + std::string(direction) + "-url",
                [](http::Request&, http::Reply reply) {
                  reply.send(error_response(
                      invalid_argument("this server moves files itself (mlflow-artifacts:); ask "
                                       "mlflow-artifacts/presigned for a URL of its store")));
                });
  }
}

}  // namespace ciclo::api::mlflow
