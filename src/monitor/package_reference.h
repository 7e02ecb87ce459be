// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "blob/store.h"
#include "data/statistics.h"
#include "lineage/lineage.h"
#include "monitor/monitor.h"
#include "registry/registry.h"
#include "serve/package_model.h"
#include "tracking/tracking.h"

namespace ciclo::monitor {

// The reference of a column from the statistics of its training data. Text, booleans and numbers of
// few values are compared by value, other numbers by quantiles. nullopt for what no comparison
// makes sense of: times, which always move, and texts that are nearly unique.
std::optional<ColumnReference> column_reference(const data::ColumnStatistics& statistics);

// References from model packages. What a version promised are its run's metrics "test_NAME", or
// "validation_NAME" where the test was not measured; windows of its training rows those that its
// tag kTrainingWindowsTag names. Safe to share between threads.
class PackageReferences final : public ReferenceSource {
 public:
  // All must outlive the references.
  PackageReferences(serve::PackageSource& packages, registry::Registry& registry,
                    tracking::Tracking& tracking, lineage::Lineage& lineage, blob::Store& blobs);

  Result<Reference> reference(const Context& ctx, std::string_view model,
                              std::string_view version) override;

 private:
  Result<std::map<std::string, double>> promised(const Context& ctx,
                                                 const registry::ModelVersion& version);
  Result<void> add_windows(const Context& ctx, const registry::ModelVersion& version,
                           Reference& out);

  serve::PackageSource& packages_;
  registry::Registry& registry_;
  tracking::Tracking& tracking_;
  lineage::Lineage& lineage_;
  blob::Store& blobs_;
};

}  // namespace ciclo::monitor
