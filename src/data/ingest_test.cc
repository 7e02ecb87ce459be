// SPDX-License-Identifier: Apache-2.0
#include "data/ingest.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/hash.h"

namespace ciclo::data {
namespace {

struct Ingest : testing::Test {
  SystemClock clock;
  Engine engine{clock};
  Context context;
  TemporaryDirectory directory;
  TemporaryDirectory work;

  std::string path(std::string_view name) const { return directory.path() / name; }
  std::string write(std::string_view name, std::string_view content) const {
    EXPECT_TRUE(write_file_durably(path(name), content).ok());
    return path(name);
  }
  Result<ParquetFile> ingest(const std::vector<std::string>& patterns,
                             const SourceOptions& options = {}) const {
    // Nobody has made the folder for what is unpacked.
    TRY(const Table table,
        open_source(engine, context, "t", patterns, options, (work.path() / "unpacked").string()));
    return snapshot(engine, context, table, work.path() / "out.parquet");
  }
  Batch rows(const std::vector<std::string>& patterns, const SourceOptions& options = {}) const {
    const auto file = ingest(patterns, options);
    EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message);
    if (!file.ok()) return {};
    const auto batch = engine.query_all(
        context, {{"t", {file->path}, FileFormat::kParquet, {}, "none", {}}}, "SELECT * FROM t");
    EXPECT_TRUE(batch.ok());
    return *batch;
  }
  Batch rows_of(std::string_view content) const { return rows({write("t.csv", content)}); }
  std::string refusal(const std::vector<std::string>& patterns,
                      const SourceOptions& options = {}) const {
    std::filesystem::remove(work.path() / "out.parquet");
    const auto file = ingest(patterns, options);
    EXPECT_FALSE(file.ok());
    EXPECT_FALSE(std::filesystem::exists(work.path() / "out.parquet"));
    return file.ok() ? "" : file.error().message;
  }
  std::string refusal_of(std::string_view content) const {
    return refusal({write("t.csv", content)});
  }
};

std::string types(const Batch& batch) {
  std::string out;
  for (const auto& column : batch.columns)
    out += column.name + ":" + std::string(type_name(column.type)) + " ";
  return out;
}

TEST_F(Ingest, finds_types_from_all_rows) {
  std::string csv = "i,x,b,day,t,z,s,n,mixed\n";
  for (int i = 0; i < 30000; ++i) {
    csv += "1,0.5,true,2013-01-31,2013-01-31 05:00:00,2013-01-31T05:00:00Z,a,NA," +
           std::string(i == 29999 ? "late" : "7") + "\n";
  }
  const Batch batch = rows_of(csv);
  EXPECT_EQ(types(batch),
            "i:integer x:number b:boolean day:timestamp t:timestamp z:timestamp s:text n:text "
            "mixed:text ");
  EXPECT_EQ(batch.rows(), 30000U);
  EXPECT_EQ(batch.find("z")->numbers[0], 1359608400000);
  EXPECT_TRUE(batch.find("n")->is_null(0));
  EXPECT_EQ(batch.find("mixed")->texts[29999], "late");
}

TEST_F(Ingest, takes_the_usual_texts_for_null) {
  const Batch batch = rows_of("a,b\n1,x\nNA,NA\n,\nnull,null\nNULL,NULL\nNaN,NaN\nN/A,N/A\n2,y\n");
  EXPECT_EQ(types(batch), "a:integer b:text ");
  for (std::size_t row = 1; row < 7; ++row) {
    EXPECT_TRUE(batch.columns[0].is_null(row)) << row;
    EXPECT_TRUE(batch.columns[1].is_null(row)) << row;
  }
  SourceOptions options;
  options.null_texts = {"?"};
  EXPECT_EQ(types(rows({write("q.csv", "a\n1\n?\n")}, options)), "a:integer ");
}

TEST_F(Ingest, tells_what_is_null_in_files_of_a_kind) {
  const auto usual = CsvDialect{}.null_texts;
  EXPECT_EQ(null_texts_of({"a.csv", "b.tsv.gz"}, {}), usual);
  EXPECT_EQ(null_texts_of({"data/*.parquet"}, {}), std::vector<std::string>{""});
  EXPECT_EQ(null_texts_of({"a.jsonl.gz"}, {}), std::vector<std::string>{""});
  SourceOptions options;
  options.null_texts = {"?"};
  EXPECT_EQ(null_texts_of({"a.csv"}, options), std::vector<std::string>{"?"});
  options.format = "parquet";
  EXPECT_EQ(null_texts_of({"a.csv"}, options), std::vector<std::string>{""});
}

TEST_F(Ingest, json_lines_go_by_both_names) {
  const std::string file = write("rows.txt", "{\"a\": 1}\n{\"a\": 2}\n");
  for (const char* format : {"json", "jsonl"}) {
    SourceOptions options;
    options.format = format;
    EXPECT_EQ(types(rows({file}, options)), "a:integer ") << format;
  }
}

TEST_F(Ingest, parquet_files_of_one_table_have_the_same_columns) {
  const auto parquet = [&](std::string_view name, const std::string& select) {
    EXPECT_TRUE(engine.write_parquet(context, {}, select, path(name)).ok());
    return path(name);
  };
  const std::string a = parquet("a.parquet", "SELECT 1::INTEGER AS x, 'u' AS c");
  const std::string more = parquet("b.parquet", "SELECT 2 AS x, 'v' AS c, 7 AS extra");
  const std::string less = parquet("c.parquet", "SELECT 2 AS x");
  const std::string other = parquet("d.parquet", "SELECT 2 AS x, 5 AS c");
  const std::string alike = parquet("e.parquet", "SELECT 'v' AS c, 5000000000.5 AS x");
  EXPECT_EQ(refusal({a, more}), "the columns differ: \"extra\" is in " + more + " and not in " + a);
  EXPECT_EQ(refusal({a, less}), "the columns differ: \"c\" is in " + a + " and not in " + less);
  EXPECT_EQ(refusal({a, other}), "column \"c\" is text in " + a + " and integer in " + other);
  // Another order is none of the data's business, and numbers get the wider type.
  const Batch batch = rows({a, alike});
  EXPECT_EQ(types(batch), "x:number c:text ");
  EXPECT_EQ(batch.columns[0].numbers, (std::vector<double>{1, 5000000000.5}));
}

TEST_F(Ingest, finds_the_delimiter_and_the_header) {
  EXPECT_EQ(types(rows_of("a;b\n1,5;2\n")), "a:text b:integer ");
  EXPECT_EQ(types(rows_of("a\tb c\n1\t2\n")), "a:integer b c:integer ");
  EXPECT_EQ(types(rows_of("a|b\n1|2\n")), "a:integer b:integer ");
  EXPECT_EQ(types(rows_of("only\n1\n")), "only:integer ");
  EXPECT_EQ(types(rows_of("5.1,3.5,setosa\n4.9,3.0,setosa\n")),
            "column_1:number column_2:number column_3:text ");
  EXPECT_EQ(types(rows_of("0,1,2\n5,6,7\n")), "0:integer 1:integer 2:integer ");
  EXPECT_EQ(types(rows_of(",a, b \n0,1,2\n")), "column_1:integer a:integer b:integer ");
  EXPECT_EQ(types(rows_of("\xef\xbb\xbf"
                          "a,b\r\n1,2\r\n")),
            "a:integer b:integer ");
  EXPECT_EQ(types(rows_of("#a,b\n#1,2\n3,4\n")), "#a:text b:integer ");
}

TEST_F(Ingest, keeps_quotes_delimiters_and_line_ends_in_fields) {
  const Batch batch = rows_of("a,\"b,\"\"c\"\n1,\"x\ny\"\n2,\"say \"\"hi\"\", ok\"\n");
  ASSERT_EQ(batch.rows(), 2U);
  EXPECT_EQ(batch.columns[1].name, "b,\"c");
  EXPECT_EQ(batch.columns[1].texts[0], "x\ny");
  EXPECT_EQ(batch.columns[1].texts[1], "say \"hi\", ok");
}

TEST_F(Ingest, names_file_and_line_of_a_ragged_row) {
  EXPECT_EQ(refusal_of("a,b,c\n1,2,3\n4,5\n6,7,8\n"),
            path("t.csv") + ", line 3: expected 3 fields, got 2");
  EXPECT_EQ(refusal_of("a,b,c\n1,2,3\n4,5,6,7\n"),
            path("t.csv") + ", line 3: expected 3 fields, got 4");
  EXPECT_EQ(refusal_of("a,b\n1,\"x\ny\"\n2,3\n4\n"),
            path("t.csv") + ", line 5: expected 2 fields, got 1");
  std::string late = "a,b\n";
  for (int i = 0; i < 60000; ++i) late += "1,2\n";
  EXPECT_EQ(refusal_of(late + "1,2,3\n"), path("t.csv") + ", line 60002: expected 2 fields, got 3");
}

TEST_F(Ingest, refuses_duplicate_names) {
  EXPECT_EQ(refusal_of("id,a,ID\n1,2,3\n"), path("t.csv") +
                                                ": the header names column 1 \"id\" and column 3 "
                                                "\"ID\"; names must differ in more than case");
}

TEST_F(Ingest, refuses_empty_tables_and_missing_files) {
  EXPECT_EQ(refusal_of(""), path("t.csv") + " is empty");
  EXPECT_EQ(refusal_of("a,b\n"), path("t.csv") + " has a header but no rows");
  EXPECT_EQ(refusal_of("\n\n"), path("t.csv") + ": the file is empty");
  EXPECT_EQ(refusal({path("missing.csv")}), "there is no file " + path("missing.csv"));
  EXPECT_EQ(refusal({path("*.tsv")}), "no file matches " + path("*.tsv"));
  EXPECT_EQ(refusal({directory.path()}), directory.path().string() +
                                             " is a directory; name its files, for instance " +
                                             directory.path().string() + "/*.csv");
  EXPECT_EQ(refusal({write("x.parquet", "nonsense")}),
            path("x.parquet") + " is not a Parquet file");
}

TEST_F(Ingest, reads_files_of_a_glob_as_one_table) {
  std::filesystem::create_directories(path("sub/deep"));
  write("a.csv", "k,v\n1,x\n");
  write("sub/b.csv", "k,v\n2,y\n");
  write("sub/deep/c.csv", "k,v\nthree,z\n");
  const Batch batch = rows({path("**/*.csv")});
  EXPECT_EQ(batch.rows(), 3U);
  EXPECT_EQ(types(batch), "k:text v:text ");
  EXPECT_EQ(rows({path("*.csv"), path("sub/*.csv"), path("a.csv")}).rows(), 2U);
  write("bad.csv", "k,w\n1,x\n");
  EXPECT_EQ(refusal({path("*.csv")}), "the headers differ: column 2 is \"v\" in " + path("a.csv") +
                                          " and \"w\" in " + path("bad.csv"));
}

TEST_F(Ingest, reads_other_encodings) {
  std::string little = "\xff\xfe";
  std::string big = "\xfe\xff";
  for (const char16_t unit : std::u16string(u"a,b\n1,\u00e9\n2,\U0001F600\n")) {
    little += {static_cast<char>(unit & 0xff), static_cast<char>(unit >> 8)};
    big += {static_cast<char>(unit >> 8), static_cast<char>(unit & 0xff)};
  }
  for (const auto& content : {little, big}) {
    const Batch batch = rows_of(content);
    ASSERT_EQ(batch.rows(), 2U);
    EXPECT_EQ(batch.columns[1].texts[0], "é");
    EXPECT_EQ(batch.columns[1].texts[1], "😀");
  }
  const std::string latin = write("l.csv", "a,b\n1,caf\xe9\n");
  EXPECT_EQ(refusal({latin}),
            latin +
                ", line 2: bytes that are not UTF-8; set the encoding of the source, for "
                "instance to latin-1");
  SourceOptions options;
  options.encoding = "latin-1";
  EXPECT_EQ(rows({latin}, options).columns[1].texts[0], "café");
}

TEST_F(Ingest, keeps_whole_numbers_beyond_64_bits_apart) {
  const Batch batch =
      rows_of("id,x\n123456789012345678901234567890,1e300\n123456789012345678901234567891,2\n");
  EXPECT_EQ(types(batch), "id:text x:number ");
  EXPECT_EQ(batch.columns[0].texts[1], "123456789012345678901234567891");
}

TEST_F(Ingest, reads_two_thousand_columns) {
  std::string header;
  std::string row;
  for (int i = 0; i < 2000; ++i) {
    header += (i == 0 ? "c" : ",c") + std::to_string(i);
    row += (i == 0 ? "" : ",") + std::to_string(i);
  }
  const Batch batch = rows_of(header + "\n" + row + "\n" + row + "\n");
  EXPECT_EQ(batch.columns.size(), 2000U);
  EXPECT_EQ(batch.rows(), 2U);
}

TEST_F(Ingest, reads_json_lines_and_arrays) {
  const Batch lines = rows({write(
      "a.jsonl", "{\"a\":1,\"b\":\"x\",\"t\":\"2013-01-01T00:00:00Z\"}\n{\"a\":2.5,\"c\":[1]}\n")});
  EXPECT_EQ(types(lines), "a:number b:text t:timestamp c:text ");
  EXPECT_TRUE(lines.find("b")->is_null(1));
  EXPECT_EQ(rows({write("b.json", "[{\"a\":1},{\"a\":2}]")}).rows(), 2U);
  EXPECT_NE(refusal({write("c.jsonl", "{\"a\":1}\n{\"a\":\n")}).find("line"), std::string::npos);
}

TEST_F(Ingest, reads_gzip) {
  const gzFile file = gzopen(path("a.csv.gz").c_str(), "wb");
  ASSERT_EQ(gzputs(file, "a,b\n1,2\n3,4\n"), 12);
  gzclose(file);
  EXPECT_EQ(rows({path("a.csv.gz")}).rows(), 2U);
  std::string cut = *read_file(path("a.csv.gz"));
  EXPECT_EQ(refusal({write("cut.csv.gz", cut.substr(0, cut.size() - 10))}),
            path("cut.csv.gz") + " is damaged: it ends too early");
}

// zip archives as Python's zipfile writes them: flights.csv deflated; a and b stored.
constexpr unsigned char kZip[] = {
    80,  75,  3,   4,   20,  0,   0,   0,   8,   0,   0,  0,   33,  80,  50,  217, 156, 214, 11,
    0,   0,   0,   204, 0,   0,   0,   11,  0,   0,   0,  102, 108, 105, 103, 104, 116, 115, 46,
    99,  115, 118, 75,  212, 73,  226, 50,  212, 169, 24, 22,  24,  0,   80,  75,  1,   2,   20,
    3,   20,  0,   0,   0,   8,   0,   0,   0,   33,  80, 50,  217, 156, 214, 11,  0,   0,   0,
    204, 0,   0,   0,   11,  0,   0,   0,   0,   0,   0,  0,   0,   0,   0,   0,   128, 1,   0,
    0,   0,   0,   102, 108, 105, 103, 104, 116, 115, 46, 99,  115, 118, 80,  75,  5,   6,   0,
    0,   0,   0,   1,   0,   1,   0,   57,  0,   0,   0,  52,  0,   0,   0,   0,   0};
constexpr unsigned char kZipTwo[] = {
    80,  75,  3,   4,   20, 0, 0,  0,  0,  0,   0,   0,   33,  80,  0,   36, 193, 137, 4,  0,  0,
    0,   4,   0,   0,   0,  5, 0,  0,  0,  97,  46,  99,  115, 118, 97,  10, 49,  10,  80, 75, 3,
    4,   20,  0,   0,   0,  0, 0,  0,  0,  33,  80,  0,   36,  193, 137, 4,  0,   0,   0,  4,  0,
    0,   0,   5,   0,   0,  0, 98, 46, 99, 115, 118, 97,  10,  49,  10,  80, 75,  1,   2,  20, 3,
    20,  0,   0,   0,   0,  0, 0,  0,  33, 80,  0,   36,  193, 137, 4,   0,  0,   0,   4,  0,  0,
    0,   5,   0,   0,   0,  0, 0,  0,  0,  0,   0,   0,   0,   128, 1,   0,  0,   0,   0,  97, 46,
    99,  115, 118, 80,  75, 1, 2,  20, 3,  20,  0,   0,   0,   0,   0,   0,  0,   33,  80, 0,  36,
    193, 137, 4,   0,   0,  0, 4,  0,  0,  0,   5,   0,   0,   0,   0,   0,  0,   0,   0,  0,  0,
    0,   128, 1,   39,  0,  0, 0,  98, 46, 99,  115, 118, 80,  75,  5,   6,  0,   0,   0,  0,  2,
    0,   2,   0,   102, 0,  0, 0,  78, 0,  0,   0,   0,   0};

template <std::size_t n>
std::string bytes_of(const unsigned char (&bytes)[n]) {
  return std::string(reinterpret_cast<const char*>(bytes), n);
}

TEST_F(Ingest, reads_zip_with_one_member) {
  const Batch batch = rows({write("a.zip", bytes_of(kZip))});
  EXPECT_EQ(types(batch), "a:integer b:text ");
  EXPECT_EQ(batch.rows(), 50U);
  EXPECT_EQ(
      refusal({write("two.zip", bytes_of(kZipTwo))}),
      path("two.zip") +
          ": the zip archive has more than one member: \"a.csv\", \"b.csv\"; expected one table");
  EXPECT_NE(refusal({write("cut.zip", bytes_of(kZip).substr(0, 60))}).find("is it complete?"),
            std::string::npos);
}

TEST_F(Ingest, gives_the_same_bytes_again) {
  const std::string csv = write("t.csv", "a,b\n1,x\n2,y\n");
  const auto first = ingest({csv});
  ASSERT_TRUE(first.ok());
  const std::string hash = *hash_file(first->path);
  ASSERT_TRUE(ingest({csv}).ok());
  EXPECT_EQ(*hash_file(first->path), hash);
}

TEST_F(Ingest, refuses_options_without_meaning) {
  const std::string csv = write("t.csv", "a\n1\n");
  SourceOptions options;
  options.format = "xls";
  EXPECT_EQ(refusal({csv}, options), "format must be csv, json, jsonl or parquet, got \"xls\"");
  options = {};
  options.header = "maybe";
  EXPECT_EQ(refusal({csv}, options), csv + ": header must be yes or no, got \"maybe\"");
  options = {};
  options.delimiter = "ab";
  EXPECT_EQ(refusal({csv}, options),
            csv + ": delimiter must be one character or \"tab\", got \"ab\"");
}

}  // namespace
}  // namespace ciclo::data
