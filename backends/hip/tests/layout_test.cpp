// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/platform.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <tuple>

// Facts about matrix instructions that were written down by others, as numbers or in another form,
// against the layouts that emulation and kernel share. In the instruction's own words: A is
// (row, k), B is (k, column), D is (row, column); registers hold two 16-bit elements, the even one
// in the low half.
namespace fathom::hip {
namespace {

struct Fact {
  char operand;
  int first, second;  ///< Row and k; k and column; row and column.
  int lane, element;
};

/// AMD's matrix instruction calculator, v_mfma_f32_32x32x8_bf16.
constexpr Fact facts_32[] = {{'A', 5, 6, 37, 2},  {'A', 31, 7, 63, 3},  {'B', 3, 17, 17, 3},
                             {'D', 13, 7, 39, 5}, {'D', 30, 0, 32, 14}, {'D', 4, 31, 63, 0}};
/// The same, v_mfma_f32_16x16x16_bf16.
constexpr Fact facts_16[] = {{'A', 5, 14, 53, 2},
                             {'A', 0, 9, 32, 1},
                             {'B', 3, 9, 9, 3},
                             {'D', 13, 7, 55, 1},
                             {'D', 15, 15, 63, 3}};

/// AMD: the hardware's A is R, its B is L.
template <typename Shape, std::size_t N>
void expect_facts(const Fact (&facts)[N]) {
  for (const Fact& fact : facts) {
    if (fact.operand == 'A') {
      const PlaceR place = Shape::r_at(fact.lane, fact.element);
      EXPECT_EQ(std::tuple(place.y, place.k), std::tuple(fact.first, fact.second));
    } else if (fact.operand == 'B') {
      const PlaceL place = Shape::l_at(fact.lane, fact.element);
      EXPECT_EQ(std::tuple(place.k, place.x), std::tuple(fact.first, fact.second));
    } else {
      const PlaceD place = Shape::d_at(fact.lane, fact.element);
      EXPECT_EQ(std::tuple(place.y, place.x), std::tuple(fact.first, fact.second));
    }
  }
}

TEST(LayoutTest, AgreesWithTheCalculatorOfAmd) {
  expect_facts<Mfma<32>>(facts_32);
  expect_facts<Mfma<16>>(facts_16);
}

/// Triton's linear layout of D: what each bit of the register and of the lane adds.
TEST(LayoutTest, AgreesWithTheBasesOfTriton) {
  constexpr int register_rows[] = {1, 2, 8, 16};
  for (int lane = 0; lane < 64; ++lane) {
    for (int e = 0; e < 16; ++e) {
      int row = (lane & 32) != 0 ? 4 : 0;
      for (int bit = 0; bit < 4; ++bit) row += (e >> bit & 1) * register_rows[bit];
      const PlaceD place = Mfma<32>::d_at(lane, e);
      EXPECT_EQ(std::tuple(place.y, place.x), std::tuple(row, lane & 31));
    }
  }
}

/// CUTLASS, mma_traits_sm80: shapes and strides of (thread, value) over row + 16 k, column + 8 k
/// and row + 16 column. NVIDIA: the hardware's A is L, its B is R.
TEST(LayoutTest, AgreesWithTheStridesOfCutlass) {
  for (int lane = 0; lane < 32; ++lane) {
    const int low = lane % 4;
    const int high = lane / 4;
    for (int e = 0; e < 8; ++e) {
      const int at = 32 * low + high + 16 * (e & 1) + 8 * (e >> 1 & 1) + 128 * (e >> 2);
      const PlaceL place = MmaSync::l_at(lane, e);
      EXPECT_EQ(place.x + 16 * place.k, at);
    }
    for (int e = 0; e < 4; ++e) {
      const PlaceR r = MmaSync::r_at(lane, e);
      EXPECT_EQ(r.y + 8 * r.k, 16 * low + high + 8 * (e & 1) + 64 * (e >> 1));
      const PlaceD d = MmaSync::d_at(lane, e);
      EXPECT_EQ(d.x + 16 * d.y, 32 * low + high + 16 * (e & 1) + 8 * (e >> 1));
    }
  }
}

template <typename Shape>
class ShapeTest : public testing::Test {};
using Shapes = testing::Types<Mfma<32>, Mfma<16>, MmaSync>;
TYPED_TEST_SUITE(ShapeTest, Shapes);

TYPED_TEST(ShapeTest, HoldsEveryElementOnce) {
  using Shape = TypeParam;
  std::set<std::tuple<int, int>> l, r, d;
  for (int lane = 0; lane < Shape::wave; ++lane) {
    for (int e = 0; e < Shape::l_size; ++e) {
      const auto place = Shape::l_at(lane, e);
      l.emplace(place.x, place.k);
    }
    for (int e = 0; e < Shape::r_size; ++e) {
      const auto place = Shape::r_at(lane, e);
      r.emplace(place.y, place.k);
    }
    for (int e = 0; e < Shape::d_size; ++e) {
      const auto place = Shape::d_at(lane, e);
      d.emplace(place.x, place.y);
    }
  }
  EXPECT_EQ(l.size(), Shape::x * Shape::k);
  EXPECT_EQ(r.size(), Shape::y * Shape::k);
  EXPECT_EQ(d.size(), Shape::x * Shape::y);
}

/// What lets P go from one product to the next without leaving its lane.
TYPED_TEST(ShapeTest, RegistersOfDAreThoseOfTheNextLeftOperand) {
  using Shape = TypeParam;
  constexpr int depth = 64;
  for (int lane = 0; lane < Shape::wave; ++lane) {
    for (int at = 0; at < depth / Shape::k * Shape::l_size; ++at) {
      const PlaceD d = Shape::d_at(lane, at % Shape::d_size);
      const PlaceL l = Shape::l_at(lane, at % Shape::l_size);
      EXPECT_EQ(d.x, l.x);
      EXPECT_EQ(at / Shape::d_size * Shape::y + d.y, at / Shape::l_size * Shape::k + l.k);
    }
  }
}

TYPED_TEST(ShapeTest, LanesThatShareARowAreThoseThatReduceTogether) {
  using Shape = TypeParam;
  for (int lane = 0; lane < Shape::wave; ++lane) {
    int leaders = 0;
    int sharing = 0;
    for (int other = 0; other < Shape::wave; ++other) {
      if (Shape::d_at(other, 0).x != Shape::d_at(lane, 0).x) continue;
      ++sharing;
      leaders += Shape::leads(other) ? 1 : 0;
      const int difference = lane ^ other;
      EXPECT_EQ(difference & ~(2 * Shape::last_partner - Shape::first_partner), 0);
    }
    EXPECT_EQ(leaders, 1);
    EXPECT_EQ(sharing, 2 * Shape::last_partner / Shape::first_partner);
    for (int e = 0; e < Shape::d_size; ++e) {
      const int first = Shape::row_of(e) * (Shape::d_size / Shape::rows);
      EXPECT_EQ(Shape::d_at(lane, e).x, Shape::d_at(lane, first).x);
    }
    for (int e = 0; e < Shape::d_size; e += Shape::run) {
      for (int i = 0; i < Shape::run; ++i) {
        EXPECT_EQ(Shape::d_at(lane, e + i).y, Shape::d_at(lane, e).y + i);
      }
    }
  }
}

/// Puts a 1 at one place of A and of B, by the facts above, and looks where D has it.
void expect_one_hot(const Fact& a, const Fact& b, const Fact& d) {
  host::Alarms alarms;
  int hot = 0;
  host::run(
      {1, 1, 1, 64, 0}, {},
      [&] {
        Words<2> left[1] = {};
        Words<2> right[1] = {};
        Floats<4> sums[1] = {};
        const auto put = [](Words<2>& words, const Fact& fact) {
          if (lane_id() == fact.lane) words[fact.element / 2] = 0x3f80U << (fact.element % 2 * 16);
        };
        put(right[0], a);
        put(left[0], b);
        multiply_add<Mfma<16>, Bf16, 1, 1>(sums, left, right);
        for (int e = 0; e < 4; ++e) {
          const bool expected = lane_id() == d.lane && e == d.element;
          EXPECT_EQ(sums[0][e], expected ? 1.0F : 0.0F) << lane_id() << ' ' << e;
          hot += expected ? 1 : 0;
        }
      },
      alarms);
  EXPECT_EQ(hot, 1);
}

TEST(LayoutTest, AOneInBothOperandsComesOutWhereTheCalculatorSaysSo) {
  // A[13][14], B[14][7], D[13][7]; A[15][3], B[3][15], D[15][15].
  expect_one_hot({'A', 13, 14, 61, 2}, {'B', 14, 7, 55, 2}, {'D', 13, 7, 55, 1});
  expect_one_hot({'A', 15, 3, 15, 3}, {'B', 3, 15, 15, 3}, {'D', 15, 15, 63, 3});
}

TEST(LayoutTest, SlotsOfATransposedTileArePermuted) {
  // 32 x 32 x 8: bits 2 and 3 of k change places.
  for (int k = 0; k < 64; k += 4) {
    const int swapped = (k & ~12) | (k & 4) << 1 | (k & 8) >> 1;
    EXPECT_EQ(4 * Mfma<32>::slot(k / 4), swapped);
  }
  std::set<int> slots;
  for (int group = 0; group < 16; ++group) slots.insert(Mfma<16>::slot(group));
  EXPECT_EQ(slots.size(), 16U);
  EXPECT_EQ(Mfma<16>::slot(4), 1);  // k = 16 is the second half of the first lane group's chunk.
}

}  // namespace
}  // namespace fathom::hip
