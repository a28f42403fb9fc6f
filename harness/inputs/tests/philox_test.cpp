// SPDX-License-Identifier: Apache-2.0
#include "harness/inputs/philox.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace fathom {
namespace {

using Block = std::array<std::uint32_t, 4>;

TEST(PhiloxTest, GivesTheKnownAnswerForZeroKeyAndCounter) {
  EXPECT_EQ(philox(0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(PhiloxTest, EveryBitOfKeyAndCounterMatters) {
  std::set<Block> blocks{philox(0, 0)};
  for (int bit = 0; bit < 64; ++bit) {
    blocks.insert(philox(std::uint64_t{1} << bit, 0));
    blocks.insert(philox(0, std::uint64_t{1} << bit));
  }
  EXPECT_EQ(blocks.size(), 129U);
}

TEST(PhiloxTest, WordsDoNotDependOnWhereReadingStarts) {
  std::vector<std::uint32_t> all(64);
  philox_words(7, 0, all);
  for (std::uint64_t first = 0; first < 9; ++first) {
    for (std::size_t count = 0; count < 11; ++count) {
      std::vector<std::uint32_t> part(count);
      philox_words(7, first, part);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + static_cast<long>(first)));
    }
  }
  EXPECT_EQ(all[5], philox(7, 1)[1]);
}

TEST(PhiloxTest, CountersBeyond32BitsDoNotWrap) {
  const std::uint64_t far = std::uint64_t{1} << 34;
  std::uint32_t word = 0;
  philox_words(7, far, {&word, 1});
  EXPECT_EQ(word, philox(7, far / 4)[0]);
  EXPECT_NE(word, philox(7, 0)[0]);
}

TEST(PhiloxTest, KeysOfSmallSeedsAndStreamsDiffer) {
  std::set<std::uint64_t> keys;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    for (int t = 0; t < 5; ++t) keys.insert(stream_key(seed, static_cast<TensorName>(t)));
    keys.insert(choice_key(seed));
  }
  EXPECT_EQ(keys.size(), 6000U);
}

}  // namespace
}  // namespace fathom
