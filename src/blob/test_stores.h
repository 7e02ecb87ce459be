// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "blob/open.h"
#include "blob/s3.h"
#include "blob/s3_client.h"
#include "blob/s3_text.h"
#include "blob/store.h"

// For tests: a store of each kind in a place of its own, and what only a test looks at.

namespace ciclo::blob {

inline std::string test_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The S3 server that tests/tools/s3.py started; empty when there is none.
inline std::string test_s3_endpoint() { return test_variable("CICLO_TEST_S3_ENDPOINT"); }

// What the two kinds have in common for the contract suite.
class TestPlace {
 public:
  virtual ~TestPlace() = default;
  virtual Result<std::unique_ptr<Store>> open() = 0;
  virtual std::vector<Hash> objects() = 0;        // the values that are stored
  virtual std::filesystem::path temporary() = 0;  // where a value being written is kept
  virtual void overwrite(const Hash& hash, std::string_view bytes) = 0;

  std::size_t files_being_written() {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(temporary())) {
      if (entry.is_regular_file()) ++files;
    }
    return files;
  }
};

class LocalPlace final : public TestPlace {
 public:
  Result<std::unique_ptr<Store>> open() override { return blob::open("file:" + root().string()); }
  std::filesystem::path root() const { return folder_.path() / "blobs"; }
  std::vector<Hash> objects() override {
    std::vector<Hash> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root() / "objects")) {
      if (!entry.is_regular_file()) continue;
      found.push_back(entry.path().parent_path().filename().string() +
                      entry.path().filename().string());
    }
    return found;
  }
  std::filesystem::path temporary() override { return root() / "tmp"; }
  void overwrite(const Hash& hash, std::string_view bytes) override {
    const auto path = root() / "objects" / hash.substr(0, 2) / hash.substr(2);
    std::filesystem::remove(path);
    CHECK(write_file_durably(path, bytes).ok());
  }

 private:
  TemporaryDirectory folder_;
};

class S3Place final : public TestPlace {
 public:
  S3Place() {
    options.endpoint = test_s3_endpoint();
    options.credentials = {test_variable("CICLO_TEST_S3_ACCESS_KEY"),
                           test_variable("CICLO_TEST_S3_SECRET_KEY"), ""};
    options.cache_directory = folder_.path() / "cache";
    options.backoff = std::chrono::milliseconds(10);
    options.part_bytes = 5 << 20;
    SystemRandom random;
    prefix = "test-" + std::to_string(random.next());
  }
  std::string url() const { return "s3://" + test_variable("CICLO_TEST_S3_BUCKET") + "/" + prefix; }
  Result<std::unique_ptr<Store>> open() override { return blob::open(url(), options); }

  // A client that asks no store of ours.
  std::unique_ptr<S3Client> client() {
    auto location = parse_s3_url(url(), options);
    CHECK(location.ok());
    return std::make_unique<S3Client>(location->client, clock_, random_);
  }
  std::string key_of(const Hash& hash) const {
    return prefix + "/objects/" + hash.substr(0, 2) + "/" + hash.substr(2);
  }
  std::vector<Hash> objects() override {
    const auto listed =
        client()->call({.query = {{"list-type", "2"}, {"prefix", prefix + "/objects/"}}});
    CHECK(listed.ok());
    std::vector<Hash> found;
    for (const auto key : xml_elements(listed->body, "Key")) {
      const std::string_view tail = key.substr(key.size() - 65);
      found.push_back(std::string(tail.substr(0, 2)) + std::string(tail.substr(3)));
    }
    return found;
  }
  // Uploads in parts that were begun and neither completed nor aborted.
  std::size_t uploads() {
    const auto listed = client()->call({.query = {{"uploads", ""}, {"prefix", prefix}}});
    CHECK(listed.ok());
    return xml_elements(listed->body, "Upload").size();
  }
  std::string marker_of(const Hash& hash, std::string_view removal) const {
    return prefix + "/condemned/" + hash + "-" + std::string(removal);
  }
  // Of removals that are under way or were cut off.
  std::vector<std::string> markers() {
    const auto listed =
        client()->call({.query = {{"list-type", "2"}, {"prefix", prefix + "/condemned/"}}});
    CHECK(listed.ok());
    std::vector<std::string> keys;
    for (const auto key : xml_elements(listed->body, "Key")) keys.emplace_back(key);
    return keys;
  }
  std::filesystem::path temporary() override { return options.cache_directory / "tmp"; }
  void overwrite(const Hash& hash, std::string_view bytes) override {
    CHECK(client()->call({.method = "PUT", .key = key_of(hash), .body = bytes}).ok());
  }

  OpenOptions options;
  std::string prefix;

 private:
  TemporaryDirectory folder_;
  SystemClock clock_;
  SystemRandom random_;
};

// "local", and "s3" when CICLO_TEST_S3_ENDPOINT names a server; says so when it does not.
inline std::vector<std::string> test_stores() {
  if (!test_s3_endpoint().empty()) return {"local", "s3"};
  std::cerr << "CICLO_TEST_S3_ENDPOINT is not set: S3 is not tested (tests/tools/s3.py sets it)\n";
  return {"local"};
}

inline std::unique_ptr<TestPlace> test_place(std::string_view kind) {
  if (kind == "s3") return std::make_unique<S3Place>();
  return std::make_unique<LocalPlace>();
}

}  // namespace ciclo::blob
