// SPDX-License-Identifier: Apache-2.0
#include "api/invocations/invocations.h"

#include <gtest/gtest.h>

#include "api/invocations/body.h"
#include "api/invocations/csv.h"
#include "http/local.h"
#include "serve/test_endpoints.h"

namespace ciclo::api::invocations {
namespace {

class InvocationsTest : public ::testing::Test {
 protected:
  InvocationsTest() { add_routes(router_, *rig_.endpoints); }

  http::Response post(std::string body, std::string type = "application/json",
                      http::Headers headers = {}, const std::string& path = "/invocations") {
    headers.set("Content-Type", std::move(type));
    return http::call_local(router_, "POST", path, std::move(body), std::move(headers));
  }

  serve::TestEndpoints rig_;
  http::Router router_;
};

constexpr const char* kBothRows = R"({"predictions":[1.1,1.0]})";

TEST_F(InvocationsTest, takes_every_form_of_body) {
  rig_.add("flights");
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"application/json",
       R"({"dataframe_split":{"columns":["extra","carrier","distance"],"index":[0,1],"data":[[1,"AA",100],[2,null,null]]}})"},
      {"application/json; charset=utf-8",
       R"({"dataframe_records":[{"carrier":"AA","distance":100},{"distance":null,"other":[1]}]})"},
      {"application/json", R"({"instances":[[100,"AA"],[null,"B"]]})"},
      {"application/json", R"({"instances":[{"carrier":"AA","distance":100},{"carrier":"B"}]})"},
      {"application/json", R"({"inputs":{"carrier":["AA","B"],"distance":[[100],[NaN]]}})"},
      {"application/json", R"({"inputs":[[100,"AA"],[null,"B"]],"params":{"inference_id":"q"}})"},
      {"text/csv", "carrier,distance\nAA,100\n\"B,\"\"C\",\n"},
      {"text/csv; charset=utf-8; header=absent", "100,AA\r\n,B\r\n"},
  };
  for (const auto& [type, body] : bodies) {
    const auto response = post(body, type);
    EXPECT_EQ(response.status, 200) << body << response.body;
    EXPECT_EQ(response.body, kBothRows) << body;
    EXPECT_EQ(response.headers.get("x-ciclo-model-version"), "1");
    EXPECT_FALSE(response.headers.get("x-ciclo-inference-id").empty());
  }
}

TEST_F(InvocationsTest, answers_lines_to_those_who_accept_csv) {
  rig_.add("flights");
  const auto response =
      post("distance,carrier\n100,AA\n,B\n", "text/csv", {{"Accept", "text/csv"}});
  EXPECT_EQ(response.body, "1.1\n1\n");
  EXPECT_EQ(response.headers.get("Content-Type"), "text/csv; charset=utf-8");
}

TEST_F(InvocationsTest, takes_the_id_and_the_event_time_from_headers) {
  rig_.add("flights");
  const auto response =
      post(R"({"instances":[[100,"AA"]]})", "application/json",
           {{"X-Amzn-SageMaker-Inference-Id", "u7"}, {"x-ciclo-event-time-ms", "1370044800000"}});
  EXPECT_EQ(response.headers.get("x-ciclo-inference-id"), "u7");
  ASSERT_TRUE(rig_.capture->flush().ok());
  EXPECT_EQ(rig_.capture->newest_event_ms("flights"), 1370044800000);
  EXPECT_EQ(
      post(R"({"instances":[[100,"AA"]]})", "application/json", {{"x-ciclo-event-time-ms", "noon"}})
          .status,
      400);
}

TEST_F(InvocationsTest, needs_exactly_one_endpoint_on_the_short_path) {
  EXPECT_EQ(http::call_local(router_, "GET", "/ping").status, 404);
  EXPECT_EQ(post("{}").status, 404);
  rig_.add("a");
  EXPECT_EQ(http::call_local(router_, "GET", "/ping").status, 200);
  EXPECT_EQ(post(R"({"instances":[[1,"AA"]]})").status, 200);
  rig_.add("b");
  const auto response = post(R"({"instances":[[1,"AA"]]})");
  EXPECT_EQ(response.status, 404);
  EXPECT_NE(response.body.find("a, b"), std::string::npos) << response.body;
  EXPECT_EQ(post(R"({"instances":[[1,"AA"]]})", "application/json", {}, "/endpoints/b/invocations")
                .status,
            200);
  EXPECT_EQ(post("{}", "application/json", {}, "/endpoints/none/invocations").status, 404);
}

TEST_F(InvocationsTest, answers_malformed_bodies_in_mlflows_shape) {
  rig_.add("flights");
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"", "JSON"},
      {"[[1]]", "must be a JSON object"},
      {"{}", "needs one of"},
      {R"({"instances":[],"inputs":[]})", "both instances and inputs"},
      {R"({"instances":[]})", "no rows"},
      {R"({"instances":7})", "list of rows"},
      {R"({"instances":[7]})", "has 1 values, expected 2"},
      {R"({"instances":[[1]]})", "has 1 values, expected 2"},
      {R"({"instances":[[1,"a"],7]})", "instances[1]"},
      {R"({"instances":[{"carrier":"a","distance":1},7]})", "instances[1] must be an object"},
      {R"({"dataframe_records":[{"carrier":"a"}]})", "distance"},
      {R"({"dataframe_split":{"columns":["carrier"],"data":[["a"]]}})", "distance"},
      {R"({"dataframe_split":{"columns":["carrier","carrier"],"data":[]}})", "twice"},
      {R"({"dataframe_split":{"columns":[1],"data":[]}})", "must be texts"},
      {R"({"dataframe_split":{"columns":["carrier","distance"]}})", "needs data"},
      {R"({"dataframe_split":[]})", "must be an object"},
      {R"({"inputs":{"carrier":["a"]}})", "distance"},
      {R"({"inputs":{"carrier":["a"],"distance":[1,2]}})", "has 1 values, distance has 2"},
      {R"({"instances":[["x","a"]]})", "takes number"},
      {R"({"instances":[[1,"a"]],"signature_name":"s"})", "signature_name"},
      {R"({"instances":[[1,"a"]],"params":7})", "parameters"},
  };
  for (const auto& [body, reason] : bodies) {
    const auto response = post(body);
    EXPECT_EQ(response.status, 400) << body;
    const auto answer = json::parse(response.body);
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->string_or("error_code", ""), "BAD_REQUEST") << body;
    EXPECT_NE(answer->string_or("message", "").find(reason), std::string::npos) << body << "\n"
                                                                                << response.body;
  }
  EXPECT_EQ(post("carrier,distance\n\"AA,100\n", "text/csv").status, 400);
  EXPECT_EQ(post("carrier,distance\nAA\n", "text/csv").status, 400);
  EXPECT_EQ(post("", "text/csv").status, 400);
}

TEST_F(InvocationsTest, answers_415_for_what_it_does_not_read) {
  rig_.add("flights");
  EXPECT_EQ(post("{}", "application/vnd.apache.parquet").status, 415);
  EXPECT_EQ(post("{}", "application/json; charset=latin-1").status, 415);
  EXPECT_EQ(post("{}", "application/json; version=2").status, 415);
}

class CsvHeaderTest : public ::testing::Test {
 protected:
  CsvHeaderTest() {
    signature_.inputs = {{"a", data::ColumnType::kNumber}, {"b", data::ColumnType::kNumber}};
    signature_.outputs = {{"value", data::ColumnType::kNumber}};
  }
  std::string read(std::string_view type, std::string_view body) {
    const auto parsed = parse_body(type, body, signature_);
    if (!parsed.ok()) return parsed.error().message;
    std::string out;
    for (const double value : parsed->rows.columns[0].numbers)
      out += std::to_string(int(value)) + " ";
    return out;
  }
  serve::Signature signature_;
};

TEST_F(CsvHeaderTest, is_told_by_its_content_or_by_the_media_type) {
  EXPECT_EQ(read("text/csv", "1,2\n3,4\n"), "1 3 ");
  EXPECT_EQ(read("text/csv", "b,a\n1,2\n3,4"), "2 4 ");
  EXPECT_EQ(read("text/csv; header=present", "b,a\n1,2\n"), "2 ");
  EXPECT_EQ(read("text/csv; header=absent", "x,2\n"), "column \"a\": takes number, got \"x\"");
}

TEST(Csv, follows_rfc_4180) {
  const auto records = parse_csv(
      "\xEF\xBB\xBF"
      "a,\"b\"\"c\nd\"\r\n\r\n,\n\"\",x");
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(*records,
            (std::vector<std::vector<std::string>>{{"a", "b\"c\nd"}, {"", ""}, {"", "x"}}));
  EXPECT_FALSE(parse_csv("\"a").ok());
  EXPECT_FALSE(parse_csv("\"a\"b,c").ok());
  EXPECT_TRUE(parse_csv("")->empty());
}

TEST(WriteJson, gives_objects_when_there_are_several_outputs) {
  data::Batch outputs;
  outputs.columns.push_back({.name = "p_a", .numbers = {0.25, 0.5}});
  outputs.columns.push_back({.name = "p_b", .numbers = {0.75, 0.5}});
  EXPECT_EQ(write_json(outputs),
            R"({"predictions":[{"p_a":0.25,"p_b":0.75},{"p_a":0.5,"p_b":0.5}]})");
  EXPECT_EQ(write_csv(outputs), "0.25,0.75\n0.5,0.5\n");
}

}  // namespace
}  // namespace ciclo::api::invocations
