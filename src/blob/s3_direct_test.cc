// SPDX-License-Identifier: Apache-2.0
#include "blob/direct.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "blob/remote.h"
#include "blob/test_stores.h"

namespace ciclo::blob {
namespace {

struct Answer {
  long status = 0;
  std::string body;
  std::string tag;
};

// A client that knows nothing but the URL.
Answer call(const std::string& url, const std::string* body = nullptr) {
  Answer answer;
  const auto append = [](char* bytes, std::size_t size, std::size_t count, void* to) {
    static_cast<std::string*>(to)->append(bytes, size * count);
    return size * count;
  };
  std::string headers;
  CURL* handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, +append);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, +append);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &headers);
  curl_slist* none = curl_slist_append(nullptr, "Content-Type:");
  if (body != nullptr) {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body->data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, none);
  }
  EXPECT_EQ(curl_easy_perform(handle), CURLE_OK);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_slist_free_all(none);
  curl_easy_cleanup(handle);
  constexpr std::string_view kTag = "\"";
  const std::size_t begin =
      headers.find(kTag, headers.find("tag:") == std::string::npos ? headers.find("Tag:")
                                                                   : headers.find("tag:"));
  if (begin != std::string::npos) {
    answer.tag = headers.substr(begin, headers.find('"', begin + 1) - begin + 1);
  }
  return answer;
}

class DirectTransfers : public testing::Test {
 protected:
  void SetUp() override {
    if (test_s3_endpoint().empty()) GTEST_SKIP() << "CICLO_TEST_S3_ENDPOINT is not set";
    place_ = std::make_unique<S3Place>();
    store_ = *place_->open();
    direct_ = remote_of(*store_)->direct();
    ASSERT_NE(direct_, nullptr);
  }

  std::vector<Direct::Part> send(const Direct::Upload& upload) {
    std::vector<Direct::Part> parts;
    for (std::size_t i = 0; i < upload.part_urls.size(); ++i) {
      const auto sent = call(upload.part_urls[i], &bodies_[i]);
      EXPECT_EQ(sent.status, 200) << sent.body;
      parts.push_back({static_cast<std::int64_t>(i) + 1, sent.tag});
    }
    return parts;
  }
  std::string whole() const { return bodies_[0] + bodies_[1]; }

  std::unique_ptr<S3Place> place_;
  std::unique_ptr<Store> store_;
  Direct* direct_ = nullptr;
  std::vector<std::string> bodies_ = {std::string(5 << 20, 'a'), "tail"};
};

TEST_F(DirectTransfers, an_upload_in_parts_becomes_a_value) {
  const auto upload = direct_->begin("a/file", 2);
  ASSERT_TRUE(upload.ok()) << upload.error().message;
  auto parts = send(*upload);
  std::swap(parts[0], parts[1]);
  for (int i = 0; i < 2; ++i) {
    const auto done = direct_->complete("a/file", upload->id, parts);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(done->hash, hash_bytes(whole()));
    EXPECT_EQ(done->size, whole().size());
  }
  EXPECT_TRUE(*store_->get(hash_bytes(whole())) == whole());
  ASSERT_TRUE(direct_->forget("a/file", upload->id).ok());
  EXPECT_EQ(direct_->complete("a/file", upload->id, parts).error().code, Code::kNotFound);
}

TEST_F(DirectTransfers, an_upload_is_known_for_its_purpose_only) {
  const auto upload = direct_->begin("a/file", 2);
  const auto parts = send(*upload);
  for (const std::string& id : {upload->id, std::string("x"), std::string(32, 'a') + ".x",
                                std::string("../../objects.x"), std::string()}) {
    const auto done = direct_->complete("another/file", id, parts);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::kNotFound) << done.error().message;
  }
  EXPECT_TRUE(place_->objects().empty());
}

TEST_F(DirectTransfers, parts_are_checked) {
  for (const std::int64_t parts : {-1, 0, 10'001}) {
    EXPECT_EQ(direct_->begin("f", parts).error().code, Code::kInvalidArgument);
  }
  const auto upload = direct_->begin("f", 2);
  auto parts = send(*upload);
  parts[1].number = 3;
  EXPECT_EQ(direct_->complete("f", upload->id, parts).error().code, Code::kInvalidArgument);
  parts[1] = {2, "\"0123\""};
  const auto done = direct_->complete("f", upload->id, parts);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kInvalidArgument) << done.error().message;
}

TEST_F(DirectTransfers, an_aborted_upload_leaves_nothing) {
  const auto upload = direct_->begin("f", 2);
  send(*upload);
  EXPECT_TRUE(direct_->abort("f", upload->id).ok());
  EXPECT_TRUE(direct_->abort("f", upload->id).ok());
  EXPECT_EQ(place_->uploads(), 0U);
}

TEST_F(DirectTransfers, a_url_gives_the_value_under_its_name_and_cannot_be_changed) {
  const Hash hash = store_->put("0123456789")->hash;
  const auto url = direct_->download_url(hash, "a b\"ä.txt", 60);
  ASSERT_TRUE(url.ok()) << url.error().message;
  EXPECT_EQ(call(*url).body, "0123456789");
  const Hash other = store_->put("another")->hash;
  std::string changed = *url;
  changed.replace(changed.find(hash.substr(2)), 62, other.substr(2));
  EXPECT_EQ(call(changed).status, 403);
  EXPECT_EQ(direct_->download_url(hash, "f", 0).error().code, Code::kInvalidArgument);
  EXPECT_EQ(direct_->download_url("x", "f", 60).error().code, Code::kInvalidArgument);
}

TEST_F(DirectTransfers, can_be_switched_off) {
  place_->options.is_direct = false;
  const auto store = place_->open();
  EXPECT_EQ(remote_of(**store)->direct(), nullptr);
  LocalPlace local;
  EXPECT_EQ(remote_of(**local.open()), nullptr);
}

}  // namespace
}  // namespace ciclo::blob
