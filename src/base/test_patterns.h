// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// For tests: patterns with texts in which they are found and texts in which they are not. Python's
// re.search, with re.ASCII, says the same of each.

namespace ciclo {

struct PatternExample {
  std::string pattern;
  std::vector<std::string> found;
  std::vector<std::string> missed;
};

inline const std::vector<PatternExample>& pattern_examples() {
  static const std::vector<PatternExample> kExamples = {
      {"", {"", "a"}, {}},
      {"b", {"b", "abc"}, {"", "ac", "B"}},
      {"^b", {"b", "ba"}, {"ab", "a\nb"}},
      {"b$", {"b", "ab"}, {"ba"}},
      {"^$", {""}, {"a"}},
      {"\\Ab\\Z", {"b"}, {"ab", "ba"}},
      {"a.c",
       {"abc", "a.c",
        "a\xC3\xA9"
        "c"},
       {"ac", "a\nc"}},
      {"(?s)a.c", {"abc", "a\nc"}, {"ac"}},
      {"(?i)straSSe",
       {"STRASSE", "strasse"},
       {"stra\xC3\x9F"
        "e"}},
      {"(?i)[a-c]+\\d", {"xB7"}, {"d7", "B"}},
      {"(?is)^A.B$", {"a\nb"}, {"a\nc"}},
      {"[abc]", {"xb"}, {"xyz", "B"}},
      {"[^abc]", {"ax", "\n"}, {"abc", ""}},
      {"[a-cx-z]{2}", {"1ay1"}, {"a1y"}},
      {"[]a]", {"]", "a"}, {"b", "["}},
      {"[^]a]", {"b", "["}, {"]a"}},
      {"[a\\]b]", {"]", "b"}, {"["}},
      {"[a-]", {"-", "a"}, {"b"}},
      {"[-a]", {"-", "a"}, {"b"}},
      {"[\\w-]", {"-", "_"}, {"+"}},
      {"[+\\-*/]", {"1*2", "1-2"}, {"12", "1,2"}},
      {"[\\^]", {"^"}, {"a"}},
      {"[.]", {"."}, {"a"}},
      {"[\xC3\xA0-\xC3\xBF]", {"caf\xC3\xA9"}, {"cafe"}},
      {"[^\\x01-\\x7f]", {"caf\xC3\xA9", "\xF0\x9F\x98\x80"}, {"cafe"}},
      {"[\\x01-\\ud7ff\\ue000-\\U0010ffff]", {"a", "\n", "\xF0\x9F\x98\x80"}, {""}},
      {"^[\\s\\S]$", {"a", "\n", "\xE2\x82\xAC"}, {"", "ab"}},
      {"\\d{3}-\\d{4}", {"call 555-1234"}, {"55-1234", "555-123"}},
      {"^\\w+$", {"a_1"}, {"a b", "\xC3\xA9"}},
      {"\\W", {"a b", "\xC3\xA9"}, {"ab"}},
      {"a\\sb", {"a b", "a\tb", "a\vb"}, {"ab", "a_b"}},
      {"^\\S+$", {"ab"}, {"a b"}},
      {"^\\D+$", {"ab"}, {"a1"}},
      {"\\bcat\\b", {"a cat.", "cat"}, {"cats", "concat", "cat_"}},
      {"\\Bcat", {"concat"}, {"cat", "a cat"}},
      {"cat\\b", {"concat\xC3\xA9"}, {"cats"}},
      {"a\\.b", {"a.b"}, {"axb"}},
      {"\\(\\)\\[\\]\\{\\}\\*\\+\\?\\|\\^\\$\\\\\\/\\-", {"()[]{}*+?|^$\\/-"}, {"()"}},
      {"!\"#%&',/:;<=>@_`~ ", {"!\"#%&',/:;<=>@_`~ "}, {"!"}},
      {"a\\nb\\tc\\rd\\fe\\vf\\ag", {"a\nb\tc\rd\fe\vf\ag"}, {"anb"}},
      {"\\x41\\u00e9\\U0001f600", {"A\xC3\xA9\xF0\x9F\x98\x80"}, {"A"}},
      {"gr(e|a)y", {"grey", "gray"}, {"gry", "groy"}},
      {"^(?:a|bc|)$", {"a", "bc", ""}, {"b", "ab"}},
      {"a|b|c", {"xc"}, {"xd"}},
      {"^a|b$", {"ax", "xb"}, {"xa", "bx"}},
      {"(?P<year>\\d{4})-(?P<month>\\d\\d)", {"2025-01"}, {"202-01"}},
      {"^a*$", {"", "aaa"}, {"ab"}},
      {"^a+$", {"a", "aaa"}, {"", "ab"}},
      {"^a?$", {"", "a"}, {"aa"}},
      {"^a{2}$", {"aa"}, {"a", "aaa"}},
      {"^a{2,}$", {"aa", "aaaa"}, {"a"}},
      {"^a{,2}$", {"", "aa"}, {"aaa"}},
      {"^a{1,3}$", {"a", "aaa"}, {"", "aaaa"}},
      {"^a{0}b$", {"b"}, {"ab"}},
      {"^(ab){2}$", {"abab"}, {"ab", "aabb"}},
      {"^(a|b)*c$", {"c", "abbac"}, {"abd"}},
      {"^(a*)*$", {"", "aaa"}, {"b"}},
      {"^(a*)+b$", {"b", "aab"}, {"a"}},
      {"^(a|)+$", {"", "aa"}, {"b"}},
      {"<.+?>", {"<a>b<c>"}, {"<>"}},
      {"a{", {"a{"}, {"a"}},
      {"a{}", {"a{}"}, {"a"}},
      {"a{x}", {"a{x}"}, {"ax"}},
      {"a{1,2", {"a{1,2"}, {"a1"}},
      {"a}", {"a}"}, {"a"}},
      {"a]", {"a]"}, {"a"}},
      {"x*", {"", "y"}, {}},
      {"^gpt-4(o|-turbo)?(-mini)?$", {"gpt-4", "gpt-4o-mini"}, {"gpt-40", "xgpt-4"}},
      {"(?i)time ?out|deadline", {"TimeOut", "Deadline exceeded"}, {"time  out"}},
      {"^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$", {"me@example.com"}, {"me@example", "me@@example.com"}},
  };
  return kExamples;
}

}  // namespace ciclo
