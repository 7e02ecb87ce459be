// SPDX-License-Identifier: Apache-2.0
#include "base/config.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace ciclo {
namespace {

Config make_config() {
  return Config({{"http.listen", "127.0.0.1:5080", "address to listen on"},
                 {"http.workers", 16, "threads that run requests"},
                 {"monitor.threshold", 0.2, "PSI that counts as drift"},
                 {"capture", true, "keep every prediction"},
                 {"sql.password", "", "of the database", true}});
}

Result<void> read_text(Config& config, std::string_view text) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "ciclo.yaml";
  TRY(write_file_durably(path, text));
  Result<void> read = config.read_file(path);
  if (read.ok()) return {};
  // The directory has another name each time.
  const std::string& message = read.error().message;
  return Error{read.error().code, message.substr(message.find("ciclo.yaml"))};
}

std::string message_of(std::string_view text) {
  Config config = make_config();
  const auto read = read_text(config, text);
  return read.ok() ? "no error" : read.error().message;
}

TEST(Config, keys_have_their_defaults) {
  const Config config = make_config();
  EXPECT_EQ(config.text("http.listen"), "127.0.0.1:5080");
  EXPECT_EQ(config.integer("http.workers"), 16);
  EXPECT_EQ(config.number("monitor.threshold"), 0.2);
  EXPECT_TRUE(config.boolean("capture"));
}

TEST(Config, the_strongest_source_wins_in_any_order) {
  const char* environment[] = {"CICLO_HTTP_WORKERS=8", "CICLO_CAPTURE=false", "PATH=/bin", nullptr};
  Config config = make_config();
  ASSERT_TRUE(config.set_flag("--http-workers", "4").ok());
  ASSERT_TRUE(config.read_environment(environment).ok());
  ASSERT_TRUE(read_text(config, "http: {workers: 2, listen: '[::1]:80'}\ncapture: true\n").ok());
  EXPECT_EQ(config.integer("http.workers"), 4);
  EXPECT_FALSE(config.boolean("capture"));
  EXPECT_EQ(config.text("http.listen"), "[::1]:80");
}

TEST(Config, every_value_knows_its_origin_and_secrets_are_masked) {
  const char* environment[] = {"CICLO_SQL_PASSWORD=hunter2", nullptr};
  Config config = make_config();
  ASSERT_TRUE(config.read_environment(environment).ok());
  ASSERT_TRUE(config.set_flag("monitor-threshold", "1").ok());
  ASSERT_TRUE(read_text(config, "http:\n  workers: 3\n").ok());
  const auto entries = config.entries();
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries[0].origin, "default");
  EXPECT_TRUE(entries[1].origin.ends_with("ciclo.yaml:2:12")) << entries[1].origin;
  EXPECT_EQ(entries[2].origin, "--monitor-threshold");
  EXPECT_EQ(entries[2].value, json::Value(1.0));
  EXPECT_EQ(entries[4].origin, "CICLO_SQL_PASSWORD");
  EXPECT_EQ(entries[4].value, json::Value("***"));
  EXPECT_EQ(config.text("sql.password"), "hunter2");
}

TEST(Config, unknown_keys_are_refused_with_a_suggestion) {
  EXPECT_EQ(message_of("http:\n  wrokers: 2\n"),
            "ciclo.yaml:2:12: unknown key \"http.wrokers\"; did you mean http.workers?");
  EXPECT_EQ(make_config().set_flag("--http-lisen", "x").error().message,
            "unknown flag --http-lisen; did you mean --http-listen?");
}

TEST(Config, values_of_the_wrong_kind_are_refused) {
  EXPECT_EQ(message_of("http: {workers: many}\n"),
            "ciclo.yaml:1:17: http.workers must be an integer, got \"many\"");
  EXPECT_EQ(message_of("http: 3\n"), "ciclo.yaml:1:7: http holds further keys, got an integer");
  EXPECT_EQ(message_of("- a\n"), "ciclo.yaml:1:1: expected keys and values, got an array");
  EXPECT_EQ(make_config().set_flag("--http-workers", "2.5").error().message,
            "--http-workers: http.workers must be an integer, got \"2.5\"");
  const char* environment[] = {"CICLO_CAPTURE=yes", nullptr};
  EXPECT_EQ(make_config().read_environment(environment).error().message,
            "CICLO_CAPTURE: capture must be true or false, got \"yes\"");
}

TEST(Config, a_wrong_secret_is_not_repeated) {
  EXPECT_EQ(message_of("sql: {password: 123}\n"),
            "ciclo.yaml:1:17: sql.password must be a string, got an integer");
}

TEST(Config, an_empty_file_or_group_changes_nothing) {
  EXPECT_EQ(message_of(""), "no error");
  EXPECT_EQ(message_of("http:\n"), "no error");
  EXPECT_EQ(make_config().read_file("/nonexistent/ciclo.yaml").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace ciclo
