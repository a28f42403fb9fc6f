// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/scope.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(ScopeTest, ListsReadLikeProse) {
  EXPECT_EQ(list_text({3}), "3");
  EXPECT_EQ(list_text({0, 2}), "0 and 2");
  EXPECT_EQ(list_text({0, 2, 5}), "0, 2 and 5");
  EXPECT_EQ(list_text({4, 5, 6, 7}), "4-7");
  EXPECT_EQ(list_text({}), "none");
}

TEST(ScopeTest, TilesBeginAndEndAtMultiplesOfSixteen) {
  EXPECT_TRUE(is_tiled(64, 127, 256));
  EXPECT_TRUE(is_tiled(192, 219, 220));  // The last, partial one.
  EXPECT_FALSE(is_tiled(64, 126, 256));
  EXPECT_FALSE(is_tiled(0, 255, 256));  // All rows are no tile.
  EXPECT_FALSE(is_tiled(16, 17, 256));
}

}  // namespace
}  // namespace fathom
