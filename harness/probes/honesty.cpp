// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/honesty.h"

#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom::honesty_probe {
namespace {

/// Two Problems that differ in one argument.
struct Flip {
  std::string argument;
  Problem without;  ///< Its inputs serve both: the same tensors, or one more on either side.
  Problem with;
};

template <typename Term>
Term* find(Mask& mask) {
  for (MaskTerm& term : mask.terms) {
    if (auto* found = std::get_if<Term>(&term)) return found;
  }
  return nullptr;
}

template <typename Term>
void drop(Mask& mask) {
  const auto last = std::remove_if(mask.terms.begin(), mask.terms.end(), [](const MaskTerm& term) {
    return std::holds_alternative<Term>(term);
  });
  mask.terms.erase(last, mask.terms.end());
}

Index longest_key_length(const Problem& problem) {
  Index longest = 0;
  for (const Sequence& s : problem.sequences) longest = std::max(longest, s.key_length);
  return longest;
}

void forget_prefixes(Problem& problem) {
  if (has<PrefixLm>(problem.mask)) return;
  for (Sequence& s : problem.sequences) s.prefix_length = 0;
}

void add_causal(const Problem& base, std::vector<Flip>& flips) {
  Flip flip{"causal", base, base};
  drop<Causal>(flip.without.mask);
  if (!has<Causal>(flip.with.mask)) flip.with.mask.terms.emplace_back(Causal{});
  flips.push_back(flip);

  // The corners differ where there are more keys than queries, or fewer.
  Flip corner{"causal corner", flip.with, {}};
  if (!has_cross_lengths(base)) {
    for (Sequence& s : corner.without.sequences) s.key_length += s.query_length / 2 + 1;
  }
  corner.with = corner.without;
  Corner& from = find<Causal>(corner.without.mask)->corner;
  Corner& to = find<Causal>(corner.with.mask)->corner;
  to = from == Corner::top_left ? Corner::bottom_right : Corner::top_left;
  flips.push_back(corner);
}

void add_windows(const Problem& base, std::vector<Flip>& flips) {
  const Index width = std::max<Index>(1, longest_key_length(base) / 3);
  Flip flip{"window", base, base};
  drop<Window>(flip.without.mask);
  if (!has<Window>(flip.with.mask)) flip.with.mask.terms.emplace_back(Window{width, -1});
  flips.push_back(flip);

  Flip left{"window left", flip.with, flip.with};
  find<Window>(left.without.mask)->left = width;
  find<Window>(left.with.mask)->left = width + 1;
  flips.push_back(left);
  // Beside causal the right end means nothing.
  Flip right{"window right", base, base};
  right.without.mask = right.with.mask = Mask{{Window{width, 1}}};
  find<Window>(right.with.mask)->right = 2;
  forget_prefixes(right.without);
  forget_prefixes(right.with);
  flips.push_back(right);
}

void add_prefix(const Problem& base, std::vector<Flip>& flips) {
  if (!has<PrefixLm>(base.mask)) return;
  Flip flip{"prefix length", base, base};
  for (Sequence& s : flip.with.sequences) {
    s.prefix_length += s.prefix_length < s.key_length ? 1 : -1;
    s.prefix_length = std::max<Index>(0, s.prefix_length);
  }
  flips.push_back(flip);
}

void add_documents(const Problem& base, std::vector<Flip>& flips) {
  if (!has<Document>(base.mask)) return;
  Flip flip{"document lengths", base, base};
  ++find<Document>(flip.with.mask)->lengths[0];
  flips.push_back(flip);
}

void add_mask(const Problem& base, std::vector<Flip>& flips) {
  if (base.mask.terms.empty()) return;
  Flip flip{"mask", base, base};
  flip.without.mask = {};
  forget_prefixes(flip.without);
  flips.push_back(flip);
}

/// One token moved from the first sequence of a packed batch to the second.
void add_sequence_lengths(const Problem& base, std::vector<Flip>& flips) {
  Flip flip{"sequence lengths", base, base};
  flip.without.layout = Layout::thd;
  if (flip.without.sequences.size() < 2) {
    flip.without.sequences.push_back(flip.without.sequences[0]);
  }
  flip.with = flip.without;
  Sequence& from = flip.with.sequences[0];
  Sequence& to = flip.with.sequences[1];
  if (from.query_length < 2 || from.key_length < 2) return;
  --from.query_length;
  --from.key_length;
  from.prefix_length = std::min(from.prefix_length, from.key_length);
  ++to.query_length;
  ++to.key_length;
  flips.push_back(flip);
}

void add_scalars(const Problem& base, std::vector<Flip>& flips) {
  Flip scale{"scale", base, base};
  scale.with.softmax_scale = softmax_scale(base) == 0 ? 1 : 4 * softmax_scale(base);
  flips.push_back(scale);
  if (!has_backward(base)) return;
  Flip cotangent{"dlse", base, base};
  cotangent.without.lse_cotangent = false;
  cotangent.with.lse_cotangent = true;
  flips.push_back(cotangent);
}

std::vector<Flip> flips_of(const Problem& base) {
  std::vector<Flip> flips;
  add_causal(base, flips);
  add_windows(base, flips);
  add_prefix(base, flips);
  add_documents(base, flips);
  add_mask(base, flips);
  add_sequence_lengths(base, flips);
  add_scalars(base, flips);
  const auto meaningless = std::remove_if(flips.begin(), flips.end(), [](const Flip& flip) {
    return why_invalid(flip.without) || why_invalid(flip.with);
  });
  flips.erase(meaningless, flips.end());
  return flips;
}

constexpr std::string_view lse_label = "LSE required";
constexpr std::string_view deterministic_label = "deterministic";
constexpr std::string_view deterministic_again_label = "deterministic again";

Case flat(const Case& c) {
  Case question = c;
  question.fill = Fill::flat;
  return question;
}

Trial trial_of(const Case& c, const Problem& problem, std::string label, bool oracle = true) {
  Trial trial{.label = std::move(label), .c = flat(c), .oracle = oracle};
  trial.c.problem = problem;
  return trial;
}

// --- Judging -------------------------------------------------------------------------------------

/// Pairs must lie this many limits apart, and an answer is near its question's truth within half.
constexpr double far_enough = 8;
constexpr double near_enough = far_enough / 2;

/// The truth about one output, as this backend would say it: the LSE of an empty row as declared.
std::vector<double> truth(const Outcome& question, TensorName name) {
  std::vector<double> values = question.observation->oracle->at(name).value;
  if (name != TensorName::lse) return values;
  const double empty = empty_row_lse(question.observation->arithmetic);
  std::replace(values.begin(), values.end(), -HUGE_VAL, empty);
  return values;
}

/// How far the truths about two questions lie apart, in limits, in the row where they do most.
double distance(const Yardstick& first, const Yardstick& second) {
  double most = 0;
  for (const TensorName name : given_outputs(first.outcome())) {
    most = std::max(most, first.largest_share(name, truth(second.outcome(), name),
                                              truth(first.outcome(), name), second));
  }
  return most;
}

/// How far outputs are from the truth about a question, as an answer to it.
double distance(const Yardstick& question, const Outcome& answer) {
  double most = 0;
  for (const TensorName name : given_outputs(answer)) {
    const Tensor& tensor = answer.observation->outputs.at(name).tensor;
    std::vector<double> got(static_cast<std::size_t>(element_count(tensor.spec)));
    decode(tensor.spec.dtype, tensor.bytes, got);
    most = std::max(most,
                    question.largest_share(name, got, truth(question.outcome(), name), question));
  }
  return most;
}

bool bit_equal(const Outcome& a, const Outcome& b) {
  return std::all_of(a.observation->outputs.begin(), a.observation->outputs.end(),
                     [&](const auto& entry) {
                       const auto found = b.observation->outputs.find(entry.first);
                       return found != b.observation->outputs.end() &&
                              found->second.tensor.bytes == entry.second.tensor.bytes;
                     });
}

struct Verdicts {
  std::vector<Finding> findings;
  std::map<std::string, std::string> answers;
  bool power = false;  ///< Some argument was decided.
};

std::string question_of(std::string_view argument) {
  return fmt::format("argument {}", argument);
}

std::string honoured_words(const Outcome& base, const Outcome& outcome) {
  return outcome.answered_by == base.answered_by ? "honoured" : "fallback: " + outcome.answered_by;
}

/// Whether the answer to the second question is its own, and if not, whether it is the first's.
void judge_one_way(const std::string& argument, const Yardstick& first, const Yardstick& second,
                   Verdicts& verdicts) {
  const Outcome& answer = second.outcome();
  const double off = distance(second, answer);
  if (off <= near_enough) return;
  Finding finding;
  finding.value = off;
  finding.limit = near_enough;
  const std::string question = to_string(answer.observation->c.problem);
  const std::string other = to_string(first.outcome().observation->c.problem);
  const bool same = bit_equal(first.outcome(), answer);
  if (same || distance(first, answer) <= near_enough) {
    verdicts.answers[question_of(argument)] = "ignored";
    finding.check = "probe.honesty.ignored";
    finding.fail_class = FailClass::contract;
    finding.message = fmt::format("the backend ignores {}: its answer to '{}' is {} '{}'", argument,
                                  question, same ? "bit-equal to that to" : "right for", other);
  } else {
    verdicts.answers[question_of(argument)] = "wrong";
    finding.check = "probe.honesty.wrong";
    finding.fail_class = FailClass::accuracy;
    finding.message = fmt::format(
        "with another {} the answer to '{}' is {:.3g} limits off, and not that to '{}' either",
        argument, question, off, other);
  }
  verdicts.findings.push_back(std::move(finding));
}

void judge_flip(const std::string& argument, const Outcome& base, const Outcome& without,
                const Outcome& with, Verdicts& verdicts) {
  std::string& answer = verdicts.answers[question_of(argument)];
  if (!with.observation) {
    answer = "refused: " + with.refusal_code;
    return;
  }
  if (!without.observation) {
    answer = "refused without it: " + without.refusal_code;
    return;
  }
  const Yardstick first(without);
  const Yardstick second(with);
  const double apart = distance(first, second);
  if (!(apart >= far_enough)) {
    answer = fmt::format("vacuous: the two answers are {:.2g} limits apart", apart);
    return;
  }
  verdicts.power = true;
  answer = honoured_words(base, with);
  judge_one_way(argument, first, second, verdicts);
  judge_one_way(argument, second, first, verdicts);
}

void judge_lse(const Outcome& base, const Outcome& required, Verdicts& verdicts) {
  std::string& answer = verdicts.answers[question_of("lse")];
  if (!required.observation) {
    answer = "refused: " + required.refusal_code;
    return;
  }
  answer = honoured_words(base, required);
  Finding finding;
  finding.tensor = to_string(TensorName::lse);
  const std::vector<TensorName> given = given_outputs(required);
  if (std::find(given.begin(), given.end(), TensorName::lse) == given.end()) {
    answer = "ignored";
    finding.check = "probe.honesty.ignored";
    finding.fail_class = FailClass::contract;
    finding.message = "the backend ignores lse=required: it gives none";
  } else {
    const double off = distance(Yardstick(required), required);
    if (off <= near_enough) return;
    answer = "wrong";
    finding.check = "probe.honesty.wrong";
    finding.value = off;
    finding.limit = near_enough;
    finding.message = fmt::format("with lse=required the answer is {:.3g} limits off", off);
  }
  verdicts.findings.push_back(std::move(finding));
}

void judge_deterministic(const Outcome& base, const Outcome& once, const Outcome& again,
                         Verdicts& verdicts) {
  std::string& answer = verdicts.answers[question_of("deterministic")];
  if (!once.observation || !again.observation) {
    answer = "refused: " + once.refusal_code;
    return;
  }
  const Yardstick yardstick(once);
  answer = honoured_words(base, once);
  for (const TensorName name : given_outputs(again)) {
    const Difference difference = yardstick.compare(name, again);
    if (difference.unequal == 0) continue;
    answer = "ignored";
    verdicts.findings.push_back(
        difference_finding("probe.honesty.ignored", FailClass::nondeterministic,
                           "the backend ignores deterministic: two runs differ", difference));
  }
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{trial_of(c, c.problem, "as asked")};
  for (const Flip& flip : flips_of(c.problem)) {
    all.push_back(trial_of(c, flip.without, "without " + flip.argument));
    all.push_back(trial_of(c, flip.with, "with " + flip.argument));
  }
  Problem required = c.problem;
  required.lse = LseRequest::required;
  all.push_back(trial_of(c, required, std::string(lse_label)));
  Problem deterministic = c.problem;
  deterministic.deterministic = true;
  all.push_back(trial_of(c, deterministic, std::string(deterministic_label), false));
  all.push_back(trial_of(c, deterministic, std::string(deterministic_again_label), false));
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  Verdicts verdicts;
  std::size_t at = 1;
  for (const Flip& flip : flips_of(c.problem)) {
    judge_flip(flip.argument, outcomes[0], outcomes[at], outcomes[at + 1], verdicts);
    at += 2;
  }
  judge_lse(outcomes[0], outcomes[at], verdicts);
  judge_deterministic(outcomes[0], outcomes[at + 1], outcomes[at + 2], verdicts);
  Judgement judgement = judgement_of(
      std::move(verdicts.findings),
      verdicts.power ? ""
                     : "no argument could be decided: every other value is refused, or so near "
                       "that its answer could be mistaken for the Case's");
  judgement.answers = std::move(verdicts.answers);
  return judgement;
}

}  // namespace fathom::honesty_probe
