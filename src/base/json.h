// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

// JSON as a tree that the program owns (Value), and as a parsed text that is only looked at
// (Document and View), which costs no allocation per value and is for the request path. Structs are
// read from either, and written, through base/json_fields.h.

struct yyjson_doc;
struct yyjson_val;

namespace ciclo::json {

// Where a value stood in its source, from 1; 0 when it is not known.
struct Mark {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

enum class Kind { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

// "a string", "an object", … for messages.
std::string_view kind_name(Kind kind);

// A JSON value. Objects keep the order of their members. Integers that fit 64 signed bits stay
// integers; all other numbers are doubles.
class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(std::int64_t{value}) {}
  Value(unsigned value) : data_(std::int64_t{value}) {}
  Value(long value) : data_(std::int64_t{value}) {}
  Value(long long value) : data_(std::int64_t{value}) {}
  Value(unsigned long value) : data_(static_cast<std::int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(Array value) : data_(std::move(value)) {}
  Value(Object value) : data_(std::move(value)) {}

  static Value array() { return Value(Array{}); }
  static Value object() { return Value(Object{}); }
  static Value object(std::initializer_list<std::pair<std::string, Value>> members) {
    return Value(Object(members));
  }

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_int() const { return kind() == Kind::kInt; }
  bool is_number() const { return kind() == Kind::kInt || kind() == Kind::kDouble; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // The value as that kind; asking for another kind is a bug.
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;  // of an integer or a double
  const std::string& string() const;
  const Array& items() const;
  Array& items();
  const Object& members() const;
  Object& members();

  // The member of an object with that key, nullptr when there is none or this is no object.
  const Value* find(std::string_view key) const;
  // The member with that key, appended as null when it is new. A null value becomes an object.
  Value& operator[](std::string_view key);
  // Appends to an array. A null value becomes an array.
  void push_back(Value value);

  // A member as that kind, or `otherwise` when it is missing or of another kind.
  std::string string_or(std::string_view key, std::string_view otherwise) const;
  std::int64_t integer_or(std::string_view key, std::int64_t otherwise) const;
  double number_or(std::string_view key, double otherwise) const;
  bool boolean_or(std::string_view key, bool otherwise) const;

  Mark mark;

  // Marks do not count.
  friend bool operator==(const Value& a, const Value& b) { return a.data_ == b.data_; }

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

// A value inside a Document, which must outlive it. Same meaning as Value's functions.
class View {
 public:
  View() = default;
  explicit View(yyjson_val* value) : value_(value) {}

  Kind kind() const;
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_int() const { return kind() == Kind::kInt; }
  bool is_number() const { return kind() == Kind::kInt || kind() == Kind::kDouble; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  bool boolean() const;
  std::int64_t integer() const;
  double number() const;
  std::string_view string() const;
  std::size_t size() const;  // of an array or object

  // Calls f(View) for each item of an array, f(std::string_view, View) for each member of an
  // object; f returns false to stop.
  template <class F>
  void each_item(F&& f) const;
  template <class F>
  void each_member(F&& f) const;

  // The member with that key; has_value() is false when there is none.
  View find(std::string_view key) const;
  bool has_value() const { return value_ != nullptr; }

  Value to_value() const;
  Mark mark() const { return {}; }

 private:
  struct Cursor {
    yyjson_val* current = nullptr;
    std::size_t left = 0;
  };
  Cursor begin_items() const;
  static void next_item(Cursor& cursor);
  Cursor begin_members() const;
  static std::string_view key_of(const Cursor& cursor);
  static yyjson_val* value_of(const Cursor& cursor);
  static void next_member(Cursor& cursor);

  yyjson_val* value_ = nullptr;
};

// A parsed text. Keeps its own copy of what it needs; the text may go.
class Document {
 public:
  // invalid_argument with line and column for a text that is not JSON (RFC 8259), has more than
  // `depth_max` levels, or is not UTF-8. `NaN` and `Infinity` as bare words are refused unless
  // allowed.
  enum class BareWords { kRefuse, kAllow };
  static Result<Document> parse(std::string_view text, BareWords bare_words = BareWords::kRefuse,
                                int depth_max = 128);

  Document(Document&& other) noexcept : doc_(std::exchange(other.doc_, nullptr)) {}
  Document& operator=(Document&& other) noexcept {
    std::swap(doc_, other.doc_);
    return *this;
  }
  ~Document();

  View root() const;

 private:
  explicit Document(yyjson_doc* doc) : doc_(doc) {}
  yyjson_doc* doc_ = nullptr;
};

Result<Value> parse(std::string_view text);

// What NaN and the infinities become: null, the strings "NaN", "Infinity", "-Infinity", or bare
// words.
enum class NonFinite { kNull, kString, kBare };

std::string dump(const Value& value, NonFinite non_finite = NonFinite::kNull);
// Indented by two spaces, with a final newline.
std::string dump_pretty(const Value& value);

// Writes JSON text piece by piece, with commas and escapes in the right places. The caller keeps
// begin and end in balance.
class Writer {
 public:
  explicit Writer(std::string& out, NonFinite non_finite = NonFinite::kNull)
      : out_(out), non_finite_(non_finite) {}

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& null();
  Writer& boolean(bool value);
  Writer& integer(std::int64_t value);
  Writer& number(double value);            // shortest text that reads back as the same double
  Writer& string(std::string_view value);  // bytes that are not UTF-8 become U+FFFD
  Writer& value(const Value& value);
  Writer& raw(std::string_view json);  // a complete value, taken as it is

 private:
  void separate();
  std::string& out_;
  NonFinite non_finite_;
  bool need_comma_ = false;
};

template <class F>
void View::each_item(F&& f) const {
  for (Cursor cursor = begin_items(); cursor.left > 0; next_item(cursor)) {
    if (!f(View(cursor.current))) return;
  }
}

template <class F>
void View::each_member(F&& f) const {
  for (Cursor cursor = begin_members(); cursor.left > 0; next_member(cursor)) {
    if (!f(key_of(cursor), View(value_of(cursor)))) return;
  }
}

}  // namespace ciclo::json
