// SPDX-License-Identifier: Apache-2.0
#include "reports/outcome_style.h"

#include "harness/core/report.h"

#include <algorithm>
#include <array>

namespace fathom {
namespace {

constexpr std::array styles{
    OutcomeStyle{"pass", "good", "✓", "+", 0},
    OutcomeStyle{"unsupported", "none", "–", "-", 1},
    OutcomeStyle{"expected_fail", "good", "✓¹", "e", 2},
    OutcomeStyle{"not_run", "none", "?", "?", 3},
    OutcomeStyle{"vacuous", "doubt", "∅", "0", 4},
    OutcomeStyle{"unexpected_pass", "doubt", "!", "!", 5},
    OutcomeStyle{"accuracy", "bad", "✗", "x", 6},
    OutcomeStyle{"nonfinite", "bad", "∞", "x", 7},
    OutcomeStyle{"nondeterministic", "bad", "⇄", "x", 8},
    OutcomeStyle{"contract", "bad", "≠", "x", 9},
    OutcomeStyle{"out_of_bounds", "bad", "⌐", "x", 10},
    OutcomeStyle{"out_of_memory", "broken", "▣", "M", 11},
    OutcomeStyle{"error", "broken", "⊠", "E", 12},
    OutcomeStyle{"protocol_error", "broken", "⌁", "P", 13},
    OutcomeStyle{"hang", "broken", "⧗", "H", 14},
    OutcomeStyle{"crash", "broken", "↯", "C", 15},
};
constexpr OutcomeStyle unknown{"fail", "bad", "✗", "x", 6};

}  // namespace

std::span<const OutcomeStyle> outcome_styles() {
  return styles;
}

const OutcomeStyle& outcome_style(std::string_view kind) {
  const auto found = std::find_if(styles.begin(), styles.end(),
                                  [kind](const OutcomeStyle& s) { return s.kind == kind; });
  return found == styles.end() ? unknown : *found;
}

const OutcomeStyle& outcome_style(const Record& record) {
  const std::string word = tally_word(record);
  return outcome_style(word == "fail" ? to_string(record.fail_class) : std::string_view(word));
}

std::string query_of_kind(std::string_view kind) {
  if (parse_expected(kind)) return "verdict:" + std::string(kind);
  const std::string_view field = parse_fail_class(kind) ? "class:" : "verdict:";
  return std::string(field) + std::string(kind) + " not verdict:*expected*";
}

bool needs_attention(const Record& record) {
  return outcome_style(record).gravity > outcome_style("expected_fail").gravity;
}

std::string column_of(const Record& record) {
  return record.answered_by.empty() ? record.planned.backend : record.answered_by;
}

}  // namespace fathom
