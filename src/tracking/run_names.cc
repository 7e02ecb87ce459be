// SPDX-License-Identifier: Apache-2.0
#include "tracking/run_names.h"

#include <array>
#include <string_view>

namespace ciclo::tracking {

namespace {

constexpr std::array<std::string_view, 64> kAdjectives = {
    "agile",  "amber",  "ample",  "arctic", "azure",  "bold",   "brave",   "bright",
    "brisk",  "calm",   "candid", "casual", "cheery", "civil",  "clever",  "coral",
    "cosmic", "crisp",  "daring", "deft",   "eager",  "early",  "fair",    "fleet",
    "fluent", "fond",   "fresh",  "gentle", "glad",   "golden", "grand",   "hardy",
    "honest", "humble", "ideal",  "jolly",  "keen",   "kind",   "lively",  "loyal",
    "lucid",  "mellow", "merry",  "mild",   "neat",   "noble",  "patient", "placid",
    "plucky", "polite", "proud",  "quick",  "quiet",  "rapid",  "sage",    "serene",
    "silver", "sleek",  "solid",  "steady", "sunny",  "swift",  "vivid",   "witty"};

constexpr std::array<std::string_view, 64> kNouns = {
    "alder", "aspen", "badger", "basil",   "beech",  "birch",   "bison",   "brook",
    "cedar", "cliff", "clover", "comet",   "condor", "cove",    "crane",   "creek",
    "dingo", "dune",  "eagle",  "egret",   "elm",    "falcon",  "fern",    "finch",
    "fjord", "gecko", "glade",  "grove",   "gull",   "harbor",  "hawk",    "hazel",
    "heron", "ibex",  "iris",   "island",  "jackal", "juniper", "kestrel", "lagoon",
    "larch", "lemur", "linden", "lotus",   "lynx",   "maple",   "marten",  "meadow",
    "moss",  "newt",  "oak",    "orchid",  "osprey", "otter",   "plover",  "puffin",
    "quail", "raven", "reef",   "sparrow", "thyme",  "tulip",   "willow",  "wren"};

}  // namespace

std::string generated_name(Random& random) {
  std::string name(kAdjectives[random.below(kAdjectives.size())]);
  name += "-";
  name += kNouns[random.below(kNouns.size())];
  return name + "-" + std::to_string(random.below(1000));
}

}  // namespace ciclo::tracking
