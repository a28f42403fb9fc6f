// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/device.h"

namespace fathom::hip {

// Which element of a wave's operands each register of each lane holds. Every product is
// D[x][y] += sum over k of L[x][k] R[y][k], both operands with k contiguous; code above this header
// knows x, y and k only. On AMD L is the instruction's B operand and R its A operand; on NVIDIA L
// is A and R is B. So placed, the registers of D are, in order, those of L of a product over y: P
// and dS go from one product to the next without leaving their lane.

struct PlaceL {
  int x, k;
};
struct PlaceR {
  int y, k;
};
struct PlaceD {
  int x, y;
};

/// v_mfma_f32_32x32x8 (Side 32) and v_mfma_f32_16x16x16 (Side 16), 16-bit operands.
template <int Side>
struct Mfma {
  static constexpr int wave = 64;
  static constexpr int x = Side;
  static constexpr int y = Side;
  static constexpr int lane_groups = wave / Side;
  static constexpr int k = 4 * lane_groups;
  static constexpr int l_size = 4;
  static constexpr int r_size = 4;
  static constexpr int d_size = Side * Side / wave;
  static constexpr int rows = 1;  ///< Of x that a lane holds in D.
  static constexpr int run = 4;   ///< Neighbouring y in neighbouring registers of D.
  static constexpr int pair = 2;  ///< Steps of k that one 16-byte read of shared memory feeds.
  static constexpr bool has_matrix_loads = false;

  FATHOM_DEVICE static constexpr PlaceL l_at(int lane, int e) {
    return {lane % Side, 4 * (lane / Side) + e};
  }
  FATHOM_DEVICE static constexpr PlaceR r_at(int lane, int e) {
    return {lane % Side, 4 * (lane / Side) + e};
  }
  FATHOM_DEVICE static constexpr PlaceD d_at(int lane, int e) {
    return {lane % Side, k * (e / 4) + 4 * (lane / Side) + e % 4};
  }
  /// Which of a lane's rows register e of D belongs to.
  FATHOM_DEVICE static constexpr int row_of(int /*e*/) { return 0; }
  /// Whether the lane is the first of those that share its rows.
  FATHOM_DEVICE static constexpr bool leads(int lane) { return lane / Side == 0; }
  /// Lanes whose numbers differ by these bits share their rows.
  static constexpr int first_partner = Side;
  static constexpr int last_partner = 32;

  /// The 16-byte chunk of a row that feeds a lane's steps 2 pair and 2 pair + 1. Channels are so
  /// taken in another order than they lie; L and R take the same one.
  FATHOM_DEVICE static constexpr int chunk(int lane, int step_pair) {
    return lane_groups * step_pair + lane / Side;
  }
  /// Where k = 4 key_group of a transposed row lies, in units of 4 elements, so that the same chunk
  /// read gives k in the order of D's registers.
  FATHOM_DEVICE static constexpr int slot(int key_group) {
    const int group = key_group % (2 * lane_groups);
    return key_group - group + 2 * (group % lane_groups) + group / lane_groups;
  }
};

/// mma.sync.m16n8k16 with 16-bit operands.
struct MmaSync {
  static constexpr int wave = 32;
  static constexpr int x = 16;
  static constexpr int y = 8;
  static constexpr int k = 16;
  static constexpr int l_size = 8;
  static constexpr int r_size = 4;
  static constexpr int d_size = 4;
  static constexpr int rows = 2;
  static constexpr int run = 2;
  static constexpr int pair = 1;
  static constexpr bool has_matrix_loads = true;  ///< ldmatrix

  FATHOM_DEVICE static constexpr PlaceL l_at(int lane, int e) {
    return {lane / 4 + 8 * (e / 2 % 2), 2 * (lane % 4) + e % 2 + 8 * (e / 4)};
  }
  FATHOM_DEVICE static constexpr PlaceR r_at(int lane, int e) {
    return {lane / 4, 2 * (lane % 4) + e % 2 + 8 * (e / 2)};
  }
  FATHOM_DEVICE static constexpr PlaceD d_at(int lane, int e) {
    return {lane / 4 + 8 * (e / 2), 2 * (lane % 4) + e % 2};
  }
  FATHOM_DEVICE static constexpr int row_of(int e) { return e / 2; }
  FATHOM_DEVICE static constexpr bool leads(int lane) { return lane % 4 == 0; }
  static constexpr int first_partner = 1;
  static constexpr int last_partner = 2;

  FATHOM_DEVICE static constexpr int slot(int key_group) { return key_group; }
};

}  // namespace fathom::hip
