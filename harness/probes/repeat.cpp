// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/repeat.h"

#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom::repeat_probe {
namespace {

constexpr int runs = 10;
constexpr std::string_view same_question = "again";
constexpr std::string_view other_numbers = "other numbers";
constexpr std::string_view other_lengths = "other lengths";

Trial with_other_numbers(const Case& c) {
  Trial trial{.label = std::string(other_numbers), .c = c, .oracle = false};
  ++trial.c.seed;
  return trial;
}

/// Shorter every other time, so that buffers shrink and grow.
Trial with_other_lengths(const Case& c, bool longer) {
  Trial trial = with_other_numbers(c);
  trial.label = other_lengths;
  const auto change = [&](Index length) { return longer ? length + 19 : (length + 1) / 2; };
  for (Sequence& s : trial.c.problem.sequences) {
    s.query_length = change(s.query_length);
    s.key_length = change(s.key_length);
    s.prefix_length = std::min(s.prefix_length, s.key_length);
  }
  return trial;
}

/// Reports the first run whose tensor is not the first run's, and how many are not.
struct Repetition {
  int unequal = 0;
  double rho = 0;
  int first_run = 0;
  Difference first;
};

void add(Repetition& repetition, int run, const Difference& difference) {
  if (difference.unequal == 0) return;
  if (repetition.unequal++ == 0) {
    repetition.first_run = run;
    repetition.first = difference;
  }
  repetition.rho = std::max(repetition.rho, difference.rho);
}

Repetition repeat_of(const Yardstick& base, TensorName name, std::span<const Outcome> outcomes) {
  Repetition repetition;
  int run = 1;
  for (const Outcome& outcome : outcomes) {
    if (outcome.trial->label != same_question || !outcome.observation) continue;
    add(repetition, ++run, base.compare(name, outcome));
  }
  return repetition;
}

Finding finding_of(const Repetition& repetition, bool rounding_only) {
  Finding finding = difference_finding(
      "probe.repeat", FailClass::nondeterministic,
      fmt::format("{} of {} repetitions of the same question differ from the first, run {} for one",
                  repetition.unequal, runs - 1, repetition.first_run),
      repetition.first);
  if (!rounding_only) return finding;
  finding.value = repetition.rho;
  finding.limit = 1;
  finding.message += fmt::format(
      "; rms of the difference in one row {:.3g} standard deviations, where unordered sums stay "
      "below 1",
      repetition.rho);
  return finding;
}

/// Other numbers, same answer: all zero, or the answer to another question.
void judge_control(const Yardstick& base, std::span<const Outcome> outcomes,
                   std::vector<Finding>& findings, std::string& vacuous) {
  const Outcome* other = answered(outcomes, other_numbers);
  if (other == nullptr) return;
  const Difference difference = base.compare(TensorName::o, *other);
  if (difference.unequal != 0) return;
  const ObservedTensor& o = other->observation->outputs.at(TensorName::o);
  std::vector<double> values(static_cast<std::size_t>(element_count(o.tensor.spec)));
  decode(o.tensor.spec.dtype, o.tensor.bytes, values);
  if (std::all_of(values.begin(), values.end(), [](double x) { return x == 0; })) {
    vacuous = "the control failed: O is all zero whatever the numbers";
    return;
  }
  Finding finding;
  finding.check = "probe.repeat.stale";
  finding.tensor = to_string(TensorName::o);
  finding.fail_class = FailClass::nondeterministic;
  finding.message = "o: other numbers get the very answer of the call before";
  findings.push_back(std::move(finding));
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{base_trial(c)};
  const auto repeat = [&](bool again) {
    all.push_back({.label = std::string(same_question), .c = c, .oracle = false, .again = again});
  };
  int run = 2;
  for (; run <= runs / 2; ++run) repeat(true);
  all.push_back(with_other_numbers(c));
  for (; run <= runs; ++run) {
    repeat(false);
    if (run % 2 == 0 && run < runs) all.push_back(with_other_lengths(c, run % 4 == 0));
  }
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  const Yardstick base(outcomes[0]);
  std::vector<Finding> findings;
  std::string vacuous;
  std::map<std::string, std::string> answers;
  judge_control(base, outcomes, findings, vacuous);
  for (const TensorName name : given_outputs(outcomes[0])) {
    const Repetition repetition = repeat_of(base, name, outcomes);
    const std::string question = fmt::format("{} repeats", to_string(name));
    answers[question] = repetition.unequal == 0
                            ? "bitwise"
                            : fmt::format("{} of {} runs differ, row rho {:.2g}",
                                          repetition.unequal, runs - 1, repetition.rho);
    if (repetition.unequal == 0) continue;
    const bool rounding_only = is_gradient(name) && !c.problem.deterministic;
    if (rounding_only && repetition.rho <= 1) continue;
    findings.push_back(finding_of(repetition, rounding_only));
  }
  Judgement judgement = judgement_of(std::move(findings), vacuous);
  judgement.answers = std::move(answers);
  return judgement;
}

}  // namespace fathom::repeat_probe
