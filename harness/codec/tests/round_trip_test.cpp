// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/tests/random_value.h"
#include "harness/core/error.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace fathom {
namespace {

/// Value -> JSON -> text -> JSON -> value, as a journal line travels.
template <typename T>
T through_text(const T& value) {
  return read_json<T>(parse_json(write_json(value).dump(), "line"), "line:");
}

template <typename T>
class RoundTripTest : public testing::Test {};

using Values = testing::Types<Problem, Arithmetic, Case, PlannedCase, ElementPlace, Element,
                              Finding, RowRho, LseMetrics, FaRatio, Counts, TensorMetrics, Cost,
                              Latency, MemoryUse, Measurement, ExpectationNote, Record,
                              BackendStatus, StaleExpectation, PublishedFigure, Report>;
TYPED_TEST_SUITE(RoundTripTest, Values);

TYPED_TEST(RoundTripTest, EveryValueSurvivesText) {
  EXPECT_TRUE(rc::check([] {
    const auto value = random_value::draw<TypeParam>();
    RC_ASSERT(through_text(value) == value);
  }));
}

/// Renames one key after the other and expects the reader to notice.
TYPED_TEST(RoundTripTest, ARenamedKeyIsUnknown) {
  EXPECT_TRUE(rc::check([] {
    const Json whole = write_json(random_value::draw<TypeParam>());
    for (const auto& [key, value] : whole.items()) {
      Json renamed = whole;
      renamed.erase(key);
      renamed[key + "x"] = value;
      try {
        read_json<TypeParam>(renamed, "v");
        RC_FAIL("a renamed key was accepted: " + key);
      } catch (const DataError& error) {
        const std::string want = "v: unknown key '" + key + "x' (did you mean '" + key + "'?)";
        RC_ASSERT(error.what() == want);
      }
    }
  }));
}

}  // namespace
}  // namespace fathom
