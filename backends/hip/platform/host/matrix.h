// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/host/executor.h"

#include <cstdint>
#include <cstring>
#include <span>

namespace fathom::hip::host {

/// What each lane brings to a product: its registers.
struct MatrixOperands {
  float* d;
  const std::uint32_t* l;
  const std::uint32_t* r;
};

/// c[x][y] += sum over k of l[x][k] r[k][y], added in the order of k, one rounding a term.
void multiply_rows(int rows, int depth, int width, const float* l, const float* r, float* c);

/// Does the products of a wave as its matrix instructions do: operands and sums lie in the lanes'
/// registers where the layout says.
template <typename Shape, typename Element, int Steps, int Tiles>
void perform_product(std::span<Lane> lanes, Alarms& /*alarms*/) {
  constexpr int depth = Steps * Shape::k;
  constexpr int width = Tiles * Shape::y;
  static thread_local float l[Shape::x * depth];
  static thread_local float r[depth * width];
  static thread_local float c[Shape::x * width];
  const auto pick = [](const std::uint32_t* words, int e) {
    return Element::widen(words[e / 2] >> (e % 2 * 16) & 0xffff);
  };
  for (int lane = 0; lane < Shape::wave; ++lane) {
    const auto& mine =
        *static_cast<const MatrixOperands*>(lanes[static_cast<std::size_t>(lane)].operands);
    for (int e = 0; e < Shape::l_size; ++e) {
      const auto place = Shape::l_at(lane, e);
      for (int step = 0; step < Steps; ++step) {
        l[place.x * depth + step * Shape::k + place.k] = pick(mine.l + step * Shape::l_size / 2, e);
      }
    }
    for (int e = 0; e < Shape::r_size; ++e) {
      const auto place = Shape::r_at(lane, e);
      for (int step = 0; step < Steps; ++step) {
        float* row = r + (step * Shape::k + place.k) * width + place.y;
        for (int tile = 0; tile < Tiles; ++tile) {
          row[tile * Shape::y] = pick(mine.r + (tile * Steps + step) * Shape::r_size / 2, e);
        }
      }
    }
    for (int e = 0; e < Shape::d_size; ++e) {
      const auto place = Shape::d_at(lane, e);
      for (int tile = 0; tile < Tiles; ++tile) {
        c[place.x * width + tile * Shape::y + place.y] = mine.d[tile * Shape::d_size + e];
      }
    }
  }
  multiply_rows(Shape::x, depth, width, l, r, c);
  for (int lane = 0; lane < Shape::wave; ++lane) {
    const auto& mine =
        *static_cast<const MatrixOperands*>(lanes[static_cast<std::size_t>(lane)].operands);
    for (int e = 0; e < Shape::d_size; ++e) {
      const auto place = Shape::d_at(lane, e);
      for (int tile = 0; tile < Tiles; ++tile) {
        mine.d[tile * Shape::d_size + e] = c[place.x * width + tile * Shape::y + place.y];
      }
    }
  }
}

}  // namespace fathom::hip::host
