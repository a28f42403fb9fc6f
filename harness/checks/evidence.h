// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/reach.h"
#include "harness/checks/score.h"
#include "harness/core/finding.h"
#include "harness/core/observation.h"

#include <span>
#include <string>
#include <vector>

namespace fathom {

/// One output beside what the oracle says of it.
struct Comparison {
  TensorSpec spec;
  Transport transport = Transport::not_given;
  const ObservedTensor* observed = nullptr;  ///< Null if not given, as is everything below.
  const OracleTensor* oracle = nullptr;
  std::vector<double> got;  ///< Decoded, indexed like the tensor.
  Score score;              ///< Not of LSE, which has no sigma.
};

/// An Observation made ready for the Checks: outputs decoded and scored once, in the order of
/// output_specs. Borrows the Observation and the Reach of its sequences.
struct Evidence {
  const Observation& observation;
  std::span<const Reach> reach;
  std::vector<Comparison> tensors;
};

/// Throws Error if the oracle does not speak of a given output, or sizes disagree.
Evidence weigh(const Observation& observation, std::span<const Reach> reach);

/// What an honest backend would give: the oracle's value, and for the LSE of a row that sees no key
/// the convention that the backend declares.
double empty_row_lse(const Arithmetic& arithmetic);

/// A Finding with no number and no place yet.
Finding start_finding(std::string check, const Comparison& comparison, FailClass fail_class);

/// The facts of one element. z is in units of sigma; of T_L for LSE, where `sigma` is T_L; both are
/// 0 in fp64 Problems, which have no error model.
Element element_at(const Evidence& evidence, const Comparison& comparison, Index index);

/// `sequence 0, head 3, row 17, channel 5: got 0.5, want 0.25, sigma 0.001, z 250`.
std::string to_string(const Element& element);

/// Visits every row of a tensor: visit(sequence, head, first element, channels, terms of the row).
template <typename Visit>
void for_each_row(const Evidence& evidence, TensorName name, Visit visit) {
  const Problem& problem = evidence.observation.c.problem;
  for (std::size_t s = 0; s < problem.sequences.size(); ++s) {
    const std::vector<Index>& terms = terms_of_rows(evidence.reach[s], name);
    for (Index head = 0; head < head_count(problem, name); ++head) {
      const HeadView view = head_view(problem, name, static_cast<Index>(s), head);
      for (Index row = 0; row < view.rows; ++row) {
        visit(view.offset + row * view.row_stride, view.channels,
              terms[static_cast<std::size_t>(row)]);
      }
    }
  }
}

}  // namespace fathom
