// SPDX-License-Identifier: Apache-2.0
#include "harness/core/verdict.h"

namespace fathom {
namespace {

constexpr std::array<std::string_view, 6> class_words{
    "none", "accuracy", "nonfinite", "nondeterministic", "contract", "out_of_bounds"};
constexpr std::array<std::string_view, 3> expected_words{"no", "expected_fail", "unexpected_pass"};

template <typename Enum, typename Words>
std::optional<Enum> find_word(const Words& words, std::string_view text) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Verdict> parse_verdict(std::string_view text) {
  for (const VerdictInfo& row : verdicts) {
    if (row.name == text) return row.verdict;
  }
  return std::nullopt;
}

std::string_view to_string(FailClass c) {
  return class_words[static_cast<std::size_t>(c)];
}
std::optional<FailClass> parse_fail_class(std::string_view text) {
  return find_word<FailClass>(class_words, text);
}

std::string_view to_string(Expected e) {
  return expected_words[static_cast<std::size_t>(e)];
}
std::optional<Expected> parse_expected(std::string_view text) {
  return find_word<Expected>(expected_words, text);
}

std::string outcome_text(Verdict verdict, FailClass fail_class, Expected expected) {
  std::string text(to_string(verdict));
  if (fail_class != FailClass::none) text += "(" + std::string(to_string(fail_class)) + ")";
  if (expected == Expected::no) return text;
  return std::string(to_string(expected)) + "(" + text + ")";
}

}  // namespace fathom
