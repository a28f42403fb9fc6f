// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/host/matrix.h"

namespace fathom::hip::host {
namespace {

using Vector = float __attribute__((vector_size(32)));
constexpr int lanes = sizeof(Vector) / sizeof(float);

/// A strip of Vectors columns keeps its sums in registers over all of k.
template <int Vectors>
void multiply_strip(int rows, int depth, int width, const float* l, const float* r, float* c) {
  for (int x = 0; x < rows; ++x) {
    Vector sums[Vectors];
    std::memcpy(sums, c + x * width, sizeof sums);
    for (int k = 0; k < depth; ++k) {
      Vector row[Vectors];
      std::memcpy(row, r + k * width, sizeof row);
      for (int i = 0; i < Vectors; ++i) sums[i] += row[i] * l[x * depth + k];
    }
    std::memcpy(c + x * width, sums, sizeof sums);
  }
}

}  // namespace

void multiply_rows(int rows, int depth, int width, const float* l, const float* r, float* c) {
  int y = 0;
  for (; y + 8 * lanes <= width; y += 8 * lanes) {
    multiply_strip<8>(rows, depth, width, l, r + y, c + y);
  }
  for (; y + 4 * lanes <= width; y += 4 * lanes) {
    multiply_strip<4>(rows, depth, width, l, r + y, c + y);
  }
  for (; y < width; y += lanes) multiply_strip<1>(rows, depth, width, l, r + y, c + y);
}

}  // namespace fathom::hip::host
