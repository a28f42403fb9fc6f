// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

/// The closed set of what can become of a planned case.
enum class Verdict : std::uint8_t {
  pass,            ///< Every Check held, and an all-zero answer would not have passed.
  fail,            ///< Some Check did not hold; FailClass says of what kind.
  crash,           ///< The worker died.
  hang,            ///< The worker did not answer before its deadline.
  protocol_error,  ///< The worker answered nonsense.
  out_of_memory,   ///< The backend said so.
  unsupported,     ///< Refused with a reason code.
  vacuous,         ///< Nothing failed, but an all-zero tensor would have passed too.
  not_run,         ///< Planned, never executed: absent backend, lost worker, interrupted.
  error,           ///< The harness or the backend raised an error that is no answer.
};

/// Why a `fail` failed; the worst class of its Findings, in this order.
enum class FailClass : std::uint8_t {
  none,
  accuracy,
  nonfinite,
  nondeterministic,
  contract,
  out_of_bounds,
};

/// How a Verdict stands to the Expectation that matches it, if any.
enum class Expected : std::uint8_t {
  no,               ///< No Expectation speaks of this case.
  expected_fail,    ///< The Expectation foretold exactly this verdict.
  unexpected_pass,  ///< A failure was foretold and did not come.
};

struct VerdictInfo {
  Verdict verdict;
  std::string_view name;
  std::string_view meaning;
  std::string_view plain;  ///< ASCII glyph for consoles.
};

inline constexpr std::array verdicts{
    VerdictInfo{Verdict::pass, "pass", "every check held", "+"},
    VerdictInfo{Verdict::fail, "fail", "a check did not hold", "x"},
    VerdictInfo{Verdict::crash, "crash", "the worker died", "C"},
    VerdictInfo{Verdict::hang, "hang", "the worker missed its deadline", "H"},
    VerdictInfo{Verdict::protocol_error, "protocol_error", "the worker answered nonsense", "P"},
    VerdictInfo{Verdict::out_of_memory, "out_of_memory", "the backend ran out of memory", "M"},
    VerdictInfo{Verdict::unsupported, "unsupported", "the backend refused, with a reason", "-"},
    VerdictInfo{Verdict::vacuous, "vacuous", "an all-zero answer would have passed", "0"},
    VerdictInfo{Verdict::not_run, "not_run", "planned, never executed", "?"},
    VerdictInfo{Verdict::error, "error", "no answer could be had", "E"},
};

constexpr std::string_view to_string(Verdict v) {
  return verdicts[static_cast<std::size_t>(v)].name;
}
std::optional<Verdict> parse_verdict(std::string_view text);
std::string_view to_string(FailClass c);
std::optional<FailClass> parse_fail_class(std::string_view text);
std::string_view to_string(Expected e);
std::optional<Expected> parse_expected(std::string_view text);

/// `pass`, `fail(accuracy)`, `expected_fail(fail(accuracy))`, `unexpected_pass(pass)`.
std::string outcome_text(Verdict verdict, FailClass fail_class, Expected expected);

}  // namespace fathom
