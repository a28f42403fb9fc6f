// SPDX-License-Identifier: Apache-2.0
#include "harness/core/arithmetic.h"
#include "harness/core/case.h"
#include "harness/core/features.h"
#include "harness/core/filter.h"
#include "harness/core/mask.h"
#include "harness/core/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

// The comments of the headers promise text forms; these tests read the comments and hold them.

namespace fathom {
namespace {

/// What stands between backticks in the `///` comments of a core header, line breaks joined.
std::vector<std::string> examples(const std::string& header) {
  std::ifstream file(FATHOM_SOURCE_DIR "/harness/core/" + header);
  EXPECT_TRUE(file) << header;
  std::string comments;
  for (std::string line; std::getline(file, line);) {
    const std::size_t slashes = line.find("///");
    if (slashes != std::string::npos) comments += line.substr(slashes + 3);
  }
  std::vector<std::string> quoted;
  const auto parts = split(comments, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) quoted.emplace_back(parts[i]);
  return quoted;
}

bool is_in(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

TEST(HeaderExamplesTest, TheProblemTextOfItsHeaderIsCanonical) {
  int found = 0;
  for (const std::string& text : examples("problem.h")) {
    if (text.rfind("dir=", 0) != 0) continue;
    EXPECT_EQ(to_string(parse_problem(text)), text);
    ++found;
  }
  EXPECT_EQ(found, 1);
}

TEST(HeaderExamplesTest, TheMaskTextsOfItsHeaderAreCanonical) {
  int found = 0;
  for (const std::string& text : examples("mask.h")) {
    if (text == "&" || text.find("length") != std::string::npos || text == "is_causal") continue;
    if (text == family(Mask{{Causal{}, Window{}}})) continue;  // An example of family.
    EXPECT_EQ(to_string(parse_mask(text)), text);
    ++found;
  }
  EXPECT_EQ(found, 4);
  EXPECT_TRUE(is_in(examples("mask.h"), family(parse_mask("causal&window(1,1)"))));
}

TEST(HeaderExamplesTest, FeatureTokensOfTheHeaderExist) {
  for (const std::string_view token : {"mask.prefix_lm", "gqa", "varlen", "lse"}) {
    const std::string header = token == "lse" ? "problem.h" : "features.h";
    EXPECT_TRUE(is_in(examples(header), token)) << token;
    const auto tokens = all_feature_tokens();
    EXPECT_TRUE(std::any_of(tokens.begin(), tokens.end(), [&](const FeatureToken& row) {
      return row.name == token;
    })) << token;
  }
}

TEST(HeaderExamplesTest, TheCaseTextOfItsHeaderIsAProblemWithFillAndSeed) {
  const Case c = parse_case("dir=fwd dtype=f32 layout=bshd hq=1 hkv=1 d=8 dv=8 seqs=4 mask=full");
  std::string text = to_string(c);
  const std::size_t dtype = text.find("dtype");
  text.replace(dtype, text.find("mask") - dtype, "... ");
  EXPECT_TRUE(is_in(examples("case.h"), text)) << text;
}

TEST(HeaderExamplesTest, TheArithmeticTextOfItsHeaderIsCanonical) {
  int found = 0;
  for (const std::string& text : examples("arithmetic.h")) {
    if (text.find('=') == std::string::npos) continue;
    Arithmetic a;
    for (const std::string_view pair : split(text, ' ')) {
      for (const ArithmeticField& field : arithmetic_fields()) {
        const std::string start = std::string(field.key) + '=';
        if (pair.starts_with(start)) field.set(a, pair.substr(start.size()));
      }
    }
    EXPECT_EQ(to_string(a), text);
    ++found;
  }
  EXPECT_EQ(found, 1);
  EXPECT_TRUE(is_in(examples("arithmetic.h"), to_string(Arithmetic{})));
}

TEST(HeaderExamplesTest, OutcomeTextsOfTheHeaderAreWhatIsPrinted) {
  const auto quoted = examples("verdict.h");
  for (const std::string& text :
       {outcome_text(Verdict::pass, FailClass::none, Expected::no),
        outcome_text(Verdict::fail, FailClass::accuracy, Expected::no),
        outcome_text(Verdict::fail, FailClass::accuracy, Expected::expected_fail),
        outcome_text(Verdict::pass, FailClass::none, Expected::unexpected_pass)}) {
    EXPECT_TRUE(is_in(quoted, text)) << text;
  }
}

TEST(HeaderExamplesTest, NumbersOfTextHeaderArePrintedSo) {
  for (const double value : {0.125, 1e-05, HUGE_VAL, std::nan("")}) {
    EXPECT_TRUE(is_in(examples("text.h"), to_text(value))) << value;
  }
}

TEST(HeaderExamplesTest, QueriesOfTheFilterHeaderParse) {
  std::ifstream file(FATHOM_SOURCE_DIR "/harness/core/filter.h");
  const std::string header((std::istreambuf_iterator<char>(file)), {});
  for (const auto* query : {"mask:window(128,0)", "suite:\"my suite\""}) {
    EXPECT_NE(header.find(query), std::string::npos) << query;
    EXPECT_NO_THROW(Filter::parse(query));
  }
}

}  // namespace
}  // namespace fathom
