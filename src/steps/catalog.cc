// SPDX-License-Identifier: Apache-2.0
#include "steps/catalog.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "monitor/training_windows.h"
#include "steps/champion.h"
#include "steps/data_set.h"
#include "steps/origin.h"

namespace ciclo::steps {
namespace {

using pipeline::RunsAs;
using pipeline::StepKind;

StepKind process(std::string name, std::vector<pipeline::InputPort> inputs,
                 std::vector<pipeline::OutputPort> outputs) {
  StepKind kind;
  kind.name = std::move(name);
  kind.inputs = std::move(inputs);
  kind.outputs = std::move(outputs);
  return kind;
}

StepKind data_process(std::string name, std::vector<pipeline::InputPort> inputs) {
  StepKind kind = process(std::move(name), std::move(inputs), {{"dataset", "dataset"}});
  kind.commits = true;
  return kind;
}

StepKind service(std::string name, std::vector<pipeline::InputPort> inputs) {
  StepKind kind = process(std::move(name), std::move(inputs), {});
  kind.runs_as = RunsAs::kService;
  return kind;
}

std::vector<StepKind> all_kinds() {
  std::vector<pipeline::InputPort> tables = {{"base", true}};
  for (int i = 1; i <= 16; ++i) tables.push_back({"join" + std::to_string(i), false});
  return {
      data_process("ingest", {}),
      process("validate", {{"dataset", true}}, {{"report", "report"}}),
      data_process("assemble", std::move(tables)),
      data_process("collect", {{"base", true}}),
      process("split", {{"dataset", true}},
              {{"train", "dataset"}, {"validation", "dataset"}, {"test", "dataset"}}),
      process("tune", {{"train", true}, {"validation", true}}, {{"parameters", "file"}}),
      process("train", {{"train", true}, {"validation", true}, {"parameters", false}},
              {{"model", "model"}}),
      process("window", {{"model", true}, {"train", true}, {"validation", true}},
              {{"windows", "windows"}}),
      process("evaluate", {{"model", true}, {"test", true}}, {{"report", "report"}}),
      process("gate", {{"model", true}, {"test", true}}, {{"decision", "report"}}),
      service("register", {{"model", true}, {"decision", false}}),
      service("deploy", {{"model", true}, {"decision", false}, {"windows", false}}),
  };
}

const pipeline::ResolvedInput* find_input(const std::vector<pipeline::ResolvedInput>& inputs,
                                          std::string_view port) {
  for (const auto& input : inputs) {
    if (input.port == port) return &input;
  }
  return nullptr;
}

// What a deploy step makes of an endpoint.
serve::EndpointSpec endpoint_spec(const pipeline::StepSpec& step) {
  serve::EndpointSpec spec;
  spec.name = step.parameters.string_or("endpoint", "");
  spec.model = step.parameters.string_or("model", "");
  spec.alias = kChampion;
  if (const json::Value* monitor = step.parameters.find("monitor"); monitor != nullptr) {
    spec.monitor = *monitor;
  }
  return spec;
}

pipeline::Standing missing(std::string what) { return {.holds = false, .remark = std::move(what)}; }

}  // namespace

Catalog::Catalog(CatalogPaths paths, blob::Store& blobs, lineage::Lineage& lineage,
                 data::DataSets& data_sets, tracking::Artifacts& artifacts,
                 registry::Registry& registry, ModelRuns& runs)
    : paths_(std::move(paths)),
      blobs_(blobs),
      lineage_(lineage),
      data_sets_(data_sets),
      artifacts_(artifacts),
      registry_(registry),
      runs_(runs),
      kinds_(all_kinds()) {}

Catalog::~Catalog() = default;

const StepKind* Catalog::find(std::string_view kind) const {
  for (const auto& known : kinds_) {
    if (known.name == kind) return &known;
  }
  return nullptr;
}

std::vector<std::string> Catalog::kinds() const {
  std::vector<std::string> names;
  for (const auto& known : kinds_) names.push_back(known.name);
  return names;
}

Result<std::vector<pipeline::FingerprintPart>> Catalog::fingerprint(
    const Context& context, const pipeline::StepSpec& step,
    const std::vector<pipeline::ResolvedInput>& inputs) {
  std::vector<pipeline::FingerprintPart> parts = {{"the program", paths_.build}};
  const pipeline::ResolvedInput* model = find_input(inputs, "model");
  if (model == nullptr || step.kind != "gate") return parts;
  TRY(const Opponent against,
      opponent(registry_, context, step.parameters.string_or("model", ""), model->hash));
  parts.push_back({"the champion", against.identity});
  return parts;
}

Result<pipeline::Standing> Catalog::standing(const Context& context, const pipeline::StepSpec& step,
                                             const std::vector<pipeline::ResolvedInput>& inputs) {
  const bool registers = step.kind == "register";
  const bool deploys = step.kind == "deploy";
  if (!registers && !deploys) return pipeline::Standing{};
  const pipeline::ResolvedInput* model = find_input(inputs, "model");
  CHECK(model != nullptr);
  const std::string name = step.parameters.string_or("model", "");
  TRY(const auto own, version_of_artifact(registry_, context, name, model->hash));
  if (!own) return missing("the registry does not hold its version any more");
  if (registers) return pipeline::Standing{};
  TRY(const auto champion, registry_.find_by_alias(context, name, kChampion));
  if (!champion) return missing("no version is champion any more");
  TRY(pipeline::Standing endpoint, standing_of_endpoint(context, step));
  if (!endpoint.holds || artifact_hash(*champion) == model->hash) return endpoint;
  TRY(const Declared declared, declared_of(registry_, context, name));
  const std::string other = "version " + std::to_string(champion->version);
  if (declared.artifact != model->hash) return missing(other + " is champion instead");
  return pipeline::Standing{.remark = other + " took over since and stays"};
}

Result<pipeline::Standing> Catalog::standing_of_endpoint(const Context& context,
                                                         const pipeline::StepSpec& step) {
  const serve::EndpointSpec wanted = endpoint_spec(step);
  if (endpoints_ == nullptr || wanted.name.empty()) return pipeline::Standing{};
  const auto found = endpoints_->get(context, wanted.name);
  const std::string name = "endpoint " + quoted(wanted.name);
  if (!found.ok() && found.error().code != Code::kNotFound) return found.error();
  if (!found.ok()) return missing(name + " is gone");
  if (json::write(found->spec) != json::write(wanted)) return missing(name + " was changed");
  if (found->serving_version.empty()) return missing(name + " serves nothing");
  return pipeline::Standing{};
}

Result<pipeline::StepCommand> Catalog::command(const Context& context,
                                               const pipeline::StepRun& run) {
  pipeline::StepCommand command;
  command.argv = {paths_.program.string(), "step"};
  // Child processes of one machine share its cores; spinning threads would take them from each
  // other.
  command.environment = {{"OMP_WAIT_POLICY", "passive"}};
  command.context["workspace"] = run.workspace;
  if (run.spec.kind == "ingest") {
    json::Value blobs = json::Value::array();
    if (const json::Value* files = run.spec.parameters.find("files");
        files != nullptr && files->is_array()) {
      for (const auto& file : files->items()) {
        TRY(std::string path, blobs_.local_path(file.string_or("hash", "")));
        blobs.push_back(std::move(path));
      }
    }
    command.context["blobs"] = std::move(blobs);
  }
  if (run.spec.kind == "train") {
    TRY(command.context["origin"], origin_of(lineage_, context, run));
  }
  if (run.spec.kind == "collect") command.context["capture_root"] = paths_.capture.string();
  if (run.spec.kind == "gate") {
    const pipeline::InputArtifact* model = run.input("model");
    CHECK(model != nullptr);
    TRY(const Opponent against,
        opponent(registry_, context, run.spec.parameters.string_or("model", ""), model->hash));
    command.context["champion"] = against.identity;
    if (!against.obstacle.empty()) command.context["champion_obstacle"] = against.obstacle;
    if (against.version) {
      TRY(const auto source, tracking::ArtifactPath::from_uri(against.version->storage_uri));
      const auto directory = std::filesystem::path(run.work) / "champion";
      TRY(artifacts_.check_out(context, source, directory));
      command.context["champion_directory"] = directory.string();
      command.context["champion_version"] = std::to_string(against.version->version);
    }
  }
  return command;
}

Result<pipeline::ServiceResult> Catalog::run_service(const Context& context,
                                                     const pipeline::StepRun& run) {
  if (run.spec.kind == "register") return register_model(context, run);
  if (run.spec.kind == "deploy") return deploy(context, run);
  return internal("step kind " + run.spec.kind + " runs as a process");
}

// A crash may run this twice; the artifact's tag tells that the version is there.
Result<pipeline::ServiceResult> Catalog::register_model(const Context& context,
                                                        const pipeline::StepRun& run) {
  const pipeline::InputArtifact* model = run.input("model");
  CHECK(model != nullptr);
  const std::string name = run.spec.parameters.string_or("model", "");
  TRY(registry_.ensure_model(context, name));
  TRY(const auto present, version_of_artifact(registry_, context, name, model->hash));
  if (present) return pipeline::ServiceResult{};

  TRY(const auto info, runs_.run_of_artifact(context, model->artifact_id));
  const std::string below =
      info ? info->artifact_uri + "/model" : "mlflow-artifacts:/models/" + model->hash;
  TRY(const auto root, tracking::ArtifactPath::from_uri(below));
  TRY(const lineage::Tree tree, lineage_.tree(context, lineage::ArtifactId(model->artifact_id)));
  std::vector<tracking::ArtifactLink> links;
  for (const auto& file : tree.files) {
    TRY(const auto path, tracking::ArtifactPath::parse(file.path));
    links.push_back({root / path, file.hash, file.size});
  }
  TRY(artifacts_.link(context, links));

  registry::NewModelVersion version;
  version.name = name;
  version.source = root.uri();
  if (info) version.run_id = info->run_id.str();
  version.tags = {{kArtifactTag, model->artifact_id},
                  {kArtifactHashTag, model->hash},
                  {"ciclo.pipeline_run_id", run.pipeline_run_id.str()}};
  TRY(registry_.create_version(context, version));
  return pipeline::ServiceResult{};
}

// A version that took over from the declared model stays: deploying the same declaration again only
// sees to the endpoint.
Result<pipeline::ServiceResult> Catalog::deploy(const Context& context,
                                                const pipeline::StepRun& run) {
  const pipeline::InputArtifact* model = run.input("model");
  CHECK(model != nullptr);
  const std::string name = run.spec.parameters.string_or("model", "");
  TRY(const auto version, version_of_artifact(registry_, context, name, model->hash));
  if (!version)
    return failed_precondition("model " + quoted(name) + " has no version made from this artifact");
  TRY(const auto champion, registry_.find_by_alias(context, name, kChampion));
  TRY(const Declared before, declared_of(registry_, context, name));
  const bool serves = champion && artifact_hash(*champion) == model->hash;
  if (serves || !champion || before.artifact != model->hash) {
    const pipeline::InputArtifact* decision = run.input("decision");
    const std::string judged =
        decision == nullptr ? "" : decision->properties.string_or(kJudgedAgainst, "");
    TRY(promote(registry_, context, *version, champion, judged,
                "pipeline run " + run.pipeline_run_id.str()));
    if (run.spec.parameters.boolean_or("declared", false)) {
      TRY(declare(registry_, context, name, {model->hash, judged}));
    }
  }
  if (const pipeline::InputArtifact* windows = run.input("windows"); windows != nullptr) {
    TRY(registry_.set_version_tag(
        context, name, version->version,
        {std::string(monitor::kTrainingWindowsTag), windows->artifact_id}));
  }
  if (endpoints_ == nullptr || run.spec.parameters.string_or("endpoint", "").empty()) {
    return pipeline::ServiceResult{};
  }
  TRY(endpoints_->put(context, endpoint_spec(run.spec)));
  return pipeline::ServiceResult{};
}

Result<void> Catalog::committed(sql::Txn& txn, const pipeline::StepRun& run,
                                const std::vector<pipeline::Output>& outputs) {
  const std::string name = run.spec.parameters.string_or("name", "");
  for (const pipeline::Output& output : outputs) {
    if (output.port != "dataset" || name.empty()) continue;
    const json::Value& properties = output.properties;
    data::VersionContent content;
    content.rows = properties.integer_or("rows", 0);
    content.files = {
        {kDataFile, properties.string_or("data_blob", ""), properties.integer_or("bytes", 0)}};
    TRY(const std::string statistics, blobs_.get(properties.string_or("statistics_blob", "")));
    TRY(content.statistics, data::statistics_from_json(statistics));
    TRY(const std::string schema, blobs_.get(properties.string_or("schema_blob", "")));
    TRY(content.schema, data::read_schema(schema));
    Context context;
    context.workspace = run.workspace;
    context.caller = "pipeline";
    TRY(data_sets_.register_version(
        txn, context, name, content,
        json::Value::object(
            {{"pipeline_run_id", run.pipeline_run_id.str()}, {"step", run.spec.name}}),
        output.artifact_id));
  }
  return {};
}

}  // namespace ciclo::steps
