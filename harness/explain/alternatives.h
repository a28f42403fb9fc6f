// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/explanation.h"
#include "harness/explain/question.h"

#include <string>
#include <vector>

namespace fathom {

/// Another mask that a backend may have used in place of the one asked for.
struct MaskAlternative {
  Axis axis = Axis::mask_edge;
  std::string is;     ///< Ends the sentence "O ...": `is right for the mask full`.
  std::string cause;  ///< One sentence.
  std::vector<std::vector<KeyRange>> keys;  ///< By sequence and query.
};

/// The masks next to that of the Problem: terms left out, the other corner, edges one or two keys
/// off, another sequence's prefix. Those that change nothing are left out.
std::vector<MaskAlternative> mask_alternatives(const Question& question);

/// The mask of the Problem with its edges rounded to tiles.
std::vector<MaskAlternative> tiled_alternatives(const Question& question);

}  // namespace fathom
