// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/invariance.h"

#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom::invariance_probe {
namespace {

// --- The same rows, asked for in another way -----------------------------------------------------

enum class Demand : std::uint8_t {
  bits,
  row_limit,  ///< Bits, or differences within the row limit, which the answers then say.
};

/// A Problem made of the Case's rows. `map` says which row of the Case each row is.
struct Rearrangement {
  std::string label;
  Problem problem;
  RowMap map;
  Demand demand = Demand::bits;
  bool skip_key_gradients = false;  ///< dK and dV are sums over rows of this one: compared apart.
};

RowMap same_place() {
  return [](TensorName, RowPlace place) { return place; };
}

Index group_size(const Problem& problem) {
  return problem.query_heads / problem.kv_heads;
}

void add_layouts(const Problem& problem, std::vector<Rearrangement>& all) {
  constexpr std::array layouts{std::pair{Layout::bshd, "layout bshd"},
                               std::pair{Layout::bhsd, "layout bhsd"},
                               std::pair{Layout::thd, "layout thd"}};
  for (const auto& [layout, label] : layouts) {
    Rearrangement one{label, problem, same_place()};
    one.problem.layout = layout;
    if (layout == problem.layout || why_invalid(one.problem)) continue;
    all.push_back(std::move(one));
  }
}

void add_orders(const Problem& problem, std::vector<Rearrangement>& all) {
  const auto sequences = static_cast<Index>(problem.sequences.size());
  if (sequences > 1) {
    Rearrangement one{"sequences in reverse order", problem,
                      [sequences](TensorName, RowPlace place) {
                        place.sequence = sequences - 1 - place.sequence;
                        return place;
                      }};
    std::reverse(one.problem.sequences.begin(), one.problem.sequences.end());
    all.push_back(std::move(one));
  }
  if (problem.kv_heads > 1) {
    all.push_back({"groups of heads rotated", problem, [problem](TensorName name, RowPlace place) {
                     const Index turn = has_key_rows(name) ? 1 : group_size(problem);
                     place.head = (place.head + turn) % head_count(problem, name);
                     return place;
                   }});
  }
}

/// The first sequence too, so that neither neighbour is always missing.
void add_slices(const Problem& problem, std::vector<Rearrangement>& all) {
  const auto sequences = static_cast<Index>(problem.sequences.size());
  for (const Index which : {Index{0}, sequences - 1}) {
    if (sequences == 1) break;
    Rearrangement one{fmt::format("sequence {} alone", which), problem,
                      [which](TensorName, RowPlace place) {
                        place.sequence = which;
                        return place;
                      },
                      Demand::row_limit};
    one.problem.sequences = {problem.sequences[static_cast<std::size_t>(which)]};
    all.push_back(std::move(one));
  }
  if (problem.kv_heads > 1) {
    Rearrangement one{"last group of heads alone", problem,
                      [problem](TensorName name, RowPlace place) {
                        const Index rows = has_key_rows(name) ? 1 : group_size(problem);
                        place.head += head_count(problem, name) - rows;
                        return place;
                      },
                      Demand::row_limit};
    one.problem.query_heads = group_size(problem);
    one.problem.kv_heads = 1;
    all.push_back(std::move(one));
  }
}

constexpr std::string_view repeated_label = "K and V repeated for every query head";

void add_repeated_heads(const Problem& problem, std::vector<Rearrangement>& all) {
  if (group_size(problem) == 1) return;
  Rearrangement one{std::string(repeated_label), problem,
                    [problem](TensorName name, RowPlace place) {
                      if (has_key_rows(name)) place.head /= group_size(problem);
                      return place;
                    },
                    Demand::row_limit, true};
  one.problem.kv_heads = problem.query_heads;
  all.push_back(std::move(one));
}

std::vector<Rearrangement> rearrangements_of(const Problem& problem) {
  std::vector<Rearrangement> all;
  add_layouts(problem, all);
  add_orders(problem, all);
  add_slices(problem, all);
  add_repeated_heads(problem, all);
  return all;
}

// --- Changes that only rounding may show ---------------------------------------------------------

constexpr std::string_view key_order_label = "keys in another order";
constexpr std::string_view shifted_label = "K + 2";
constexpr std::array half_labels{"first half of the keys", "second half of the keys"};

Case forward_only(const Case& c) {
  Case forward = c;
  forward.problem.direction = Direction::fwd;
  forward.problem.lse_cotangent = false;
  return forward;
}

Trial keys_in_another_order(const Case& c) {
  const RowMap map = [c](TensorName name, RowPlace place) {
    if (!has_key_rows(name)) return place;
    const Index keys = c.problem.sequences[static_cast<std::size_t>(place.sequence)].key_length;
    // Reversed, and the halves swapped: no tile keeps its keys.
    place.row = (keys - 1 - place.row + keys / 2) % keys;
    return place;
  };
  return {.label = std::string(key_order_label), .c = c, .edit = rows_of(c, map)};
}

/// K on a grid so coarse that K + 2 is exact in every dtype: (-2, 2) in steps of 2^-5.
void shift_keys(const Problem& /*problem*/, TensorSet& inputs) {
  constexpr double step = 0x1p-5;
  Tensor& k = inputs.at(TensorName::k);
  std::vector<double> values(static_cast<std::size_t>(element_count(k.spec)));
  decode(k.spec.dtype, k.bytes, values);
  for (double& x : values) {
    x = 2 + std::clamp(std::nearbyint(x / step) * step, -2 + step, 2 - step);
  }
  encode(k.spec.dtype, values, k.bytes);
}

bool can_be_merged(const Problem& problem) {
  return problem.mask.terms.empty() && problem.lse != LseRequest::no &&
         std::all_of(problem.sequences.begin(), problem.sequences.end(),
                     [](const Sequence& s) { return s.key_length >= 2; });
}

Trial half_of_the_keys(const Case& c, bool second) {
  Case half = forward_only(c);
  const Case base = half;
  for (Sequence& s : half.problem.sequences) {
    s.key_length = second ? s.key_length - s.key_length / 2 : s.key_length / 2;
  }
  const RowMap map = [base, second](TensorName name, RowPlace place) {
    if (!has_key_rows(name) || !second) return place;
    place.row += base.problem.sequences[static_cast<std::size_t>(place.sequence)].key_length / 2;
    return place;
  };
  return {
      .label = half_labels[second ? 1 : 0], .c = half, .edit = rows_of(base, map), .oracle = false};
}

// --- Judging -------------------------------------------------------------------------------------

struct Verdicts {
  std::vector<Finding> findings;
  std::map<std::string, std::string> answers;
};

std::string words_for(const Difference& worst, const std::string& lowering) {
  const std::string by = lowering.empty() ? "" : " by " + lowering;
  if (worst.unequal == 0) return "bitwise" + by;
  return fmt::format("within {:.2g} of the row limit{}", worst.share, by);
}

/// Variance of the last rounding of a number.
double rounding_variance(Dtype dtype, double x) {
  const double step = ulp(dtype, x);
  return step * step / 12;
}

/// dK and dV of grouped heads against the sums over heads of the repeated ones, each of which is
/// rounded once more.
void compare_sums(const Yardstick& base, const Rearrangement& repeated, const Outcome& outcome,
                  Verdicts& verdicts) {
  const Problem& problem = base.outcome().observation->c.problem;
  const Index group = group_size(problem);
  for (const TensorName name : {TensorName::dk, TensorName::dv}) {
    const auto found = outcome.observation->outputs.find(name);
    if (found == outcome.observation->outputs.end() || problem.dtype == Dtype::f64) continue;
    const OracleTensor& oracle = base.outcome().observation->oracle->at(name);
    const Tensor& grouped = base.outcome().observation->outputs.at(name).tensor;
    Difference difference;
    for_each_place(problem, name, [&](RowPlace place) {
      const std::vector<double> got = read_row(problem, grouped, place);
      std::vector<double> sum(got.size());
      std::vector<double> variance(got.size());
      for (Index head = 0; head < group; ++head) {
        const std::vector<double> part =
            read_row(repeated.problem, found->second.tensor,
                     {place.sequence, place.head * group + head, place.row});
        for (std::size_t c = 0; c < part.size(); ++c) {
          sum[c] += part[c];
          variance[c] += rounding_variance(problem.dtype, part[c]);
        }
      }
      const Index first = first_element(problem, name, place);
      double zz = 0;
      for (std::size_t c = 0; c < sum.size(); ++c) {
        const double sigma = oracle.sigma[static_cast<std::size_t>(first) + c];
        const double e = got[c] - sum[c];
        zz += e == 0 ? 0 : e * e / (2 * sigma * sigma + variance[c]);
      }
      ++difference.rows;
      const double rho = std::sqrt(zz / static_cast<double>(sum.size()));
      if (rho <= difference.rho) return;
      difference.rho = rho;
      difference.first = {.tensor = std::string(to_string(name)),
                          .place = place_of(problem, name, first),
                          .got = got[0],
                          .want = sum[0],
                          .sigma = oracle.sigma[static_cast<std::size_t>(first)]};
    });
    difference.share = difference.rho / base.row_limit(name);
    verdicts.answers[fmt::format("{} = sum over repeated heads", to_string(name))] =
        fmt::format("within {:.2g} of the row limit", difference.share);
    if (difference.share <= 1) continue;
    Finding finding =
        difference_finding("probe.invariance.group_sum", FailClass::contract,
                           "a group's gradient is not the sum over its heads", difference);
    finding.value = difference.rho;
    finding.limit = base.row_limit(name);
    finding.message = fmt::format(
        "{}: a group's gradient is not the sum over its heads: rms of z "
        "{:.3g} exceeds {:.3g} in the row of {}",
        finding.tensor, difference.rho, *finding.limit, to_string(difference.first));
    verdicts.findings.push_back(std::move(finding));
  }
}

/// Compares all outputs; returns the largest difference.
Difference compare(const Yardstick& base, const Rearrangement& one, const Outcome& outcome,
                   Verdicts& verdicts) {
  // Another lowering is another computation.
  const bool tolerant =
      one.demand == Demand::row_limit || outcome.answered_by != base.outcome().answered_by;
  Difference worst;
  for (const TensorName name : given_outputs(outcome)) {
    if (one.skip_key_gradients && has_key_rows(name)) continue;
    const Difference difference = base.compare(name, outcome, one.map);
    if (difference.unequal != 0 && (worst.unequal == 0 || difference.share > worst.share)) {
      worst = difference;
    }
    if (base.equal(name, difference) || (tolerant && difference.share <= 1)) continue;
    Finding finding = difference_finding("probe.invariance", FailClass::contract,
                                         one.label + " changes the answer", difference);
    finding.message +=
        fmt::format("; the largest difference is {:.3g} of a row's limit", difference.share);
    verdicts.findings.push_back(std::move(finding));
  }
  return worst;
}

void judge_rearrangements(const Yardstick& base, std::span<const Outcome> outcomes,
                          Verdicts& verdicts) {
  for (const Rearrangement& one : rearrangements_of(base.outcome().observation->c.problem)) {
    const auto found = std::find_if(outcomes.begin(), outcomes.end(),
                                    [&](const Outcome& o) { return o.trial->label == one.label; });
    if (found == outcomes.end()) continue;
    std::string& answer = verdicts.answers[one.label];
    if (!found->observation) {
      answer = "refused: " + found->refusal_code;
      continue;
    }
    const bool same = found->answered_by == base.outcome().answered_by;
    const Difference worst = compare(base, one, *found, verdicts);
    answer = worst.share <= 1 ? words_for(worst, same ? "" : found->answered_by) : "differs";
    if (one.label.ends_with("alone") && one.label.starts_with("sequence")) {
      std::string& batch = verdicts.answers["batch invariant"];
      if (batch != "no") batch = worst.unequal == 0 ? "yes" : "no";
    }
    if (one.label == repeated_label) compare_sums(base, one, *found, verdicts);
  }
}

/// Other numbers than the Fill's, so only the limits of rows and elements apply.
void judge_by_rows(const Outcome& outcome, const std::string& name, Verdicts& verdicts) {
  const std::vector<Finding> findings = findings_in_rows(*outcome.observation);
  verdicts.answers[outcome.trial->label] = findings.empty() ? "right" : "wrong";
  for (Finding finding : findings) {
    finding.check = "probe.invariance." + name + "." + finding.check;
    finding.message = outcome.trial->label + ": " + finding.message;
    verdicts.findings.push_back(std::move(finding));
  }
}

/// One half of the keys: its output and log-sum-exp in one row.
struct Half {
  std::vector<double> o;
  double lse = 0;
};

Half half_at(const Outcome& outcome, RowPlace place) {
  const Problem& problem = outcome.observation->c.problem;
  const auto& outputs = outcome.observation->outputs;
  return {read_row(problem, outputs.at(TensorName::o).tensor, place),
          read_row(problem, outputs.at(TensorName::lse).tensor, place)[0]};
}

/// O = sum_k exp(L_k - L) O_k. Each O_k was rounded, which shows where they cancel, and each weight
/// inherits the error of its L_k, which shows where they differ; T_L / 4 stands for that error's
/// standard deviation.
double merged_rho(const Outcome& base, const Half& first, const Half& second, Index row_of_o,
                  double lse_limit) {
  const OracleTensor& oracle = base.observation->oracle->at(TensorName::o);
  const double largest = std::max(first.lse, second.lse);
  const double a = std::exp(first.lse - largest);
  const double b = std::exp(second.lse - largest);
  double zz = 0;
  for (std::size_t c = 0; c < first.o.size(); ++c) {
    const std::size_t at = static_cast<std::size_t>(row_of_o) + c;
    const double merged = (a * first.o[c] + b * second.o[c]) / (a + b);
    const double weight = a * b / ((a + b) * (a + b));
    const double of_lse = weight * lse_limit / 4 * (first.o[c] - second.o[c]);
    const Dtype dtype = base.observation->c.problem.dtype;
    const double of_parts = (a * a * rounding_variance(dtype, first.o[c]) +
                             b * b * rounding_variance(dtype, second.o[c])) /
                            ((a + b) * (a + b));
    const double e = merged - oracle.value[at];
    const double variance = oracle.sigma[at] * oracle.sigma[at] + of_lse * of_lse + of_parts;
    zz += e == 0 ? 0 : e * e / variance;
  }
  return std::sqrt(zz / static_cast<double>(first.o.size()));
}

bool gives_lse(const Outcome& outcome) {
  const std::vector<TensorName> given = given_outputs(outcome);
  return std::find(given.begin(), given.end(), TensorName::lse) != given.end();
}

void judge_merge(const Yardstick& base, const Outcome& first, const Outcome& second,
                 Verdicts& verdicts) {
  std::string& answer = verdicts.answers["halves merged by LSE"];
  const Problem& problem = base.outcome().observation->c.problem;
  if (!gives_lse(first) || problem.dtype == Dtype::f64) {
    answer = "not asked: no LSE is given, or fp64";
    return;
  }
  const OracleTensor& lse = base.outcome().observation->oracle->at(TensorName::lse);
  const double limit = base.row_limit(TensorName::o);
  double worst = 0;
  RowPlace at;
  for_each_place(problem, TensorName::o, [&](RowPlace place) {
    const double rho = merged_rho(
        base.outcome(), half_at(first, place), half_at(second, place),
        first_element(problem, TensorName::o, place),
        lse.bound[static_cast<std::size_t>(first_element(problem, TensorName::lse, place))]);
    if (rho <= worst) return;
    worst = rho;
    at = place;
  });
  answer = fmt::format("row rho {:.2g}", worst);
  if (worst <= limit) return;
  Finding finding;
  finding.check = "probe.invariance.merge";
  finding.tensor = to_string(TensorName::o);
  finding.fail_class = FailClass::contract;
  finding.value = worst;
  finding.limit = limit;
  finding.message = fmt::format(
      "o: two halves of the keys merged by their LSE are {:.3g} standard deviations from the truth "
      "(limit {:.3g}) at sequence {}, head {}, row {}",
      worst, limit, at.sequence, at.head, at.row);
  verdicts.findings.push_back(std::move(finding));
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all{base_trial(c)};
  if (wants_repetition(c)) all.push_back(repetition_trial(c));
  for (const Rearrangement& one : rearrangements_of(c.problem)) {
    Trial trial{.label = one.label, .c = c, .edit = rows_of(c, one.map), .oracle = false};
    trial.c.problem = one.problem;
    all.push_back(std::move(trial));
  }
  if (c.problem.mask.terms.empty()) all.push_back(keys_in_another_order(c));
  all.push_back({.label = std::string(shifted_label), .c = forward_only(c), .edit = shift_keys});
  if (can_be_merged(c.problem)) {
    all.push_back(half_of_the_keys(c, false));
    all.push_back(half_of_the_keys(c, true));
  }
  all.push_back(control_trial(c));
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  Yardstick base(outcomes[0]);
  if (wants_repetition(c)) base.allow_noise_seen_in(outcomes[1]);
  Verdicts verdicts;
  judge_rearrangements(base, outcomes, verdicts);
  if (const Outcome* o = answered(outcomes, key_order_label))
    judge_by_rows(*o, "key_order", verdicts);
  if (const Outcome* o = answered(outcomes, shifted_label)) judge_by_rows(*o, "shift", verdicts);
  const Outcome* first = answered(outcomes, half_labels[0]);
  const Outcome* second = answered(outcomes, half_labels[1]);
  if (first != nullptr && second != nullptr) judge_merge(base, *first, *second, verdicts);
  Judgement judgement =
      judgement_of(std::move(verdicts.findings), why_control_failed(base, outcomes));
  judgement.answers = std::move(verdicts.answers);
  return judgement;
}

}  // namespace fathom::invariance_probe
