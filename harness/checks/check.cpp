// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/check.h"

#include "harness/checks/accuracy.h"
#include "harness/checks/bounds.h"
#include "harness/checks/contract.h"
#include "harness/checks/exact_zeros.h"
#include "harness/checks/finite.h"
#include "harness/checks/lse.h"

#include <array>

namespace fathom {
namespace {

constexpr std::array checks{
    Check{"bounds",
          "Guards are intact and every output element was written: finds writes outside "
          "the tensors and rows, tails or tiles that nobody wrote.",
          check_bounds},
    Check{"contract",
          "Inputs are unchanged and what must be given is given: finds kernels that "
          "scribble on their inputs and silently missing outputs.",
          check_contract},
    Check{"exact_zeros",
          "Rows to which no visible pair contributes are exactly 0: finds masked or "
          "padded rows that leak anything at all.",
          check_exact_zeros},
    Check{"finite",
          "Nothing is NaN or infinite unless the oracle says so: finds 0/0 in empty rows "
          "and overflow.",
          check_finite},
    Check{"accuracy",
          "Errors stay within the derived budget per element, row and tensor, lean no "
          "way and share no factor: finds lost keys, wrong scales, narrow accumulators.",
          check_accuracy},
    Check{"lse",
          "The log-sum-exp is within a few fp32 steps, and of empty rows as declared: finds "
          "a single lost key where the output hides it.",
          check_lse},
};

}  // namespace

std::span<const Check> all_checks() {
  return checks;
}

double share_of(double value, double limit) {
  return value == 0 ? 0 : value / limit;
}

}  // namespace fathom
