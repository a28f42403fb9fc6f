// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/heat_map.h"

#include "harness/explain/tests/emulated.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom {
namespace {

const HeatMap& find_map(const std::vector<HeatMap>& maps, std::string_view columns) {
  static const HeatMap none;
  for (const HeatMap& map : maps) {
    if (map.tensor == "o" && map.columns_are.starts_with(columns)) return map;
  }
  return none;
}

TEST(HeatMapTest, ShowsWhichHeadAndWhichKeyTileIsLost) {
  Seams seams;
  seams.weight = [](Index, Index head, Index, Index key) {
    return head == 1 && key >= 128 && key < 256 ? 0.0 : 1.0;
  };
  const Emulated e = emulate(case_of("dir=fwd dtype=bf16 layout=bshd hq=2 hkv=2 d=32 dv=32 "
                                     "seqs=128x512 mask=full fill=normal seed=3"),
                             seams);
  const auto maps = heat_maps(e.observation, e.inputs);
  const HeatMap heads = find_map(maps, "heads");
  ASSERT_EQ(heads.columns, 2);
  ASSERT_EQ(heads.rows, 2);
  EXPECT_LT(heads.values[0], 1.3);
  EXPECT_GT(heads.values[1], 5);
  const HeatMap keys = find_map(maps, "key tiles of 128");
  ASSERT_EQ(keys.columns, 4);
  for (Index row = 0; row < keys.rows; ++row) {
    const auto first = keys.values.begin() + row * keys.columns;
    EXPECT_EQ(std::max_element(first, first + keys.columns) - first, 1);
  }
}

TEST(HeatMapTest, FitsSixtyFourCells) {
  const Emulated e = emulate(case_of("dir=fwd dtype=bf16 layout=thd hq=2 hkv=1 d=8 dv=8 "
                                     "seqs=100*9 mask=full fill=normal seed=3"),
                             {});
  for (const HeatMap& map : heat_maps(e.observation, e.inputs)) {
    EXPECT_LE(map.rows, 64);
    EXPECT_LE(map.columns, 64);
    EXPECT_EQ(static_cast<Index>(map.values.size()), map.rows * map.columns);
  }
}

}  // namespace
}  // namespace fathom
