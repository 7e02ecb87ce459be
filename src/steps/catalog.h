// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "blob/store.h"
#include "data/datasets.h"
#include "lineage/lineage.h"
#include "pipeline/catalog.h"
#include "registry/registry.h"
#include "serve/endpoints.h"
#include "steps/model_runs.h"
#include "tracking/artifacts.h"

// The built-in steps as the pipeline sees them. Most run in a process of their own (steps/job.h);
// register and deploy, which only change the database, run here.
//
//   kind      inputs                          outputs                  what it does
//   ingest    –                               dataset                  source files → Parquet
//   validate  dataset                         report                   fails on a broken schema
//   assemble  base, join1 … join16            dataset                  one row for each example
//   collect   base                            dataset                  recent rows, live labels
//   split     dataset                         train, validation, test
//   tune      train, validation               parameters               random search
//   train     train, validation, parameters?  model                    a model package
//   window    model, train, validation        windows                  training rows by time, for
//                                                                      the monitor
//   evaluate  model, test                     report                   metrics, slices
//   gate      model, test                     decision                 passed or refused, why
//   register  model, decision?                –                        a version in the registry
//   deploy    model, decision?, windows?      –                        alias, endpoint, monitor

namespace ciclo::steps {

struct CatalogPaths {
  std::filesystem::path program;  // this binary, for `PROGRAM step`
  std::filesystem::path capture;  // where serve keeps its captures
  std::string build;              // identifies the program's code; part of every cache key
};

class Catalog final : public pipeline::StepCatalog {
 public:
  // All must outlive the catalog.
  Catalog(CatalogPaths paths, blob::Store& blobs, lineage::Lineage& lineage,
          data::DataSets& data_sets, tracking::Artifacts& artifacts, registry::Registry& registry,
          ModelRuns& runs);
  ~Catalog() override;

  // Deploying needs endpoints; without them (set before the first run) a deploy step only moves the
  // alias.
  void set_endpoints(serve::Endpoints* endpoints) { endpoints_ = endpoints; }

  const pipeline::StepKind* find(std::string_view kind) const override;
  std::vector<std::string> kinds() const override;
  Result<std::vector<pipeline::FingerprintPart>> fingerprint(
      const Context& context, const pipeline::StepSpec& step,
      const std::vector<pipeline::ResolvedInput>& inputs) override;
  Result<pipeline::Standing> standing(const Context& context, const pipeline::StepSpec& step,
                                      const std::vector<pipeline::ResolvedInput>& inputs) override;
  Result<pipeline::StepCommand> command(const Context& context,
                                        const pipeline::StepRun& run) override;
  Result<pipeline::ServiceResult> run_service(const Context& context,
                                              const pipeline::StepRun& run) override;
  Result<void> committed(sql::Txn& txn, const pipeline::StepRun& run,
                         const std::vector<pipeline::Output>& outputs) override;

 private:
  Result<pipeline::ServiceResult> register_model(const Context& context,
                                                 const pipeline::StepRun& run);
  Result<pipeline::ServiceResult> deploy(const Context& context, const pipeline::StepRun& run);
  Result<pipeline::Standing> standing_of_endpoint(const Context& context,
                                                  const pipeline::StepSpec& step);

  const CatalogPaths paths_;
  blob::Store& blobs_;
  lineage::Lineage& lineage_;
  data::DataSets& data_sets_;
  tracking::Artifacts& artifacts_;
  registry::Registry& registry_;
  ModelRuns& runs_;
  serve::Endpoints* endpoints_ = nullptr;
  std::vector<pipeline::StepKind> kinds_;
};

}  // namespace ciclo::steps
