// SPDX-License-Identifier: Apache-2.0
#include "harness/core/mask.h"

#include "harness/core/tests/message.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

std::string why_bad_mask(std::string_view text) {
  return message_of<DataError>([&] { parse_mask(text); });
}

TEST(MaskTest, TextNamesEveryTermWithItsArguments) {
  const Mask mask{
      {Causal{Corner::top_left}, Causal{}, Window{128, -1}, PrefixLm{}, Document{{3, 5, 8}}}};
  EXPECT_EQ(to_string(mask),
            "causal(top_left)&causal(bottom_right)&window(128,-1)&prefix_lm&document(3,5,8)");
  EXPECT_EQ(parse_mask(to_string(mask)), mask);
  EXPECT_EQ(to_string(Mask{}), "full");
  EXPECT_EQ(parse_mask("full"), Mask{});
}

TEST(MaskTest, ParseTakesBlanksBetweenTermsAndCausalWithoutACorner) {
  EXPECT_EQ(parse_mask("causal & window( 1 , 2 )"), (Mask{{Causal{}, Window{1, 2}}}));
}

TEST(MaskTest, FamilyIsTheWordsOfTheTerms) {
  EXPECT_EQ(family(parse_mask("causal(top_left)&window(3,0)")), "causal&window");
  EXPECT_EQ(family(Mask{}), "full");
}

TEST(MaskTest, UnknownTermsAreNamedWithAGuess) {
  EXPECT_EQ(why_bad_mask("causel"), "mask term 'causel' is unknown (did you mean 'causal'?)");
  EXPECT_EQ(why_bad_mask("full&prefixlm"), "mask term 'full' is unknown");
  EXPECT_EQ(why_bad_mask(""), "mask term '' is unknown");
  EXPECT_EQ(why_bad_mask("causal&"), "mask term '' is unknown");
}

TEST(MaskTest, BadArgumentsAreAnsweredWithWhatToWrite) {
  struct Row {
    std::string_view text;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"causal(left)", "write causal(bottom_right) or causal(top_left)"},
           Row{"causal(top_left,1)", "write causal(bottom_right) or causal(top_left)"},
           Row{"causal(top_left", "write a closing parenthesis"},
           Row{"window", "write window(left,right), each >= 0, or -1 for infinite"},
           Row{"window(1)", "write window(left,right), each >= 0, or -1 for infinite"},
           Row{"window(1,-2)", "write window(left,right), each >= 0, or -1 for infinite"},
           Row{"window(1,9223372036854775808)", "each >= 0, or -1 for infinite"},
           Row{"prefix_lm(3)", "the prefix length stands in seqs, as in 64p20"},
           Row{"prefix_lm()", "the prefix length stands in seqs, as in 64p20"},
           Row{"document", "write document(n1,n2,...), lengths >= 1"},
           Row{"document()", "write document(n1,n2,...), lengths >= 1"},
           Row{"document(3,0)", "write document(n1,n2,...), lengths >= 1"},
           Row{"document(3,)", "write document(n1,n2,...), lengths >= 1"},
       }) {
    const std::string message = why_bad_mask(row.text);
    EXPECT_NE(message.find(row.want), std::string::npos) << row.text << " -> " << message;
    EXPECT_NE(message.find(row.text), std::string::npos) << row.text << " -> " << message;
  }
}

}  // namespace
}  // namespace fathom
