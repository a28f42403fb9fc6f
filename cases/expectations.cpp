// SPDX-License-Identifier: Apache-2.0
#include "cases/read_file.h"
#include "cases/suite.h"
#include "harness/codec/json.h"
#include "harness/codec/tables.h"
#include "harness/core/error.h"
#include "harness/core/filter.h"
#include "harness/core/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

namespace fathom {
namespace {

/// Every outcome that an Expectation may foretell: all but `pass`, and `fail` only with its class.
std::vector<std::string> outcomes() {
  std::vector<std::string> words;
  for (const VerdictInfo& row : verdicts) {
    if (row.verdict == Verdict::pass) continue;
    if (row.verdict != Verdict::fail) {
      words.emplace_back(row.name);
      continue;
    }
    for (int c = 1; c <= static_cast<int>(FailClass::out_of_bounds); ++c) {
      words.push_back(outcome_text(row.verdict, static_cast<FailClass>(c), Expected::no));
    }
  }
  return words;
}

std::optional<std::string> why_no_match(const std::string& match) {
  if (trim(match).empty()) return "is empty, and would match everything";
  try {
    Filter::parse(match);
    return std::nullopt;
  } catch (const UsageError& error) {
    return error.what();
  }
}

std::optional<std::string> why_no_verdict(const std::string& verdict) {
  const std::vector<std::string> words = outcomes();
  if (std::find(words.begin(), words.end(), verdict) != words.end()) return std::nullopt;
  const std::vector<std::string_view> candidates(words.begin(), words.end());
  const std::string hint = verdict.size() <= 64 ? did_you_mean(verdict, candidates) : "";
  return in_quotes(verdict) + " is no outcome to expect" + hint;
}

std::optional<std::string> why_no_date(const std::string& text) {
  const std::string complaint = in_quotes(text) + " is no date; write YYYY-MM-DD";
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return complaint;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    const char* end = text.data() + at + length;
    const bool is_number = std::from_chars(text.data() + at, end, value).ptr == end;
    return is_number && value >= 0 ? value : 0;
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  return date.ok() && number(0, 4) > 0 ? std::nullopt : std::optional(complaint);
}

std::optional<std::string> why_no_sentence(const std::string& text) {
  if (trim(text).empty()) return "is empty";
  return std::nullopt;
}

std::optional<std::string> why_no_link(const std::string& text) {
  if (text.starts_with("https://") && text.size() > 8) return std::nullopt;
  return in_quotes(text) + " is no link; it must start with https://";
}

struct Rule {
  std::string_view key;
  std::string ExpectationNote::*member;
  std::optional<std::string> (*why_wrong)(const std::string&);
};
constexpr std::array rules{
    Rule{"match", &ExpectationNote::match, why_no_match},
    Rule{"verdict", &ExpectationNote::verdict, why_no_verdict},
    Rule{"evidence", &ExpectationNote::evidence, why_no_sentence},
    Rule{"reason", &ExpectationNote::reason, why_no_sentence},
    Rule{"link", &ExpectationNote::link, why_no_link},
    Rule{"expires", &ExpectationNote::expires, why_no_date},
};

}  // namespace

std::vector<Expectation> load_expectations(const std::filesystem::path& file) {
  const std::string root = file.string() + ":";
  const auto notes = read_json<std::vector<ExpectationNote>>(read_json_file(file), root);
  std::vector<Expectation> expectations;
  for (std::size_t i = 0; i < notes.size(); ++i) {
    for (const Rule& rule : rules) {
      const auto wrong = rule.why_wrong(notes[i].*rule.member);
      if (wrong) fail_at(path_of_key(path_of_index(root, i), rule.key), *wrong);
    }
    expectations.push_back({notes[i], file.string()});
  }
  return expectations;
}

}  // namespace fathom
