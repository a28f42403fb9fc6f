// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/mask.h"
#include "harness/core/problem.h"

#include <algorithm>

// The judge's mask predicate. Nothing below backends/ may include this header: a judge that shares
// its predicate with the judged is blind.

namespace fathom {

/// Keys begin <= key < end of one sequence; empty if begin >= end.
struct KeyRange {
  Index begin = 0;
  Index end = 0;
  [[nodiscard]] Index size() const { return std::max<Index>(0, end - begin); }
  bool operator==(const KeyRange&) const = default;
};

/// The keys that one query of a sequence may see. Every mask term of today is an interval in each
/// row, so their conjunction is one; this function is the only definition of visibility.
KeyRange visible_keys(const Mask& mask, const Sequence& sequence, Index query);

/// Whether the softmax of `query` includes `key` (both local to the sequence, 0-based).
bool visible(const Mask& mask, const Sequence& sequence, Index query, Index key);

}  // namespace fathom
