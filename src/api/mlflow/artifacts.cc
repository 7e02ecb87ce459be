// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "api/mlflow/answer.h"
#include "api/mlflow/artifact_transfers.h"
#include "api/mlflow/messages.h"
#include "base/log.h"
#include "base/text.h"
#include "blob/remote.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::ArtifactFile;
using tracking::ArtifactPath;

// Never a type that a browser runs: HTML and SVG are shown as text by what opens them from here.
std::string_view content_type(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kTypes = {{
      {".json", "application/json"}, {".txt", "text/plain"},      {".log", "text/plain"},
      {".yaml", "text/plain"},       {".yml", "text/plain"},      {".py", "text/plain"},
      {".md", "text/plain"},         {".csv", "text/csv"},        {".tsv", "text/plain"},
      {".html", "text/html"},        {".svg", "image/svg+xml"},   {".png", "image/png"},
      {".jpg", "image/jpeg"},        {".jpeg", "image/jpeg"},     {".gif", "image/gif"},
      {".webp", "image/webp"},       {".pdf", "application/pdf"}, {".mp4", "video/mp4"},
      {".wav", "audio/wav"},         {".zip", "application/zip"}, {".cfg", "text/plain"},
      {"MLmodel", "text/plain"},
  }};
  const std::string lower = to_lower_ascii(name);
  for (const auto& [ending, type] : kTypes) {
    if (lower.ends_with(ending) || name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

// RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text.data(), length);
}

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// One range of bytes (RFC 9110, 14.1.2). Nothing for a header that must be ignored: another unit,
// several ranges, nonsense. A length of 0: not satisfiable.
std::optional<Range> range_of(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos || header.find(',') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
    const bool is_number =
        !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    const auto value = is_number ? parse_int(text) : std::nullopt;
    if (!value) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
  };
  const std::string_view first_text = header.substr(0, dash);
  const std::string_view last_text = header.substr(dash + 1);
  const auto last = number(last_text);
  if (first_text.empty()) {
    if (!last) return std::nullopt;
    const std::uint64_t length = std::min(*last, size);
    return Range{size - length, length};
  }
  const auto first = number(first_text);
  if (!first || (!last && !last_text.empty()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Range{0, 0};
  const std::uint64_t end = last ? std::min(*last + 1, size) : size;
  return Range{*first, end - *first};
}

Result<std::optional<std::string>> path_at_hand(blob::Store& blobs, const blob::Hash& hash) {
  if (blob::Remote* remote = blob::remote_of(blobs); remote != nullptr) {
    return remote->copy_at_hand(hash);
  }
  TRY(auto path, blobs.local_path(hash));
  return std::optional(std::move(path));
}

// From a store that is not on this machine, as its pieces come. The status is sent with the first,
// so that a value which cannot be read is answered as an error.
void pass_on(blob::Store& blobs, http::Reply reply, int status, http::Headers headers,
             const blob::Hash& hash, const Range& range, bool wants_body) {
  headers.add("Content-Length", std::to_string(range.length));
  std::unique_ptr<http::Stream> stream;
  const auto begin = [&] {
    if (!stream) stream = reply.stream(status, std::move(headers));
  };
  const std::uint64_t wanted = wants_body ? range.length : 0;
  const auto read =
      blobs.read(hash, range.offset, wanted, [&](std::string_view piece) -> Result<void> {
        begin();
        return stream->write(piece);
      });
  if (!read.ok() && !stream) return reply.send(error_response(read.error()));
  begin();
  const auto sent = read.ok() ? stream->finish() : read;
  if (sent.ok() || stream->closed()) return;
  log::warn("an artifact's bytes could not be sent to their end",
            {{"blob", hash}, {"error", sent.error().message}});
}

void send_content(const Services& services, const http::Request& request, http::Reply reply,
                  const ArtifactFile& file) {
  const std::string_view name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
  const std::string etag = "\"" + file.hash + "\"";
  http::Headers headers{
      {"Content-Type", std::string(content_type(name))},
      {"Content-Disposition", "attachment; filename*=UTF-8''" + http::percent_encode(name)},
      {"X-Content-Type-Options", "nosniff"},
      {"Content-Security-Policy", "sandbox; default-src 'none'"},
      {"Accept-Ranges", "bytes"},
      {"Cache-Control", "no-cache"},
      {"ETag", etag},
      {"Last-Modified", http_date(file.modified_ms)}};
  if (request.headers.get("If-None-Match") == etag) {
    return reply.send({304, std::move(headers), ""});
  }
  Range range{0, file.size};
  int status = 200;
  const std::string_view condition = request.headers.get("If-Range");
  const auto asked = condition.empty() || condition == etag
                         ? range_of(request.headers.get("Range"), file.size)
                         : std::nullopt;
  if (asked && asked->length == 0) {
    headers.add("Content-Range", "bytes */" + std::to_string(file.size));
    return reply.send({416, std::move(headers), ""});
  }
  if (asked) {
    range = *asked;
    status = 206;
    headers.add("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                     std::to_string(range.offset + range.length - 1) + "/" +
                                     std::to_string(file.size));
  }
  const auto local = path_at_hand(services.blobs, file.hash);
  if (!local.ok()) return reply.send(error_response(local.error()));
  if (*local) {
    return reply.send_file(status, std::move(headers), **local, range.offset, range.length);
  }
  pass_on(services.blobs, std::move(reply), status, std::move(headers), file.hash, range,
          request.method != "HEAD");
}

Result<ArtifactFile> file_at(const Services& services, const Context& context,
                             const ArtifactPath& path) {
  TRY(auto file, services.artifacts.stat(context, path));
  if (file.is_directory) {
    return invalid_argument("artifact " + quoted(path.str()) + " is a directory, not a file");
  }
  return file;
}

void download(const Services& services, const http::Request& request, http::Reply reply,
              const Result<ArtifactPath>& path) {
  if (!path.ok()) return reply.send(error_response(path.error()));
  const auto file = file_at(services, request.context, *path);
  if (!file.ok()) return reply.send(error_response(file.error()));
  send_content(services, request, std::move(reply), *file);
}

void upload(const Services& services, http::Request& request, http::Reply reply,
            const Result<ArtifactPath>& path) {
  if (!path.ok()) return reply.send(error_response(path.error()));
  const auto stored =
      services.artifacts.put(request.context, *path, [&](blob::Writer& writer) -> Result<void> {
        return request.body->read([&](std::string_view piece) { return writer.write(piece); });
      });
  reply.send(stored.ok() ? http::Response::json("{}") : error_response(stored.error()));
}

std::string files_text(std::string_view root_uri, const std::string& prefix,
                       const std::vector<ArtifactFile>& files) {
  return object([&](json::Writer& out) {
    if (!root_uri.empty()) out.key("root_uri").string(root_uri);
    list_if_any(out, "files", files, [&](const ArtifactFile& file) {
      out.begin_object();
      out.key("path").string(prefix.empty() ? file.path : prefix + "/" + file.path);
      out.key("is_dir").boolean(file.is_directory);
      if (!file.is_directory) out.key("file_size").integer(static_cast<std::int64_t>(file.size));
      out.end_object();
    });
  });
}

// A path below the artifacts of a run, a logged model or a version.
Result<ArtifactPath> below(std::string_view root_uri, std::string_view path) {
  TRY(const auto root, ArtifactPath::from_uri(root_uri));
  TRY(const auto tail, ArtifactPath::parse(path));
  return root / tail;
}

Result<std::string> list_below(const Services& services, const Context& context,
                               const std::string& root_uri, const std::string& path) {
  TRY(const auto directory, below(root_uri, path));
  TRY(const auto prefix, ArtifactPath::parse(path));
  TRY(const auto files, services.artifacts.list(context, directory));
  return files_text(root_uri, prefix.str(), files);
}

Result<std::string> list_of_run(const Services& services, const Context& context,
                                const Input& input) {
  TRY(const auto id, input.run_id());
  TRY(const auto path, input.text_or_empty("path"));
  TRY(const auto run, services.tracking.run_info(context, id));
  return list_below(services, context, run.artifact_uri, path);
}

Result<std::string> list_of_model(const Services& services, const Context& context,
                                  std::string_view model_id, const Input& input) {
  TRY(const auto path, input.text_or_empty("artifact_directory_path"));
  TRY(const auto model,
      services.logged_models.get(context, tracking::LoggedModelId(std::string(model_id))));
  return list_below(services, context, model.artifact_location, path);
}

// What the proxy lists has names relative to the directory.
Result<std::string> list_of_proxy(const Services& services, const Context& context,
                                  const Input& input) {
  TRY(const auto text, input.text_or_empty("path"));
  TRY(const auto path, ArtifactPath::parse(text));
  TRY(const auto files, services.artifacts.list(context, path));
  return files_text("", "", files);
}

Result<ArtifactPath> path_in_run(const Services& services, const http::Request& request) {
  std::string_view id = request.query_value("run_id");
  if (id.empty()) id = request.query_value("run_uuid");
  TRY(const auto run,
      services.tracking.run_info(request.context, tracking::RunId(std::string(id))));
  return below(run.artifact_uri, request.query_value("path"));
}

// "run_uuid" and "path" of a query, below the run's artifacts; a path is needed.
Result<ArtifactPath> upload_path_in_run(const Services& services, const http::Request& request) {
  if (request.query_value("run_uuid").empty()) {
    return invalid_argument("missing value for required parameter \"run_uuid\"");
  }
  if (request.query_value("path").empty()) {
    return invalid_argument("missing value for required parameter \"path\"");
  }
  return path_in_run(services, request);
}

Result<ArtifactPath> path_in_model(const Services& services, const http::Request& request) {
  if (request.query_value("artifact_file_path").empty()) {
    return invalid_argument("missing value for required parameter \"artifact_file_path\"");
  }
  const tracking::LoggedModelId id(std::string(request.path_value("model_id")));
  TRY(const auto model, services.logged_models.get(request.context, id));
  return below(model.artifact_location, request.query_value("artifact_file_path"));
}

Result<ArtifactPath> path_in_version(const Services& services, const http::Request& request) {
  const auto number = parse_int(request.query_value("version"));
  if (!number) return invalid_argument("version: an integer is needed");
  TRY(const auto version, services.registry.version(
                              request.context, std::string(request.query_value("name")), *number));
  return below(version.storage_uri, request.query_value("path"));
}

// The spans of a trace as the file traces.json that its client would have written.
void send_trace_data(const Services& services, http::Request& request, http::Reply reply) {
  const tracking::TraceId id(std::string(request.query_value("request_id")));
  if (id.empty()) {
    return reply.send(
        error_response(invalid_argument("missing value for required parameter \"request_id\"")));
  }
  const auto texts = services.traces.span_texts(request.context, id);
  if (!texts.ok()) return reply.send(error_response(texts.error()));
  const std::string_view attachment = request.query_value("path");
  if (*texts && attachment.empty()) {
    std::string body = "{\"spans\":[";
    for (const auto& text : **texts) body += (body.back() == '[' ? "" : ",") + text;
    http::Response response = http::Response::json(body + "]}");
    response.headers.set("Content-Disposition", "attachment; filename=traces.json");
    response.headers.set("X-Content-Type-Options", "nosniff");
    return reply.send(std::move(response));
  }
  const auto path = [&]() -> Result<ArtifactPath> {
    TRY(const auto info, services.traces.info(request.context, id));
    for (const auto& tag : info.tags) {
      if (tag.key != "mlflow.artifactLocation") continue;
      return below(tag.value,
                   attachment.empty() ? "traces.json" : "attachments/" + std::string(attachment));
    }
    return not_found("trace " + id.str() + " has no files");
  };
  download(services, request, std::move(reply), path());
}

void add_proxy_routes(http::Router& router, const Services& services) {
  const std::string base = "/2.0/mlflow-artifacts/artifacts";
  const auto path_of = [](const http::Request& request) {
    return ArtifactPath::parse(request.path_value("artifact_path"));
  };
  add_call(router, "GET", base, [services](const Context& context, const Input& input) {
    return list_of_proxy(services, context, input);
  });
  add_handler(router, "GET", base + "/{artifact_path*}",
              [services, path_of](http::Request& request, http::Reply reply) {
                download(services, request, std::move(reply), path_of(request));
              });
  add_handler(router, "PUT", base + "/{artifact_path*}",
              [services, path_of](http::Request& request, http::Reply reply) {
                upload(services, request, std::move(reply), path_of(request));
              },
              {.stream_body = true});
  add_handler(
      router, "DELETE", base + "/{artifact_path*}",
      [services, path_of](http::Request& request, http::Reply reply) {
        const auto path = path_of(request);
        if (!path.ok()) return reply.send(error_response(path.error()));
        const auto removed = services.artifacts.remove(request.context, *path);
        reply.send(removed.ok() ? http::Response::json("{}") : error_response(removed.error()));
      });
}

}  // namespace

void add_artifact_routes(http::Router& router, const Services& services) {
  add_proxy_routes(router, services);
  add_call(router, "GET", "/2.0/mlflow/artifacts/list",
           [services](const Context& context, const Input& input) {
             return list_of_run(services, context, input);
           });
  add_handler(router, "GET", "/2.0/mlflow/logged-models/{model_id}/artifacts/directories",
              [services](http::Request& request, http::Reply reply) {
                const auto input = Input::of(request);
                if (!input.ok()) return reply.send(malformed_response(input.error()));
                auto answer = list_of_model(services, request.context,
                                            request.path_value("model_id"), *input);
                reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                       : error_response(answer.error()));
              });
  add_transfer_routes(router, services);
  add_handler(router, "GET", "/2.0/mlflow/logged-models/{model_id}/artifacts/files",
              [services](http::Request& request, http::Reply reply) {
                download(services, request, std::move(reply), path_in_model(services, request));
              });
  add_handler(router, "POST", "/2.0/mlflow/upload-artifact",
              [services](http::Request& request, http::Reply reply) {
                upload(services, request, std::move(reply), upload_path_in_run(services, request));
              },
              {.stream_body = true});
  const auto get_artifact = [services](http::Request& request, http::Reply reply) {
    download(services, request, std::move(reply), path_in_run(services, request));
  };
  const auto get_version_artifact = [services](http::Request& request, http::Reply reply) {
    download(services, request, std::move(reply), path_in_version(services, request));
  };
  for (const std::string_view version : {"2.0", "3.0"}) {
    router.add("GET", "/ajax-api/" + std::string(version) + "/mlflow/get-trace-artifact",
               [services](http::Request& request, http::Reply reply) {
                 send_trace_data(services, request, std::move(reply));
               });
  }
  router.add("GET", "/get-artifact", get_artifact);
  router.add("GET", "/model-versions/get-artifact", get_version_artifact);
}

}  // namespace ciclo::api::mlflow
