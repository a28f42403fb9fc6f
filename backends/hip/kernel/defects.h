// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/platform/device.h"

namespace fathom::hip {

/// Mistakes that tests plant in the kernel at its seams, on the host only. Devices compile
/// planted() to false and nothing remains of them.
enum class Defect {
  none,
  no_barrier_before_store,  ///< A tile is overwritten while other waves read it.
  no_barrier_after_store,   ///< A tile is read before it is complete.
  divergent_barrier,        ///< One wave leaves before the others.
  stale_tile,               ///< V of the first tile serves all tiles.
  unwritten_rows,           ///< The last rows of a tile are never stored.
  lane_swapped,             ///< The mask takes each lane for its partner in the row.
  slots_left_out,           ///< Transposed tiles lie in plain order.
  prefix_plus_one,
  prefix_of_neighbour,
  prefix_forgets_causal,  ///< Rows behind the prefix see the prefix only.
  top_left_shift,         ///< The bottom-right corner taken for the top-left one.
  window_plus_one,
  full_one_tile_more,  ///< The first partial tile is taken for a full one.
  last_tile_dropped,
  rescale_left_out,
  rescale_after_product,
  tail_not_zeroed,        ///< Rows behind the sequence are loaded as they are.
  tail_stored,            ///< Rows behind the sequence are stored.
  row_data_of_neighbour,  ///< LSE and delta of the next query.
  delta_left_out,
  lse_cotangent_left_out,
  dk_scaled_twice,
  group_of_neighbour,  ///< The query heads of the next group.
  group_first_head_only,
  operand_shrunk,          ///< P and dS 0.2 % too small.
  empty_sequence_skipped,  ///< A block without queries returns without storing zeros.
};

#if defined(FATHOM_HIP_HOST)
struct DefectRow {
  Defect defect;
  const char* name;
  bool amd_only = false;  ///< A seam that the other layouts do not have.
};

inline constexpr DefectRow all_defects[] = {
    {Defect::no_barrier_before_store, "no_barrier_before_store"},
    {Defect::no_barrier_after_store, "no_barrier_after_store"},
    {Defect::divergent_barrier, "divergent_barrier"},
    {Defect::stale_tile, "stale_tile"},
    {Defect::unwritten_rows, "unwritten_rows"},
    {Defect::lane_swapped, "lane_swapped"},
    {Defect::slots_left_out, "slots_left_out", true},
    {Defect::prefix_plus_one, "prefix_plus_one"},
    {Defect::prefix_of_neighbour, "prefix_of_neighbour"},
    {Defect::prefix_forgets_causal, "prefix_forgets_causal"},
    {Defect::top_left_shift, "top_left_shift"},
    {Defect::window_plus_one, "window_plus_one"},
    {Defect::full_one_tile_more, "full_one_tile_more"},
    {Defect::last_tile_dropped, "last_tile_dropped"},
    {Defect::rescale_left_out, "rescale_left_out"},
    {Defect::rescale_after_product, "rescale_after_product"},
    {Defect::tail_not_zeroed, "tail_not_zeroed"},
    {Defect::tail_stored, "tail_stored"},
    {Defect::row_data_of_neighbour, "row_data_of_neighbour"},
    {Defect::delta_left_out, "delta_left_out"},
    {Defect::lse_cotangent_left_out, "lse_cotangent_left_out"},
    {Defect::dk_scaled_twice, "dk_scaled_twice"},
    {Defect::group_of_neighbour, "group_of_neighbour"},
    {Defect::group_first_head_only, "group_first_head_only"},
    {Defect::operand_shrunk, "operand_shrunk"},
    {Defect::empty_sequence_skipped, "empty_sequence_skipped"},
};

inline Defect planted_defect = Defect::none;
FATHOM_DEVICE bool planted(Defect defect) {
  return planted_defect == defect;
}
#else
FATHOM_DEVICE constexpr bool planted(Defect /*defect*/) {
  return false;
}
#endif

}  // namespace fathom::hip
