// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/registry.h"
#include "sql/database.h"
#include "tracking/trash.h"

namespace ciclo::retention {

// What must stay of what is deleted, and why: the runs and logged models that registered versions
// name, where the files of their packages lie, and what those runs and models rest on in turn (see
// tracking::add_foundations); and folders in which another experiment keeps its artifacts. A value,
// true of the snapshot it was read in.
class Needs {
 public:
  static Result<Needs> read(sql::Reader& reader);

  // nullopt: nothing needs it.
  std::optional<std::string> reason_to_keep(const tracking::Trashed& trashed) const;

 private:
  void add(const registry::VersionOrigin& origin);
  void add_place(const registry::VersionOrigin& origin, std::string_view uri,
                 const std::string& who);

  // By id: `version 3 of model "churn" was made by it`.
  std::map<std::string, std::string> runs_;
  std::map<std::string, std::string> models_;
  // By workspace and path of a package in this server: who it belongs to.
  std::map<std::string, std::string> places_;
  // The same of experiments that keep their artifacts in the folder of another one.
  std::map<std::string, std::string> guests_;
};

}  // namespace ciclo::retention
