// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/kernel/tile.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom::hip {
namespace {

template <typename TileType>
struct Extent;
template <int R, int C>
struct Extent<Tile<R, C>> {
  static constexpr int rows = R;
  static constexpr int columns = C;
};

/// All tiles of the configurations: rows of Q, K, V, dO, and their transposes.
using Tiles =
    testing::Types<Tile<64, 64>, Tile<32, 64>, Tile<16, 64>, Tile<64, 96>, Tile<32, 96>,
                   Tile<16, 96>, Tile<64, 128>, Tile<32, 128>, Tile<16, 128>, Tile<32, 256>,
                   Tile<16, 256>, Tile<128, 64>, Tile<128, 96>, Tile<128, 128>, Tile<128, 256>,
                   Tile<64, 32>, Tile<96, 64>, Tile<96, 32>, Tile<96, 16>, Tile<64, 16>,
                   Tile<128, 32>, Tile<128, 16>, Tile<256, 32>, Tile<256, 16>>;
template <typename TileType>
class TileTest : public testing::Test {};
TYPED_TEST_SUITE(TileTest, Tiles);

TYPED_TEST(TileTest, EveryChunkHasAPlaceOfItsOwnInsideTheTile) {
  using E = Extent<TypeParam>;
  std::set<int> places;
  for (int row = 0; row < E::rows; ++row) {
    for (int chunk = 0; chunk < E::columns / 8; ++chunk) {
      const int at = TypeParam::offset(row, chunk);
      EXPECT_EQ(at % 16, 0);
      EXPECT_GE(at, 0);
      EXPECT_LT(at, TypeParam::bytes);
      places.insert(at);
    }
  }
  EXPECT_EQ(places.size(), E::rows * E::columns / 8U);
}

/// Lanes that AMD serves together in a 16-byte read, and the same for lanes 32 to 63.
constexpr int together[4][8] = {{0, 1, 2, 3, 20, 21, 22, 23},
                                {4, 5, 6, 7, 16, 17, 18, 19},
                                {8, 9, 10, 11, 28, 29, 30, 31},
                                {12, 13, 14, 15, 24, 25, 26, 27}};

/// How many 16-byte accesses fall on the same 4 of the 32 banks, at most.
int conflicts(const std::vector<int>& offsets) {
  int hits[8] = {};
  int most_hits = 0;
  for (const int offset : offsets) most_hits = std::max(most_hits, ++hits[offset / 16 % 8]);
  return most_hits;
}

template <typename Shape, typename TileType>
void expect_reads_without_conflict() {
  using E = Extent<TileType>;
  if constexpr (Feed<Shape, E::columns>::paired && E::rows >= Shape::y) {
    for (int row = 0; row + Shape::y <= E::rows; row += Shape::y) {
      for (int pair = 0; pair < E::columns / Shape::k / 2; ++pair) {
        for (const auto& group : together) {
          for (const int half : {0, 32}) {
            std::vector<int> offsets;
            for (const int lane : group) {
              offsets.push_back(TileType::offset(row + Shape::r_at(lane + half, 0).y,
                                                 Shape::chunk(lane + half, pair)));
            }
            EXPECT_EQ(conflicts(offsets), 1) << row << ' ' << pair;
          }
        }
      }
    }
  }
}

TYPED_TEST(TileTest, ReadsOfAWaveFallOnDifferentBanks) {
  expect_reads_without_conflict<Mfma<32>, TypeParam>();
  expect_reads_without_conflict<Mfma<16>, TypeParam>();
}

TYPED_TEST(TileTest, RowsOfAMatrixLoadFallOnDifferentBanks) {
  using E = Extent<TypeParam>;
  for (int row = 0; row < E::rows; row += 8) {
    for (int chunk = 0; chunk < E::columns / 8; ++chunk) {
      std::vector<int> offsets;
      for (int i = 0; i < 8; ++i) offsets.push_back(TypeParam::offset(row + i, chunk));
      EXPECT_EQ(conflicts(offsets), 1) << row << ' ' << chunk;
    }
  }
}

/// Every element is its place, 64 row + column, in a tile that was stored as the kernels do.
template <typename Body>
void with_numbered_tile(Body body) {
  std::vector<std::uint16_t> numbers(32 * 64);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint16_t>(i);
  const Source source{
      {numbers.data(), static_cast<std::int64_t>(numbers.size()), "numbers"}, 0, 64, 32};
  host::Alarms alarms;
  host::run(
      {1, 1, 1, 32, 2 * Tile<32, 64>::bytes}, {},
      [&] {
        const Tile<32, 64> plain{{0, Tile<32, 64>::bytes, "plain"}};
        const Tile<64, 32> transposed{{Tile<32, 64>::bytes, Tile<32, 64>::bytes, "transposed"}};
        Staged<32, 64, 32> staged;
        staged.load(source, 0, lane_id());
        staged.store(plain, lane_id());
        staged.store_transposed<MmaSync>(transposed, lane_id());
        barrier();
        body(plain, transposed);
      },
      alarms);
  EXPECT_EQ(alarms.summary(), "");
}

TEST(MatrixLoadTest, BringsEveryElementWhereTheLayoutSays) {
  with_numbered_tile([](const Tile<32, 64>& plain, const Tile<64, 32>& transposed) {
    const auto element = [](const auto& words, int e) {
      return static_cast<int>(words[e / 2] >> (e % 2 * 16) & 0xffff);
    };
    Words<2> r[4];
    load_right<MmaSync, 4>(plain, 8, 0, r);
    Words<4> l[4];
    load_left<MmaSync, 4>(plain, 16, 0, l);
    Words<2> t[2];
    load_right<MmaSync, 2>(transposed, 24, 0, t);
    for (int step = 0; step < 4; ++step) {
      for (int e = 0; e < 4; ++e) {
        const PlaceR place = MmaSync::r_at(lane_id(), e);
        EXPECT_EQ(element(r[step], e), 64 * (8 + place.y) + 16 * step + place.k);
        if (step < 2) {
          EXPECT_EQ(element(t[step], e), 64 * (16 * step + place.k) + 24 + place.y);
        }
      }
      for (int e = 0; e < 8; ++e) {
        const PlaceL place = MmaSync::l_at(lane_id(), e);
        EXPECT_EQ(element(l[step], e), 64 * (16 + place.x) + 16 * step + place.k);
      }
    }
  });
}

}  // namespace
}  // namespace fathom::hip
