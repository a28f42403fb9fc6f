// SPDX-License-Identifier: Apache-2.0
#include "reference/kernel_entries.h"
#include "reference/kernel_math.h"

#define FATHOM_TEXT2(x) #x
#define FATHOM_TEXT(x) FATHOM_TEXT2(x)

namespace fathom::reference::FATHOM_ISA {
namespace {

void product(const double* a, const double* b, double* c, Index n) {
  const Eigen::Map<const Matrix> left(a, n, n);
  const Eigen::Map<const Matrix> right(b, n, n);
  Eigen::Map<Matrix>(c, n, n).noalias() = left * right;
}

}  // namespace

Kernels kernels() {
  return {FATHOM_TEXT(FATHOM_ISA), row_pass, key_pass, plain_pass, product};
}

}  // namespace fathom::reference::FATHOM_ISA
