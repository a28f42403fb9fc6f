// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/tensor.h"
#include "harness/core/verdict.h"

#include <optional>
#include <string>

namespace fathom {

/// One element of a tensor, with what was expected of it.
struct Element {
  std::string tensor;
  ElementPlace place;
  double got = 0;
  double want = 0;
  double sigma = 0;
  double z = 0;  ///< (got - want) / sigma; infinite where sigma is 0 and they differ.
  bool operator==(const Element&) const = default;
};

/// One thing that a Check found wrong.
struct Finding {
  std::string check;   ///< `accuracy.row_rho`, `lse`, `bounds.guard`, ...
  std::string tensor;  ///< Empty where no single tensor is meant.
  FailClass fail_class = FailClass::accuracy;
  std::string message;  ///< One sentence for people.
  std::optional<double> value;
  std::optional<double> limit;
  std::optional<Element> worst;
  bool operator==(const Finding&) const = default;
};

}  // namespace fathom
