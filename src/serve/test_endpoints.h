// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/random.h"
#include "events/log.h"
#include "serve/endpoints.h"
#include "serve/test_models.h"
#include "sql/database.h"

// For tests: endpoints over an empty SQLite database and test models, in a folder that goes at the
// end.

namespace ciclo::serve {

struct TestEndpoints {
  TestEndpoints() {
    auto opened = sql::open("sqlite:" + (folder.path() / "test.db").string());
    CHECK(opened.ok());
    database = std::move(*opened);
    CHECK(sql::migrate(*database, events::schema()).ok());
    CHECK(sql::migrate(*database, schema()).ok());
    log.emplace(*database, clock);
    capture.emplace(CaptureOptions{.root = folder.path() / "capture"}, clock);
    endpoints.emplace(*database, *log, clock, ids, models, *capture);
    CHECK(endpoints->start().ok());
  }
  // An endpoint of version 1.
  void add(const std::string& name) {
    const auto put = endpoints->put(
        {}, {.name = name, .model = "delays", .alias = "", .version = "1", .monitor = monitor});
    CHECK(put.ok());
  }

  TemporaryDirectory folder;
  SimClock clock{1'400'000'000'000};
  SeededRandom random{7};
  IdSource ids{clock, random};
  std::unique_ptr<sql::Database> database;
  std::optional<events::Log> log;
  TestModels models;
  json::Value monitor;
  std::optional<Capture> capture;
  std::optional<Endpoints> endpoints;
};

}  // namespace ciclo::serve
