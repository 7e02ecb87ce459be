// SPDX-License-Identifier: Apache-2.0
//
// What the S3 store does beyond the contract, against the server that CICLO_TEST_S3_ENDPOINT names
// (tests/tools/s3.py starts one) and, in between, a proxy that does what networks do.
#include "blob/s3.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/text.h"
#include "blob/cache.h"
#include "blob/fault_proxy.h"
#include "blob/remote.h"
#include "blob/s3_parts.h"
#include "blob/test_stores.h"

namespace ciclo::blob {
namespace {

OpenOptions with_keys() {
  OpenOptions options;
  options.credentials = {"key", "a-secret", ""};
  return options;
}

TEST(S3Url, names_a_bucket_of_amazons_by_host) {
  OpenOptions options = with_keys();
  options.region = "eu-central-1";
  const auto location = parse_s3_url("s3://models/team/a", options);
  ASSERT_TRUE(location.ok()) << location.error().message;
  EXPECT_EQ(location->prefix, "team/a/");
  EXPECT_EQ(location->client.host, "models.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(location->client.scheme, "https");
  EXPECT_EQ(location->client.path, "");
}

TEST(S3Url, names_a_bucket_elsewhere_by_path) {
  const auto location =
      parse_s3_url("s3://models?endpoint=http%3A%2F%2FHost:9000/&region=x", with_keys());
  ASSERT_TRUE(location.ok()) << location.error().message;
  EXPECT_EQ(location->prefix, "");
  EXPECT_EQ(location->client.host, "host:9000");
  EXPECT_EQ(location->client.scheme, "http");
  EXPECT_EQ(location->client.path, "/models");
  EXPECT_EQ(location->client.region, "x");
  const auto other =
      parse_s3_url("s3://m-1?endpoint=https://h:443&addressing=virtual", with_keys());
  EXPECT_EQ(other->client.host, "m-1.h");
  EXPECT_EQ(other->client.path, "");
}

TEST(S3Url, a_malformed_one_is_refused_in_one_sentence) {
  for (const auto& [url, says] : std::initializer_list<std::pair<std::string, std::string>>{
           {"s3://", "its bucket \"\""},
           {"s3://a b", "its bucket \"a b\""},
           {"s3://abc?endpoint=host:1", "its endpoint \"host:1\""},
           {"s3://abc?endpoint=http://u:p@h", "its endpoint"},
           {"s3://abc?regio=x", "\"regio=x\" is none of its settings"},
           {"s3://abc?addressing=other", "is none of its settings"},
           {"s3://abc?region=%zz", "hexadecimal"},
           {"s3://abc/../d", "dots"}}) {
    const auto location = parse_s3_url(url, with_keys());
    ASSERT_FALSE(location.ok()) << url;
    EXPECT_EQ(location.error().code, Code::kInvalidArgument) << url;
    EXPECT_NE(location.error().message.find(says), std::string::npos) << location.error().message;
  }
}

TEST(S3Url, credentials_are_asked_for) {
  const auto location = parse_s3_url("s3://abc", OpenOptions());
  ASSERT_FALSE(location.ok());
  EXPECT_NE(location.error().message.find("AWS_ACCESS_KEY_ID"), std::string::npos);
}

TEST(S3Times, are_read) {
  EXPECT_EQ(time_of_header("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000);
  EXPECT_EQ(time_of_listing("1994-11-06T08:49:37.123Z"), 784111777000);
  EXPECT_EQ(time_of_header("yesterday"), std::nullopt);
  EXPECT_EQ(time_of_listing(""), std::nullopt);
}

TEST(S3Xml, gives_decoded_texts) {
  const std::string xml = "<a><Key>x&amp;y&#65;&#x42;&quot;</Key><Key>2</Key></a>";
  EXPECT_EQ(xml_text(xml, "Key"), "x&yAB\"");
  EXPECT_EQ(xml_elements(xml, "Key").size(), 2U);
  EXPECT_FALSE(xml_text(xml, "Name"));
  EXPECT_EQ(xml_text("<Key>&;&#;&#x110000;&nbsp;&", "Key"), std::nullopt);
  EXPECT_EQ(xml_text("<Key>&;&#;&#x110000;&nbsp;&</Key>", "Key"), "&;&#;&#x110000;&nbsp;&");
  EXPECT_EQ(xml_escape("<\"&'>"), "&lt;&quot;&amp;&apos;&gt;");
}

// ------------------------------------------------------------------------------------------------

class S3 : public testing::Test {
 protected:
  void SetUp() override {
    if (test_s3_endpoint().empty()) GTEST_SKIP() << "CICLO_TEST_S3_ENDPOINT is not set";
    place_ = std::make_unique<S3Place>();
  }

  std::unique_ptr<Store> open() {
    auto opened = place_->open();
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened.ok() ? std::move(opened).value() : nullptr;
  }

  // The same store as another machine sees it: with no copies.
  std::unique_ptr<Store> open_elsewhere() {
    OpenOptions options = place_->options;
    options.cache_directory = elsewhere_.path() / "cache";
    auto opened = blob::open(place_->url(), options);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(opened).value();
  }

  std::unique_ptr<Store> open_through(FaultProxy& proxy) {
    place_->options.endpoint = proxy.endpoint();
    return open();
  }

  static std::uint16_t server_port() {
    const std::string endpoint = test_s3_endpoint();
    return static_cast<std::uint16_t>(
        *parse_int(std::string_view(endpoint).substr(endpoint.rfind(':') + 1)));
  }

  // What a service says of an object of five bytes, by its own clock.
  static std::string seen(std::string_view date, std::string_view modified,
                          std::string_view bytes = "5") {
    return "HTTP/1.1 200 OK\r\nDate: " + std::string(date) +
           "\r\nLast-Modified: " + std::string(modified) +
           "\r\nContent-Length: " + std::string(bytes) + "\r\nConnection: close\r\n\r\n";
  }
  static constexpr std::string_view kMissing =
      "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

  // Whether the first line of a request has both.
  static bool asks(std::string_view head, std::string_view method, std::string_view key) {
    return head.starts_with(method) &&
           head.substr(0, head.find('\r')).find(key) != std::string_view::npos;
  }

  static std::string random_text(std::size_t bytes, std::uint64_t seed) {
    SeededRandom random(seed);
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; i += 4096) text[i] = static_cast<char>(random.below(256));
    return text;
  }

  std::unique_ptr<S3Place> place_;
  TemporaryDirectory elsewhere_;
};

TEST_F(S3, a_large_value_goes_in_parts_and_comes_back_whole) {
  const std::string value = random_text(17'000'000, 1);
  const auto put = open()->put(value);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(place_->uploads(), 0U);
  EXPECT_EQ(place_->objects(), std::vector<Hash>{put->hash});
  const auto other = open_elsewhere();
  EXPECT_TRUE(*other->get(put->hash) == value);
  EXPECT_EQ(*remote_of(*other)->copy_at_hand(put->hash), std::nullopt);
  EXPECT_TRUE(*read_file(*other->local_path(put->hash)) == value);
  EXPECT_NE(*remote_of(*other)->copy_at_hand(put->hash), std::nullopt);
  // S3 names an object that was sent in N parts by a tag that ends in -N.
  const auto head = place_->client()->call({.method = "HEAD", .key = place_->key_of(put->hash)});
  EXPECT_NE(head->header("etag").find("-4"), std::string::npos) << head->header("etag");
}

TEST_F(S3, a_large_value_that_is_there_is_not_sent_again) {
  const std::string value = random_text(11'000'000, 2);
  const auto store = open();
  ASSERT_TRUE(store->put(value).ok());
  std::atomic<int> parts{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (head.starts_with("PUT")) ++parts;
    return {};
  });
  const auto again = open_through(proxy)->put(value);
  EXPECT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(parts, 0);
}

TEST_F(S3, what_passes_is_tried_again) {
  const std::string value = random_text(6'000'000, 3);
  FaultProxy proxy(server_port(), [&](int number, std::string_view) -> FaultProxy::Fault {
    if (number > 0) return {};
    return {.answer = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"};
  });
  const auto store = open_through(proxy);
  ASSERT_NE(store, nullptr);
  EXPECT_GE(proxy.requests(), 2);
  const auto put = store->put(value);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_TRUE(*open_elsewhere()->get(put->hash) == value);
}

TEST_F(S3, a_connection_that_is_cut_in_the_middle_of_a_part_costs_one_part) {
  const std::string value = random_text(16'000'000, 4);
  std::atomic<int> cuts{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (head.find("partNumber=") == std::string_view::npos || cuts++ > 0) return {};
    return {.cut_upwards = 1'000'000};
  });
  const auto put = open_through(proxy)->put(value);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_GE(cuts, 1);
  EXPECT_TRUE(*open_elsewhere()->get(put->hash) == value);
}

TEST_F(S3, a_connection_that_is_cut_while_reading_is_taken_up_again) {
  const std::string value = random_text(3'000'000, 5);
  const Hash hash = open()->put(value)->hash;
  std::atomic<int> cuts{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    const bool is_object = head.starts_with("GET") && head.find("/objects/") < head.find(' ', 4);
    if (!is_object || cuts++ > 4) return {};
    return {.cut_downwards = 500'000};
  });
  place_->options.cache_directory = elsewhere_.path() / "cache";
  const auto store = open_through(proxy);
  const auto got = store->get(hash);
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_TRUE(*got == value);
  EXPECT_GE(cuts, 4);
}

TEST_F(S3, an_endpoint_that_goes_silent_is_given_up_and_tried_again) {
  // Longer than a busy machine takes to answer.
  place_->options.timeout = std::chrono::milliseconds(4'000);
  std::atomic<int> silent{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    return {.is_silent = head.starts_with("PUT") && silent++ == 0};
  });
  const auto put = open_through(proxy)->put("value");
  EXPECT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(silent, 2);
}

TEST_F(S3, an_upload_that_fails_leaves_no_parts_behind) {
  const std::string value = random_text(11'000'000, 6);
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (head.find("partNumber=2") == std::string_view::npos) return {};
    return {.answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"};
  });
  place_->options.parallel_max = 1;
  const auto put = open_through(proxy)->put(value);
  EXPECT_FALSE(put.ok());
  EXPECT_EQ(place_->uploads(), 0U);
  EXPECT_EQ(place_->objects().size(), 0U);
}

TEST_F(S3, uploads_that_nobody_completed_are_given_up_when_they_are_old) {
  const auto begin = [&](const std::string& key) {
    return place_->client()->call({.method = "POST", .key = key, .query = {{"uploads", ""}}});
  };
  const std::string key = place_->prefix + "/objects/aa/left";
  ASSERT_TRUE(begin(key).ok());
  ASSERT_NE(open(), nullptr);
  EXPECT_EQ(place_->uploads(), 1U);
  place_->options.upload_age_max = std::chrono::milliseconds(-60'000);  // as if a minute had passed
  ASSERT_NE(open(), nullptr);
  EXPECT_EQ(place_->uploads(), 0U);
}

TEST_F(S3, leftovers_are_counted_and_removed) {
  const std::string key = place_->prefix + "/objects/aa/left";
  ASSERT_TRUE(
      place_->client()->call({.method = "POST", .key = key, .query = {{"uploads", ""}}}).ok());
  const auto store = open();
  const std::int64_t later_ms = SystemClock().now_ms() + 60'000;
  EXPECT_EQ(store->sweep_leftovers(later_ms - 120'000, Store::Sweep::kRemove)->count, 0U);
  EXPECT_EQ(store->sweep_leftovers(later_ms, Store::Sweep::kCount)->count, 1U);
  EXPECT_EQ(store->sweep_leftovers(later_ms, Store::Sweep::kRemove)->count, 1U);
  EXPECT_EQ(place_->uploads(), 0U);
}

TEST_F(S3, a_commit_waits_while_its_value_is_being_removed_and_begins_anew) {
  const std::string value = "contended";
  const Hash hash = hash_bytes(value);
  const auto store = open();
  const S3Request marker{.method = "PUT", .key = place_->marker_of(hash, "1")};
  ASSERT_TRUE(place_->client()->call(marker).ok());
  std::atomic<int> looks{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "GET", "condemned%2F")) ++looks;
    return {};
  });
  place_->options.cache_directory = elsewhere_.path() / "cache";
  const auto other = open_through(proxy);
  std::jthread committing([&] { EXPECT_TRUE(other->put(value).ok()); });
  while (looks < 2) std::this_thread::yield();
  // The removal goes on, and ends.
  S3Request end{.method = "DELETE", .key = place_->key_of(hash)};
  ASSERT_TRUE(place_->client()->call(end).ok());
  end.key = marker.key;
  ASSERT_TRUE(place_->client()->call(end).ok());
  committing.join();
  EXPECT_EQ(*store->get(hash), value);
}

// The removal begins before the commit writes and ends before it looks for the marker.
TEST_F(S3, a_commit_notices_a_removal_that_is_over) {
  const Hash hash = hash_bytes("contended");
  std::atomic<int> removed{0};
  const auto client = place_->client();
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "GET", "condemned%2F") && removed++ == 0) {
      EXPECT_TRUE(client->call({.method = "DELETE", .key = place_->key_of(hash)}).ok());
    }
    return {};
  });
  ASSERT_TRUE(open_through(proxy)->put("contended").ok());
  EXPECT_EQ(removed, 2);
  EXPECT_EQ(*open_elsewhere()->get(hash), "contended");
}

TEST_F(S3, a_removal_that_a_crash_has_ended_holds_nobody_up) {
  const Hash hash = hash_bytes("value");
  const S3Request marker{.method = "PUT", .key = place_->marker_of(hash, "1")};
  ASSERT_TRUE(place_->client()->call(marker).ok());
  place_->options.removal_time_max = std::chrono::milliseconds(-1);  // as if it were over
  EXPECT_TRUE(open()->put("value").ok());
}

// The removal of one server has looked at an old value and is about to delete it when that of
// another has deleted it and is over; in between the value is put again.
TEST_F(S3, a_removal_that_is_over_does_not_speak_for_another) {
  const std::int64_t later_ms = SystemClock().now_ms() + 60'000;
  const auto store = open();
  const Hash hash = store->put("contended")->hash;
  std::atomic<int> looks{0};
  std::atomic<bool> is_put{false};
  FaultProxy puts(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "GET", "condemned%2F")) ++looks;
    return {};
  });
  place_->options.cache_directory = elsewhere_.path() / "cache";
  const auto third = open_through(puts);
  std::jthread putting;
  FaultProxy deletes(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (!asks(head, "DELETE", "/objects/")) return {};
    EXPECT_TRUE(*store->remove_untouched(hash, later_ms));
    putting = std::jthread([&] {
      EXPECT_TRUE(third->put("contended").ok());
      is_put = true;
    });
    while (!is_put && looks < 2) std::this_thread::yield();
    return {};
  });
  const TemporaryDirectory folder;
  place_->options.cache_directory = folder.path() / "cache";
  EXPECT_TRUE(*open_through(deletes)->remove_untouched(hash, later_ms));
  putting.join();
  EXPECT_EQ(*store->get(hash), "contended");
  EXPECT_TRUE(place_->markers().empty());
}

TEST_F(S3, a_deletion_whose_end_nobody_knows_holds_its_value_until_it_cannot_come_any_more) {
  const std::int64_t later_ms = SystemClock().now_ms() + 60'000;
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "DELETE", "/objects/")) return {.cut_downwards = 0};
    return {};
  });
  const auto store = open_through(proxy);
  const Hash hash = store->put("value")->hash;
  EXPECT_EQ(store->remove_untouched(hash, later_ms).error().code, Code::kUnavailable);
  EXPECT_EQ(place_->markers().size(), 1U);
  ASSERT_TRUE(store->sweep_leftovers(later_ms, Store::Sweep::kRemove).ok());
  EXPECT_EQ(place_->markers().size(), 1U) << "it still counts";
  place_->options.removal_time_max = std::chrono::milliseconds(-10'000);  // as if it were over
  ASSERT_TRUE(open()->sweep_leftovers(later_ms, Store::Sweep::kRemove).ok());
  EXPECT_TRUE(place_->markers().empty());
}

TEST_F(S3, an_age_is_told_by_the_clock_of_the_service) {
  const std::string hour_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
  const Hash hash = hash_bytes("value");
  std::atomic<int> deleted{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "DELETE", "/objects/")) ++deleted;
    if (asks(head, "HEAD", "/objects/")) return {.answer = seen(hour_ago, hour_ago)};
    return {};
  });
  EXPECT_FALSE(*open_through(proxy)->remove_untouched(hash, SystemClock().now_ms() - 60'000));
  EXPECT_EQ(deleted, 0);
}

// As Amazon's service does with an object that came in parts.
TEST_F(S3, a_value_that_is_old_when_its_upload_ends_is_touched) {
  const std::string value = random_text(11'000'000, 9);
  std::atomic<bool> is_complete{false};
  std::atomic<int> copies{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "POST", "uploadId=")) is_complete = true;
    if (head.find("x-amz-copy-source: ") < head.find("\r\n\r\n")) ++copies;
    if (!is_complete || copies > 0 || !asks(head, "HEAD", "/objects/")) return {};
    return {.answer =
                seen("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 05:49:37 GMT", "11000000")};
  });
  const auto put = open_through(proxy)->put(value);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(copies, 1);
}

TEST_F(S3, a_service_that_loses_what_it_acknowledged_is_not_asked_for_ever) {
  std::atomic<int> puts{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (asks(head, "PUT", "/objects/")) ++puts;
    if (asks(head, "HEAD", "/objects/")) return {.answer = std::string(kMissing)};
    return {};
  });
  const auto put = open_through(proxy)->put("value");
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, Code::kUnavailable);
  EXPECT_NE(put.error().message.find("does not keep what it acknowledges"), std::string::npos);
  EXPECT_EQ(puts, 10);
}

TEST_F(S3, an_upload_that_is_cut_off_leaves_no_object) {
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (!asks(head, "PUT", "/objects/")) return {};
    return {.cut_upwards = static_cast<std::int64_t>(head.find("\r\n\r\n") + 4)};
  });
  const auto store = open_through(proxy);
  for (const std::size_t bytes : {5, 400'000}) {
    EXPECT_EQ(store->put(std::string(bytes, 'x')).error().code, Code::kUnavailable);
  }
  EXPECT_TRUE(place_->objects().empty());
}

TEST_F(S3, a_value_that_was_read_in_two_goes_is_checked_too) {
  const std::string value = random_text(3'000'000, 10);
  const Hash hash = open()->put(value)->hash;
  place_->overwrite(hash, random_text(value.size(), 11));
  std::atomic<int> cuts{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (!asks(head, "GET", "/objects/") || cuts++ > 0) return {};
    return {.cut_downwards = 500'000};
  });
  place_->options.cache_directory = elsewhere_.path() / "cache";
  const auto got = open_through(proxy)->get(hash);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::kDataLoss) << got.error().message;
  EXPECT_EQ(cuts, 2);
}

TEST_F(S3, a_copy_that_somebody_removed_or_damaged_is_fetched_again) {
  const std::string value = random_text(600'000, 12);
  const auto store = open();
  const Hash hash = store->put(value)->hash;
  std::filesystem::remove(*store->local_path(hash));
  EXPECT_TRUE(*store->get(hash) == value);
  EXPECT_TRUE(*read_file(*store->local_path(hash)) == value);
  const std::filesystem::path copy = *store->local_path(hash);
  std::filesystem::remove(copy);
  ASSERT_TRUE(write_file_durably(copy, random_text(value.size(), 13)).ok());
  EXPECT_EQ(store->get(hash).error().code, Code::kDataLoss);
  EXPECT_TRUE(*store->get(hash) == value);
}

TEST_F(S3, uploads_of_others_and_those_that_go_on_are_no_leftovers) {
  const auto client = place_->client();
  const auto begin = [&](const std::string& key) {
    const auto begun = client->call({.method = "POST", .key = key, .query = {{"uploads", ""}}});
    return *xml_text(begun->body, "UploadId");
  };
  begin(place_->prefix + "/elsewhere");
  const std::string key = place_->prefix + "/objects/aa/large";
  const S3Request part{.method = "PUT",
                       .key = key,
                       .query = {{"partNumber", "1"}, {"uploadId", begin(key)}},
                       .body = "part"};
  ASSERT_TRUE(client->call(part).ok());
  const std::int64_t later_ms = SystemClock().now_ms() + 60'000;
  // Its service says that the part came an hour from now.
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (!asks(head, "GET", "uploadId=")) return {};
    const std::string body =
        "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>4</Size>"
        "<LastModified>1994-11-06T09:49:37.000Z</LastModified></Part></ListPartsResult>";
    return {.answer =
                "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                "Connection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body};
  });
  const auto store = open();
  EXPECT_EQ(open_through(proxy)->sweep_leftovers(later_ms, Store::Sweep::kRemove)->count, 0U);
  EXPECT_EQ(place_->uploads(), 2U);
  const auto left = store->sweep_leftovers(later_ms, Store::Sweep::kRemove);
  EXPECT_EQ(left->count, 1U);
  EXPECT_EQ(left->bytes, 4U);
  EXPECT_EQ(place_->uploads(), 1U) << "that of another program";
}

TEST_F(S3, a_copy_within_the_bucket_is_the_same_value) {
  const std::string value = random_text(3'000'000, 8);
  const Hash hash = open()->put(value)->hash;
  const auto client = place_->client();
  const S3Parts parts(*client, 5 << 20, 2);
  const std::string key = place_->key_of(hash);
  ASSERT_TRUE(parts.copy(key, key, value.size()).ok());
  const auto copied = parts.copy(key, key + "-copy", value.size());
  ASSERT_TRUE(copied.ok()) << copied.error().message;
  EXPECT_TRUE(*open_elsewhere()->get(hash) == value);
}

TEST_F(S3, a_wrong_secret_is_told_at_once_and_never_repeated) {
  place_->options.credentials.secret_access_key = "not-the-secret";
  std::atomic<int> requests{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view) -> FaultProxy::Fault {
    ++requests;
    return {};
  });
  place_->options.endpoint = proxy.endpoint();
  const auto opened = place_->open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kPermissionDenied);
  EXPECT_EQ(requests, 1);
  const std::string& message = opened.error().message;
  EXPECT_NE(message.find("SignatureDoesNotMatch"), std::string::npos) << message;
  EXPECT_NE(message.find(place_->options.credentials.access_key_id), std::string::npos);
  EXPECT_EQ(message.find("not-the-secret"), std::string::npos);
}

TEST_F(S3, an_unknown_access_key_a_missing_bucket_and_an_absent_server_have_their_sentences) {
  OpenOptions options = place_->options;
  options.credentials.access_key_id = "NOBODY";
  const auto nobody = blob::open(place_->url(), options);
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().code, Code::kPermissionDenied) << nobody.error().message;

  const auto nowhere = blob::open("s3://no-such-bucket", place_->options);
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code, Code::kFailedPrecondition) << nowhere.error().message;
  EXPECT_NE(nowhere.error().message.find("bucket \"no-such-bucket\""), std::string::npos);

  options = place_->options;
  options.endpoint = "http://127.0.0.1:1";
  const auto absent = blob::open(place_->url(), options);
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, Code::kUnavailable);
  EXPECT_NE(absent.error().message.find("cannot be reached"), std::string::npos)
      << absent.error().message;
}

TEST_F(S3, keys_with_unusual_characters_are_signed_right) {
  place_->prefix += "/a b+c=d&e%20f~g";
  const auto store = open();
  ASSERT_NE(store, nullptr);
  const auto put = store->put("value");
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(*open_elsewhere()->get(put->hash), "value");
}

TEST_F(S3, threads_that_ask_for_one_file_bring_it_once) {
  const Hash hash = open()->put(random_text(2'000'000, 7))->hash;
  std::atomic<int> fetches{0};
  FaultProxy proxy(server_port(), [&](int, std::string_view head) -> FaultProxy::Fault {
    if (head.find("/objects/") < head.find('\r')) ++fetches;
    return {};
  });
  place_->options.cache_directory = elsewhere_.path() / "cache";
  const auto store = open_through(proxy);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(store->local_path(hash).ok()); });
  }
  threads.clear();
  EXPECT_EQ(fetches, 1);
}

}  // namespace
}  // namespace ciclo::blob
