// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/hip/kernel/forward.h"

namespace fathom::hip {

// What the kernels for dK and dV and for dQ share.

/// Walks over the tiles that a block must visit. The lane says how to load a tile ahead into
/// registers, to fill shared memory with it, and to attend to it.
template <typename C, typename Lane>
FATHOM_DEVICE void walk_tiles(const TileRange& tiles, Lane& lane) {
  const int end = first_lane(tiles.visited.end);
  const Interval full{first_lane(tiles.full.begin), first_lane(tiles.full.end)};
  int tile = first_lane(tiles.visited.begin);
  if (C::prefetch && tile < end) lane.load(tile);
  for (; tile < end; ++tile) {
    if (!planted(Defect::no_barrier_before_store)) barrier();
    lane.fill(tile);
    if (!planted(Defect::no_barrier_after_store)) barrier();
    if (C::prefetch && tile + 1 < end) lane.load(tile + 1);
    count_tile();
    lane.attend(tile * C::inner, tile < full.begin || tile >= full.end);
  }
}

/// Makes the weights of pairs that the mask hides 0. `seen` is what each row x of the lane sees;
/// y counts from `first`.
template <typename Shape, int XTiles, int YTiles>
FATHOM_DEVICE void hide(Accumulators<Shape, XTiles, YTiles>& p,
                        const Interval (&seen)[XTiles][Shape::rows], int first, int lane) {
  FATHOM_UNROLL
  for (int x = 0; x < XTiles; ++x) {
    FATHOM_UNROLL
    for (int y = 0; y < YTiles; ++y) {
      FATHOM_UNROLL
      for (int e = 0; e < Shape::d_size; ++e) {
        const int at = first + y * Shape::y + Shape::d_at(lane, e).y;
        if (!seen[x][Shape::row_of(e)].holds(at)) p.tile[x][y][e] = 0;
      }
    }
  }
}

}  // namespace fathom::hip
