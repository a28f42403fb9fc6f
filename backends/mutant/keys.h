// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/mask.h"
#include "harness/core/problem.h"

namespace fathom::mutant {

/// The keys begin <= key < end that one query sees, without `hole` (no honest mask has one).
/// Nothing is seen if begin >= end.
struct Keys {
  Index begin = 0;
  Index end = 0;
  Index hole = -1;
  [[nodiscard]] bool empty() const { return begin >= end; }
};

/// What one term of the mask lets query `query` of a sequence see; may lie outside the sequence.
Keys keys_of_term(const MaskTerm& term, const Sequence& sequence, Index query);

Keys intersection(const Keys& a, const Keys& b);

}  // namespace fathom::mutant
