// SPDX-License-Identifier: Apache-2.0
#include "migrate/ciclo_database.h"

#include <limits>

namespace ciclo::migrate {

namespace tracked = tracking::store;

Result<std::vector<ExperimentRecord>> CicloDatabase::experiments() {
  return database_.view(
      [&](sql::Reader& reader) { return tracked::experiment_records(reader, workspace_); });
}

Result<std::vector<RunId>> CicloDatabase::run_ids(std::string_view after, std::int64_t limit) {
  return database_.view([&](sql::Reader& reader) {
    return tracked::run_ids_behind(reader, workspace_, after, limit);
  });
}

Result<std::vector<LoggedModelId>> CicloDatabase::model_ids(std::string_view after,
                                                            std::int64_t limit) {
  return database_.view([&](sql::Reader& reader) {
    return tracked::model_ids_behind(reader, workspace_, after, limit);
  });
}

Result<std::vector<std::string>> CicloDatabase::registered_names(std::string_view after,
                                                                 std::int64_t limit) {
  return database_.view([&](sql::Reader& reader) {
    return registry::store::model_names_behind(reader, workspace_, after, limit);
  });
}

Result<std::vector<RunRecord>> CicloDatabase::runs(std::span<const RunId> ids) {
  return database_.view(
      [&](sql::Reader& reader) { return tracked::run_records(reader, workspace_, ids); });
}

Result<std::vector<ModelRecord>> CicloDatabase::models(std::span<const LoggedModelId> ids) {
  return database_.view(
      [&](sql::Reader& reader) { return tracked::model_records(reader, workspace_, ids); });
}

Result<std::optional<RegisteredRecord>> CicloDatabase::registered(const std::string& name) {
  return database_.view(
      [&](sql::Reader& reader) { return registry::store::find_record(reader, workspace_, name); });
}

Result<void> CicloDatabase::points(std::span<const RunId> ids, const OnPoints& on_points) {
  return database_.read([&](sql::Reader& reader) -> Result<void> {
    Pieces pieces(on_points);
    for (const auto& id : ids) {
      TRY(const auto number, tracked::run_number(reader, id));
      if (!number) continue;
      TRY(const auto keys, tracked::metric_keys(reader, *number));
      for (const auto& key : keys) {
        TRY(tracked::read_points(
            reader, *number, key, nullptr, std::numeric_limits<std::int64_t>::max(),
            [&](const Metric& metric) { return pieces.add(id.str(), metric); }));
      }
    }
    return pieces.flush();
  });
}

}  // namespace ciclo::migrate
