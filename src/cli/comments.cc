// SPDX-License-Identifier: Apache-2.0
// What people say about experiments, runs, models and their versions.
#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/clock.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "http/message.h"

namespace ciclo::cli {
namespace {

// "runs/ID", "experiments/ID", "models/NAME", "models/NAME/VERSION" as the path of its comments.
Result<std::string> comments_path(const std::string& subject) {
  const auto parts = split(subject, '/');
  const auto part = [&](std::size_t number) {
    return http::percent_encode(std::string(parts[number]));
  };
  const bool is_model = parts[0] == "models" && (parts.size() == 2 || parts.size() == 3);
  const bool is_other = (parts[0] == "runs" || parts[0] == "experiments") && parts.size() == 2;
  if (!is_model && !is_other) {
    return invalid_argument(
        "a comment is about runs/ID, experiments/ID, "
        "models/NAME or models/NAME/VERSION, not " +
        ciclo::quoted(subject));
  }
  std::string path = "/api/v1/" + part(0) + "/" + part(1);
  if (parts.size() == 3) path += "/versions/" + part(2);
  return path + "/comments";
}

std::string text_or_input(const std::string& text) {
  if (text != "-") return text;
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

void print_text(const json::Value& object) {
  const std::string text = object.string_or("text", "");
  for (const auto line : split(text, '\n')) std::printf("  %s\n", std::string(line).c_str());
}

void print_comment(const json::Value& comment) {
  const auto is_known = [&](std::string_view key) { return comment.integer_or(key, 0) != 0; };
  std::printf("%s  %s, %s%s\n", comment.string_or("comment_id", "").c_str(),
              comment.string_or("author", "").c_str(),
              ago(comment.integer_or("created_ms", 0), SystemClock().now_ms()).c_str(),
              is_known("deleted_ms")  ? ", deleted"
              : is_known("edited_ms") ? ", edited"
                                      : "");
  if (!is_known("deleted_ms")) print_text(comment);
}

std::string path_of(const std::string& id) {
  return "/api/v1/comments/" + http::percent_encode(id);
}

}  // namespace

Result<void> comments_add(Session& session, const std::string& subject, const std::string& text) {
  TRY(const std::string path, comments_path(subject));
  TRY(Api * api, session.api());
  TRY(const json::Value comment,
      api->post(path, json::Value::object({{"text", text_or_input(text)}})));
  session.show(comment, [&] { print_comment(comment); });
  return {};
}

Result<void> comments_list(Session& session, const std::string& subject, std::int64_t limit) {
  TRY(std::string path, comments_path(subject));
  TRY(Api * api, session.api());
  TRY(const json::Value page, api->get(path + "?limit=" + std::to_string(limit)));
  session.show(page, [&] {
    for (const auto& comment : items_of(page)) print_comment(comment);
  });
  return {};
}

Result<void> comments_show(Session& session, const std::string& id) {
  TRY(Api * api, session.api());
  TRY(const json::Value comment, api->get(path_of(id)));
  session.show(comment, [&] {
    print_comment(comment);
    for (const auto& before : items_of(comment, "history")) {
      std::printf("\nuntil %s\n", format_utc(before.integer_or("until_ms", 0)).c_str());
      print_text(before);
    }
  });
  return {};
}

Result<void> comments_edit(Session& session, const std::string& id, const std::string& text) {
  TRY(Api * api, session.api());
  TRY(const json::Value comment,
      api->call("PATCH", path_of(id), json::Value::object({{"text", text_or_input(text)}})));
  session.show(comment, [&] { print_comment(comment); });
  return {};
}

Result<void> comments_delete(Session& session, const std::string& id) {
  TRY(Api * api, session.api());
  TRY(const json::Value comment, api->call("DELETE", path_of(id)));
  session.show(comment, [&] { print_comment(comment); });
  return {};
}

}  // namespace ciclo::cli
