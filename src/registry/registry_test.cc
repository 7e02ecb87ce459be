// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <gtest/gtest.h>

#include "sql/test_database.h"

namespace ciclo::registry {
namespace {

class RegistryTest : public testing::TestWithParam<sql::Engine> {
 protected:
  RegistryTest() {
    std::vector<sql::Migration> migrations(events::schema().begin(), events::schema().end());
    migrations.insert(migrations.end(), schema().begin(), schema().end());
    const auto migrated = sql::migrate(*database, migrations);
    EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    context.caller = "ada";
  }

  // A model with versions 1 to `versions`.
  void add_model(const std::string& name, int versions) {
    const auto model = registry.create_model(context, name, "", {});
    EXPECT_TRUE(model.ok()) << model.error().message;
    for (int i = 0; i < versions; ++i) {
      clock.advance_ms(1);
      const auto version = registry.create_version(context, {.name = name, .source = "s3://b/p"});
      EXPECT_TRUE(version.ok()) << version.error().message;
    }
  }

  std::vector<std::string> events_of(std::string_view kind) {
    std::vector<std::string> bodies;
    const auto all = events.read_after(0, 100);
    for (const auto& event : *all) {
      if (event.kind == kind) bodies.push_back(json::dump(event.body));
    }
    return bodies;
  }

  std::string versions_found(const ModelSearch& search) {
    const auto page = registry.search_versions(context, search);
    if (!page.ok()) return "error: " + page.error().message;
    std::string out;
    for (const auto& version : page->items) {
      out += version.name + std::to_string(version.version) + " ";
    }
    return out;
  }

  Context context;
  SimClock clock;
  sql::TestDatabase database{GetParam()};
  events::Log events{*database, clock};
  Registry registry{*database, events, clock};
};

TEST_P(RegistryTest, numbers_of_versions_are_never_given_twice) {
  add_model("m", 3);
  ASSERT_TRUE(registry.delete_version(context, "m", 3).ok());
  EXPECT_EQ(registry.create_version(context, {.name = "m", .source = "s3://b/p"})->version, 4);
  EXPECT_EQ(registry.model(context, "m")->latest_version()->version, 4);
  EXPECT_EQ(registry.version(context, "m", 3).error().code, Code::kNotFound);
  EXPECT_EQ(registry.create_version(context, {.name = "x", .source = "s3://b/p"}).error().code,
            Code::kNotFound);
}

TEST_P(RegistryTest, alias_moves_are_kept_for_ever_and_appended_as_events) {
  add_model("m", 2);
  ASSERT_TRUE(registry.set_alias(context, "m", "champion", 1).ok());
  ASSERT_TRUE(registry.set_alias(context, "m", "champion", 1).ok());
  clock.advance_ms(1000);
  ASSERT_TRUE(registry.set_alias(context, "m", "champion", 2, {}, "gate passed").ok());
  ASSERT_TRUE(registry.delete_alias(context, "m", "champion").ok());
  ASSERT_TRUE(registry.delete_alias(context, "m", "champion").ok());
  const auto moves = registry.alias_history(context, "m", "champion");
  ASSERT_EQ(moves->size(), 3U);
  EXPECT_EQ((*moves)[0].version, std::nullopt);
  EXPECT_EQ((*moves)[0].previous, 2);
  EXPECT_EQ((*moves)[1].reason, "gate passed");
  EXPECT_EQ((*moves)[1].caller, "ada");
  EXPECT_EQ((*moves)[1].time_ms - (*moves)[2].time_ms, 1000);
  EXPECT_EQ(events_of("registry.alias_moved"),
            (std::vector<std::string>{
                R"({"model":"m","alias":"champion","version":1,"previous":null})",
                R"({"model":"m","alias":"champion","version":2,"previous":1})",
                R"({"model":"m","alias":"champion","version":null,"previous":2})"}));
  EXPECT_EQ(events_of("registry.version_created").size(), 2U);
}

TEST_P(RegistryTest, what_happens_to_models_versions_and_tags_is_an_event) {
  using Texts = std::vector<std::string>;
  const std::vector<Tag> tags = {{"k", "v"}};
  ASSERT_TRUE(registry.create_model(context, "m", "about", tags).ok());
  ASSERT_FALSE(registry.create_model(context, "m", "", {}).ok());
  ASSERT_TRUE(registry.ensure_model(context, "m").ok());
  ASSERT_TRUE(registry.ensure_model(context, "n").ok());
  EXPECT_EQ(events_of("registry.model_created"),
            (Texts{R"({"model":"m","description":"about","tags":{"k":"v"}})",
                   R"({"model":"n","description":"","tags":{}})"}));
  ASSERT_TRUE(registry
                  .create_version(context, {.name = "m",
                                            .source = "s3://b/p",
                                            .run_id = "r",
                                            .description = "first",
                                            .tags = tags})
                  .ok());
  EXPECT_EQ(events_of("registry.version_created"),
            (Texts{R"({"model":"m","version":1,"source":"s3://b/p","run_id":"r",)"
                   R"("description":"first","tags":{"k":"v"}})"}));
  ASSERT_TRUE(registry.set_model_tag(context, "m", {"a", "b"}).ok());
  ASSERT_TRUE(registry.delete_model_tag(context, "m", "a").ok());
  ASSERT_TRUE(registry.delete_model_tag(context, "m", "a").ok());
  ASSERT_TRUE(registry.set_version_tag(context, "m", 1, {"c", "d"}).ok());
  ASSERT_TRUE(registry.delete_version_tag(context, "m", 1, "c").ok());
  ASSERT_TRUE(registry.delete_version_tag(context, "m", 1, "c").ok());
  ASSERT_FALSE(registry.set_version_tag(context, "m", 2, {"c", "d"}).ok());
  EXPECT_EQ(events_of("registry.model_tag_set"), (Texts{R"({"model":"m","key":"a","value":"b"})"}));
  EXPECT_EQ(events_of("registry.model_tag_deleted"), (Texts{R"({"model":"m","key":"a"})"}));
  EXPECT_EQ(events_of("registry.version_tag_set"),
            (Texts{R"({"model":"m","version":1,"key":"c","value":"d"})"}));
  EXPECT_EQ(events_of("registry.version_tag_deleted"),
            (Texts{R"({"model":"m","version":1,"key":"c"})"}));
}

TEST_P(RegistryTest, events_say_which_models_are_prompts) {
  const std::vector<Tag> mark = {{"mlflow.prompt.is_prompt", "True"}};
  ASSERT_TRUE(registry.create_model(context, "p", "", mark).ok());
  ASSERT_TRUE(
      registry.create_version(context, {.name = "p", .source = "s3://b/p", .tags = mark}).ok());
  ASSERT_TRUE(registry.set_version_tag(context, "p", 1, {"c", "d"}).ok());
  ASSERT_TRUE(registry.set_alias(context, "p", "live", 1).ok());
  for (const auto* kind : {"registry.model_created", "registry.version_created",
                           "registry.version_tag_set", "registry.alias_moved"}) {
    const auto bodies = events_of(kind);
    ASSERT_EQ(bodies.size(), 1U) << kind;
    EXPECT_TRUE(bodies[0].ends_with(R"("is_prompt":true})")) << bodies[0];
  }
}

TEST_P(RegistryTest, an_alias_moves_only_from_where_it_is_expected) {
  add_model("m", 2);
  ASSERT_TRUE(registry.set_alias(context, "m", "champion", 1, Expected{}).ok());
  const auto lost = registry.set_alias(context, "m", "champion", 2, Expected{});
  EXPECT_EQ(lost.error().code, Code::kConflict);
  EXPECT_EQ(lost.error().message,
            "alias \"champion\" of \"m\" points at version 1, not at no version as expected");
  EXPECT_TRUE(registry.set_alias(context, "m", "champion", 2, Expected{1}).ok());
  EXPECT_EQ(registry.version_by_alias(context, "m", "champion")->version, 2);
}

TEST_P(RegistryTest, deleting_a_version_removes_its_aliases_and_says_so) {
  add_model("m", 2);
  ASSERT_TRUE(registry.set_alias(context, "m", "champion", 1).ok());
  ASSERT_TRUE(registry.delete_version(context, "m", 1).ok());
  EXPECT_EQ(registry.find_by_alias(context, "m", "champion")->has_value(), false);
  EXPECT_EQ((*registry.alias_history(context, "m"))[0].reason, "the version was deleted");
  EXPECT_EQ(registry.version_by_alias(context, "m", "champion").error().code, Code::kNotFound);
  EXPECT_EQ(registry.find_by_alias(context, "none", "champion")->has_value(), false);
}

TEST_P(RegistryTest, reserved_and_malformed_names_are_refused) {
  add_model("m", 1);
  for (const char* alias : {"", "latest", "LATEST", "v1", "V22", "a b", "a/b", "a.b"}) {
    EXPECT_EQ(registry.set_alias(context, "m", alias, 1).error().code, Code::kInvalidArgument)
        << alias;
  }
  EXPECT_TRUE(registry.set_alias(context, "m", "v", 1).ok());
  for (const char* name : {"", "  ", "a/b", "a:b", "..", "a\n"}) {
    EXPECT_EQ(registry.create_model(context, name, "", {}).error().code, Code::kInvalidArgument)
        << name;
    EXPECT_EQ(registry.model(context, name).error().code, Code::kInvalidArgument) << name;
    EXPECT_EQ(registry.version(context, name, 1).error().code, Code::kInvalidArgument) << name;
  }
  for (const char* source :
       {"", "/etc/passwd", "file:///etc/passwd", "mlflow-artifacts:/a/../b", "s3://b/../c",
        "s3://b/%2e%2E/c", "s3://b/a%252f..%252fc", "s3://b/a%00", "relative/path"}) {
    EXPECT_EQ(registry.create_version(context, {.name = "m", .source = source}).error().code,
              Code::kInvalidArgument)
        << source;
  }
  const auto escaped = registry.create_version(context, {.name = "m", .source = "s3://b/50%25%"});
  EXPECT_EQ(escaped->source, "s3://b/50%25%");
}

TEST_P(RegistryTest, a_version_of_another_model_is_a_source) {
  add_model("a", 1);
  add_model("b", 0);
  const auto copy = registry.create_version(context, {.name = "b", .source = "models:/a/1"});
  ASSERT_TRUE(copy.ok()) << copy.error().message;
  EXPECT_EQ(copy->storage_uri, "s3://b/p");
  EXPECT_EQ(copy->source, "models:/a/1");
  EXPECT_EQ(registry.create_version(context, {.name = "b", .source = "models:/a/9"}).error().code,
            Code::kNotFound);
}

TEST_P(RegistryTest, renaming_keeps_versions_tags_and_history) {
  add_model("m", 1);
  add_model("taken", 0);
  ASSERT_TRUE(registry.set_model_tag(context, "m", {"k", "v"}).ok());
  ASSERT_TRUE(registry.set_alias(context, "m", "champion", 1).ok());
  EXPECT_EQ(registry.rename_model(context, "m", "taken").error().code, Code::kAlreadyExists);
  ASSERT_TRUE(registry.rename_model(context, "m", "n").ok());
  EXPECT_EQ(registry.model(context, "n")->tags.size(), 1U);
  EXPECT_EQ(registry.alias_history(context, "n")->size(), 1U);
  EXPECT_EQ(registry.model(context, "m").error().code, Code::kNotFound);
}

TEST_P(RegistryTest, search_by_name_tag_and_run_in_pages) {
  add_model("alpha", 2);
  add_model("beta", 1);
  ASSERT_TRUE(registry.set_version_tag(context, "alpha", 2, {"stage", "gold"}).ok());
  EXPECT_EQ(versions_found({}), "beta1 alpha2 alpha1 ");
  EXPECT_EQ(versions_found({.filter = "name = 'alpha'", .order_by = {"version_number ASC"}}),
            "alpha1 alpha2 ");
  EXPECT_EQ(versions_found({.filter = "tags.stage = 'gold'"}), "alpha2 ");
  EXPECT_EQ(versions_found({.filter = "name IN ('beta', 'x') AND run_id = ''"}), "beta1 ");
  EXPECT_EQ(versions_found({.filter = "tag.`mlflow.prompt.is_prompt` != 'true'"}),
            "beta1 alpha2 alpha1 ");
  EXPECT_TRUE(versions_found({.filter = "metrics.a > 1"}).starts_with("error: "));
  ModelSearch search{.max_results = 1};
  std::string names;
  do {
    const auto page = registry.search_models(context, search);
    ASSERT_TRUE(page.ok());
    for (const auto& model : page->items) names += model.name + " ";
    search.page_token = page->next_page_token;
  } while (!search.page_token.empty());
  EXPECT_EQ(names, "alpha beta ");
}

TEST_P(RegistryTest, other_workspaces_see_nothing) {
  add_model("m", 1);
  Context other;
  other.workspace = "other";
  EXPECT_EQ(registry.model(other, "m").error().code, Code::kNotFound);
  EXPECT_TRUE(registry.search_versions(other, {})->items.empty());
  EXPECT_TRUE(registry.create_model(other, "m", "", {}).ok());
}

INSTANTIATE_TEST_SUITE_P(Engines, RegistryTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::registry
