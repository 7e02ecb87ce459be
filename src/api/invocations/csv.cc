// SPDX-License-Identifier: Apache-2.0
#include "api/invocations/csv.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ciclo::api::invocations {
namespace {

class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Result<std::vector<std::vector<std::string>>> read() {
    std::vector<std::vector<std::string>> records;
    while (at_ < text_.size()) {
      if (take_line_end()) continue;
      TRY(auto record, read_record());
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  Result<std::vector<std::string>> read_record() {
    std::vector<std::string> record;
    while (true) {
      std::string field;
      if (at_ < text_.size() && text_[at_] == '"') {
        TRY(field, read_quoted());
      } else {
        const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
        field = std::string(text_.substr(at_, end - at_));
        at_ = end;
      }
      record.push_back(std::move(field));
      if (at_ == text_.size() || take_line_end()) return record;
      if (text_[at_] != ',') {
        return invalid_argument("line " + std::to_string(line_) +
                                " of the CSV body: text after a closing quote");
      }
      ++at_;
    }
  }

  Result<std::string> read_quoted() {
    const std::size_t started = line_;
    std::string field;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') {
          ++at_;
          return field;
        }
        ++at_;
      }
      if (text_[at_] == '\n') ++line_;
      field += text_[at_];
    }
    return invalid_argument("line " + std::to_string(started) +
                            " of the CSV body: a quoted field does not end");
  }

  bool take_line_end() {
    if (at_ < text_.size() && text_[at_] == '\r') {
      ++at_;
      if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    } else if (at_ < text_.size() && text_[at_] == '\n') {
      ++at_;
    } else {
      return false;
    }
    ++line_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text) {
  return CsvReader(text).read();
}

}  // namespace ciclo::api::invocations
