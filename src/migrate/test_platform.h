// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/context.h"
#include "base/file.h"
#include "base/id.h"
#include "base/random.h"
#include "blob/store.h"
#include "events/log.h"
#include "migrate/migration.h"
#include "migrate/test_mlflow.h"
#include "registry/registry.h"
#include "sql/test_database.h"
#include "tracking/tracking.h"

namespace ciclo::migrate {

// For tests: our side and MLflow's, both empty, on the engine of the test.
class PlatformTest : public testing::TestWithParam<sql::Engine> {
 protected:
  PlatformTest() {
    for (const auto module :
         {events::schema(), tracking::schema(), registry::schema(), migrate::schema()}) {
      const auto migrated = sql::migrate(*database, module);
      EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    }
    blobs = blob::open_local((folder.path() / "blobs").string()).value();
  }

  // "" or the message of the error.
  template <class T>
  static std::string message(const Result<T>& result) {
    return result.ok() ? "" : result.error().message;
  }

  Target here() { return {*database, *blobs, clock}; }

  TemporaryDirectory folder;
  Context context;
  SimClock clock;
  SeededRandom random{1};
  IdSource ids{clock, random};
  TestMlflow mlflow{GetParam()};
  sql::TestDatabase database{GetParam()};
  std::unique_ptr<blob::Store> blobs;
  tracking::Tracking tracking{*database, clock, ids, random};
};

}  // namespace ciclo::migrate
