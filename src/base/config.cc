// SPDX-License-Identifier: Apache-2.0
#include "base/config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "base/yaml.h"

namespace ciclo {
namespace {

std::string_view expected(json::Kind kind) {
  switch (kind) {
    case json::Kind::kBool: return "true or false";
    case json::Kind::kInt: return "an integer";
    case json::Kind::kDouble: return "a number";
    default: return "a string";
  }
}

bool is_scalar(const json::Value& value) {
  return value.is_bool() || value.is_number() || value.is_string();
}

std::string place(const std::string& file, json::Mark mark) {
  return file + ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column);
}

}  // namespace

Config::Config(std::vector<Key> keys) {
  std::set<std::string> names;
  for (auto& key : keys) {
    CHECK(is_scalar(key.default_value));
    const bool is_new = names.insert(environment_name(key.name)).second;
    CHECK(is_new);
    json::Value value = key.default_value;
    settings_.push_back({.key = std::move(key), .value = std::move(value)});
  }
}

Result<void> Config::read_file(const std::filesystem::path& path) {
  TRY(const json::Value root, yaml::read_file(path));
  if (root.is_null()) return {};
  if (!root.is_object()) {
    return invalid_argument(place(path.string(), root.mark) + ": expected keys and values, got " +
                            std::string(json::kind_name(root.kind())));
  }
  return read_object(root, "", path.string());
}

Result<void> Config::read_object(const json::Value& object, const std::string& prefix,
                                 const std::string& file) {
  for (const auto& [part, value] : object.members()) {
    const std::string name = prefix + part;
    if (Setting* setting = find(name)) {
      TRY(assign(*setting, value, Source::kFile, place(file, value.mark)));
      continue;
    }
    const std::string inside = name + ".";
    const bool is_group = std::any_of(settings_.begin(), settings_.end(), [&](const auto& other) {
      return other.key.name.starts_with(inside);
    });
    if (!is_group) return unknown_key(name).with_context(place(file, value.mark));
    if (value.is_null()) continue;
    if (!value.is_object()) {
      return invalid_argument(place(file, value.mark) + ": " + name + " holds further keys, got " +
                              std::string(json::kind_name(value.kind())));
    }
    TRY(read_object(value, inside, file));
  }
  return {};
}

Result<void> Config::read_environment(const char* const* environment) {
  for (; *environment != nullptr; ++environment) {
    const std::string_view variable(*environment);
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = variable.substr(0, equals);
    for (auto& setting : settings_) {
      if (environment_name(setting.key.name) != name) continue;
      TRY(assign_text(setting, variable.substr(equals + 1), Source::kEnvironment,
                      std::string(name)));
    }
  }
  return {};
}

Result<void> Config::set_flag(std::string_view flag, std::string_view text) {
  if (flag.starts_with("--")) flag.remove_prefix(2);
  const std::string full = "--" + std::string(flag);
  for (auto& setting : settings_) {
    if (flag_name(setting.key.name) == full) {
      return assign_text(setting, text, Source::kFlag, full);
    }
  }
  std::vector<std::string> flags;
  for (const auto& setting : settings_) flags.push_back(flag_name(setting.key.name));
  const std::string_view near = nearest(full, flags);
  return invalid_argument("unknown flag " + full +
                          (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
}

Config::Setting* Config::find(std::string_view name) {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [&](const auto& setting) { return setting.key.name == name; });
  return found == settings_.end() ? nullptr : &*found;
}

const Config::Setting& Config::get(std::string_view name) const {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [&](const auto& setting) { return setting.key.name == name; });
  CHECK(found != settings_.end());
  return *found;
}

Error Config::unknown_key(std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& setting : settings_) names.push_back(setting.key.name);
  const std::string_view near = nearest(name, names);
  return invalid_argument("unknown key " + quoted(name) +
                          (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
}

Result<void> Config::assign(Setting& setting, const json::Value& value, Source source,
                            std::string origin) {
  const json::Kind kind = setting.key.default_value.kind();
  const bool widens = kind == json::Kind::kDouble && value.is_int();
  if (value.kind() != kind && !widens) {
    const std::string found = is_scalar(value) && !setting.key.is_secret
                                  ? json::dump(value)
                                  : std::string(json::kind_name(value.kind()));
    return invalid_argument(origin + ": " + setting.key.name + " must be " +
                            std::string(expected(kind)) + ", got " + found);
  }
  if (source < setting.source) return {};
  setting.value = widens ? json::Value(value.number()) : value;
  setting.source = source;
  setting.origin = std::move(origin);
  return {};
}

Result<void> Config::assign_text(Setting& setting, std::string_view text, Source source,
                                 std::string origin) {
  json::Value value(text);
  switch (setting.key.default_value.kind()) {
    case json::Kind::kBool:
      if (text == "true" || text == "1") value = true;
      if (text == "false" || text == "0") value = false;
      break;
    case json::Kind::kInt:
      if (const auto number = parse_int(text)) value = *number;
      break;
    case json::Kind::kDouble:
      if (const auto number = parse_double(text)) value = *number;
      break;
    default: break;
  }
  return assign(setting, value, source, std::move(origin));
}

const std::string& Config::text(std::string_view name) const { return get(name).value.string(); }
std::int64_t Config::integer(std::string_view name) const { return get(name).value.integer(); }
double Config::number(std::string_view name) const {
  CHECK(get(name).key.default_value.kind() == json::Kind::kDouble);
  return get(name).value.number();
}
bool Config::boolean(std::string_view name) const { return get(name).value.boolean(); }

std::vector<Config::Entry> Config::entries() const {
  std::vector<Entry> out;
  for (const auto& setting : settings_) {
    const bool is_hidden = setting.key.is_secret && setting.source != Source::kDefault;
    out.push_back({.name = setting.key.name,
                   .value = is_hidden ? json::Value("***") : setting.value,
                   .source = setting.source,
                   .origin = setting.origin,
                   .help = setting.key.help});
  }
  return out;
}

std::string Config::environment_name(std::string_view key) {
  std::string name = "CICLO_";
  for (const char c : key) {
    name.push_back(c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

std::string Config::flag_name(std::string_view key) {
  std::string name = "--";
  for (const char c : key) name.push_back(c == '.' || c == '_' ? '-' : c);
  return name;
}

}  // namespace ciclo
