// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/evidence.h"

#include "harness/core/error.h"
#include "harness/core/types.h"

#include <fmt/format.h>

#include <cmath>

namespace fathom {
namespace {

const OracleTensor& oracle_tensor(const Observation& observation, const TensorSpec& spec) {
  const auto found = observation.oracle->find(spec.name);
  if (found == observation.oracle->end()) {
    throw Error(fmt::format("the oracle does not answer {}", to_string(spec.name)));
  }
  const OracleTensor& oracle = found->second;
  const auto count = static_cast<std::size_t>(element_count(spec));
  const auto fits = [&](const std::vector<double>& v, bool needed) {
    return v.size() == count || (v.empty() && !needed);
  };
  const bool lse = spec.name == TensorName::lse;
  const bool hard_bounded = spec.name == TensorName::o && is_16_bit(spec.dtype);
  const bool modelled = spec.dtype != Dtype::f64 && observation.c.problem.dtype != Dtype::f64;
  if (!fits(oracle.value, true) || !fits(oracle.sigma, modelled && !lse) ||
      !fits(oracle.bound, modelled && (lse || hard_bounded)) || !fits(oracle.mean, false)) {
    throw Error(fmt::format("the oracle's {} does not have {} elements of everything it needs",
                            to_string(spec.name), count));
  }
  return oracle;
}

Comparison compare(const Observation& observation, const TensorSpec& spec,
                   std::span<const Reach> reach) {
  Comparison comparison;
  comparison.spec = spec;
  const auto found = observation.outputs.find(spec.name);
  if (found == observation.outputs.end() || found->second.transport == Transport::not_given) {
    return comparison;
  }
  const ObservedTensor& observed = found->second;
  if (observed.tensor.bytes.size() != static_cast<std::size_t>(byte_count(spec))) {
    throw Error(fmt::format("output {} has {} bytes instead of {}", to_string(spec.name),
                            observed.tensor.bytes.size(), byte_count(spec)));
  }
  comparison.transport = observed.transport;
  comparison.observed = &observed;
  comparison.oracle = &oracle_tensor(observation, spec);
  comparison.got.resize(static_cast<std::size_t>(element_count(spec)));
  decode(spec.dtype, observed.tensor.bytes, comparison.got);
  if (spec.name != TensorName::lse) {
    comparison.score =
        score_tensor(observation.c.problem, spec.name, comparison.got, *comparison.oracle, reach);
  }
  return comparison;
}

}  // namespace

Evidence weigh(const Observation& observation, std::span<const Reach> reach) {
  if (!observation.oracle) throw Error("an Observation without an oracle's answer");
  Evidence evidence{observation, reach, {}};
  for (const TensorSpec& spec : output_specs(observation.c.problem)) {
    evidence.tensors.push_back(compare(observation, spec, reach));
  }
  return evidence;
}

double empty_row_lse(const Arithmetic& arithmetic) {
  switch (arithmetic.empty_row_lse) {
    case EmptyRowLse::minus_inf: return -infinity;
    case EmptyRowLse::plus_inf: return infinity;
    case EmptyRowLse::zero: break;
  }
  return 0;
}

Finding start_finding(std::string check, const Comparison& comparison, FailClass fail_class) {
  Finding finding;
  finding.check = std::move(check);
  finding.tensor = to_string(comparison.spec.name);
  finding.fail_class = fail_class;
  return finding;
}

Element element_at(const Evidence& evidence, const Comparison& comparison, Index index) {
  const auto i = static_cast<std::size_t>(index);
  const Problem& problem = evidence.observation.c.problem;
  const TensorName name = comparison.spec.name;
  const ElementPlace place = place_of(problem, name, index);
  Element element{.tensor = std::string(to_string(name)),
                  .place = place,
                  .got = comparison.got[i],
                  .want = comparison.oracle->value[i]};
  const auto& terms = terms_of_rows(evidence.reach[static_cast<std::size_t>(place.sequence)], name);
  const bool lse = name == TensorName::lse;
  if (lse && terms[static_cast<std::size_t>(place.row)] == 0) {
    element.want = empty_row_lse(evidence.observation.arithmetic);
  }
  const std::vector<double>& unit = lse ? comparison.oracle->bound : comparison.oracle->sigma;
  if (unit.empty()) return element;
  const double e = error_of(comparison.spec.dtype, element.got, element.want);
  const bool shifted = !comparison.oracle->mean.empty() && std::isfinite(e);
  element.sigma = unit[i];
  element.z = e == 0 ? 0 : (shifted ? e - comparison.oracle->mean[i] : e) / element.sigma;
  return element;
}

std::string to_string(const Element& element) {
  const ElementPlace& at = element.place;
  std::string text = fmt::format("sequence {}, head {}, row {}", at.sequence, at.head, at.row);
  if (element.tensor != to_string(TensorName::lse)) text += fmt::format(", channel {}", at.channel);
  text += fmt::format(": got {:.6g}, want {:.6g}", element.got, element.want);
  if (element.sigma == 0) return text;
  return text + fmt::format(", {} {:.2g}, z {:.3g}",
                            element.tensor == to_string(TensorName::lse) ? "limit" : "sigma",
                            element.sigma, element.z);
}

}  // namespace fathom
