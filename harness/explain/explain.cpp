// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/explain.h"

#include "harness/explain/fit.h"
#include "harness/explain/hypotheses.h"
#include "harness/explain/located.h"
#include "harness/explain/lse_alone.h"
#include "harness/explain/scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace fathom {
namespace {

const Finding* find_check(const Judgement& judgement, std::string_view prefix) {
  for (const Finding& finding : judgement.findings) {
    if (finding.check.starts_with(prefix)) return &finding;
  }
  return nullptr;
}

bool is_wrong(const Judgement& judgement, TensorName name) {
  return std::any_of(judgement.findings.begin(), judgement.findings.end(), [&](const Finding& f) {
    const bool numbers = f.check.starts_with("accuracy") || f.check == "finite" ||
                         f.check == "exact_zeros" || f.check == "lse";
    return numbers && f.tensor == to_string(name);
  });
}

std::string sentence_of(std::string text) {
  if (!text.empty() && text.back() != '.') text += '.';
  return text;
}

/// Findings that are their own explanation, gravest first.
struct PlainFinding {
  std::string_view check;
  Axis axis;
  std::string_view cause;
  bool alone = false;  ///< Only if nothing else was found.
};
constexpr std::array plain_findings{
    PlainFinding{"bounds.unwritten", Axis::zero, "rows or tiles that the kernel never writes"},
    PlainFinding{"bounds.guard", Axis::rows,
                 "a write past the end of the tensor: a tail that is not cut"},
    PlainFinding{"contract.mutated_input", Axis::stale,
                 "the kernel, or its wrapper, writes into an input"},
    PlainFinding{"contract.not_given", Axis::zero, "the backend does not have this output"},
    PlainFinding{"determinism", Axis::repeat, "a race, or sums in an order that changes"},
    PlainFinding{"repeat", Axis::repeat, "a race, or sums in an order that changes"},
    PlainFinding{"lse.empty_row", Axis::lse,
                 "another convention for rows that see no key than the one declared", true},
};

/// Where an output still holds the driver's poison; only a sample of the elements is known.
std::string unwritten_where(const Observation& observation, const std::string& tensor) {
  const auto name = parse_tensor_name(tensor);
  const auto output = name ? observation.outputs.find(*name) : observation.outputs.end();
  if (output == observation.outputs.end() || output->second.unwritten_sample.empty()) return "";
  const Problem& problem = observation.c.problem;
  const ElementPlace first = place_of(problem, *name, output->second.unwritten_sample.front());
  return fmt::format("{} elements from sequence {}, head {}, row {} on", output->second.unwritten,
                     first.sequence, first.head, first.row);
}

std::optional<Explanation> plain_explanation(const Observation& observation,
                                             const Judgement& judgement) {
  for (const PlainFinding& row : plain_findings) {
    const Finding* finding = find_check(judgement, row.check);
    if (finding == nullptr || (row.alone && judgement.findings.size() > 1)) continue;
    const std::string where =
        row.check == "bounds.unwritten" ? unwritten_where(observation, finding->tensor) : "";
    return Explanation{row.axis, finding->tensor, where, sentence_of(finding->message),
                       std::string(row.cause)};
  }
  return std::nullopt;
}

/// One wrong tensor explained, and what it was explained with, to see whether others agree.
struct Solved {
  Explanation explanation;
  std::string is;
};

std::string scoped_where(const Puzzle& puzzle, const Candidate& candidate) {
  if (!spares_rows(puzzle, candidate)) return "";
  const auto wrong = [&](const RowError& row) {
    const auto at = static_cast<std::size_t>(&row - puzzle.errors.rows.data());
    return row.bad || (puzzle.lse != nullptr && puzzle.lse->rows[at].bad);
  };
  const Scope scope = scope_of(puzzle.question.problem(), puzzle.errors, wrong,
                               [](const RowError& row) { return row.live; });
  const std::string where = to_text(scope, puzzle.errors.name);
  return where.empty() ? "some rows" : where;
}

/// O is right, the LSE beside it is not.
bool speaks_of_lse(const Puzzle& puzzle) {
  return puzzle.lse != nullptr &&
         std::none_of(puzzle.errors.rows.begin(), puzzle.errors.rows.end(),
                      [](const RowError& row) { return row.bad; }) &&
         std::any_of(puzzle.lse->rows.begin(), puzzle.lse->rows.end(),
                     [](const RowError& row) { return row.bad; });
}

std::string spoken_of(const Puzzle& puzzle) {
  return std::string(speaks_of_lse(puzzle) ? "LSE" : title_of(puzzle.errors.name));
}

/// O alone has an explanation, which the LSE does not share.
Solved contradicted(const Puzzle& puzzle, const Candidate& candidate) {
  const bool lse_is_right = std::none_of(puzzle.lse->rows.begin(), puzzle.lse->rows.end(),
                                         [](const RowError& row) { return row.bad; });
  Solved solved;
  solved.explanation.tensor = to_string(puzzle.errors.name);
  solved.explanation.sentence =
      fmt::format("{} alone {}, but the LSE is {}.", title_of(puzzle.errors.name), candidate.is,
                  lse_is_right ? "right as it stands" : "wrong in another way");
  return solved;
}

std::optional<Solved> solve_sample(const Puzzle& puzzle) {
  // One LSE is one number, which some of many candidates may hit by accident.
  constexpr std::size_t enough = 8;
  if (puzzle.rows.size() < (speaks_of_lse(puzzle) ? enough : 1)) return std::nullopt;
  const std::vector<Candidate> candidates = screened(puzzle, all_candidates(puzzle));
  const Choice choice = choose(puzzle, candidates);
  if (choice.candidate == nullptr && choice.contradicted == nullptr) return std::nullopt;
  if (choice.candidate == nullptr) return contradicted(puzzle, *choice.contradicted);
  Solved solved;
  solved.is = choice.candidate->is;
  Explanation& explanation = solved.explanation;
  explanation.axis = choice.candidate->axis;
  explanation.tensor = to_string(puzzle.errors.name);
  explanation.where = scoped_where(puzzle, *choice.candidate);
  explanation.sentence =
      fmt::format("{} {}{}.", spoken_of(puzzle), choice.candidate->is,
                  explanation.where.empty() ? "" : ", in " + explanation.where + " only");
  explanation.cause = sentence_of(choice.candidate->cause);
  if (choice.equal != nullptr) {
    explanation.sentence +=
        fmt::format(" The same numbers also mean: {} {}.", spoken_of(puzzle), choice.equal->is);
  }
  return solved;
}

/// Tries all rows that the fault may have reached, then the wrong ones alone.
std::optional<Solved> solve(const Question& question, const TensorErrors& errors,
                            const TensorErrors* lse) {
  const Puzzle box = make_puzzle(question, errors, lse, Sampling::box);
  const Puzzle wrong = make_puzzle(question, errors, lse, Sampling::wrong);
  auto solved = solve_sample(box);
  const bool known = solved && solved->explanation.axis != Axis::unclear;
  if (known || box.rows == wrong.rows) return solved;
  auto narrower = solve_sample(wrong);
  return narrower ? narrower : solved;
}

bool has_nonfinite(const TensorErrors& errors) {
  return std::any_of(errors.rows.begin(), errors.rows.end(),
                     [](const RowError& row) { return row.nonfinite; });
}

Solved solve_or_locate(const Question& question, const TensorErrors& errors,
                       const TensorErrors* lse) {
  // Zeros and numbers that are none say where they are; anything times 0 predicts them.
  Explanation located = locate(question.problem(), errors);
  const bool final =
      is_all_zero(errors) || is_next_to_nothing(errors) || has_nonfinite(errors) ||
      (located.axis == Axis::rows && located.where.find("channel") != std::string::npos);
  if (!final) {
    if (auto solved = solve(question, errors, lse)) return *solved;
  }
  located.cause = located.cause.empty() ? "" : sentence_of(located.cause);
  return {located, ""};
}

/// O is right, the LSE is not.
Explanation explain_lse(const Question& question, const TensorErrors* o, const TensorErrors& lse) {
  const bool alone = o != nullptr && is_wrong_alone(*o, lse);
  if (auto found = lse_form(lse); found && alone) return *found;
  if (o != nullptr && !has_nonfinite(lse)) {
    if (auto solved = solve(question, *o, &lse)) {
      solved->explanation.tensor = "lse";
      return solved->explanation;
    }
  }
  Explanation located = locate(question.problem(), lse);
  if (located.axis == Axis::unclear && alone) {
    located.axis = Axis::lse;
    located.cause =
        "the LSE alone is wrong, so the fault lies behind the softmax: where the LSE is put "
        "together or written";
  } else if (located.axis == Axis::unclear && located.cause.empty()) {
    located.cause =
        "errors of the LSE as small as these do not show in O: scores, mask or sums may be wrong";
  }
  located.cause = sentence_of(located.cause);
  return located;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

/// Less is more specific: what an explanation of one tensor is worth beside that of another.
int vagueness(const Explanation& explanation) {
  return explanation.axis == Axis::unclear ? 2 : explanation.axis == Axis::everywhere ? 1 : 0;
}

Explanation explain_gradients(const Question& question,
                              const std::vector<const TensorErrors*>& wrong) {
  std::vector<Solved> solved;
  for (const TensorErrors* errors : wrong) {
    solved.push_back(solve_or_locate(question, *errors, nullptr));
  }
  const auto best =
      std::min_element(solved.begin(), solved.end(), [](const Solved& a, const Solved& b) {
        return vagueness(a.explanation) < vagueness(b.explanation);
      });
  Explanation explanation = best->explanation;
  std::vector<std::string> alike;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < solved.size(); ++i) {
    if (&solved[i] == &*best) continue;
    // Fitted numbers differ in their last digits: the cause tells.
    const bool same = !best->is.empty() && !solved[i].is.empty() &&
                      solved[i].explanation.axis == explanation.axis &&
                      solved[i].explanation.cause == explanation.cause;
    (same ? alike : others).emplace_back(title_of(wrong[i]->name));
  }
  if (!alike.empty()) explanation.sentence += " The same holds for " + joined(alike) + ".";
  if (!others.empty()) {
    explanation.sentence +=
        fmt::format(" {} {} wrong, too.", joined(others), others.size() == 1 ? "is" : "are");
  }
  return explanation;
}

}  // namespace

Explanation explain(const Observation& observation, const TensorSet& inputs,
                    const Judgement& judgement) {
  if (auto plain = plain_explanation(observation, judgement)) return *plain;
  const std::vector<Reach> reach = reach_of(observation.c.problem);
  const Evidence evidence = weigh(observation, reach);
  const Question question(observation, inputs);
  std::map<TensorName, TensorErrors> errors;
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed == nullptr) continue;
    errors.emplace(comparison.spec.name, errors_of(evidence, comparison));
  }
  const auto given = [&](TensorName name) {
    const auto found = errors.find(name);
    return found == errors.end() ? nullptr : &found->second;
  };
  std::vector<const TensorErrors*> gradients;
  std::vector<std::string> names;
  for (const TensorName name : {TensorName::dv, TensorName::dk, TensorName::dq}) {
    if (given(name) == nullptr || !is_wrong(judgement, name)) continue;
    gradients.push_back(given(name));
    names.emplace_back(title_of(name));
  }
  Explanation explanation;
  if (is_wrong(judgement, TensorName::o) && given(TensorName::o) != nullptr) {
    explanation =
        solve_or_locate(question, *given(TensorName::o), given(TensorName::lse)).explanation;
  } else if (is_wrong(judgement, TensorName::lse) && given(TensorName::lse) != nullptr) {
    explanation = explain_lse(question, given(TensorName::o), *given(TensorName::lse));
  } else if (!gradients.empty()) {
    return explain_gradients(question, gradients);
  } else {
    const std::string sentence =
        judgement.findings.empty() ? judgement.reason : judgement.findings.front().message;
    return {Axis::unclear, "", "", sentence_of(sentence), ""};
  }
  if (!names.empty()) {
    explanation.sentence += fmt::format(" {} {} wrong, too, which may follow from it.",
                                        joined(names), names.size() == 1 ? "is" : "are");
  }
  return explanation;
}

}  // namespace fathom
