// SPDX-License-Identifier: Apache-2.0
#include "retention/blobs.h"

#include <algorithm>
#include <string>

#include "data/datasets.h"
#include "lineage/lineage.h"
#include "pipeline/pipeline.h"
#include "retention/store.h"
#include "serve/shared_capture.h"
#include "steps/projects.h"

namespace ciclo::retention {
namespace {

constexpr std::size_t kDigits = 64;

// -1: no digit of a hash.
int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::array<std::uint8_t, 32> packed(std::string_view hash) {
  std::array<std::uint8_t, 32> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(digit_of(hash[2 * i]) * 16 + digit_of(hash[2 * i + 1]));
  }
  return bytes;
}

blob::Hash unpacked(const std::array<std::uint8_t, 32>& bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  blob::Hash hash;
  for (const std::uint8_t byte : bytes) {
    hash += kHex[byte >> 4];
    hash += kHex[byte & 15];
  }
  return hash;
}

void add(Amount& amount, std::uint64_t bytes) {
  ++amount.count;
  amount.bytes += bytes;
}

// All that name values, but for the files of runs, which tracking lists itself.
std::vector<blob::Column> columns_of_others() {
  std::vector<blob::Column> all;
  for (const auto columns :
       {lineage::blob_columns(), data::blob_columns(), pipeline::blob_columns(),
        serve::blob_columns(), steps::blob_columns()}) {
    all.insert(all.end(), columns.begin(), columns.end());
  }
  return all;
}

}  // namespace

std::vector<blob::Column> all_blob_columns() {
  auto all = columns_of_others();
  const auto files = tracking::blob_columns();
  all.insert(all.end(), files.begin(), files.end());
  return all;
}

void find_hashes(std::string_view text, const std::function<void(std::string_view)>& on_hash) {
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && digit_of(text[i]) >= 0) continue;
    if (i - start == kDigits) on_hash(text.substr(start, kDigits));
    start = i + 1;
  }
}

Result<StoredValues> StoredValues::list(blob::Store& store) {
  StoredValues all;
  TRY(store.list([&](const blob::Store::Stored& stored) -> Result<void> {
    all.values_.push_back({packed(stored.hash), stored.size, stored.touched_ms, false});
    return {};
  }));
  std::sort(all.values_.begin(), all.values_.end(),
            [](const Value& a, const Value& b) { return a.hash < b.hash; });
  return all;
}

StoredValues::Value* StoredValues::find(std::string_view hash) {
  const auto key = packed(hash);
  const auto found =
      std::lower_bound(values_.begin(), values_.end(), key,
                       [](const Value& value, const auto& wanted) { return value.hash < wanted; });
  return found != values_.end() && found->hash == key ? &*found : nullptr;
}

Result<void> StoredValues::mark(sql::Reader& reader, const tracking::ArtifactFolders& without) {
  const auto mark_all_in = [&](std::string_view text) -> Result<void> {
    find_hashes(text, [&](std::string_view hash) {
      if (auto* value = find(hash)) value->is_needed = true;
    });
    return {};
  };
  TRY(tracking::visit_blobs(reader, without, mark_all_in));
  for (const auto& column : columns_of_others()) {
    TRY(store::visit_column(reader, column, mark_all_in));
  }
  return {};
}

Amount StoredValues::unneeded(std::int64_t before_ms) const {
  Amount amount;
  for (const auto& value : values_) {
    if (!value.is_needed && value.touched_ms < before_ms) add(amount, value.size);
  }
  return amount;
}

Amount StoredValues::waiting(std::int64_t before_ms) const {
  Amount amount;
  for (const auto& value : values_) {
    if (!value.is_needed && value.touched_ms >= before_ms) add(amount, value.size);
  }
  return amount;
}

Result<Amount> StoredValues::remove(blob::Store& store, std::int64_t before_ms,
                                    std::stop_token stop,
                                    const std::function<void(const Progress&)>& on_progress) const {
  const auto total = static_cast<std::int64_t>(unneeded(before_ms).count);
  Amount removed;
  std::int64_t done = 0;
  for (const auto& value : values_) {
    if (value.is_needed || value.touched_ms >= before_ms) continue;
    if (stop.stop_requested()) return cancelled("the collection was stopped; the next goes on");
    TRY(const bool is_removed, store.remove_untouched(unpacked(value.hash), before_ms));
    if (is_removed) add(removed, value.size);
    if (++done % 100 == 0) on_progress({"removing blobs", done, total});
  }
  return removed;
}

}  // namespace ciclo::retention
