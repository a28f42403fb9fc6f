// SPDX-License-Identifier: Apache-2.0
#include "harness/core/tensor.h"
#include "harness/core/tests/random_problem.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fathom {
namespace {

std::vector<TensorSpec> all_specs(const Problem& p) {
  std::vector<TensorSpec> specs = input_specs(p);
  const std::vector<TensorSpec> outputs = output_specs(p);
  specs.insert(specs.end(), outputs.begin(), outputs.end());
  return specs;
}

/// Calls visit(place, element) for every element of every view.
template <typename Visit>
void for_each_viewed(const Problem& p, TensorName name, Visit visit) {
  for (Index s = 0; s < static_cast<Index>(p.sequences.size()); ++s) {
    for (Index h = 0; h < head_count(p, name); ++h) {
      const HeadView view = head_view(p, name, s, h);
      for (Index r = 0; r < view.rows; ++r) {
        for (Index c = 0; c < view.channels; ++c) {
          visit(ElementPlace{s, h, r, c}, view.offset + r * view.row_stride + c);
        }
      }
    }
  }
}

TEST(TensorPropertyTest, ViewsOfAllSequencesAndHeadsCoverEachElementExactlyOnce) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    for (const TensorSpec& spec : all_specs(p)) {
      std::vector<int> seen(static_cast<std::size_t>(element_count(spec)), 0);
      for_each_viewed(p, spec.name, [&](const ElementPlace&, Index element) {
        RC_ASSERT(element >= 0 && element < element_count(spec));
        ++seen[static_cast<std::size_t>(element)];
      });
      RC_ASSERT(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
    }
  }));
}

TEST(TensorPropertyTest, PlaceOfIsTheInverseOfHeadView) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    for (const TensorSpec& spec : all_specs(p)) {
      for_each_viewed(p, spec.name, [&](const ElementPlace& place, Index element) {
        RC_ASSERT(place_of(p, spec.name, element) == place);
      });
    }
  }));
}

TEST(TensorPropertyTest, StridesOfThePackedOrDenseShapeReachTheLastElement) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    for (const TensorSpec& spec : all_specs(p)) {
      if (element_count(spec) == 0) continue;
      const std::vector<Index> strides = contiguous_strides(spec);
      Index last = 0;
      for (std::size_t i = 0; i < strides.size(); ++i) last += strides[i] * (spec.shape[i] - 1);
      RC_ASSERT(last == element_count(spec) - 1);
    }
  }));
}

}  // namespace
}  // namespace fathom
