// SPDX-License-Identifier: Apache-2.0
#include "harness/core/problem.h"

#include "harness/core/features.h"
#include "harness/core/tests/message.h"
#include "harness/core/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace fathom {
namespace {

using Tokens = std::vector<std::string>;

constexpr std::string_view plain =
    "dir=fwd+bwd dtype=bf16 layout=thd hq=8 hkv=2 d=64 dv=32 seqs=37p5,2*64x70 mask=prefix_lm";

std::string why_bad_problem(std::string_view text) {
  return message_of<DataError>([&] { parse_problem(text); });
}

/// `base` with the fields of `changes` replaced, or added where it has none.
std::string with(std::string_view base, std::string_view changes) {
  std::string text(base);
  for (const std::string_view change : split(changes, ' ')) {
    const std::size_t at = text.find(change.substr(0, change.find('=') + 1));
    if (at == std::string::npos) {
      text += ' ' + std::string(change);
    } else {
      text.replace(at, std::min(text.find(' ', at), text.size()) - at, change);
    }
  }
  return text;
}

TEST(ProblemTest, CanonicalTextSaysEveryRequiredField) {
  const Problem p = parse_problem(plain);
  EXPECT_EQ(p.direction, Direction::fwd_bwd);
  EXPECT_EQ(p.dtype, Dtype::bf16);
  EXPECT_EQ(p.layout, Layout::thd);
  EXPECT_EQ(p.query_heads, 8);
  EXPECT_EQ(p.kv_heads, 2);
  EXPECT_EQ(p.head_dim, 64);
  EXPECT_EQ(p.value_dim, 32);
  EXPECT_EQ(p.sequences, (std::vector<Sequence>{{37, 37, 5}, {64, 70, 0}, {64, 70, 0}}));
  EXPECT_EQ(p.mask, Mask{{PrefixLm{}}});
  EXPECT_EQ(p.lse, LseRequest::wanted);
  EXPECT_EQ(to_string(p), plain);
}

TEST(ProblemTest, OptionalFieldsStandInTheTextOnlyIfTheyDifferFromTheDefault) {
  Problem p = parse_problem(plain);
  p.softmax_scale = 0.125;
  p.lse = LseRequest::required;
  p.lse_cotangent = true;
  p.deterministic = true;
  EXPECT_EQ(to_string(p),
            std::string(plain) + " scale=0.125 lse=required dlse=true deterministic=true");
  EXPECT_EQ(parse_problem(to_string(p)), p);
}

TEST(ProblemTest, SequencesAreWrittenShortAndReadGenerously) {
  const Problem p = parse_problem(with(plain, "seqs=3,3,0x5,0"));
  EXPECT_TRUE(contains(to_string(p), "seqs=2*3,0x5,0 "));
  EXPECT_EQ(parse_problem(with(plain, "seqs=1*4x4p0")).sequences,
            (std::vector<Sequence>{{4, 4, 0}}));
}

TEST(ProblemTest, BlanksAroundAndBetweenFieldsAreFree) {
  EXPECT_EQ(parse_problem("  " + with(plain, "dtype=bf16") + "  lse=wanted\n"),
            parse_problem(plain));
}

TEST(ProblemTest, UnknownFieldsAreNamedWithAGuess) {
  EXPECT_EQ(why_bad_problem(std::string(plain) + " dtypes=bf16"),
            "unknown field 'dtypes' (did you mean 'dtype'?)");
  EXPECT_EQ(why_bad_problem(std::string(plain) + " dropout=0.1"), "unknown field 'dropout'");
  EXPECT_EQ(why_bad_problem(std::string(plain) + " causal"), "'causal' is no key=value field");
}

TEST(ProblemTest, FieldsThatAreMissingOrTwiceAreNamed) {
  EXPECT_EQ(why_bad_problem(""), "field 'dir' is missing");
  EXPECT_EQ(why_bad_problem("dir=fwd dtype=f32 layout=bshd hq=1"), "field 'hkv' is missing");
  EXPECT_EQ(why_bad_problem(std::string(plain) + " hq=8"), "field 'hq' is given twice");
}

struct BadField {
  std::string_view changes;
  std::string_view sentence;
};

class BadFieldTest : public testing::TestWithParam<BadField> {};

TEST_P(BadFieldTest, GetsOneSentence) {
  const std::string message = why_bad_problem(with(plain, GetParam().changes));
  EXPECT_TRUE(contains(message, GetParam().sentence));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    ProblemTest, BadFieldTest,
    testing::Values(
        BadField{"dir=bwd", "dir is 'bwd'; it must be one of fwd, fwd+bwd"},
        BadField{"dtype=fp8", "dtype is 'fp8'; it must be one of f64, f32, f16, bf16"},
        BadField{"layout=sbhd", "layout is 'sbhd'; it must be one of bshd, bhsd, thd"},
        BadField{"hq=0", "hq is '0'; it must be a whole number >= 1"},
        BadField{"hq=eight", "hq is 'eight'; it must be a whole number >= 1"},
        BadField{"hq=", "hq is ''; it must be a whole number >= 1"},
        BadField{"d=9223372036854775808", "it must be a whole number >= 1"},
        BadField{"d=9223372036854775807", "hq, hkv, d and dv must be 1 to 2^20"},
        BadField{"hkv=3", "hkv=3 does not divide hq=8"},
        BadField{"hkv=16", "hkv=16 does not divide hq=8"},
        BadField{"seqs=", "seqs is ''; it must be sequences like 128, 64x70"},
        BadField{"seqs=3,", "it must be sequences like 128, 64x70"},
        BadField{"seqs=-3", "it must be sequences like 128, 64x70"},
        BadField{"seqs=3x-4", "it must be sequences like 128, 64x70"},
        BadField{"seqs=3p2x4", "it must be sequences like 128, 64x70"},
        BadField{"seqs=3x", "it must be sequences like 128, 64x70"},
        BadField{"seqs=0*3", "seqs count is '0'; it must be a whole number >= 1"},
        BadField{"seqs=*3", "seqs count is ''; it must be a whole number >= 1"},
        BadField{"seqs=9223372036854775807*1", "at most 1048576 sequences"},
        BadField{"seqs=1048576*1,1", "at most 1048576 sequences"},
        BadField{"seqs=1,9223372036854775807", "more than 2^31 - 1 tokens"},
        BadField{"seqs=2*1073741824", "more than 2^31 - 1 tokens"},
        BadField{"seqs=5p6", "a prefix of 6 in 5 keys; it must be 0 to the key length"},
        BadField{"layout=bshd", "a dense layout needs equal lengths in all sequences"},
        BadField{"mask=full", "seqs gives a prefix length, but the mask has no prefix_lm"},
        BadField{"mask=causel", "mask term 'causel' is unknown (did you mean 'causal'?)"},
        BadField{"mask=prefix_lm&window(9223372036854775807,0)", "out of range"},
        BadField{"mask=prefix_lm&document(1,2147483648)", "out of range"},
        BadField{"dir=fwd dlse=true", "dlse is given, but dir is fwd"},
        BadField{"dir=fwd dlse=yes", "dlse is 'yes'; it must be true or false"},
        BadField{"dir=fwd scale=inf", "scale is 'inf'; it must be a finite number"},
        BadField{"dir=fwd lse=maybe", "lse is 'maybe'; it must be one of no, wanted"}));

TEST(ProblemTest, TensorsThatNoIndexCanAddressAreRefused) {
  EXPECT_EQ(why_bad_problem(
                "dir=fwd dtype=f32 layout=thd hq=1024 hkv=1 d=1024 dv=1 seqs=1048577 mask=full"),
            "a tensor would hold more than 2^40 elements");
  EXPECT_EQ(
      parse_problem("dir=fwd dtype=f32 layout=thd hq=1024 hkv=1 d=1024 dv=1 seqs=1048576 mask=full")
          .query_heads,
      1024);
}

TEST(ProblemTest, WhyInvalidAlsoSeesWhatTextCannotSay) {
  Problem p = parse_problem(plain);
  EXPECT_EQ(why_invalid(p), std::nullopt);
  p.sequences[0].key_length = -1;
  EXPECT_EQ(why_invalid(p), "seqs holds a negative length");
  p.sequences.clear();
  EXPECT_EQ(why_invalid(p), "seqs is empty; give at least one sequence");
  p = parse_problem(plain);
  p.softmax_scale = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(why_invalid(p), "scale is not a finite number");
  p = parse_problem(plain);
  p.mask.terms.emplace_back(Window{-2, 0});
  EXPECT_TRUE(contains(why_invalid(p).value_or(""), "'window(-2,0)' holds a number out of range"));
  p.mask.terms.back() = Document{};
  EXPECT_TRUE(contains(why_invalid(p).value_or(""), "'document()' holds a number out of range"));
}

TEST(ProblemTest, TheScaleIsOneOverTheRootOfTheHeadDimUnlessGiven) {
  Problem p = parse_problem(plain);
  EXPECT_EQ(softmax_scale(p), 0.125);
  p.softmax_scale = 2;
  EXPECT_EQ(softmax_scale(p), 2);
}

TEST(ProblemTest, CuSeqlensAreRunningSumsFromZero) {
  const Problem p = parse_problem(plain);
  EXPECT_EQ(cu_seqlens_q(p), (std::vector<Index>{0, 37, 101, 165}));
  EXPECT_EQ(cu_seqlens_k(p), (std::vector<Index>{0, 37, 107, 177}));
}

struct TokenRow {
  std::string_view changes;
  std::string_view token;
};

class FeatureTokenTest : public testing::TestWithParam<TokenRow> {};

constexpr std::string_view modest =
    "dir=fwd dtype=f32 layout=bshd hq=2 hkv=2 d=8 dv=8 seqs=4 mask=full";

TEST_P(FeatureTokenTest, IsNeededWithTheChangeAndNotWithout) {
  const Tokens before = feature_tokens(parse_problem(modest));
  const Tokens after = feature_tokens(parse_problem(with(modest, GetParam().changes)));
  EXPECT_EQ(std::count(before.begin(), before.end(), GetParam().token), 0);
  EXPECT_EQ(std::count(after.begin(), after.end(), GetParam().token), 1);
}

INSTANTIATE_TEST_SUITE_P(
    ProblemTest, FeatureTokenTest,
    testing::Values(
        TokenRow{"dtype=f64", "dtype.f64"}, TokenRow{"dtype=f16", "dtype.f16"},
        TokenRow{"dtype=bf16", "dtype.bf16"}, TokenRow{"layout=bhsd", "layout.bhsd"},
        TokenRow{"layout=thd", "varlen"}, TokenRow{"mask=causal(top_left)", "mask.causal"},
        TokenRow{"seqs=4x5 mask=causal(top_left)", "mask.causal.top_left"},
        TokenRow{"seqs=4x5 mask=causal", "mask.causal.bottom_right"},
        TokenRow{"mask=window(1,1)", "mask.window"}, TokenRow{"mask=prefix_lm", "mask.prefix_lm"},
        TokenRow{"mask=document(2)", "mask.document"}, TokenRow{"hkv=1", "gqa"},
        TokenRow{"dv=4", "dv"}, TokenRow{"seqs=4x5", "cross_lengths"},
        TokenRow{"seqs=0", "empty_sequence"}, TokenRow{"seqs=3x0", "empty_sequence"},
        TokenRow{"dir=fwd scale=0.5", "scale"}, TokenRow{"dir=fwd+bwd", "backward"},
        TokenRow{"dir=fwd lse=required", "lse"}, TokenRow{"dir=fwd+bwd dlse=true", "dlse"},
        TokenRow{"dir=fwd deterministic=true", "deterministic"}));

TEST(ProblemTest, APlainProblemNeedsItsDtypeAndLayoutOnly) {
  EXPECT_EQ(feature_tokens(parse_problem(modest)), Tokens({"dtype.f32", "layout.bshd"}));
}

TEST(ProblemTest, SquareCausalNeedsNoCorner) {
  EXPECT_EQ(feature_tokens(parse_problem(with(modest, "mask=causal(top_left)"))),
            Tokens({"dtype.f32", "layout.bshd", "mask.causal"}));
}

TEST(ProblemTest, TokenNamesAreUniqueAndExplained) {
  std::vector<std::string_view> names;
  for (const FeatureToken& token : all_feature_tokens()) {
    EXPECT_FALSE(token.meaning.empty()) << token.name;
    names.push_back(token.name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace fathom
