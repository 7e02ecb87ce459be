// SPDX-License-Identifier: Apache-2.0
#include "tracking/artifacts.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tracking/test_services.h"

namespace ciclo::tracking {
namespace {

class ArtifactsTest : public TrackingTest {
 protected:
  ArtifactsTest() : blobs(*blob::open_local((folder.path() / "blobs").string())) {}

  static ArtifactPath path(std::string_view text) {
    auto parsed = ArtifactPath::parse(text);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    return *parsed;
  }
  Result<ArtifactFile> put(std::string_view name, std::string_view bytes) {
    return artifacts.put(context, path(name),
                         [&](blob::Writer& writer) { return writer.write(bytes); });
  }
  std::string listed(std::string_view directory) {
    const auto files = artifacts.list(context, path(directory));
    EXPECT_TRUE(files.ok());
    std::string out;
    for (const auto& file : *files) out += file.path + (file.is_directory ? "/ " : " ");
    return out;
  }

  TemporaryDirectory folder;
  std::unique_ptr<blob::Store> blobs;
  Artifacts artifacts{*database, *blobs, clock};
};

TEST(ArtifactPath, what_could_leave_the_tree_is_refused) {
  for (const std::string_view text :
       {"..", "../a", "a/../b", "a/..", "/a", "//a", "C:/a", "c:", "a\\b", "..\\a", "a\nb",
        "%2e%2e/a", "a%2fb", "a%2Fb", "a%5cb", "a%00", "%252e", "\xff\xfe"}) {
    EXPECT_EQ(ArtifactPath::parse(text).error().code, Code::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ArtifactPath::parse(std::string_view("a\0b", 3)).ok());
  EXPECT_FALSE(ArtifactPath::parse(std::string(256, 'a')).ok());
  std::string deep;
  for (int i = 0; i < 600; ++i) deep += "a/";
  EXPECT_FALSE(ArtifactPath::parse(deep).ok());
}

TEST(ArtifactPath, normalises_and_takes_apart) {
  EXPECT_EQ(ArtifactPath::parse("a//b/./c/")->str(), "a/b/c");
  EXPECT_EQ(ArtifactPath::parse("")->str(), "");
  EXPECT_EQ(ArtifactPath::parse("...")->str(), "...");
  const auto path = ArtifactPath::from_uri("mlflow-artifacts:/0/run/artifacts");
  EXPECT_EQ(path->str(), "0/run/artifacts");
  EXPECT_EQ(path->parent().str(), "0/run");
  EXPECT_EQ(path->file_name(), "artifacts");
  EXPECT_EQ((*path / *ArtifactPath::parse("m/x")).uri(), "mlflow-artifacts:/0/run/artifacts/m/x");
  EXPECT_EQ(ArtifactPath::from_uri("mlflow-artifacts://host:5000/a")->str(), "a");
  EXPECT_FALSE(ArtifactPath::from_uri("s3://bucket/a").ok());
}

TEST_P(ArtifactsTest, files_are_listed_read_and_replaced) {
  ASSERT_TRUE(put("0/r/artifacts/model/MLmodel", "one").ok());
  ASSERT_TRUE(put("0/r/artifacts/a.txt", "text").ok());
  EXPECT_EQ(listed("0/r/artifacts"), "a.txt model/ ");
  EXPECT_EQ(listed("0/r/artifacts/model"), "MLmodel ");
  EXPECT_EQ(listed("0/r/artifacts/a.txt"), "");
  EXPECT_EQ(listed("nothing"), "");
  ASSERT_TRUE(put("0/r/artifacts/model/MLmodel", "two!").ok());
  EXPECT_EQ(*artifacts.get(context, path("0/r/artifacts/model/MLmodel")), "two!");
  EXPECT_EQ(artifacts.stat(context, path("0/r/artifacts/model/MLmodel"))->size, 4U);
  EXPECT_TRUE(artifacts.stat(context, path("0/r"))->is_directory);
  std::string part;
  ASSERT_TRUE(artifacts
                  .read(context, path("0/r/artifacts/a.txt"), 1, 2,
                        [&](std::string_view piece) -> Result<void> {
                          part += piece;
                          return {};
                        })
                  .ok());
  EXPECT_EQ(part, "ex");
}

TEST_P(ArtifactsTest, a_name_is_a_file_or_a_directory) {
  ASSERT_TRUE(put("a/b", "x").ok());
  EXPECT_EQ(put("a", "x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(put("a/b/c", "x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(put("", "x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(listed("a"), "b ");
}

TEST_P(ArtifactsTest, a_linked_blob_needs_no_copy_and_links_are_all_or_none) {
  const auto stored = blobs->put("package");
  ASSERT_TRUE(stored.ok());
  ASSERT_TRUE(put("taken", "x").ok());
  const std::vector<ArtifactLink> links = {{path("m/model.ubj"), stored->hash, stored->size},
                                           {path("taken/inside"), stored->hash, stored->size}};
  EXPECT_FALSE(artifacts.link(context, links).ok());
  EXPECT_EQ(listed("m"), "");
  ASSERT_TRUE(artifacts.link(context, std::span(links).first(1)).ok());
  EXPECT_EQ(*artifacts.get(context, path("m/model.ubj")), "package");
}

TEST_P(ArtifactsTest, trees_go_in_and_out_of_directories) {
  const auto source = folder.path() / "source";
  ASSERT_TRUE(write_file_durably(source / "MLmodel", "m").ok());
  ASSERT_TRUE(write_file_durably(source / "data" / "x.bin", "bytes").ok());
  std::filesystem::create_symlink("/etc/passwd", source / "link");
  ASSERT_TRUE(artifacts.put_directory(context, path("0/models/m-1/artifacts"), source).ok());
  const auto tree = artifacts.tree(context, path("0/models/m-1/artifacts"));
  ASSERT_EQ(tree->size(), 2U);
  EXPECT_EQ((*tree)[1].path, "data/x.bin");
  const auto target = folder.path() / "target";
  ASSERT_TRUE(artifacts.check_out(context, path("0/models/m-1/artifacts"), target).ok());
  EXPECT_EQ(*read_file(target / "data" / "x.bin"), "bytes");
  EXPECT_EQ(artifacts.check_out(context, path("none"), target).error().code, Code::kNotFound);
}

TEST_P(ArtifactsTest, removing_takes_away_all_below) {
  ASSERT_TRUE(put("a/b/c", "x").ok());
  ASSERT_TRUE(put("a/b/d/e", "x").ok());
  ASSERT_TRUE(put("a/bb", "x").ok());
  ASSERT_TRUE(artifacts.remove(context, path("a/b")).ok());
  ASSERT_TRUE(artifacts.remove(context, path("a/b")).ok());
  EXPECT_EQ(listed("a"), "bb ");
  EXPECT_EQ(listed("a/b/d"), "");
  EXPECT_EQ(artifacts.stat(context, path("a/b/c")).error().code, Code::kNotFound);
  EXPECT_FALSE(artifacts.remove(context, path("")).ok());
}

TEST_P(ArtifactsTest, workspaces_have_their_own_trees) {
  ASSERT_TRUE(put("a", "x").ok());
  Context other;
  other.workspace = "other";
  EXPECT_TRUE(artifacts.list(other, path(""))->empty());
  EXPECT_EQ(artifacts.stat(other, path("a")).error().code, Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Engines, ArtifactsTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
