// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/parse.h"

#include "harness/codec/fields.h"
#include "harness/core/error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace fathom {
namespace {

/// The complaint about a text; empty if it is accepted.
std::string complaint(const std::string& text) {
  try {
    parse_json(text, "x.json");
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(ParseJsonTest, BuildsWhatTheTextSays) {
  const Json json = parse_json(R"({"a": [1, -2, 0.5, true, null, "é"], "b": {"c": {}}})", "x.json");
  EXPECT_EQ(json, Json::parse(R"({"a": [1, -2, 0.5, true, null, "é"], "b": {"c": {}}})"));
  EXPECT_EQ(parse_json("7", "x.json"), Json(7));
  EXPECT_EQ(parse_json("18446744073709551615", "x.json"), Json(UINT64_MAX));
}

TEST(ParseJsonTest, NegativeZeroKeepsItsSignAsANumberWithAPoint) {
  EXPECT_TRUE(std::signbit(parse_json("-0.0", "x.json").get<double>()));
}

TEST(ParseJsonTest, NamesTheSourceTheLineAndTheColumn) {
  EXPECT_EQ(complaint("{\n  \"a\": 1,\n  \"a\": 2\n}"), "x.json:3:5: duplicate key 'a'");
}

TEST(ParseJsonTest, RefusesADuplicateKeyAtAnyDepth) {
  EXPECT_EQ(complaint(R"([{"k": {"q": 1, "q": 1}}])"), "x.json:1:19: duplicate key 'q'");
  EXPECT_EQ(complaint(R"({"a": 1, "\u0061": 2})"), "x.json:1:17: duplicate key 'a'");
}

TEST(ParseJsonTest, SameKeyInDifferentObjectsIsNoDuplicate) {
  EXPECT_EQ(complaint(R"([{"a": {"a": 1}}, {"a": 1}])"), "");
}

TEST(ParseJsonTest, AcceptsTheDepthLimitAndRefusesOneMore) {
  EXPECT_EQ(complaint(nested(max_json_depth)), "");
  EXPECT_EQ(complaint(nested(max_json_depth + 1)), "x.json:1:33: nested deeper than 32 levels");
}

TEST(ParseJsonTest, AMillionNestedArraysAreRefusedAtOnce) {
  EXPECT_NE(complaint(std::string(1'000'000, '[')).find("nested deeper"), std::string::npos);
}

TEST(ParseJsonTest, RefusesMoreValuesThanTheLimit) {
  std::string text = "[0";
  for (std::size_t i = 1; i < max_json_nodes; ++i) text += ",0";
  EXPECT_NE(complaint(text + "]").find("more than 5000000 values"), std::string::npos);
}

TEST(ParseJsonTest, RefusesMoreBytesThanTheLimitWithoutReadingThem) {
  EXPECT_EQ(complaint(std::string(max_json_bytes + 1, ' ')),
            "x.json:1:1: 67108865 bytes; the limit is 67108864");
}

/// A text that must be refused, and a word of the reason.
struct Hostile {
  const char* name;
  std::string text;
  const char* reason;
};

TEST(ParseJsonTest, RefusesHostileTextsEachWithOneSentence) {
  using namespace std::string_literals;
  const std::vector<Hostile> hostile{
      {"overflow", "1e999", "a number that overflows"},
      {"negative overflow", "[-1e999]", "a number that overflows"},
      {"minus zero", "-0", "loses its sign"},
      {"NaN", "NaN", "invalid literal"},
      {"Infinity", "[Infinity]", "invalid literal"},
      {"minus Infinity", "[-Infinity]", "invalid number"},
      {"hexadecimal", "0x10", "expected end of input"},
      {"leading zero", "01", "expected end of input"},
      {"no digit after the point", "1.", "invalid number"},
      {"comment", "/* a */ 1", "invalid literal"},
      {"trailing comma", "[1,]", "unexpected ']'"},
      {"single quotes", "{'a': 1}", "invalid literal"},
      {"unquoted key", "{a: 1}", "invalid literal"},
      {"lone high surrogate", R"("\ud800")", "surrogate"},
      {"lone low surrogate", R"("\udc00")", "surrogate"},
      {"high then no low", R"("\ud800\u0041")", "surrogate"},
      {"overlong UTF-8", "\"\xC0\xAF\"", "ill-formed UTF-8"},
      {"UTF-8 of a surrogate", "\"\xED\xA0\x80\"", "ill-formed UTF-8"},
      {"cut UTF-8", "\"\xE2\x82\"", "ill-formed UTF-8"},
      {"UTF-8 beyond U+10FFFF", "\"\xF4\x90\x80\x80\"", "ill-formed UTF-8"},
      {"byte order mark", "\xEF\xBB\xBF{}", "byte order mark"},
      {"UTF-16", "\xFF\xFE{\0}\0"s, "NUL byte"},
      {"NUL then rubbish", "{}\0 rubbish"s, "NUL byte"},
      {"NUL in a string", "\"a\0b\""s, "NUL byte"},
      {"control character in a string", "\"a\nb\"", "must be escaped"},
      {"empty", "", "unexpected end of input"},
      {"blank", " \n ", "unexpected end of input"},
      {"two values", "1 2", "expected end of input"},
      {"missing colon", R"({"a" 1})", "object separator"},
      {"closed by the wrong bracket", R"({"a": [1})", "unexpected '}'"},
      {"number as a key", "{1: 2}", "object key"},
  };
  for (const Hostile& h : hostile) {
    const std::string said = complaint(h.text);
    EXPECT_TRUE(said.starts_with("x.json:")) << h.name << ": " << said;
    EXPECT_NE(said.find(h.reason), std::string::npos) << h.name << ": " << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << h.name << ": " << said;
  }
}

TEST(ParseJsonTest, RefusesEveryTruncationOfAnObject) {
  const std::string whole = R"({"a": [1.5e3, "x\u00e9", {"b": null}], "c": false})";
  ASSERT_EQ(complaint(whole), "");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(complaint(whole.substr(0, length)), "") << whole.substr(0, length);
  }
}

TEST(ParseJsonTest, MessagesNeverRepeatRawBytesOfTheText) {
  for (const std::string text : {"\"\x1b]0;owned\x07", "{\"\\u001b[31m\": 1, \"\\u001b[31m\": 2}",
                                 "\"\xC0\x80\"", "[\x1b[2J]"}) {
    for (const char c : complaint(text)) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << complaint(text);
  }
}

TEST(InQuotesTest, EscapesAndCuts) {
  EXPECT_EQ(in_quotes("abc"), "'abc'");
  EXPECT_EQ(in_quotes("a\x1b\n"), R"('a\u001b\n')");
  EXPECT_EQ(in_quotes("é\u202e"), R"('\u00e9\u202e')");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "'" + std::string(64, 'x') + "'...");
}

}  // namespace
}  // namespace fathom
