// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/table.h"

namespace ciclo::cli {
namespace {

constexpr const char* kAbout =
    "Ciclo runs the whole life of machine-learning models: data, training, gates, deployment,\n"
    "monitoring, retraining.\n\n"
    "  ciclo init data.csv --target churn    writes ciclo.yaml, a project made for that table\n"
    "  ciclo run                             runs what changed\n"
    "  ciclo server                          starts the platform: API, web pages, serving, "
    "monitoring\n";

constexpr const char* kFilterHelp =
    "A filter joins conditions by AND: metrics.auc > 0.8 AND params.depth = '6' AND\n"
    "tags.team LIKE 'a%' AND attributes.status = 'FINISHED'. Numbers stand bare, texts in quotes;\n"
    "a key with dots, dashes or blanks stands in backticks: metrics.`val-loss` < 0.3.\n"
    "Operators: = != > >= < <= of numbers; = != LIKE ILIKE of texts.\n\n"
    "  ciclo runs list --experiment flights --filter \"metrics.auc > 0.8\" --order-by "
    "\"metrics.auc "
    "DESC\"";

constexpr const char* kCompareHelp =
    "A row whose values differ begins with ≠. An arrow marks the best value of a metric: ↓ where\n"
    "its name tells of a loss or a cost (loss, error, rmse, time, …), ↑ where of a gain (auc,\n"
    "accuracy, f1, …); --lower and --higher say it of other names.\n\n"
    "  ciclo runs compare baseline wider --metric val_loss --plot\n"
    "  ciclo runs compare 1f0c… 93ab… --differences --html report.html";

constexpr const char* kExportHelp =
    "One row a run, with the columns run_id, run_name, experiment, status, start_time, … and\n"
    "params.KEY, metrics.KEY (the latest value), tags.KEY for each key that any of the runs has.\n"
    "Times are UTC. With --histories: run_id, run_name, metric, step, timestamp, value.\n"
    "Any number of runs is written in little memory; the file is there once it is whole. In\n"
    "Parquet, of keys that differ in their case alone all but the first end with _1, _2, …\n\n"
    "  ciclo runs export --experiment flights --out runs.parquet\n"
    "  ciclo runs export --filter \"attributes.status = 'FINISHED'\" --histories --out points.csv";

// The commands, with what their options are parsed into. Lives as long as the parser.
class CommandLine {
 public:
  explicit CommandLine(const Program& program)
      : program_(program), session_(wiring()), app_(kAbout, "ciclo") {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", std::string(kVersion));
    app_.set_help_all_flag("--help-all", "Help of all commands");
    app_.fallthrough();
    app_.add_flag("--json", session_.json, "One JSON document on standard output");
    app_.add_option("--server", session_.server,
                    "URL of a platform; without it one runs in this process, on PROJECT/.ciclo")
        ->envname("CICLO_SERVER");
    app_.add_option("--project", session_.project, "Directory of ciclo.yaml")
        ->capture_default_str();
    app_.add_option("--root", session_.root,
                    "Where the platform in this process keeps its data; PROJECT/.ciclo by default");
    app_.add_option("--config", config_file_, "YAML file with configuration keys")
        ->envname("CICLO_CONFIG");
    add_project_commands();
    add_data_commands();
    add_model_commands();
    add_comment_commands();
    add_experiment_commands();
    add_run_commands();
    add_server_commands();
    add_migration_commands();
    add_export_commands();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
      // Help and version are "errors" with exit code 0.
      return app_.exit(problem) == 0 ? 0 : 2;
    }
    if (::isatty(STDERR_FILENO) != 0 && !is_server_)
      log::configure(log::Level::kWarn, log::Format::kAuto);
    if (!is_server_ && ::isatty(STDERR_FILENO) == 0)
      log::configure(log::Level::kWarn, log::Format::kText);
    const Result<void> done = act();
    if (done.ok()) return 0;
    report(done.error());
    return 1;
  }

 private:
  Result<void> act() {
    // A step is told all it needs; the servers have a flag of their own.
    const bool has_platform = !is_server_ && !app_.got_subcommand("step");
    if (has_platform && session_.root.empty()) {
      TRY(session_.root, configured_root());
    }
    return action_();
  }

  void report(const Error& error) const {
    std::fprintf(stderr, "ciclo: %s\n", error.message.c_str());
    if (!session_.json || session_.has_shown()) return;
    const json::Value document = json::Value::object(
        {{"error",
          json::Value::object({{"code", code_name(error.code)}, {"message", error.message}})}});
    std::fputs(json::dump_pretty(document).c_str(), stdout);
  }

  void on(CLI::App* command, std::function<Result<void>()> action) {
    command->callback([this, action = std::move(action)] { action_ = action; });
  }

  void add_project_commands() {
    auto* init_command = app_.add_subcommand("init",
                                             "Write ciclo.yaml for a table: guesses column kinds, "
                                             "time and key columns, and the task");
    init_command->add_option("file", init_.file, "CSV, JSON lines or Parquet")->required();
    init_command->add_option("--target", init_.target, "Column to predict")->required();
    init_command->add_option("--dir", init_.directory,
                             "Where to write; the current directory by default");
    init_command->add_flag("--force", init_.force, "Replace a ciclo.yaml that is there");
    on(init_command, [this] { return init(session_, init_); });

    auto* run_command =
        app_.add_subcommand("run", "Run the project: only the steps whose inputs changed");
    run_command->add_flag("--plan", run_.plan, "Say what would run and why; run nothing");
    run_command->add_flag("--detach", run_.detach,
                          "Print the run's id and do not wait (with --server)");
    run_command->add_option("--set", run_.set,
                            "KEY=VALUE over ciclo.yaml: train.parameters.max_depth=8");
    on(run_command, [this] { return cli::run(session_, run_); });

    auto* predict_command =
        app_.add_subcommand("predict", "Predict rows of a table with an endpoint");
    predict_command->add_option("endpoint", predict_.endpoint, "Name of the endpoint")->required();
    predict_command->add_option("input", predict_.input, "A table, or - for JSON on standard input")
        ->required();
    predict_command->add_option("--limit", predict_.limit, "Rows at most")->capture_default_str();
    on(predict_command, [this] { return predict(session_, predict_); });

    on(app_.add_subcommand("status", "What runs, what serves, what alarmed"),
       [this] { return status(session_); });

    auto* lineage_command = app_.add_subcommand(
        "lineage", "What an artifact or a model version came from, and what came from it");
    lineage_command
        ->add_option("subject", name_, "Id of an artifact, or MODEL/VERSION (or MODEL/ALIAS)")
        ->required();
    on(lineage_command, [this] { return lineage(session_, name_); });

    auto* replay_command = app_.add_subcommand(
        "replay",
        "Send the project's later rows to an endpoint, in the order of time, as live "
        "traffic whose labels come later; pauses while the platform retrains");
    replay_command->add_option("--from", replay_.from, "First moment; table.until by default");
    replay_command->add_option("--to", replay_.to, "Exclusive; to the end by default");
    replay_command->add_option("--beside", replay_.beside,
                               "Another endpoint that gets the same rows");
    replay_command->add_option("--label-delay", replay_.label_delay, "Until a row's label is known")
        ->capture_default_str();
    replay_command->add_option("--connections", replay_.connections, "Requests at a time")
        ->capture_default_str()
        ->check(CLI::Range(1, 256));
    on(replay_command, [this] { return replay(session_, replay_); });
  }

  void add_data_commands() {
    auto* data =
        app_.add_subcommand("data", "Data sets: immutable versions with statistics and schema");
    data->require_subcommand(1);
    auto* add = data->add_subcommand("add", "Store files as a new version of a data set");
    add->add_option("name", add_.name, "Name of the data set")->required();
    add->add_option("files", add_.files, "Files or globs: CSV, JSON lines, Parquet")->required();
    add->add_option("--format", add_.format,
                    "csv, jsonl or parquet; by the name or content without it");
    on(add, [this] { return data_add(session_, add_); });
    on(data->add_subcommand("list", "All data sets"), [this] { return data_list(session_); });
    on(named(data, "show", "Columns and statistics of the latest version"),
       [this] { return data_show(session_, name_); });
    on(named(data, "log", "The versions of a data set"),
       [this] { return data_log(session_, name_); });
    auto* validate = named(data, "validate", "Check the latest version against a schema");
    validate->add_option("--schema", schema_,
                         "YAML file; the schema of the version before without it");
    on(validate, [this] { return data_validate(session_, name_, schema_); });
  }

  void add_model_commands() {
    auto* models = app_.add_subcommand("models", "Registered models and what serves");
    models->require_subcommand(1);
    auto* list = models->add_subcommand("list", "All models");
    list->add_option("--filter", list_.filter, "name LIKE 'flights%' AND tags.team = 'a'");
    add_order_and_limit(list, "name", 0);
    on(list, [this] {
      return as_of_.empty() ? models_list(session_, list_) : models_list_as_of(session_, as_of_);
    });
    auto* show = named(models, "show", "Versions and deployment history");
    on(show, [this] {
      return as_of_.empty() ? models_show(session_, name_)
                            : models_show_as_of(session_, name_, as_of_);
    });
    for (auto* command : {list, show}) {
      command->add_option("--as-of", as_of_,
                          "As it stood then: 2013-07-01, 2013-07-01T12:00:00Z; also what was "
                          "deleted since");
    }
    auto* past = named(models, "history",
                       "Who did what, when: versions, stages, aliases, deployments, gates");
    past->add_option("--limit", history_limit_, "Changes at most")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    on(past, [this] { return models_history(session_, name_, history_limit_); });
    auto* promote = named(models, "promote", "Let a version serve: move its alias");
    promote->add_option("version", version_, "Number of the version")->required();
    promote->add_option("--alias", alias_, "Alias to move")->capture_default_str();
    on(promote, [this] { return models_promote(session_, name_, version_, alias_); });

    auto* endpoints = app_.add_subcommand("endpoints", "What serves predictions");
    endpoints->require_subcommand(1);
    on(endpoints->add_subcommand("list", "All endpoints"),
       [this] { return endpoints_list(session_); });
  }

  void add_order_and_limit(CLI::App* command, const std::string& order, std::int64_t limit) {
    command->add_option("--order-by", list_.order_by,
                        "Such as \"" + order + "\", with DESC for the highest first; repeatable");
    // Each of these commands has a default of its own; the one that runs sets it first.
    command->preparse_callback([this, limit](std::size_t) { list_.limit = limit; });
    command
        ->add_option(
            "--limit", list_.limit,
            "At most so many; " + (limit == 0 ? "all" : std::to_string(limit)) + " by default")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{50'000'000}));
  }

  void add_view(CLI::App* command) {
    auto* deleted = command->add_flag("--deleted", list_.deleted, "Those that are deleted");
    command->add_flag("--all", list_.all, "Those that are deleted too")->excludes(deleted);
  }

  void add_experiment_commands() {
    auto* experiments = app_.add_subcommand("experiments", "Experiments: groups of runs");
    experiments->require_subcommand(1);
    auto* list = experiments->add_subcommand("list", "All experiments, the newest first");
    list->add_option("--filter", list_.filter, "name LIKE 'flights%' AND tags.team = 'a'");
    add_order_and_limit(list, "name", 0);
    add_view(list);
    on(list, [this] { return experiments_list(session_, list_); });
    on(named(experiments, "show", "One experiment, its tags and newest runs"),
       [this] { return experiments_show(session_, name_); });
    auto* create = experiments->add_subcommand("create", "Make an experiment");
    create->add_option("name", name_, "Its name")->required();
    create->add_option("--tag", tags_, "KEY=VALUE; repeatable");
    on(create, [this] { return experiments_create(session_, name_, tags_); });
    auto* rename = named(experiments, "rename", "Give an experiment another name");
    rename->add_option("new_name", new_name_, "The other name")->required();
    on(rename, [this] { return experiments_rename(session_, name_, new_name_); });
    on(named(experiments, "delete", "Delete an experiment and its runs, until they are restored"),
       [this] { return experiments_delete(session_, name_); });
    on(named(experiments, "restore", "Bring a deleted experiment back with its runs"),
       [this] { return experiments_restore(session_, name_); });
  }

  void add_run_commands() {
    auto* runs = app_.add_subcommand("runs", "Runs: parameters and metrics");
    runs->require_subcommand(1);
    auto* list = runs->add_subcommand("list", "The newest first");
    add_run_search(list, 20);
    list->footer(kFilterHelp);
    on(list, [this] { return runs_list(session_, list_); });
    on(named(runs, "show", "One run"), [this] { return runs_show(session_, name_); });
    add_compare_command(runs);
    add_export_command(runs);
    auto* remove = runs->add_subcommand("delete", "Delete runs, until they are restored");
    remove->add_option("runs", names_, "Ids, or names that only one run has")->required();
    on(remove, [this] { return runs_delete(session_, names_); });
    auto* restore = runs->add_subcommand("restore", "Bring deleted runs back");
    restore->add_option("runs", names_, "Ids, or names that only one run has")->required();
    on(restore, [this] { return runs_restore(session_, names_); });
  }

  void add_run_search(CLI::App* command, std::int64_t limit) {
    command->add_option("--experiment", list_.experiments,
                        "Name or id of an experiment; repeatable; all without it");
    command->add_option("--filter", list_.filter, "Which runs, see below");
    add_order_and_limit(command, "metrics.auc", limit);
    add_view(command);
  }

  void add_compare_command(CLI::App* runs) {
    auto* compare = runs->add_subcommand("compare", "Params and metrics of runs side by side");
    compare->add_option("runs", compare_.runs, "Ids, or names that only one run has")->required();
    compare->add_option("--metric", compare_.metrics, "Only this metric; repeatable");
    compare->add_flag("--differences", compare_.differences_only, "Only what differs");
    compare->add_option("--lower", compare_.lower, "A metric whose lowest value is best");
    compare->add_option("--higher", compare_.higher, "A metric whose highest value is best");
    compare->add_flag("--plot", compare_.plot, "Draw the history of each --metric");
    compare->add_option("--html", compare_.html, "Write a report with charts to this file");
    compare->footer(kCompareHelp);
    on(compare, [this] { return runs_compare(session_, compare_); });
  }

  void add_export_command(CLI::App* runs) {
    auto* command = runs->add_subcommand("export", "Write runs as a table");
    command->add_option("--out", export_.file, "The file, or - for standard output")->required();
    command->add_option("--format", export_.format,
                        "csv, jsonl or parquet; by the file's ending without it");
    command->add_flag("--histories", export_.histories,
                      "A row for each point of each metric, not for each run");
    add_run_search(command, 0);
    command->footer(kExportHelp + std::string("\n\n") + kFilterHelp);
    on(command, [this] {
      export_.list = list_;
      return runs_export(session_, export_);
    });
  }

  void add_comment_commands() {
    auto* comments = app_.add_subcommand("comments", "What people say about runs and models");
    comments->require_subcommand(1);
    const auto about = [this](CLI::App* command) {
      command
          ->add_option("subject", name_,
                       "runs/ID, experiments/ID, models/NAME or models/NAME/VERSION")
          ->required();
    };
    const auto one = [this](CLI::App* command) {
      command->add_option("id", name_, "Id of the comment")->required();
    };
    const auto text = [this](CLI::App* command) {
      command->add_option("text", text_, "Markdown, or - for standard input")->required();
    };
    auto* add = comments->add_subcommand("add", "Say something");
    about(add);
    text(add);
    on(add, [this] { return comments_add(session_, name_, text_); });
    auto* list = comments->add_subcommand("list", "Newest first");
    about(list);
    list->add_option("--limit", comments_limit_, "Comments at most")->capture_default_str();
    on(list, [this] { return comments_list(session_, name_, comments_limit_); });
    auto* show = comments->add_subcommand("show", "One comment, and what it said before");
    one(show);
    on(show, [this] { return comments_show(session_, name_); });
    auto* edit = comments->add_subcommand("edit", "Say it otherwise; what was said stays");
    one(edit);
    text(edit);
    on(edit, [this] { return comments_edit(session_, name_, text_); });
    auto* remove = comments->add_subcommand("delete", "Take it back; what was said stays");
    one(remove);
    on(remove, [this] { return comments_delete(session_, name_); });
  }

  CLI::App* named(CLI::App* parent, const std::string& command, const std::string& about) {
    auto* made = parent->add_subcommand(command, about);
    made->add_option("name", name_, "Name or id")->required();
    return made;
  }

  void add_server_commands() {
    auto* server = app_.add_subcommand(
        "server", "Start the platform: API, web pages, scheduler, serving, monitoring");
    add_config_flags(server);
    on(server, [this] {
      is_server_ = true;
      return with_config([this](const Config& config) { return program_.serve_platform(config); });
    });
    server->preparse_callback([this](std::size_t) { is_server_ = true; });

    auto* serve = app_.add_subcommand("serve", "Serve one model package, without a platform");
    serve->add_option("--model", model_, "Directory of the package (an MLflow model directory)")
        ->required();
    serve->add_option("--name", name_, "Name of the model in the URLs")->required();
    add_config_flags(serve);
    on(serve, [this] {
      return with_config(
          [this](const Config& config) { return program_.serve_model(config, model_, name_); });
    });
    serve->preparse_callback([this](std::size_t) { is_server_ = true; });

    auto* gc_command = app_.add_subcommand(
        "gc",
        "Remove for good what is deleted and nothing needs, and stored bytes that nothing names");
    gc_command->add_flag("--dry-run", gc_.dry_run, "Say what would be removed; remove nothing");
    gc_command->add_option("--older-than", gc_.older_than,
                           "Only what was deleted at least so long ago, as 30d");
    gc_command->add_option("--experiment", gc_.experiments,
                           "Only this deleted experiment with what is in it; may be repeated");
    gc_command->add_option("--run", gc_.runs, "Only this deleted run; may be repeated");
    gc_command->add_option("--grace", gc_.grace,
                           "How long ago bytes must have been written, at least 2m; 1d by default");
    on(gc_command, [this] { return gc(session_, gc_); });

    auto* config = app_.add_subcommand("config", "The configuration");
    config->require_subcommand(1);
    auto* show = config->add_subcommand("show", "Every key, its value, and where it came from");
    add_config_flags(show);
    on(show,
       [this] { return with_config([this](const Config& all) { return show_config(all); }); });

    auto* step = app_.add_subcommand("step", "Run one step of a pipeline; started by the platform");
    step->add_option("--spec", spec_, "File that says what to do")->required();
    step->group("");  // not in the help
    on(step, [this] { return program_.run_step(spec_); });
  }

  void add_migration_commands() {
    auto* migrate = app_.add_subcommand("migrate", "Bring what another tracking system holds here");
    migrate->require_subcommand(1);
    auto* mlflow = migrate->add_subcommand(
        "mlflow",
        "Copy an MLflow database or folder and its artifacts, ids kept, and compare the copy with "
        "it; run "
        "again after an interruption, it goes on. Stop the MLflow server before");
    mlflow
        ->add_option("--from", migrate_.from,
                     "Database of the MLflow server, sqlite:///PATH or postgresql://…, or the "
                     "folder of its file store, ./mlruns")
        ->required();
    mlflow->add_option("--artifacts", migrate_.artifacts,
                       "Directory that the MLflow server has as --artifacts-destination");
    mlflow->add_flag("--dry-run", migrate_.dry_run, "Say what would be copied; write nothing");
    add_config_flags(mlflow, {"root", "database", "blobs"});
    on(mlflow, [this] {
      return with_config([this](const Config& config) {
        return migrate_mlflow(session_, migrate_, [&](const auto& progress) {
          return program_.migrate_mlflow(config, migrate_, progress);
        });
      });
    });
  }

  void add_export_commands() {
    auto* exported = app_.add_subcommand("export", "Take what is here to another tracking system");
    exported->require_subcommand(1);
    auto* mlflow = exported->add_subcommand(
        "mlflow",
        "Write everything into a database and a directory that MLflow's own server reads: "
        "mlflow server --backend-store-uri URL --artifacts-destination DIR");
    mlflow
        ->add_option(
            "--to", mlflow_export_.to,
            "Database that `mlflow db upgrade URL` of MLflow 3.17 has made, and that holds "
            "nothing yet: sqlite:///PATH or postgresql://…")
        ->required();
    mlflow->add_option("--artifacts", mlflow_export_.artifacts, "A new directory for the artifacts")
        ->required();
    add_config_flags(mlflow, {"root", "database", "blobs"});
    on(mlflow, [this] {
      return with_config([this](const Config& config) {
        return export_mlflow(session_, [&](const auto& progress) {
          return program_.export_mlflow(config, mlflow_export_, progress);
        });
      });
    });
  }

  // A flag for every configuration key, or for some; the strongest source wins, whatever the order.
  void add_config_flags(CLI::App* command, const std::set<std::string>& only = {}) {
    const Config defaults = program_.config_keys();
    for (const auto& entry : defaults.entries()) {
      if (!only.empty() && !only.contains(entry.name)) continue;
      flags_.push_back({Config::flag_name(entry.name), {}});
      Flag& flag = flags_.back();
      flag.option = command->add_option(flag.name, flag.value,
                                        entry.help + " [" + text_of(entry.value) + "]");
    }
  }

  static std::string text_of(const json::Value& value) {
    return value.is_string() ? value.string() : json::dump(value);
  }

  Result<Config> read_config() const {
    Config config = program_.config_keys();
    if (!config_file_.empty()) TRY(config.read_file(config_file_));
    TRY(config.read_environment(environ));
    for (const Flag& flag : flags_) {
      if (flag.option->count() > 0) TRY(config.set_flag(flag.name, flag.value));
    }
    return config;
  }

  Result<void> with_config(const std::function<Result<void>(const Config&)>& use) const {
    TRY(const Config config, read_config());
    return use(config);
  }

  // Where the configuration, not its default, says that data is kept; empty when it does not.
  Result<std::filesystem::path> configured_root() const {
    TRY(const Config config, read_config());
    for (const auto& entry : config.entries()) {
      if (entry.name == "root" && entry.source != Config::Source::kDefault)
        return std::filesystem::path(entry.value.string());
    }
    return std::filesystem::path();
  }

  // The configuration is read when a command first asks for its platform: the arguments are parsed
  // by then.
  Wiring wiring() {
    return {
        .open_local = [this](const std::filesystem::path& root) -> Result<std::unique_ptr<Api>> {
          TRY(const Config config, read_config());
          return program_.open_local(config, root);
        },
        .open_remote = [this](const std::string& url) -> Result<std::unique_ptr<Api>> {
          TRY(const Config config, read_config());
          return program_.open_remote(config, url);
        }};
  }

  Result<void> show_config(const Config& config) {
    json::Value document = json::Value::array();
    Table table({"key", "value", "from", "meaning"});
    for (const auto& entry : config.entries()) {
      document.push_back(json::Value::object({{"key", entry.name},
                                              {"value", entry.value},
                                              {"from", entry.origin},
                                              {"help", entry.help}}));
      table.add({entry.name, text_of(entry.value), entry.origin, entry.help});
    }
    session_.show(document, [&] { table.print(); });
    return {};
  }

  struct Flag {
    std::string name;
    std::string value;
    CLI::Option* option = nullptr;
  };

  const Program& program_;
  Session session_;
  CLI::App app_;
  std::function<Result<void>()> action_;
  bool is_server_ = false;

  InitOptions init_;
  RunOptions run_;
  PredictOptions predict_;
  ReplayOptions replay_;
  GcOptions gc_;
  DataAddOptions add_;
  MigrateOptions migrate_;
  MlflowExportOptions mlflow_export_;
  std::string name_;
  std::string schema_;
  std::string text_;
  std::int64_t comments_limit_ = 20;
  std::string alias_ = "champion";
  std::int64_t version_ = 0;
  std::string as_of_;
  std::int64_t history_limit_ = 100;
  ListOptions list_;
  CompareOptions compare_;
  ExportOptions export_;
  std::vector<std::string> names_;
  std::vector<std::string> tags_;
  std::string new_name_;
  std::string model_;
  std::string spec_;
  std::string config_file_;
  std::deque<Flag> flags_;  // addresses stay: the parser writes into them
};

}  // namespace

int run_command_line(int argc, char** argv, const Program& program) {
  return CommandLine(program).run(argc, argv);
}

}  // namespace ciclo::cli
