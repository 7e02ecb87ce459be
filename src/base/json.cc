// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <yyjson.h>

#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/text.h"

namespace ciclo::json {

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "a boolean";
    case Kind::kInt: return "an integer";
    case Kind::kDouble: return "a number";
    case Kind::kString: return "a string";
    case Kind::kArray: return "an array";
    case Kind::kObject: return "an object";
  }
  return "a value";
}

bool Value::boolean() const {
  CHECK(is_bool());
  return std::get<bool>(data_);
}
std::int64_t Value::integer() const {
  CHECK(is_int());
  return std::get<std::int64_t>(data_);
}
double Value::number() const {
  CHECK(is_number());
  if (is_int()) return static_cast<double>(std::get<std::int64_t>(data_));
  return std::get<double>(data_);
}
const std::string& Value::string() const {
  CHECK(is_string());
  return std::get<std::string>(data_);
}
const Value::Array& Value::items() const {
  CHECK(is_array());
  return std::get<Array>(data_);
}
Value::Array& Value::items() {
  CHECK(is_array());
  return std::get<Array>(data_);
}
const Value::Object& Value::members() const {
  CHECK(is_object());
  return std::get<Object>(data_);
}
Value::Object& Value::members() {
  CHECK(is_object());
  return std::get<Object>(data_);
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, value] : members()) {
    if (name == key) return &value;
  }
  return nullptr;
}

Value& Value::operator[](std::string_view key) {
  if (is_null()) data_ = Object{};
  for (auto& [name, value] : members()) {
    if (name == key) return value;
  }
  members().emplace_back(std::string(key), Value());
  return members().back().second;
}

void Value::push_back(Value value) {
  if (is_null()) data_ = Array{};
  items().push_back(std::move(value));
}

std::string Value::string_or(std::string_view key, std::string_view otherwise) const {
  const Value* value = find(key);
  return value != nullptr && value->is_string() ? value->string() : std::string(otherwise);
}
std::int64_t Value::integer_or(std::string_view key, std::int64_t otherwise) const {
  const Value* value = find(key);
  return value != nullptr && value->is_int() ? value->integer() : otherwise;
}
double Value::number_or(std::string_view key, double otherwise) const {
  const Value* value = find(key);
  return value != nullptr && value->is_number() ? value->number() : otherwise;
}
bool Value::boolean_or(std::string_view key, bool otherwise) const {
  const Value* value = find(key);
  return value != nullptr && value->is_bool() ? value->boolean() : otherwise;
}

Kind View::kind() const {
  switch (yyjson_get_type(value_)) {
    case YYJSON_TYPE_BOOL: return Kind::kBool;
    case YYJSON_TYPE_STR: return Kind::kString;
    case YYJSON_TYPE_ARR: return Kind::kArray;
    case YYJSON_TYPE_OBJ: return Kind::kObject;
    case YYJSON_TYPE_NUM:
      if (yyjson_is_real(value_)) return Kind::kDouble;
      if (yyjson_is_uint(value_) && yyjson_get_uint(value_) > INT64_MAX) return Kind::kDouble;
      return Kind::kInt;
    default: return Kind::kNull;
  }
}

bool View::boolean() const {
  CHECK(is_bool());
  return yyjson_get_bool(value_);
}
std::int64_t View::integer() const {
  CHECK(is_int());
  return yyjson_get_sint(value_);
}
double View::number() const {
  CHECK(is_number());
  return yyjson_get_num(value_);
}
std::string_view View::string() const {
  CHECK(is_string());
  return {yyjson_get_str(value_), yyjson_get_len(value_)};
}
std::size_t View::size() const {
  CHECK(is_array() || is_object());
  return yyjson_get_len(value_);
}
View View::find(std::string_view key) const {
  return View(yyjson_obj_getn(value_, key.data(), key.size()));
}

View::Cursor View::begin_items() const {
  CHECK(is_array());
  return {yyjson_arr_get_first(value_), yyjson_arr_size(value_)};
}
void View::next_item(Cursor& cursor) {
  if (--cursor.left > 0) cursor.current = unsafe_yyjson_get_next(cursor.current);
}
View::Cursor View::begin_members() const {
  CHECK(is_object());
  const std::size_t size = yyjson_obj_size(value_);
  return {size > 0 ? unsafe_yyjson_get_first(value_) : nullptr, size};
}
std::string_view View::key_of(const Cursor& cursor) {
  return {unsafe_yyjson_get_str(cursor.current), unsafe_yyjson_get_len(cursor.current)};
}
yyjson_val* View::value_of(const Cursor& cursor) { return cursor.current + 1; }
void View::next_member(Cursor& cursor) {
  if (--cursor.left > 0) cursor.current = unsafe_yyjson_get_next(cursor.current + 1);
}

Value View::to_value() const {
  switch (kind()) {
    case Kind::kNull: return {};
    case Kind::kBool: return boolean();
    case Kind::kInt: return integer();
    case Kind::kDouble: return number();
    case Kind::kString: return string();
    case Kind::kArray: {
      Value::Array items;
      items.reserve(size());
      each_item([&](View item) {
        items.push_back(item.to_value());
        return true;
      });
      return items;
    }
    case Kind::kObject: {
      Value::Object members;
      members.reserve(size());
      each_member([&](std::string_view key, View member) {
        members.emplace_back(std::string(key), member.to_value());
        return true;
      });
      return members;
    }
  }
  return {};
}

namespace {

Error syntax_error(std::string_view text, const yyjson_read_err& problem) {
  std::size_t line = 0;
  std::size_t column = 0;
  std::size_t character = 0;
  std::string place = "byte " + std::to_string(problem.pos);
  if (yyjson_locate_pos(text.data(), text.size(), problem.pos, &line, &column, &character)) {
    place = "line " + std::to_string(line) + ", column " + std::to_string(column);
  }
  return invalid_argument("not valid JSON at " + place + ": " + problem.msg);
}

bool deeper_than(View value, int levels) {
  if (!value.is_array() && !value.is_object()) return false;
  if (levels == 0) return true;
  bool found = false;
  const auto look = [&](View child) {
    found = deeper_than(child, levels - 1);
    return !found;
  };
  if (value.is_array()) {
    value.each_item(look);
  } else {
    value.each_member([&](std::string_view, View child) { return look(child); });
  }
  return found;
}

}  // namespace

Result<Document> Document::parse(std::string_view text, BareWords bare_words, int depth_max) {
  if (text.empty()) return invalid_argument("not valid JSON: the text is empty");
  yyjson_read_flag flags = YYJSON_READ_NOFLAG;
  if (bare_words == BareWords::kAllow) flags |= YYJSON_READ_ALLOW_INF_AND_NAN;
  yyjson_read_err problem{};
  // Without the in-situ flag the reader copies the text before it writes into it.
  yyjson_doc* doc =
      yyjson_read_opts(const_cast<char*>(text.data()), text.size(), flags, nullptr, &problem);
  if (doc == nullptr) return syntax_error(text, problem);
  Document document(doc);
  if (deeper_than(document.root(), depth_max)) {
    return invalid_argument("the JSON is nested deeper than " + std::to_string(depth_max) +
                            " levels");
  }
  return document;
}

Document::~Document() { yyjson_doc_free(doc_); }

View Document::root() const { return View(yyjson_doc_get_root(doc_)); }

Result<Value> parse(std::string_view text) {
  TRY(const Document document, Document::parse(text));
  return document.root().to_value();
}

std::string dump(const Value& value, NonFinite non_finite) {
  std::string out;
  Writer(out, non_finite).value(value);
  return out;
}

namespace {

void dump_indented(const Value& value, int level, std::string& out) {
  const std::string inner(static_cast<std::size_t>(level + 1) * 2, ' ');
  const std::string outer(static_cast<std::size_t>(level) * 2, ' ');
  if (value.is_array() && !value.items().empty()) {
    out += "[";
    const char* separator = "\n";
    for (const auto& item : value.items()) {
      out += separator + inner;
      dump_indented(item, level + 1, out);
      separator = ",\n";
    }
    out += "\n" + outer + "]";
  } else if (value.is_object() && !value.members().empty()) {
    out += "{";
    const char* separator = "\n";
    for (const auto& [key, member] : value.members()) {
      out += separator + inner;
      Writer(out).string(key);
      out += ": ";
      dump_indented(member, level + 1, out);
      separator = ",\n";
    }
    out += "\n" + outer + "}";
  } else {
    Writer(out).value(value);
  }
}

}  // namespace

std::string dump_pretty(const Value& value) {
  std::string out;
  dump_indented(value, 0, out);
  out.push_back('\n');
  return out;
}

void Writer::separate() {
  if (need_comma_) out_.push_back(',');
  need_comma_ = true;
}

Writer& Writer::begin_object() {
  separate();
  out_.push_back('{');
  need_comma_ = false;
  return *this;
}
Writer& Writer::end_object() {
  out_.push_back('}');
  need_comma_ = true;
  return *this;
}
Writer& Writer::begin_array() {
  separate();
  out_.push_back('[');
  need_comma_ = false;
  return *this;
}
Writer& Writer::end_array() {
  out_.push_back(']');
  need_comma_ = true;
  return *this;
}
Writer& Writer::key(std::string_view name) {
  string(name);
  out_.push_back(':');
  need_comma_ = false;
  return *this;
}
Writer& Writer::null() {
  separate();
  out_ += "null";
  return *this;
}
Writer& Writer::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}
Writer& Writer::integer(std::int64_t value) {
  separate();
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out_.append(text, end);
  return *this;
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) {
    if (non_finite_ == NonFinite::kNull) return null();
    const std::string_view word =
        std::isnan(value) ? "NaN" : (value > 0 ? "Infinity" : "-Infinity");
    if (non_finite_ == NonFinite::kString) return string(word);
    separate();
    out_ += word;
    return *this;
  }
  separate();
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view written(text, static_cast<std::size_t>(end - text));
  out_ += written;
  // A reader must see a double again, not an integer.
  if (written.find_first_of(".e") == std::string_view::npos) out_ += ".0";
  return *this;
}

Writer& Writer::string(std::string_view value) {
  separate();
  constexpr char kDigits[] = "0123456789abcdef";
  out_.push_back('"');
  std::size_t i = 0;
  while (i < value.size()) {
    const auto byte = static_cast<unsigned char>(value[i]);
    if (byte >= 0x80) {
      const std::size_t length = utf8_sequence_length(value.substr(i));
      if (length == 0) {
        out_ += "\xEF\xBF\xBD";
        ++i;
      } else {
        out_ += value.substr(i, length);
        i += length;
      }
      continue;
    }
    switch (byte) {
      case '"': out_ += "\\\""; break;
      case '\\': out_ += "\\\\"; break;
      case '\n': out_ += "\\n"; break;
      case '\r': out_ += "\\r"; break;
      case '\t': out_ += "\\t"; break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          out_ += "\\u00";
          out_.push_back(kDigits[byte >> 4]);
          out_.push_back(kDigits[byte & 15]);
        } else {
          out_.push_back(static_cast<char>(byte));
        }
    }
    ++i;
  }
  out_.push_back('"');
  return *this;
}

Writer& Writer::value(const Value& value) {
  switch (value.kind()) {
    case Kind::kNull: return null();
    case Kind::kBool: return boolean(value.boolean());
    case Kind::kInt: return integer(value.integer());
    case Kind::kDouble: return number(value.number());
    case Kind::kString: return string(value.string());
    case Kind::kArray:
      begin_array();
      for (const auto& item : value.items()) this->value(item);
      return end_array();
    case Kind::kObject:
      begin_object();
      for (const auto& [name, member] : value.members()) key(name).value(member);
      return end_object();
  }
  return *this;
}

Writer& Writer::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace ciclo::json
