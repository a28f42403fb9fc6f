// SPDX-License-Identifier: Apache-2.0
// query_cases <count>: random queries with the rows that the C++ filter finds, as JSON on stdout,
// for the page's evaluator to find the same: {"table": <the page's data>, "queries": [{q, rows}]};
// rows is null where the C++ parser refuses the query.

#include "harness/codec/json.h"
#include "harness/core/error.h"
#include "harness/core/filter.h"
#include "harness/core/text.h"
#include "reports/page_data.h"
#include "reports/tests/fixture.h"

#include <fmt/format.h>

#include <random>

namespace fathom {
namespace {

/// Rows of every kind: each verdict, hostile texts, many lengths. Through JSON and back, because
/// that is how the page gets them (broken UTF-8 is replaced on the way).
Report rows_to_ask() {
  Report report = every_verdict_report();
  for (const Report& more : {hostile_report(), large_report(60)}) {
    report.records.insert(report.records.end(), more.records.begin(), more.records.end());
  }
  for (Record& record : report.records) record = record_from_json(record_to_json(record), "record");
  return report;
}

class Generator {
 public:
  Generator(const Report& report, unsigned seed) : random_(seed) {
    for (const Record& record : report.records) rows_.push_back(filter_row(record));
  }

  std::string query(int depth = 0) {
    const int kind = depth > 2 ? 0 : below(10);
    if (kind < 5) return term();
    if (kind == 5) return "not " + query(depth + 1);
    if (kind == 6) return "(" + query(depth + 1) + ")";
    if (kind == 7) return query(depth + 1) + " or " + query(depth + 1);
    if (kind == 8) return query(depth + 1) + " and " + query(depth + 1);
    return query(depth + 1) + " " + query(depth + 1);
  }

  std::vector<FilterRow>& rows() { return rows_; }

 private:
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  const FilterRow& row() {
    return rows_[static_cast<std::size_t>(below(static_cast<int>(rows_.size())))];
  }
  const FilterField& field() {
    return filter_fields()[static_cast<std::size_t>(
        below(static_cast<int>(filter_fields().size())))];
  }

  /// A value that some row has, often bent into a glob, cut short or put in quotes.
  std::string value(std::string_view name) {
    const auto texts = row().texts(name);
    std::string text = texts.empty()
                           ? "x"
                           : texts[static_cast<std::size_t>(below(static_cast<int>(texts.size())))];
    const auto middle = text.size() / 2;
    switch (below(7)) {
      case 0: text = text.substr(0, middle) + "*"; break;
      case 1: text = "*" + text.substr(middle); break;
      case 2:
        if (!text.empty()) text[middle] = '?';
        break;
      case 3: text += ",other*"; break;
      default: break;
    }
    if (below(4) == 0) text.insert(0, "!");
    return below(3) == 0 ? '"' + text + '"' : text;
  }

  std::string number(std::string_view name) {
    constexpr std::array units{"", "", "", "ns", "us", "ms", "s", "B", "KiB", "MiB", "GiB"};
    const auto got = row().number(name);
    const std::string text = to_text(got.value_or(below(100)));
    return text + units[static_cast<std::size_t>(below(static_cast<int>(units.size())))];
  }

  std::string term() {
    constexpr std::array operators{":", "=", "!=", "<", "<=", ">", ">=", "!", ":!"};
    constexpr std::array odd{"\"",          "(",
                             ")",           "or",
                             "and",         "not",
                             "x:",          ":x",
                             "/a*b/",       "/",
                             "1e999",       "sk<1e-400",
                             "verdict",     "\"\"",
                             "()",          "not(dtype:f32)",
                             "d:64",        "d:!64",
                             "sk:64,128",   "mask:window(16,0)",
                             "eigen:pass",  "sdpa:math:!pass",
                             "nobody:fail", "nobody:what",
                             "\"not\"",     "hq=8 or",
                             "a(b",         "a(b)c)"};
    const std::string name(field().name);
    switch (below(12)) {
      case 0: return odd[static_cast<std::size_t>(below(static_cast<int>(odd.size())))];
      case 1: return value("backend") + ":" + value("verdict");
      case 2: return value(name);
      case 3: return "/" + value(name) + "/";
      case 4:
      case 5:
      case 6:
        return name +
               operators[static_cast<std::size_t>(below(static_cast<int>(operators.size())))] +
               number(name);
      default: return name + ":" + value(name);
    }
  }

  std::mt19937 random_;
  std::vector<FilterRow> rows_;
};

/// Rows that match, or null if the query is refused.
Json answer(const std::string& query, const std::vector<FilterRow>& rows) {
  try {
    const Filter filter = Filter::parse(query);
    Json matching = Json::array();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (filter.matches(rows[i])) matching.push_back(i);
    }
    return matching;
  } catch (const UsageError&) {
    return {};
  }
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  using namespace fathom;
  if (argc != 2) {
    fmt::print(stderr, "usage: query_cases COUNT\n");
    return 64;
  }
  const Report report = rows_to_ask();
  Generator generator(report, 20250102);
  Json queries = Json::array();
  for (Index i = 0; i < parse_index(argv[1]).value_or(0); ++i) {
    // Cutting may leave half a character; a command line or a page never sends one.
    const Json text =
        Json::parse(Json(generator.query()).dump(-1, ' ', false, Json::error_handler_t::replace));
    const auto query = text.get<std::string>();
    queries.push_back({{"q", query}, {"rows", answer(query, generator.rows())}});
  }
  const Json out{{"table", Json::parse(page_data(report).table)}, {"queries", queries}};
  fmt::print("{}\n", out.dump());
  return 0;
}
