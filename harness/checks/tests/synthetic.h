// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/check.h"
#include "harness/checks/judge.h"
#include "harness/core/case.h"
#include "harness/core/observation.h"

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// An honest backend's Observation made without attention: the oracle's values are drawn from
/// N(0,1), and the outputs are these values with errors of exactly the sigma that the oracle states
/// (16 bit: the rounding itself; fp32: gaussian). Tests plant faults in it.
class Synthetic {
 public:
  explicit Synthetic(Case c);

  /// Edits the outputs before they are rounded to storage.
  using Edit = std::function<void(std::vector<double>& got, const OracleTensor& oracle)>;
  Synthetic& plant(TensorName name, const Edit& edit);

  [[nodiscard]] Observation observation() const;
  OracleAnswer oracle;
  std::map<TensorName, std::vector<double>> got;
  Arithmetic arithmetic;
  Transport transport = Transport::in_place;
  Case c;
};

/// 1024 rows of 64 channels in every tensor: 8 heads, 128 queries, 128 keys, required LSE.
Case big_case(Dtype dtype, Fill fill);
/// One head of 16 queries and 16 keys under a mask, d = dv = 8, forward and backward.
Case small_case(std::string_view mask, Index queries = 16, Index keys = 16);

/// Names of the Findings' checks with their tensors, `o:accuracy.row_rho`.
std::set<std::string> names(const std::vector<Finding>& findings);
/// The same of one Check alone.
std::set<std::string> run_check(std::string_view check, const Observation& observation);
/// The same of every Check.
std::set<std::string> run_all(const Observation& observation);

}  // namespace fathom
