// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "base/text.h"

// Structs in and out of JSON. A struct lists its fields once:
//
//   struct Metric {
//     std::string key;
//     double value = 0;
//     std::optional<std::int64_t> step;
//     template <class V> void fields(V& v) {
//       v("key", key);                  // required
//       v("value", value);
//       v("step", step);                // std::optional: may be missing or null
//       v.or_default("unit", unit);     // may be missing; keeps the value it has
//     }
//   };
//
//   TRY(auto metric, json::read<Metric>(text));      std::string text = json::write(metric);
//
// An enum is written as its name when its namespace declares `enum_names` (see NamedEnum below).
//
// Errors name the path and what was found: `metrics[3].key: expected a string, got an integer`, and
// line and column where the source knows them (YAML). Include this from .cc files.

namespace ciclo::json {

enum class Unknown { kIgnore, kRefuse };

namespace detail {

inline View find_member(const View& node, std::string_view key) { return node.find(key); }
inline const Value* find_member(const Value& node, std::string_view key) { return node.find(key); }
inline bool present(const View& node) { return node.has_value() && !node.is_null(); }
inline bool present(const Value* node) { return node != nullptr && !node->is_null(); }
inline const View& deref(const View& node) { return node; }
inline const Value& deref(const Value* node) { return *node; }
inline Mark mark_of(const View&) { return {}; }
inline Mark mark_of(const Value& node) { return node.mark; }
inline Value copy(const View& node) { return node.to_value(); }
inline Value copy(const Value& node) { return node; }

template <class F>
void each_item(const View& node, F&& f) {
  node.each_item(f);
}
template <class F>
void each_item(const Value& node, F&& f) {
  for (const auto& item : node.items()) {
    if (!f(item)) return;
  }
}
template <class F>
void each_member(const View& node, F&& f) {
  node.each_member(f);
}
template <class F>
void each_member(const Value& node, F&& f) {
  for (const auto& [key, member] : node.members()) {
    if (!f(std::string_view(key), member)) return;
  }
}

struct Problems {
  std::optional<Error> first;
  Unknown unknown = Unknown::kIgnore;

  void add(std::string_view path, Mark mark, std::string_view text) {
    if (first) return;
    std::string message;
    if (mark.line != 0) {
      message = std::to_string(mark.line) + ":" + std::to_string(mark.column) + ": ";
    }
    if (!path.empty()) message += std::string(path) + ": ";
    first = invalid_argument(message + std::string(text));
  }
};

template <class Node>
class Reader;

template <class Node, class T>
void read_into(const Node& node, const std::string& path, Problems& problems, T& out);

template <class Node>
class Reader {
 public:
  Reader(const Node& node, const std::string& path, Problems& problems)
      : node_(node), path_(path), problems_(problems) {}

  template <class T>
  void operator()(std::string_view name, T& out) {
    if (!member(name, out)) {
      problems_.add(child_path(name), mark_of(node_), "required, but missing");
    }
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& out) {
    T value{};
    if (member(name, value)) out = std::move(value);
  }
  template <class T>
  void or_default(std::string_view name, T& out) {
    member(name, out);
  }

  void finish() {
    if (problems_.unknown == Unknown::kIgnore) return;
    each_member(node_, [&](std::string_view key, const auto& value) {
      for (const auto& name : seen_) {
        if (name == key) return true;
      }
      problems_.add(child_path(key), mark_of(value), unknown_text());
      return false;
    });
  }

 private:
  template <class T>
  bool member(std::string_view name, T& out) {
    seen_.emplace_back(name);
    const auto found = find_member(node_, name);
    if (!present(found)) return false;
    read_into(deref(found), child_path(name), problems_, out);
    return true;
  }
  std::string child_path(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  std::string unknown_text() const {
    std::string text = "unknown field; known here:";
    for (const auto& name : seen_) text += " " + std::string(name);
    return text;
  }

  const Node& node_;
  const std::string& path_;
  Problems& problems_;
  std::vector<std::string_view> seen_;
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};
template <class T>
struct IsId : std::false_type {};
template <class T>
struct IsId<Id<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class Node>
void refuse(const Node& node, const std::string& path, Problems& problems,
            std::string_view expected) {
  problems.add(
      path, mark_of(node),
      "expected " + std::string(expected) + ", got " + std::string(kind_name(node.kind())));
}

// An enum whose namespace has `std::span<const std::string_view> enum_names(E)`, the names of its
// values from 0 on: a string in JSON.
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T value) {
  { enum_names(value) } -> std::convertible_to<std::span<const std::string_view>>;
};

template <class Node, class T>
void read_enum(const Node& node, const std::string& path, Problems& problems, T& out) {
  if (!node.is_string()) return refuse(node, path, problems, "a string");
  const std::span<const std::string_view> names = enum_names(out);
  std::string known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == node.string()) {
      out = static_cast<T>(i);
      return;
    }
    known += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  problems.add(path, mark_of(node), "expected one of " + known + ", got " + quoted(node.string()));
}

template <class Node, class T>
void read_into(const Node& node, const std::string& path, Problems& problems, T& out) {
  if (problems.first) return;
  if constexpr (std::is_same_v<T, Value>) {
    out = copy(node);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!node.is_bool()) return refuse(node, path, problems, "a boolean");
    out = node.boolean();
  } else if constexpr (NamedEnum<T>) {
    read_enum(node, path, problems, out);
  } else if constexpr (std::is_integral_v<T>) {
    if (!node.is_int()) return refuse(node, path, problems, "an integer");
    const std::int64_t value = node.integer();
    if (!std::in_range<T>(value)) {
      return problems.add(path, mark_of(node), std::to_string(value) + " is out of range");
    }
    out = static_cast<T>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!node.is_number()) return refuse(node, path, problems, "a number");
    out = static_cast<T>(node.number());
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!node.is_string()) return refuse(node, path, problems, "a string");
    out = std::string(node.string());
  } else if constexpr (IsId<T>::value) {
    if (!node.is_string()) return refuse(node, path, problems, "a string");
    out = T(std::string(node.string()));
  } else if constexpr (IsOptional<T>::value) {
    if (node.is_null()) return;
    read_into(node, path, problems, out.emplace());
  } else if constexpr (IsVector<T>::value) {
    if (!node.is_array()) return refuse(node, path, problems, "an array");
    out.clear();
    each_item(node, [&](const auto& item) {
      typename T::value_type value{};
      read_into(item, path + "[" + std::to_string(out.size()) + "]", problems, value);
      out.push_back(std::move(value));
      return !problems.first.has_value();
    });
  } else if constexpr (IsMap<T>::value) {
    if (!node.is_object()) return refuse(node, path, problems, "an object");
    out.clear();
    each_member(node, [&](std::string_view key, const auto& member) {
      const std::string name(key);
      read_into(member, path.empty() ? name : path + "." + name, problems, out[name]);
      return !problems.first.has_value();
    });
  } else {
    if (!node.is_object()) return refuse(node, path, problems, "an object");
    Reader<Node> reader(node, path, problems);
    out.fields(reader);
    reader.finish();
  }
}

template <class T>
void write_out(Writer& writer, const T& in);

class FieldWriter {
 public:
  explicit FieldWriter(Writer& writer) : writer_(writer) {}
  template <class T>
  void operator()(std::string_view name, const T& value) {
    writer_.key(name);
    write_out(writer_, value);
  }
  // A missing optional is left out.
  template <class T>
  void operator()(std::string_view name, const std::optional<T>& value) {
    if (value) (*this)(name, *value);
  }
  template <class T>
  void or_default(std::string_view name, const T& value) {
    (*this)(name, value);
  }

 private:
  Writer& writer_;
};

template <class T>
void write_out(Writer& writer, const T& in) {
  if constexpr (std::is_same_v<T, Value>) {
    writer.value(in);
  } else if constexpr (std::is_same_v<T, bool>) {
    writer.boolean(in);
  } else if constexpr (NamedEnum<T>) {
    writer.string(enum_names(in)[static_cast<std::size_t>(in)]);
  } else if constexpr (std::is_integral_v<T>) {
    writer.integer(static_cast<std::int64_t>(in));
  } else if constexpr (std::is_floating_point_v<T>) {
    writer.number(in);
  } else if constexpr (std::is_same_v<T, std::string>) {
    writer.string(in);
  } else if constexpr (IsId<T>::value) {
    writer.string(in.str());
  } else if constexpr (IsOptional<T>::value) {
    if (in) {
      write_out(writer, *in);
    } else {
      writer.null();
    }
  } else if constexpr (IsVector<T>::value) {
    writer.begin_array();
    for (const auto& item : in) write_out(writer, item);
    writer.end_array();
  } else if constexpr (IsMap<T>::value) {
    writer.begin_object();
    for (const auto& [key, value] : in) {
      writer.key(key);
      write_out(writer, value);
    }
    writer.end_object();
  } else {
    writer.begin_object();
    FieldWriter fields(writer);
    // fields() serves reading and writing; FieldWriter only reads.
    const_cast<T&>(in).fields(fields);
    writer.end_object();
  }
}

}  // namespace detail

template <class T, class Node>
Result<T> read_node(const Node& node, Unknown unknown = Unknown::kIgnore) {
  detail::Problems problems;
  problems.unknown = unknown;
  T out{};
  detail::read_into(node, std::string(), problems, out);
  if (problems.first) return *problems.first;
  return out;
}

template <class T>
Result<T> read(std::string_view text, Unknown unknown = Unknown::kIgnore) {
  TRY(const Document document, Document::parse(text));
  return read_node<T>(document.root(), unknown);
}

template <class T>
std::string write(const T& in, NonFinite non_finite = NonFinite::kNull) {
  std::string out;
  Writer writer(out, non_finite);
  detail::write_out(writer, in);
  return out;
}

template <class T>
void write_to(Writer& writer, const T& in) {
  detail::write_out(writer, in);
}

// The struct as a tree, for documents put together from parts.
template <class T>
Value to_value(const T& in) {
  auto parsed = parse(write(in));
  CHECK(parsed.ok());
  return std::move(parsed).value();
}

}  // namespace ciclo::json
