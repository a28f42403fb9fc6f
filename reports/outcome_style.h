// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/record.h"

#include <span>
#include <string>
#include <string_view>

namespace fathom {

/// Colour families: five hues that stay apart for colour-blind readers. A verdict is never colour
/// alone, so every kind has a glyph too, and new kinds join a family.
///   good, bad, broken, doubt, none

/// How one kind of outcome looks: the kind is a fail class for `fail`, else the tally word.
struct OutcomeStyle {
  std::string_view kind;
  std::string_view family;
  std::string_view glyph;  ///< For UTF-8 text; the page draws `#g-<kind>` of its sprite.
  std::string_view plain;  ///< For ASCII text.
  int gravity;             ///< Order of attention: 0 for a pass.
};

std::span<const OutcomeStyle> outcome_styles();
const OutcomeStyle& outcome_style(std::string_view kind);
const OutcomeStyle& outcome_style(const Record& record);

/// The query that finds the Records of one kind, foretold ones apart from the others.
std::string query_of_kind(std::string_view kind);

/// Whether a person should look: neither a pass, nor foretold, nor refused with a reason.
bool needs_attention(const Record& record);

/// Who answered, or, where nobody did, who was asked: the column of every table.
std::string column_of(const Record& record);

}  // namespace fathom
