// SPDX-License-Identifier: Apache-2.0
#include "harness/core/cost.h"
#include "harness/core/tests/random_problem.h"
#include "harness/core/visible.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

// The second definition of every mask term, pair by pair from its words, sharing nothing with the
// first but the types.

bool sees(const Causal& term, const Sequence& s, Index query, Index key) {
  if (term.corner == Corner::top_left) return key <= query;
  // Counted from the ends: as many keys may follow the key as queries follow the query, or more.
  return s.key_length - key >= s.query_length - query;
}

bool sees(const Window& term, const Sequence& s, Index query, Index key) {
  const Index distance = (s.query_length - query) - (s.key_length - key);  // Key minus query.
  return (term.left == -1 || -distance <= term.left) &&
         (term.right == -1 || distance <= term.right);
}

bool sees(const PrefixLm&, const Sequence& s, Index query, Index key) {
  const Index own = s.key_length - (s.query_length - query);  // Token that the query is.
  const bool both_in_prefix = own < s.prefix_length && key < s.prefix_length;
  const bool causal_after_prefix = own >= s.prefix_length && key <= own;
  return both_in_prefix || causal_after_prefix;
}

/// The document of a token, found by walking the tokens; tokens before the first are in document 0.
std::size_t document_of(const Document& term, Index token) {
  std::size_t document = 0;
  Index left = term.lengths.front();
  for (Index at = 0; at < token; ++at) {
    if (document < term.lengths.size() && --left == 0) {
      ++document;
      left = document < term.lengths.size() ? term.lengths[document] : 0;
    }
  }
  return document;
}

bool sees(const Document& term, const Sequence& s, Index query, Index key) {
  return document_of(term, key) == document_of(term, s.key_length - (s.query_length - query));
}

bool sees_all(const Mask& mask, const Sequence& s, Index query, Index key) {
  bool all = true;
  for (const MaskTerm& any : mask.terms) {
    std::visit([&](const auto& term) { all = all && sees(term, s, query, key); }, any);
  }
  return all;
}

TEST(VisiblePropertyTest, EveryPairIsVisibleAsTheSecondDefinitionSays) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    for (const Sequence& s : p.sequences) {
      for (Index query = 0; query < s.query_length; ++query) {
        for (Index key = 0; key < s.key_length; ++key) {
          RC_ASSERT(visible(p.mask, s, query, key) == sees_all(p.mask, s, query, key));
        }
      }
    }
  }));
}

TEST(VisiblePropertyTest, VisibleKeysAreExactlyTheVisibleOnesAndInsideTheSequence) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    for (const Sequence& s : p.sequences) {
      for (Index query = 0; query < s.query_length; ++query) {
        const KeyRange keys = visible_keys(p.mask, s, query);
        RC_ASSERT(keys.begin >= 0 && keys.end <= s.key_length && keys.begin <= keys.end);
        Index count = 0;
        for (Index key = -2; key < s.key_length + 2; ++key) {
          const bool inside = keys.begin <= key && key < keys.end;
          RC_ASSERT(visible(p.mask, s, query, key) == inside);
          count += inside ? 1 : 0;
        }
        RC_ASSERT(keys.size() == count);
      }
    }
  }));
}

TEST(VisiblePropertyTest, PairAndEmptyRowCountsAreExact) {
  EXPECT_TRUE(rc::check([] {
    const Problem p = *random_value::problems();
    Index pairs = 0;
    Index empty = 0;
    for (const Sequence& s : p.sequences) {
      for (Index query = 0; query < s.query_length; ++query) {
        Index keys = 0;
        for (Index key = 0; key < s.key_length; ++key) keys += sees_all(p.mask, s, query, key);
        pairs += keys;
        empty += keys == 0 ? 1 : 0;
      }
    }
    RC_ASSERT(visible_pairs(p) == pairs);
    RC_ASSERT(empty_rows(p) == empty);
    RC_ASSERT(cost_of(p).visible_pairs == pairs);
  }));
}

}  // namespace
}  // namespace fathom
