// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/json.h"

#include "harness/codec/tables.h"
#include "harness/core/error.h"
#include "harness/core/types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace fathom {
namespace {

Json small_problem() {
  return parse_json(R"({"dir": "fwd+bwd", "dtype": "bf16", "layout": "thd", "hq": 8, "hkv": 2,
                        "d": 64, "dv": 32, "seqs": "37p5,2*64x70", "mask": "prefix_lm"})",
                    "problem");
}

template <typename Read>
std::string complaint_of(Read body) {
  try {
    body();
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

std::string problem_complaint(const Json& json) {
  return complaint_of([&] { problem_from_json(json, "s.json: cases[3].problem"); });
}

std::string problem_complaint(const std::string& key, const Json& value) {
  Json json = small_problem();
  json[key] = value;
  return problem_complaint(json);
}

Record small_record() {
  Record record;
  record.planned.c.problem = problem_from_json(small_problem(), "");
  record.tensors.resize(2);
  return record;
}

std::string record_complaint(const Json::json_pointer& place, const Json& value) {
  Json json = record_to_json(small_record());
  json[place] = value;
  return complaint_of([&] { record_from_json(json, "journal.jsonl:"); });
}

TEST(ProblemJsonTest, ReadsWhatItsTextReads) {
  EXPECT_EQ(problem_from_json(small_problem(), ""),
            parse_problem("dir=fwd+bwd dtype=bf16 layout=thd hq=8 hkv=2 d=64 dv=32 "
                          "seqs=37p5,2*64x70 mask=prefix_lm"));
}

TEST(ProblemJsonTest, WritesEveryFieldInItsOwnType) {
  const Json json = problem_to_json(problem_from_json(small_problem(), ""));
  EXPECT_EQ(json.size(), problem_fields().size());
  EXPECT_EQ(json["hq"], 8);
  EXPECT_EQ(json["dlse"], false);
  EXPECT_EQ(json["mask"], "prefix_lm");
  EXPECT_EQ(json["scale"], "default");
}

TEST(ProblemJsonTest, ComplaintsNameTheKeyPath) {
  const std::string at = "s.json: cases[3].problem";
  EXPECT_EQ(problem_complaint("dtypo", "f32"),
            at + ": unknown key 'dtypo' (did you mean 'dtype'?)");
  EXPECT_EQ(problem_complaint("dtype", "f23"),
            at + ".dtype: dtype is 'f23'; it must be one of f64, f32, f16, bf16");
  EXPECT_EQ(problem_complaint("hq", "8"), at + ".hq: must be a number, not the string '8'");
  EXPECT_EQ(problem_complaint("hq", 8.5), at + ".hq: hq is '8.5'; it must be a whole number >= 1");
  EXPECT_EQ(problem_complaint("dlse", 1), at + ".dlse: must be true or false, not the number 1");
  EXPECT_EQ(problem_complaint("mask", Json::array()), at + ".mask: must be a string, not an array");
  EXPECT_EQ(problem_complaint("hkv", 3), at + ": hkv=3 does not divide hq=8");
  EXPECT_EQ(problem_complaint(Json(3)), at + ": must be an object, not the number 3");
  Json json = small_problem();
  json.erase("seqs");
  EXPECT_EQ(problem_complaint(json), at + ": key 'seqs' is missing");
}

TEST(ProblemJsonTest, HostileValuesAreCutAndCleaned) {
  const std::string long_word(1000, 'x');
  EXPECT_LT(problem_complaint("dtype", long_word).size(), 500u);
  EXPECT_EQ(problem_complaint("mask", "\x1b[2J").find('\x1b'), std::string::npos);
  EXPECT_EQ(problem_complaint("seqs", std::string(1 << 20, '1')),
            "s.json: cases[3].problem.seqs: 1048576 bytes; the limit is 65536");
  EXPECT_NE(problem_complaint("seqs", "9000000000000000000x9000000000000000000"), "");
  EXPECT_NE(problem_complaint("seqs", "4000000000000000000*1"), "");
  EXPECT_NE(problem_complaint("d", Json(UINT64_MAX)), "");
}

TEST(ArithmeticJsonTest, NumbersAreNumbersAndAbsentKeysKeepTheDefault) {
  Arithmetic arithmetic = flash_arithmetic(Dtype::bf16);
  arithmetic.exp_rel = 5.4e-5;
  arithmetic.link = "12";
  const Json json = arithmetic_to_json(arithmetic);
  EXPECT_EQ(json["exp_rel"], 5.4e-5);
  EXPECT_EQ(json["block_n"], 128);
  EXPECT_EQ(json["link"], "12");
  EXPECT_EQ(arithmetic_from_json(json, ""), arithmetic);
  EXPECT_EQ(arithmetic_from_json(Json::object(), ""), Arithmetic{});
}

TEST(ArithmeticJsonTest, ComplaintsNameTheKeyPath) {
  const auto read = [](const char* text) {
    return complaint_of([&] { arithmetic_from_json(parse_json(text, ""), "hello.arithmetic"); });
  };
  EXPECT_EQ(read(R"({"exp_rl": 0})"),
            "hello.arithmetic: unknown key 'exp_rl' (did you mean 'exp_rel'?)");
  EXPECT_EQ(read(R"({"exp_rel": "0"})"),
            "hello.arithmetic.exp_rel: must be a number, not the string '0'");
  EXPECT_TRUE(read(R"({"acc": "fp8"})").starts_with("hello.arithmetic.acc: "));
}

TEST(NumberJsonTest, NonFiniteNumbersTravelAsWords) {
  EXPECT_EQ(number_to_json(infinity), "inf");
  EXPECT_EQ(number_to_json(-infinity), "-inf");
  EXPECT_EQ(number_to_json(std::nan("")), "nan");
  EXPECT_EQ(number_from_json("inf"), infinity);
  EXPECT_EQ(number_from_json("-inf"), -infinity);
  EXPECT_TRUE(std::isnan(number_from_json("nan")));
  EXPECT_EQ(number_from_json(3), 3.0);
  EXPECT_THROW(number_from_json("infinity"), DataError);
  EXPECT_THROW(number_from_json(nullptr), DataError);
  EXPECT_THROW(number_from_json(true), DataError);
}

TEST(NumberJsonTest, ANanInARecordSurvives) {
  Record record = small_record();
  record.tensors[0].max_abs = std::nan("");
  record.tensors[1].z_max = infinity;
  const std::string line = record_to_json(record).dump();
  const Record back = record_from_json(parse_json(line, "line"), "line:");
  EXPECT_TRUE(std::isnan(back.tensors[0].max_abs));
  EXPECT_EQ(back.tensors[1].z_max, infinity);
}

TEST(RecordJsonTest, AbsentValuesAreWrittenAsNull) {
  const Json json = record_to_json(small_record());
  EXPECT_EQ(json["expectation"], nullptr);
  EXPECT_EQ(json["tensors"][0]["row_rho"], nullptr);
  EXPECT_EQ(json["measurement"]["memory"], nullptr);
}

TEST(RecordJsonTest, BadUtf8IsReplacedWhenWrittenSoThatALineCanAlwaysBeRead) {
  Record record = small_record();
  record.worker_log = "a\xC0\xFFz";
  record.phase_ns["k\xFF"] = 1;
  const std::string line = record_to_json(record).dump();
  const Record back = record_from_json(parse_json(line, "line"), "line:");
  EXPECT_EQ(back.worker_log, "a\uFFFD\uFFFDz");
  EXPECT_EQ(back.phase_ns.begin()->first, "k\uFFFD");
}

TEST(RecordJsonTest, PlantedErrorsGiveOneSentenceWithTheKeyPath) {
  using Pointer = Json::json_pointer;
  EXPECT_EQ(record_complaint(Pointer("/verdict"), "passed"),
            "journal.jsonl: verdict: unknown word 'passed'");
  EXPECT_EQ(record_complaint(Pointer("/tensors/1/max_abs"), true),
            "journal.jsonl: tensors[1].max_abs: must be a number, or \"nan\", \"inf\", \"-inf\", "
            "not true");
  EXPECT_EQ(record_complaint(Pointer("/tensors/1/elements"), 0.5),
            "journal.jsonl: tensors[1].elements: must be a whole number from "
            "-9223372036854775808 to 9223372036854775807, not the number 0.5");
  EXPECT_EQ(record_complaint(Pointer("/tensors/0/ulp_hist/20"), 1),
            "journal.jsonl: tensors[0].ulp_hist: 21 values; there must be 20");
  EXPECT_EQ(record_complaint(Pointer("/tensors/0/nan/extra"), 1),
            "journal.jsonl: tensors[0].nan: unknown key 'extra'");
  EXPECT_EQ(record_complaint(Pointer("/planned/case/seed"), -1),
            "journal.jsonl: planned.case.seed: must be a whole number from 0 to 2^64-1, not the "
            "number -1");
  EXPECT_EQ(record_complaint(Pointer("/phase_ns"), Json::object({{"a b", "x"}})),
            "journal.jsonl: phase_ns.'a b': must be a number, or \"nan\", \"inf\", \"-inf\", not "
            "the string 'x'");
  EXPECT_EQ(record_complaint(Pointer("/findings"), nullptr),
            "journal.jsonl: findings: must be an array, not null");
}

TEST(RecordJsonTest, IntegersThatDoNotFitAreRefused) {
  using Pointer = Json::json_pointer;
  const Json too_large = UINT64_MAX;
  EXPECT_NE(record_complaint(Pointer("/tensors/0/elements"), too_large), "");
  EXPECT_NE(record_complaint(Pointer("/cost/visible_pairs"), 1e30), "");
  EXPECT_EQ(record_complaint(Pointer("/planned/case/seed"), too_large), "");
  Json report = report_to_json(Report{});
  report["resumes"] = Index{1} << 40;
  EXPECT_NE(complaint_of([&] { report_from_json(report, "r"); }), "");
}

TEST(RecordJsonTest, EveryMissingKeyIsNoticed) {
  const Json whole = record_to_json(small_record());
  for (const auto& [key, value] : whole.items()) {
    // Younger than the first journals.
    const std::set<std::string> young{"explanation", "heat", "answers", "outputs_hash"};
    if (young.contains(key)) continue;
    Json cut = whole;
    cut.erase(key);
    EXPECT_EQ(complaint_of([&] { record_from_json(cut, "line 7"); }),
              "line 7: key '" + key + "' is missing");
  }
}

TEST(RecordJsonTest, AJournalWithoutExplanationsIsRead) {
  Json old = record_to_json(small_record());
  old.erase("explanation");
  old.erase("heat");
  EXPECT_EQ(record_from_json(old, "line 7"), small_record());
}

/// One random edit: a byte replaced, or a stretch removed or doubled.
std::string damaged(std::string text, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return random() % n; };
  constexpr std::string_view bytes = "0123456789-+.eE\"\\{}[],:ntfau \x1b\xff";
  const std::size_t at = below(text.size());
  const std::size_t length = 1 + below(8);
  switch (below(3)) {
    case 0: text[at] = bytes[below(bytes.size())]; break;
    case 1: text.erase(at, length); break;
    default: text.insert(at, text.substr(at, length));
  }
  return text;
}

TEST(RecordJsonTest, DamagedLinesGiveAValueOrADataErrorAndNothingElse) {
  const std::string line = record_to_json(small_record()).dump();
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 4'000; ++i) {
    std::string text = line;
    for (unsigned edits = 1 + random() % 3; edits > 0; --edits) text = damaged(text, random);
    const std::string said =
        complaint_of([&] { record_from_json(parse_json(text, "line"), "line:"); });
    refused += said.empty() ? 0 : 1;
    EXPECT_EQ(said.find('\n'), std::string::npos) << text;
  }
  EXPECT_GT(refused, 2'000);
}

}  // namespace
}  // namespace fathom
