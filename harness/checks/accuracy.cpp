// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/accuracy.h"

#include "harness/checks/limits.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>

namespace fathom {
namespace {

constexpr Peak nowhere{};

/// How one test reads its statistic from the Score. `located` tests say where.
struct Test {
  std::string_view name;
  std::string_view words;
  std::optional<double> Limits::*limit;
  Peak (*peak)(TensorName, const Score&);
};

Peak tensor_wide(double value) {
  return {value, nowhere.element};
}

constexpr std::array tests{
    Test{"hard_bound", "error as a share of the hard bound", &Limits::hard_bound,
         [](TensorName, const Score& s) { return s.hard_share; }},
    Test{"row_rho", "rms of z in one row", &Limits::row_rho,
         [](TensorName, const Score& s) { return s.row_rho; }},
    Test{"z_max", "largest |z|", &Limits::z_max,
         [](TensorName, const Score& s) { return s.z_max; }},
    Test{"tensor_rho", "rms of z over the tensor", &Limits::tensor_rho,
         [](TensorName name, const Score& s) {
           return tensor_wide(rms_z(name == TensorName::o ? s.all : s.averaging));
         }},
    Test{"bias_z", "bias z", &Limits::bias_z,
         [](TensorName, const Score& s) { return tensor_wide(bias_z(s.averaging)); }},
    Test{"gain", "common factor |g|", &Limits::gain,
         [](TensorName, const Score& s) { return tensor_wide(std::abs(gain(s.averaging))); }},
    Test{"rel_f", "relative Frobenius error", &Limits::rel_f,
         [](TensorName name, const Score& s) {
           // Where every row sees one key, dQ and dK are differences of equal numbers: pure noise.
           const bool cancels = name == TensorName::dq || name == TensorName::dk;
           return tensor_wide(rel_f(s, cancels ? 1 : 0));
         }},
};

std::optional<Margin> apply(const Test& test, const Limits& limits, TensorName name,
                            const Score& score) {
  const std::optional<double> limit = limits.*test.limit;
  if (!limit) return std::nullopt;
  const Peak peak = test.peak(name, score);
  return Margin{test.name, peak.value, *limit, peak.element};
}

/// T2 to T4 fail while the hard bound holds: the answer is right but worse than it may be.
bool only_degraded(const Limits& limits, const Score& score) {
  return limits.hard_bound && score.hard_share.value <= *limits.hard_bound;
}

Finding finding_of(const Evidence& evidence, const Comparison& comparison, const Test& test,
                   const Margin& margin, bool degraded) {
  Finding finding =
      start_finding(fmt::format("accuracy.{}", test.name), comparison, FailClass::accuracy);
  finding.value = margin.value;
  finding.limit = margin.limit;
  finding.message = fmt::format("{}: {} {:.4g} exceeds {:.4g}", finding.tensor, test.words,
                                margin.value, margin.limit);
  const bool located = margin.element >= 0;
  const Index element = located ? margin.element : comparison.score.z_max.element;
  if (element >= 0) {
    finding.worst = element_at(evidence, comparison, element);
    finding.message += (located ? " at " : "; largest |z| at ") + to_string(*finding.worst);
  }
  if (degraded) finding.message += " (numerically degraded: the hard bound holds)";
  return finding;
}

bool is_compared(const Comparison& comparison) {
  return comparison.observed != nullptr && comparison.spec.name != TensorName::lse;
}

Limits limits_of(const Evidence& evidence, const Comparison& comparison) {
  return limits_for(evidence.observation.c, evidence.observation.arithmetic, comparison.spec.name,
                    comparison.score);
}

}  // namespace

std::vector<Margin> accuracy_margins(const Evidence& evidence, const Comparison& comparison) {
  std::vector<Margin> margins;
  if (!is_compared(comparison)) return margins;
  const Limits limits = limits_of(evidence, comparison);
  for (const Test& test : tests) {
    if (const auto margin = apply(test, limits, comparison.spec.name, comparison.score)) {
      margins.push_back(*margin);
    }
  }
  return margins;
}

std::vector<Finding> check_accuracy(const Evidence& evidence) {
  std::vector<Finding> findings;
  // By test, then by tensor: the first Finding is the gravest.
  for (const Test& test : tests) {
    for (const Comparison& comparison : evidence.tensors) {
      if (!is_compared(comparison)) continue;
      const Limits limits = limits_of(evidence, comparison);
      const auto margin = apply(test, limits, comparison.spec.name, comparison.score);
      if (!margin) continue;
      if (!(margin->value <= margin->limit)) {
        findings.push_back(finding_of(evidence, comparison, test, *margin,
                                      only_degraded(limits, comparison.score)));
      }
    }
  }
  return findings;
}

}  // namespace fathom
