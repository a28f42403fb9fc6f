// SPDX-License-Identifier: Apache-2.0
#include "harness/core/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom {
namespace {

using Shape = std::vector<Index>;

Problem problem_with(std::string_view layout, std::string_view seqs) {
  return parse_problem(
      "dir=fwd+bwd dtype=bf16 layout=" + std::string(layout) +
      " hq=4 hkv=2 d=8 dv=3 mask=full lse=required dlse=true seqs=" + std::string(seqs));
}

std::map<TensorName, TensorSpec> specs_of(const Problem& p) {
  std::map<TensorName, TensorSpec> specs;
  for (const auto& list : {input_specs(p), output_specs(p)}) {
    for (const TensorSpec& spec : list) specs[spec.name] = spec;
  }
  return specs;
}

TEST(TensorTest, NamesAndTextsAreInverse) {
  for (int i = 0; i <= static_cast<int>(TensorName::dv); ++i) {
    const auto name = static_cast<TensorName>(i);
    EXPECT_EQ(parse_tensor_name(to_string(name)), name);
  }
  EXPECT_EQ(to_string(TensorName::dlse), "dlse");
  EXPECT_EQ(parse_tensor_name("O"), std::nullopt);
}

TEST(TensorTest, ShapesFollowTheLayout) {
  struct Row {
    std::string_view layout, seqs;
    Shape q, k, v, o, lse;
  };
  for (const Row& row : {
           Row{"bshd", "3*5x7", {3, 5, 4, 8}, {3, 7, 2, 8}, {3, 7, 2, 3}, {3, 5, 4, 3}, {3, 4, 5}},
           Row{"bhsd", "3*5x7", {3, 4, 5, 8}, {3, 2, 7, 8}, {3, 2, 7, 3}, {3, 4, 5, 3}, {3, 4, 5}},
           Row{"thd", "5x7,0x2,1", {6, 4, 8}, {10, 2, 8}, {10, 2, 3}, {6, 4, 3}, {4, 6}},
       }) {
    auto specs = specs_of(problem_with(row.layout, row.seqs));
    EXPECT_EQ(specs.size(), 10U);
    for (const TensorName like_q : {TensorName::q, TensorName::dq}) {
      EXPECT_EQ(specs[like_q].shape, row.q) << row.layout;
    }
    for (const TensorName like_k : {TensorName::k, TensorName::dk}) {
      EXPECT_EQ(specs[like_k].shape, row.k) << row.layout;
    }
    for (const TensorName like_v : {TensorName::v, TensorName::dv}) {
      EXPECT_EQ(specs[like_v].shape, row.v) << row.layout;
    }
    for (const TensorName like_o : {TensorName::o, TensorName::dout}) {
      EXPECT_EQ(specs[like_o].shape, row.o) << row.layout;
    }
    for (const TensorName like_lse : {TensorName::lse, TensorName::dlse}) {
      EXPECT_EQ(specs[like_lse].shape, row.lse) << row.layout;
      EXPECT_EQ(specs[like_lse].dtype, Dtype::f32);
    }
  }
}

TEST(TensorTest, LseIsF64InAnF64Problem) {
  Problem p = problem_with("bshd", "5");
  p.dtype = Dtype::f64;
  EXPECT_EQ(specs_of(p)[TensorName::lse].dtype, Dtype::f64);
}

TEST(TensorTest, OnlyWhatIsAskedForExists) {
  Problem p = problem_with("bshd", "5");
  p.direction = Direction::fwd;
  p.lse_cotangent = false;
  EXPECT_EQ(input_specs(p).size(), 3U);
  EXPECT_EQ(output_specs(p).size(), 2U);
  p.lse = LseRequest::no;
  ASSERT_EQ(output_specs(p).size(), 1U);
  EXPECT_EQ(output_specs(p)[0].name, TensorName::o);
  p.direction = Direction::fwd_bwd;
  ASSERT_EQ(input_specs(p).size(), 4U);
  EXPECT_EQ(input_specs(p)[3].name, TensorName::dout);
  EXPECT_EQ(output_specs(p).size(), 4U);
}

TEST(TensorTest, CountsAndStridesAreThoseOfAContiguousArray) {
  const TensorSpec spec{TensorName::q, Dtype::bf16, {2, 3, 4}};
  EXPECT_EQ(element_count(spec), 24);
  EXPECT_EQ(byte_count(spec), 48);
  EXPECT_EQ(contiguous_strides(spec), (Shape{12, 4, 1}));
  EXPECT_EQ(element_count({TensorName::q, Dtype::f32, {0, 3}}), 0);
}

TEST(TensorTest, ViewsLieWhereTheLayoutSays) {
  const auto at = [](const HeadView& v) {
    return Shape{v.offset, v.row_stride, v.rows, v.channels};
  };
  EXPECT_EQ(at(head_view(problem_with("bshd", "3*5x7"), TensorName::q, 1, 2)),
            (Shape{5 * 4 * 8 + 2 * 8, 4 * 8, 5, 8}));
  EXPECT_EQ(at(head_view(problem_with("bhsd", "3*5x7"), TensorName::v, 2, 1)),
            (Shape{(2 * 2 + 1) * 7 * 3, 3, 7, 3}));
  EXPECT_EQ(at(head_view(problem_with("thd", "5x7,0x2,1"), TensorName::k, 1, 1)),
            (Shape{7 * 2 * 8 + 8, 2 * 8, 2, 8}));
  EXPECT_EQ(at(head_view(problem_with("thd", "5x7,0x2,1"), TensorName::lse, 2, 3)),
            (Shape{3 * 6 + 5, 1, 1, 1}));
}

TEST(TensorTest, AnElementOutsideTheTensorIsNowhere) {
  const Problem p = problem_with("thd", "0,0x3");
  EXPECT_EQ(place_of(p, TensorName::q, 0), ElementPlace{});
  EXPECT_EQ(place_of(p, TensorName::k, -1), ElementPlace{});
  EXPECT_EQ(place_of(p, TensorName::k, 1 << 20), ElementPlace{});
}

}  // namespace
}  // namespace fathom
