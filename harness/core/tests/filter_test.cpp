// SPDX-License-Identifier: Apache-2.0
#include "harness/core/filter.h"

#include "harness/core/tests/message.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom {
namespace {

/// A failed case of `sdpa:math`, with something in every field.
Record failed() {
  Record r;
  r.planned.id = "0123456789";
  r.planned.backend = "sdpa:math";
  r.planned.c = parse_case(
      "dir=fwd+bwd dtype=bf16 layout=thd hq=8 hkv=2 d=64 dv=32 seqs=37,2*64x70 "
      "mask=causal(top_left)&window(128,0) fill=outlier seed=7");
  r.planned.c.suite = "my suite";
  r.planned.c.tags = {"nightly", "decode"};
  r.answered_by = "sdpa:math/loop+dense_mask";
  r.device = "cuda:0";
  r.verdict = Verdict::fail;
  r.fail_class = FailClass::accuracy;
  r.reason_code = "E42";
  r.reason = "row 3 (of dq) is off";
  r.findings.push_back({});
  r.findings.back().check = "accuracy.row_rho";
  r.tensors.push_back({});
  r.tensors.back().margin["row_rho"] = 1.5;
  r.measurement.latency.resize(2);
  r.measurement.latency[0].median_ns = 1.5e6;
  r.measurement.latency[1].median_ns = 0.5e6;
  r.measurement.memory = MemoryUse{};
  r.measurement.memory->peak_bytes = 3 << 20;
  return r;
}

/// The same, passed by eigen on a CPU in f32 without a window.
Record passed() {
  Record r = failed();
  r.planned.id = "abcdef0123";
  r.planned.backend = r.answered_by = "eigen";
  r.planned.c =
      parse_case("dir=fwd dtype=f32 layout=bshd hq=4 hkv=4 d=128 dv=128 seqs=16 mask=full");
  r.device = "cpu";
  r.verdict = Verdict::pass;
  r.fail_class = FailClass::none;
  r.reason.clear();
  r.reason_code.clear();
  r.findings.clear();
  r.measurement = {};
  r.tensors.clear();
  return r;
}

bool matches(std::string_view query, const Record& record = failed()) {
  return Filter::parse(query).matches(filter_row(record));
}

std::string why_bad_filter(std::string_view query) {
  return message_of<UsageError>([&] { Filter::parse(query); });
}

struct QueryRow {
  std::string_view query;
  bool fits_failed;
  bool fits_passed;
};

void PrintTo(const QueryRow& row, std::ostream* out) {
  *out << row.query;
}

class QueryTest : public testing::TestWithParam<QueryRow> {};

TEST_P(QueryTest, MatchesTheRowsItSpeaksOf) {
  EXPECT_EQ(matches(GetParam().query, failed()), GetParam().fits_failed);
  EXPECT_EQ(matches(GetParam().query, passed()), GetParam().fits_passed);
}

INSTANTIATE_TEST_SUITE_P(
    FieldAndValue, QueryTest,
    testing::Values(
        QueryRow{"", true, true}, QueryRow{" \t", true, true}, QueryRow{"dtype:bf16", true, false},
        QueryRow{"dtype:f32,bf16", true, true}, QueryRow{"dtype:!bf16", false, true},
        QueryRow{"dtype:!bf16,f32", false, false}, QueryRow{"dtype:b*", true, false},
        QueryRow{"dtype:?32", false, true}, QueryRow{"dtype=bf16", true, false},
        QueryRow{"dtype!=bf16", false, true}, QueryRow{"dir:fwd", false, true},
        QueryRow{"dir:fwd+bwd", true, false}, QueryRow{"layout:thd", true, false},
        QueryRow{"fill:outlier", true, false}, QueryRow{"tag:decode", true, false},
        QueryRow{"suite:\"my suite\"", true, false}, QueryRow{"feature:gqa", true, false},
        QueryRow{"feature:mask.*", true, false}, QueryRow{"id:0123456789", true, false},
        QueryRow{"id=0123456789", true, false}, QueryRow{"device:cuda", true, false},
        QueryRow{"device:cuda:0", true, false}, QueryRow{"class:accuracy", true, false},
        QueryRow{"reason:E42", true, false}, QueryRow{"check:accuracy.*", true, false},
        QueryRow{"check:!accuracy.*", false, true}, QueryRow{"verdict:fail", true, false},
        QueryRow{"verdict:fail(accuracy)", true, false}, QueryRow{"verdict:fail(*)", true, false},
        QueryRow{"verdict:no", false, false}));

INSTANTIATE_TEST_SUITE_P(
    MaskValues, QueryTest,
    testing::Values(QueryRow{"mask:causal(top_left)&window(128,0)", true, false},
                    QueryRow{"mask:causal(top_left)*", true, false},
                    QueryRow{"mask:causal(bottom_right)*", false, false},
                    QueryRow{"mask:causal", true, false}, QueryRow{"mask:window", true, false},
                    QueryRow{"mask:causal&window", true, false}, QueryRow{"mask:full", false, true},
                    QueryRow{"mask:!full", true, false},
                    QueryRow{"mask:full,causal(top_left)&window(128,0)", true, true},
                    QueryRow{"mask:causal(top_left)&window(128, 0)", true, false},
                    QueryRow{"mask:*window(128,0)", true, false},
                    QueryRow{"mask:window(1,0)", false, false},
                    QueryRow{"mask=causal(top_left)&window(128,0)", true, false},
                    QueryRow{"family:causal&window", true, false},
                    QueryRow{"(mask:*(128,0) or dtype:f32)", true, true},
                    QueryRow{"(dtype:f32 or mask:causal(top_left)*)", true, true},
                    QueryRow{"((mask:*causal(top_left)*))", true, false},
                    QueryRow{"not(mask:*causal(top_left)*)", false, true},
                    QueryRow{"seqs:37,2*64x70", true, false}));

INSTANTIATE_TEST_SUITE_P(
    Backends, QueryTest,
    testing::Values(
        QueryRow{"backend:sdpa:math", true, false}, QueryRow{"backend:sdpa", true, false},
        QueryRow{"backend:!sdpa", false, true}, QueryRow{"backend:sdpa:flash", false, false},
        QueryRow{"backend:sdpa:*", true, false},
        QueryRow{"backend:sdpa:math/loop+dense_mask", true, false},
        QueryRow{"backend:eigen,sdpa:math", true, true},
        QueryRow{"lowering:loop+dense_mask", true, false}, QueryRow{"lowering:native", false, true},
        QueryRow{"sdpa:fail", true, false}, QueryRow{"sdpa:math:fail", true, false},
        QueryRow{"sdpa:math:pass", false, false}, QueryRow{"sdpa:flash:fail", false, false},
        QueryRow{"sdpa:math:!pass", true, false}, QueryRow{"sdpa:math:fail(accuracy)", true, false},
        QueryRow{"sdpa:math:pass,fail*", true, false}, QueryRow{"eigen:pass", false, true},
        QueryRow{"eigen:!pass", false, false}, QueryRow{"*:pass", false, true}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, QueryTest,
    testing::Values(QueryRow{"hq=8", true, false}, QueryRow{"hq!=8", false, true},
                    QueryRow{"hq<8", false, true}, QueryRow{"hq<=8", true, true},
                    QueryRow{"hq>4", true, false}, QueryRow{"hq>=4", true, true},
                    QueryRow{"hq:8", true, false}, QueryRow{"hq:4,8", true, true},
                    QueryRow{"hq:!8", false, true}, QueryRow{"hkv:2", true, false},
                    QueryRow{"g>1", true, false}, QueryRow{"d=64", true, false},
                    QueryRow{"dv<64", true, false}, QueryRow{"sq=64", true, false},
                    QueryRow{"sk=70", true, false}, QueryRow{"seqs=3", true, false},
                    QueryRow{"seqs>1", true, false}, QueryRow{"seqs=37,2*64x70", true, false},
                    QueryRow{"seed=7", true, false}, QueryRow{"empty_rows=0", true, true},
                    QueryRow{"latency<3ms", true, false}, QueryRow{"latency>=1999us", true, false},
                    QueryRow{"latency>2100000ns", false, false},
                    QueryRow{"latency<0.1s", true, false}, QueryRow{"memory>2MiB", true, false},
                    QueryRow{"memory<1GiB", true, false}, QueryRow{"memory=3072KiB", true, false},
                    QueryRow{"memory>3145727B", true, false}, QueryRow{"memory:*", true, false},
                    QueryRow{"err_tol>1", true, false}, QueryRow{"err_tol<=1.5e0", true, false},
                    QueryRow{"not err_tol>1", false, true}));

INSTANTIATE_TEST_SUITE_P(
    Text, QueryTest,
    testing::Values(QueryRow{"outlier", true, false}, QueryRow{"layout=thd", true, false},
                    QueryRow{"mask.causal", false, false},
                    QueryRow{"top_left*outlier", true, false},
                    QueryRow{"\"hq=8 hkv=2\"", true, false}, QueryRow{"\"hq=? hkv\"", false, false},
                    QueryRow{"\"row 3 (of dq)\"", true, false}, QueryRow{"\"or\"", false, true},
                    QueryRow{"/hq=?*/", true, true}, QueryRow{"/hq=8*hkv=2/", true, false},
                    QueryRow{"/hq=9*/", false, false}, QueryRow{"fail(accuracy)", true, false},
                    QueryRow{"\"fail(accuracy)\"", true, false},
                    QueryRow{"0123456789", true, false}, QueryRow{"\"\"", true, true},
                    QueryRow{"\"dir=fwd+bwd dtype=bf16 layout=thd hq=8 hkv=2 d=64 dv=32 "
                             "seqs=37,2*64x70 mask=causal(top_left)&window(128,0) fill=outlier "
                             "seed=7\"",
                             true, false}));

INSTANTIATE_TEST_SUITE_P(Combinations, QueryTest,
                         testing::Values(QueryRow{"dtype:bf16 dir:fwd", false, false},
                                         QueryRow{"dtype:bf16 and hq=8", true, false},
                                         QueryRow{"dtype:bf16 or dtype:f32", true, true},
                                         // and binds tighter than or; not tighter than and.
                                         QueryRow{"dtype:f32 or dtype:bf16 hq=4", false, true},
                                         QueryRow{"(dtype:f32 or dtype:bf16) hq=4", false, true},
                                         QueryRow{"dtype:bf16 hq=8 or dtype:f32 hq=8", true, false},
                                         QueryRow{"not dtype:bf16 hq=8", false, false},
                                         QueryRow{"not (dtype:bf16 hq=4)", true, true},
                                         QueryRow{"not(dtype:bf16 or hq=9)", false, true},
                                         QueryRow{"not not dtype:bf16", true, false},
                                         QueryRow{"not dtype:f32 or not hq=4", true, false},
                                         QueryRow{"(dtype:bf16)(hq=8)", true, false},
                                         QueryRow{"( ( dtype:bf16 ) )or(hq=4)", true, true},
                                         QueryRow{"(dtype:bf16)and(hq=4)", false, false}));

TEST(FilterTest, ErrorsQuoteThePlaceInOneSentence) {
  struct Row {
    std::string_view query;
    std::string_view sentence;
  };
  for (const Row& row : {
           Row{"(dtype:bf16", "a closing parenthesis is missing"},
           Row{"dtype:bf16)", "')' is out of place"},
           Row{"()", "')' is out of place"},
           Row{"mask:causal(top_left",
               "a closing parenthesis is missing in 'mask:causal(top_left'"},
           Row{"\"abc", "a closing quote is missing"},
           Row{"dtype:bf16 or", "a term is missing at the end"},
           Row{"not", "a term is missing at the end"},
           Row{"or dtype:bf16", "'or' is out of place"},
           Row{"dtype:bf16 and and hq=1", "'and' is out of place"},
           Row{"dtype:", "'dtype:' has no value"},
           Row{"dtype:!", "'dtype:!' has no value"},
           Row{"hq<", "'hq<' has no value"},
           Row{"eigen:", "'eigen:' has no value"},
           Row{"dtyp=bf16", "unknown field 'dtyp' (did you mean 'dtype'?)"},
           Row{"dtyp:bf16",
               "'dtyp:bf16' is neither field:value (did you mean 'dtype'?) nor backend:verdict"},
           Row{"sdpa:math", "nor backend:verdict; a backend alone is backend:sdpa:math"},
           Row{"eigen:passed", "'eigen:passed' is neither field:value nor backend:verdict"},
           Row{"frobnicate<3", "unknown field 'frobnicate'"},
           Row{"hq=many", "'many' is no number"},
           Row{"latency<2lightyears", "'2lightyears' is no number"},
           Row{"dtype<bf16", "'dtype' is no number; compare it with : or ="},
           Row{"dtype!bf16", "'dtype!bf16' has no operator fathom knows"},
           Row{"latency < 2ms", "'<' has nothing before '<'"},
           Row{":pass", "':pass' has nothing before ':'"},
       }) {
    const std::string message = why_bad_filter(row.query);
    EXPECT_TRUE(contains(message, row.sentence));
    EXPECT_TRUE(contains(message, "filter '" + std::string(row.query) + "': "));
  }
}

TEST(FilterTest, DeepNestingIsRefusedAndLongQueriesAreNot) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '(') + "hq=8" + std::string(levels, ')');
  };
  EXPECT_TRUE(matches(nested(64)));
  EXPECT_TRUE(contains(why_bad_filter(nested(65)), "it is nested deeper than 64 levels"));
  EXPECT_TRUE(
      contains(why_bad_filter(std::string(1000000, '(')), "it is nested deeper than 64 levels"));
  std::string nots;
  std::string ands = "hq=8";
  std::string ors = "hq=1";
  for (int i = 0; i < 100000; ++i) {
    nots += "not ";
    ands += " hq=8";
    ors += " or hq=1";
  }
  EXPECT_TRUE(matches(nots + "hq=8"));
  EXPECT_TRUE(matches(ands));
  EXPECT_FALSE(matches(ors));
}

TEST(FilterTest, AGlobOfManyStarsIsStillFast) {
  std::string stars;
  for (int i = 0; i < 1000; ++i) stars += "*a";
  EXPECT_FALSE(glob_match(stars + "b", std::string(10000, 'a')));
}

TEST(FilterTest, GlobsKnowStarAndQuestionMarkOnly) {
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_FALSE(glob_match("?", ""));
  EXPECT_TRUE(glob_match("a*b?d", "axxbbcd"));
  EXPECT_FALSE(glob_match("a*b", "abc"));
  EXPECT_TRUE(glob_match("[a]+(b)\\", "[a]+(b)\\"));
  EXPECT_FALSE(glob_match("[a]", "a"));
}

TEST(FilterTest, TheDefaultMatchesEverythingAndTextIsKept) {
  EXPECT_TRUE(Filter().matches(filter_row(failed())));
  EXPECT_EQ(Filter().text(), "");
  EXPECT_EQ(Filter::parse(" hq=8 ").text(), " hq=8 ");
}

TEST(FilterTest, FieldsAreUniqueAndExplained) {
  std::set<std::string_view> names;
  for (const FilterField& field : filter_fields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_FALSE(field.meaning.empty()) << field.name;
    EXPECT_TRUE(field.text || field.number) << field.name;
  }
}

TEST(FilterTest, EveryFieldYieldsTheKindsItDeclares) {
  const FilterRow row = filter_row(failed());
  for (const FilterField& field : filter_fields()) {
    EXPECT_EQ(!row.texts(field.name).empty(), field.text) << field.name;
    EXPECT_EQ(row.number(field.name).has_value(), field.number) << field.name;
  }
  EXPECT_TRUE(row.texts("nonsense").empty());
  EXPECT_EQ(row.number("nonsense"), std::nullopt);
}

TEST(FilterTest, ExpectedOutcomesAreFoundByEitherWord) {
  Record r = failed();
  r.expected = Expected::expected_fail;
  for (const auto* query : {"verdict:fail", "verdict:expected_fail", "verdict:fail(accuracy)",
                            "verdict:expected_fail(fail(accuracy))", "sdpa:expected_fail",
                            "sdpa:math:expected_fail(*)"}) {
    EXPECT_TRUE(matches(query, r)) << query;
  }
  EXPECT_FALSE(matches("verdict:expected_fail", failed()));
}

TEST(FilterTest, APlannedCaseHasNoOutcomeYet) {
  const FilterRow row = filter_row(failed().planned);
  const auto fits = [&](std::string_view query) { return Filter::parse(query).matches(row); };
  EXPECT_TRUE(fits("backend:sdpa:math dtype:bf16 mask:causal hq=8 tag:nightly id:0123456789"));
  for (const auto* query : {"verdict:*", "verdict:not_run", "class:*", "reason:*", "check:*",
                            "device:*", "latency>=0", "memory>=0", "err_tol>=0", "not_run"}) {
    EXPECT_FALSE(fits(query)) << query;
  }
}

}  // namespace
}  // namespace fathom
