// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

// Configuration: a fixed set of typed keys, each with a default. A value comes from the strongest
// source that names the key: command-line flag, environment (CICLO_…), file, default; the order in
// which the sources are read does not matter. Every value knows where it came from.

namespace ciclo {

class Config {
 public:
  struct Key {
    // Lower-case words joined by '.' and '_': "http.body_bytes_max". In the file the parts between
    // dots are nested objects; in the environment the key is CICLO_HTTP_BODY_BYTES_MAX; as a flag
    // --http-body-bytes-max.
    std::string name;
    // Its kind (boolean, integer, double or string) is the kind of the key. An integer is taken
    // where a double is meant.
    json::Value default_value;
    // One sentence with unit and bounds, in lower case, no period.
    std::string help;
    // Shown as "***" by entries().
    bool is_secret = false;
  };

  enum class Source { kDefault, kFile, kEnvironment, kFlag };

  struct Entry {
    std::string name;
    json::Value value;
    Source source = Source::kDefault;
    std::string origin;  // "default", "ciclo.yaml:3:9", "CICLO_HTTP_LISTEN", "--http-listen"
    std::string help;
  };

  // Two keys with one name, or with one name in the environment, are a bug.
  explicit Config(std::vector<Key> keys);

  // Reads a YAML file of nested keys. invalid_argument with file, line and column for an unknown
  // key (with "did you mean"), a value of the wrong kind, or a text that is no YAML; not_found when
  // there is no such file.
  Result<void> read_file(const std::filesystem::path& path);

  // Takes the variables "NAME=value" whose name is that of a key; the others belong to somebody
  // else. `environment` ends with a null pointer, as the process's own does.
  Result<void> read_environment(const char* const* environment);

  // `flag` is "--http-listen" or "http-listen". invalid_argument when no key has that flag.
  Result<void> set_flag(std::string_view flag, std::string_view text);

  // Asking for a key that was not declared, or for another kind, is a bug.
  const std::string& text(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  bool boolean(std::string_view name) const;

  // All keys in the order of their declaration, secrets masked: what `ciclo config show` prints.
  std::vector<Entry> entries() const;

  static std::string environment_name(std::string_view key);
  static std::string flag_name(std::string_view key);

 private:
  struct Setting {
    Key key;
    json::Value value;
    Source source = Source::kDefault;
    std::string origin = "default";
  };

  Setting* find(std::string_view name);
  const Setting& get(std::string_view name) const;
  Error unknown_key(std::string_view name) const;
  Result<void> read_object(const json::Value& object, const std::string& prefix,
                           const std::string& file);
  static Result<void> assign(Setting& setting, const json::Value& value, Source source,
                             std::string origin);
  static Result<void> assign_text(Setting& setting, std::string_view text, Source source,
                                  std::string origin);

  std::vector<Setting> settings_;
};

}  // namespace ciclo
