// SPDX-License-Identifier: Apache-2.0
#include "api/oip/oip.h"

#include <gtest/gtest.h>

#include <set>

#include "api/oip/infer.h"
#include "http/local.h"
#include "serve/test_endpoints.h"

namespace ciclo::api::oip {
namespace {

class OipTest : public ::testing::Test {
 protected:
  OipTest() {
    rig_.add("flights");
    add_routes(router_, *rig_.endpoints, "0.1.0");
  }
  http::Response get(const std::string& path) { return http::call_local(router_, "GET", path); }
  http::Response infer(std::string body, const std::string& path = "/v2/models/flights/infer") {
    return http::call_local(router_, "POST", path, std::move(body));
  }
  static json::Value parsed(const http::Response& response) {
    auto value = json::parse(response.body);
    EXPECT_TRUE(value.ok()) << response.body;
    return value.ok() ? std::move(*value) : json::Value();
  }

  serve::TestEndpoints rig_;
  http::Router router_;
};

constexpr std::string_view kTwoRows = R"({"id":"7","inputs":[
  {"name":"carrier","shape":[2,1],"datatype":"BYTES","data":[["AA"],[null]]},
  {"name":"distance","shape":[2],"datatype":"FP32","data":[100,null]}]})";

TEST_F(OipTest, infers_from_a_tensor_for_each_column) {
  const auto response = infer(std::string(kTwoRows));
  ASSERT_EQ(response.status, 200) << response.body;
  auto answer = parsed(response);
  const auto& ids = answer.find("parameters")->find("inference_ids")->items();
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(answer.string_or("model_name", ""), "flights");
  EXPECT_EQ(answer.string_or("model_version", ""), "1");
  EXPECT_EQ(answer.string_or("id", ""), "7");
  EXPECT_EQ(json::dump(*answer.find("outputs")),
            R"([{"name":"probability","shape":[2],"datatype":"FP64","data":[1.1,1.0]}])");
}

TEST_F(OipTest, takes_ids_and_event_times_from_parameters) {
  const auto response = infer(R"({"parameters":{"inference_id":"u7","event_time_ms":1370044800000},
    "inputs":[{"name":"carrier","shape":[1],"datatype":"BYTES","data":["AA"]},
              {"name":"distance","shape":[1],"datatype":"INT64","data":[5]}]})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_NE(response.body.find(R"("inference_ids":["u7"])"), std::string::npos);
  ASSERT_TRUE(rig_.capture->flush().ok());
  EXPECT_EQ(rig_.capture->newest_event_ms("flights"), 1370044800000);
}

TEST_F(OipTest, gives_the_outputs_asked_for) {
  const std::string inputs =
      R"("inputs":[{"name":"carrier","shape":[1],"datatype":"BYTES","data":["AA"]},
                   {"name":"distance","shape":[1],"datatype":"FP64","data":[5]}]})";
  EXPECT_EQ(infer(R"({"outputs":[{"name":"probability"}],)" + inputs).status, 200);
  EXPECT_EQ(infer(R"({"outputs":[{"name":"label"}],)" + inputs).status, 400);
  EXPECT_EQ(infer(R"({"outputs":7,)" + inputs).status, 400);
}

TEST_F(OipTest, answers_health_and_metadata) {
  EXPECT_EQ(get("/v2/health/live").status, 200);
  EXPECT_EQ(get("/v2/health/ready").status, 200);
  EXPECT_EQ(parsed(get("/v2")).string_or("name", ""), "ciclo");
  EXPECT_EQ(
      get("/v2/models/flights").body,
      R"({"name":"flights","versions":["1"],"platform":"test","inputs":[{"name":"distance","datatype":"FP64","shape":[-1]},{"name":"carrier","datatype":"BYTES","shape":[-1]}],"outputs":[{"name":"probability","datatype":"FP64","shape":[-1]}]})");
  EXPECT_EQ(get("/v2/models/flights/ready").status, 200);
  EXPECT_EQ(get("/v2/models/flights/versions/1").status, 200);
  EXPECT_EQ(get("/v2/models/flights/versions/1/ready").status, 200);
  EXPECT_EQ(infer(std::string(kTwoRows), "/v2/models/flights/versions/1/infer").status, 200);
}

TEST_F(OipTest, answers_404_for_unknown_models_and_versions) {
  for (const auto* path :
       {"/v2/models/none", "/v2/models/none/ready", "/v2/models/flights/versions/2",
        "/v2/models/flights/versions/2/ready"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_TRUE(parsed(response).find("error")->is_string());
  }
  EXPECT_EQ(infer(std::string(kTwoRows), "/v2/models/none/infer").status, 404);
  EXPECT_EQ(infer(std::string(kTwoRows), "/v2/models/flights/versions/2/infer").status, 404);
}

TEST_F(OipTest, answers_503_while_nothing_is_loaded) {
  EXPECT_FALSE(rig_.endpoints->put({}, {.name = "late", .model = "delays"}).ok());
  EXPECT_EQ(infer(std::string(kTwoRows), "/v2/models/late/infer").status, 503);
}

TEST_F(OipTest, answers_400_with_a_reason_for_malformed_bodies) {
  const auto tensor = [](const std::string& distance) {
    return R"({"inputs":[{"name":"carrier","shape":[2],"datatype":"BYTES","data":["A","B"]},)" +
           distance + "]}";
  };
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"", "JSON"},
      {"[]", "must be a JSON object"},
      {"{}", "inputs: must be a list"},
      {R"({"inputs":[]})", "at least one tensor"},
      {R"({"inputs":[7]})", "must be an object"},
      {R"({"id":7,"inputs":[]})", "id: must be a text"},
      {tensor(R"({"name":"distance","shape":[2],"datatype":"FP64","data":[1]})"), "has 1 values"},
      {tensor(R"({"name":"distance","shape":[1],"datatype":"FP64","data":[1]})"), "has 1 rows"},
      {tensor(R"({"name":"distance","shape":[2,2],"datatype":"FP64","data":[1,2,3,4]})"),
       "[rows, 1]"},
      {tensor(R"({"name":"distance","shape":[-2],"datatype":"FP64","data":[1,2]})"), "shape"},
      {tensor(R"({"name":"distance","shape":[2],"datatype":"BYTES","data":["1","2"]})"),
       "the model takes FP64"},
      {tensor(R"({"name":"distance","shape":[2],"datatype":"FP16","data":[1,2]})"), "FP16"},
      {tensor(R"({"name":"distance","shape":[2],"datatype":"FP64","data":[1,"x"]})"), "distance"},
      {tensor(R"({"name":"distance","shape":[2],"data":[1,2]})"), "datatype"},
      {tensor(R"({"name":"distance","shape":[2],"datatype":"FP64"})"), "data"},
      {tensor(R"({"name":"distanse","shape":[2],"datatype":"FP64","data":[1,2]})"),
       "did you mean \\\"distance\\\""},
      {tensor(R"({"name":"carrier","shape":[2],"datatype":"BYTES","data":["1","2"]})"), "twice"},
      {R"({"inputs":[{"name":"carrier","shape":[1],"datatype":"BYTES","data":["A"]}]})",
       "\\\"distance\\\" is missing"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]})", "is text"},
  };
  for (const auto& [body, reason] : bodies) {
    const auto response = infer(body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_NE(response.body.find(reason), std::string::npos) << body << "\n" << response.body;
  }
}

class MatrixTest : public ::testing::Test {
 protected:
  MatrixTest() {
    signature_.inputs = {{"a", data::ColumnType::kNumber}, {"b", data::ColumnType::kInteger}};
    signature_.outputs = {{"value", data::ColumnType::kNumber}};
  }
  serve::Signature signature_;
};

TEST_F(MatrixTest, takes_one_tensor_for_all_columns_flat_or_nested) {
  for (const auto* data : {"[1.5,2,null,4]", "[[1.5,2],[null,4]]"}) {
    const auto request =
        parse_infer(R"({"inputs":[{"name":"predict","shape":[2,2],"datatype":"FP32","data":)" +
                        std::string(data) + "}]}",
                    signature_);
    ASSERT_TRUE(request.ok()) << request.error().message;
    EXPECT_EQ(request->rows.columns[0].numbers[0], 1.5);
    EXPECT_TRUE(request->rows.columns[0].is_null(1));
    EXPECT_EQ(request->rows.columns[1].numbers, (std::vector<double>{2, 4}));
  }
}

TEST_F(MatrixTest, refuses_another_width_or_too_few_values) {
  EXPECT_FALSE(
      parse_infer(R"({"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]})",
                  signature_)
          .ok());
  EXPECT_FALSE(
      parse_infer(R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3]}]})",
                  signature_)
          .ok());
}

}  // namespace
}  // namespace ciclo::api::oip
