// SPDX-License-Identifier: Apache-2.0
#include "api/oip/infer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/json.h"
#include "base/text.h"
#include "serve/request.h"

namespace ciclo::api::oip {
namespace {

constexpr std::array<std::string_view, 12> kDatatypes = {"BOOL",   "UINT8", "UINT16", "UINT32",
                                                         "UINT64", "INT8",  "INT16",  "INT32",
                                                         "INT64",  "FP32",  "FP64",   "BYTES"};

struct Tensor {
  std::string_view name;
  std::string_view datatype;
  std::vector<std::int64_t> shape;
  json::View data;

  Error refuse(const std::string& text) const {
    return invalid_argument("input " + quoted(name) + ": " + text);
  }
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t length : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(length);
  }
  return out + "]";
}

Result<Tensor> read_tensor(json::View node) {
  if (!node.is_object()) return invalid_argument("inputs: each must be an object");
  const json::View name = node.find("name");
  if (!name.has_value() || !name.is_string()) {
    return invalid_argument("inputs: each needs a name, a text");
  }
  Tensor tensor{.name = name.string()};
  const json::View datatype = node.find("datatype");
  if (!datatype.has_value() || !datatype.is_string()) {
    return tensor.refuse("needs a datatype, a text");
  }
  tensor.datatype = datatype.string();
  if (std::find(kDatatypes.begin(), kDatatypes.end(), tensor.datatype) == kDatatypes.end()) {
    return tensor.refuse("datatype " + quoted(tensor.datatype) +
                         " is not one that travels as JSON");
  }
  const json::View shape = node.find("shape");
  bool is_good = shape.has_value() && shape.is_array();
  if (is_good) {
    shape.each_item([&](json::View length) {
      is_good = length.is_int() && length.integer() >= 0;
      if (is_good) tensor.shape.push_back(length.integer());
      return is_good;
    });
  }
  if (!is_good || tensor.shape.empty()) {
    return tensor.refuse("needs a shape, a list of lengths");
  }
  tensor.data = node.find("data");
  if (!tensor.data.has_value() || !tensor.data.is_array()) {
    return tensor.refuse("needs data, a list");
  }
  return tensor;
}

// Calls `on_value` for each element in row-major order, whether the data is flat or nested.
template <class F>
Result<void> each_value(json::View list, F& on_value) {
  Result<void> result;
  list.each_item([&](json::View item) {
    result = item.is_array() ? each_value(item, on_value) : on_value(item);
    return result.ok();
  });
  return result;
}

Result<void> read_column(const Tensor& tensor, data::Column& column) {
  if (tensor.shape.size() > 2 || (tensor.shape.size() == 2 && tensor.shape[1] != 1)) {
    return tensor.refuse("has the shape " + shape_text(tensor.shape) +
                         "; a column is [rows] or [rows, 1]");
  }
  const bool is_text = tensor.datatype == "BYTES";
  const bool takes_text = column.type == data::ColumnType::kText;
  if (is_text != takes_text && column.type != data::ColumnType::kTimestamp) {
    return tensor.refuse("has the datatype " + std::string(tensor.datatype) + ", the model takes " +
                         std::string(datatype_of(column.type)));
  }
  const auto append = [&](json::View value) { return serve::append_cell(column, value); };
  TRY(each_value(tensor.data, append));
  if (column.rows() != static_cast<std::size_t>(tensor.shape[0])) {
    return tensor.refuse("has " + std::to_string(column.rows()) + " values, its shape " +
                         shape_text(tensor.shape) + " calls for " +
                         std::to_string(tensor.shape[0]));
  }
  return {};
}

bool is_matrix(const std::vector<Tensor>& tensors, const serve::Signature& signature) {
  return tensors.size() == 1 && tensors[0].shape.size() == 2 && tensors[0].datatype != "BYTES" &&
         (signature.input(tensors[0].name) == nullptr || tensors[0].shape[1] != 1);
}

// All columns at once, in the order of the signature.
Result<void> read_matrix(const Tensor& tensor, data::Batch& rows) {
  const std::size_t width = rows.columns.size();
  for (const auto& column : rows.columns) {
    if (column.type == data::ColumnType::kText) {
      return tensor.refuse("is one tensor for all columns, but column " + quoted(column.name) +
                           " is text; send a tensor for each column");
    }
  }
  if (tensor.shape[1] != static_cast<std::int64_t>(width)) {
    return tensor.refuse("has the shape " + shape_text(tensor.shape) + "; the model has " +
                         std::to_string(width) + " columns");
  }
  std::size_t at = 0;
  const auto append = [&](json::View value) {
    auto& column = rows.columns[at];
    at = at + 1 == width ? 0 : at + 1;
    return serve::append_cell(column, value);
  };
  TRY(each_value(tensor.data, append));
  const auto wanted = static_cast<std::size_t>(tensor.shape[0]);
  if (at != 0 || rows.rows() != wanted) {
    return tensor.refuse("has fewer or more values than its shape " + shape_text(tensor.shape) +
                         " calls for");
  }
  return {};
}

Error unknown_input(const Tensor& tensor, const serve::Signature& signature) {
  std::vector<std::string> names;
  for (const auto& input : signature.inputs) names.push_back(input.name);
  const auto near = nearest(tensor.name, names);
  return tensor.refuse("is none of the model's" +
                       (near.empty() ? std::string() : "; did you mean " + quoted(near) + "?"));
}

Result<void> read_columns(const std::vector<Tensor>& tensors, const serve::Signature& signature,
                          data::Batch& rows) {
  std::vector<bool> is_read(rows.columns.size());
  for (const Tensor& tensor : tensors) {
    const auto column =
        std::find_if(rows.columns.begin(), rows.columns.end(),
                     [&](const data::Column& candidate) { return candidate.name == tensor.name; });
    if (column == rows.columns.end()) return unknown_input(tensor, signature);
    const auto index = static_cast<std::size_t>(column - rows.columns.begin());
    if (is_read[index]) return tensor.refuse("is given twice");
    is_read[index] = true;
    TRY(read_column(tensor, *column));
    if (tensor.shape[0] != tensors[0].shape[0]) {
      return tensor.refuse("has " + std::to_string(tensor.shape[0]) + " rows, input " +
                           quoted(tensors[0].name) + " has " + std::to_string(tensors[0].shape[0]));
    }
  }
  for (std::size_t i = 0; i < is_read.size(); ++i) {
    if (!is_read[i]) {
      return invalid_argument("input " + ciclo::quoted(rows.columns[i].name) +
                              " is missing; send nulls where its values are not known");
    }
  }
  return {};
}

Result<std::vector<std::string>> read_outputs(json::View outputs,
                                              const serve::Signature& signature) {
  std::vector<std::string> names;
  if (!outputs.has_value() || outputs.is_null()) return names;
  if (!outputs.is_array()) return invalid_argument("outputs: must be a list");
  std::optional<Error> problem;
  outputs.each_item([&](json::View output) {
    const json::View name = output.is_object() ? output.find("name") : json::View();
    if (!name.has_value() || !name.is_string()) {
      problem = invalid_argument("outputs: each needs a name, a text");
      return false;
    }
    const bool is_known =
        std::any_of(signature.outputs.begin(), signature.outputs.end(),
                    [&](const auto& column) { return column.name == name.string(); });
    if (!is_known) {
      problem = invalid_argument("output " + quoted(name.string()) + " is none of the model's");
      return false;
    }
    names.emplace_back(name.string());
    return true;
  });
  if (problem) return *problem;
  return names;
}

void write_tensor(json::Writer& writer, const data::Column& column) {
  writer.begin_object();
  writer.key("name").string(column.name);
  writer.key("shape").begin_array().integer(static_cast<std::int64_t>(column.rows())).end_array();
  writer.key("datatype").string(datatype_of(column.type));
  writer.key("data").begin_array();
  for (std::size_t row = 0; row < column.rows(); ++row) {
    if (column.is_null(row)) {
      writer.null();
    } else if (column.type == data::ColumnType::kText) {
      writer.string(column.texts[row]);
    } else if (column.type == data::ColumnType::kBoolean) {
      writer.boolean(column.numbers[row] != 0);
    } else if (column.type == data::ColumnType::kNumber) {
      writer.number(column.numbers[row]);
    } else {
      writer.integer(static_cast<std::int64_t>(column.numbers[row]));
    }
  }
  writer.end_array();
  writer.end_object();
}

void write_columns(json::Writer& writer, const std::vector<serve::Signature::Column>& columns) {
  writer.begin_array();
  for (const auto& column : columns) {
    writer.begin_object();
    writer.key("name").string(column.name);
    writer.key("datatype").string(datatype_of(column.type));
    writer.key("shape").begin_array().integer(-1).end_array();
    writer.end_object();
  }
  writer.end_array();
}

}  // namespace

std::string_view datatype_of(data::ColumnType type) {
  switch (type) {
    case data::ColumnType::kBoolean: return "BOOL";
    case data::ColumnType::kInteger:
    case data::ColumnType::kTimestamp: return "INT64";
    case data::ColumnType::kNumber: return "FP64";
    case data::ColumnType::kText: return "BYTES";
  }
  return "FP64";
}

Result<InferRequest> parse_infer(std::string_view body, const serve::Signature& signature) {
  TRY(const auto document, json::Document::parse(body, json::Document::BareWords::kAllow));
  const json::View root = document.root();
  if (!root.is_object()) return invalid_argument("the body must be a JSON object");
  InferRequest out;
  if (const auto id = root.find("id"); id.has_value() && !id.is_null()) {
    if (!id.is_string()) return invalid_argument("id: must be a text");
    out.id = std::string(id.string());
  }
  TRY(out.options, serve::read_options(root.find("parameters")));
  TRY(out.outputs, read_outputs(root.find("outputs"), signature));
  const json::View inputs = root.find("inputs");
  if (!inputs.has_value() || !inputs.is_array() || inputs.size() == 0) {
    return invalid_argument("inputs: must be a list of at least one tensor");
  }
  std::vector<Tensor> tensors;
  tensors.reserve(inputs.size());
  Result<void> problem;
  inputs.each_item([&](json::View node) {
    auto tensor = read_tensor(node);
    if (tensor.ok()) {
      tensors.push_back(std::move(*tensor));
    } else {
      problem = tensor.error();
    }
    return problem.ok();
  });
  if (!problem.ok()) return problem.error();
  out.rows = serve::empty_rows(signature);
  if (is_matrix(tensors, signature)) {
    TRY(read_matrix(tensors[0], out.rows));
  } else {
    TRY(read_columns(tensors, signature, out.rows));
  }
  if (out.rows.rows() == 0) return invalid_argument("inputs: there are no rows to predict");
  return out;
}

std::string write_infer(const InferRequest& request, const serve::Prediction& prediction) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.key("model_name").string(prediction.endpoint);
  writer.key("model_version").string(prediction.version);
  if (!request.id.empty()) writer.key("id").string(request.id);
  writer.key("parameters").begin_object().key("inference_ids").begin_array();
  for (const auto& id : prediction.inference_ids) writer.string(id);
  writer.end_array().end_object();
  writer.key("outputs").begin_array();
  if (request.outputs.empty()) {
    for (const auto& column : prediction.outputs.columns) write_tensor(writer, column);
  } else {
    for (const auto& name : request.outputs) {
      const data::Column* const column = prediction.outputs.find(name);
      if (column != nullptr) write_tensor(writer, *column);
    }
  }
  writer.end_array().end_object();
  return out;
}

std::string write_metadata(const serve::ServingVersion& serving) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.key("name").string(serving.endpoint);
  writer.key("versions").begin_array().string(serving.version).end_array();
  writer.key("platform").string(serving.loaded->platform());
  writer.key("inputs");
  write_columns(writer, serving.loaded->signature().inputs);
  writer.key("outputs");
  write_columns(writer, serving.loaded->signature().outputs);
  writer.end_object();
  return out;
}

}  // namespace ciclo::api::oip
