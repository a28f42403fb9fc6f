// SPDX-License-Identifier: Apache-2.0
#include "harness/core/record.h"

#include <cmath>

namespace fathom {

std::string outcome_text(const Record& record) {
  return outcome_text(record.verdict, record.fail_class, record.expected);
}

std::optional<double> worst_margin(const Record& record) {
  std::optional<double> worst;
  for (const TensorMetrics& tensor : record.tensors) {
    for (const auto& [check, share] : tensor.margin) {
      // A NaN share is a failure: it wins, and nothing compares as larger after it.
      if (!worst || std::isnan(share) || share > *worst) worst = share;
    }
  }
  return worst;
}

std::string backend_of(std::string_view answered_by) {
  return std::string(answered_by.substr(0, answered_by.find('/')));
}

std::string lowering_of(std::string_view answered_by) {
  const std::size_t slash = answered_by.find('/');
  return slash == std::string_view::npos ? "native" : std::string(answered_by.substr(slash + 1));
}

}  // namespace fathom
