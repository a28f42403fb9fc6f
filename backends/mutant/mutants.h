// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/seams.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::mutant {

/// Along what the error of a defect is laid out: what an explainer that sees nothing but maps of
/// error / sigma should name.
enum class Axis : std::uint8_t {
  rows,        ///< A few query rows.
  tile,        ///< Blocks of rows or keys, with edges at tiles.
  head,        ///< Some heads, or the head map.
  sequence,    ///< Some sequences of a batch.
  channel,     ///< Some channels.
  mask_edge,   ///< Where the mask begins or ends: diagonal, window, prefix, document.
  factor,      ///< A common factor.
  key,         ///< One key or a few of them lost, added or misread.
  lse,         ///< The LSE alone: base, constant, convention.
  everywhere,  ///< Diffuse, as by narrow arithmetic.
  zero,        ///< All zero, unwritten, or not a number.
  repeat,      ///< Differs from run to run.
  stale,       ///< What an earlier step or an earlier call left.
};
std::string_view to_string(Axis axis);

/// The axes that rightly describe one defect: a lost last key is a key, and a mask edge.
class Axes {
 public:
  constexpr Axes(Axis axis) : bits_(1U << static_cast<unsigned>(axis)) {}  // NOLINT: one is a set
  [[nodiscard]] constexpr bool has(Axis axis) const {
    return (bits_ >> static_cast<unsigned>(axis) & 1U) != 0;
  }
  friend constexpr Axes operator|(Axes a, Axes b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  unsigned bits_;
};
constexpr Axes operator|(Axis a, Axis b) {
  return Axes(a) | Axes(b);
}
/// `key|mask_edge`
std::string to_string(Axes axes);
std::string_view to_string(Pass pass);

/// One defect: a row of a table, that replaces one or two seams of the honest kernel.
struct Mutant {
  std::string_view name;
  std::string_view what;      ///< One sentence.
  std::string_view imitates;  ///< Public threads of the bug, by comma; empty if there is none.
  Pass pass;  ///< The first pass whose outputs it spoils; masks and maps serve both passes.
  Axes axes;
  void (*patch)(Seams& seams);
};

// The table, by what the defects patch.
std::span<const Mutant> mask_mutants();
std::span<const Mutant> read_mutants();
std::span<const Mutant> arithmetic_mutants();
std::span<const Mutant> output_mutants();
std::span<const Mutant> gradient_mutants();

/// All of them, in the order above.
std::vector<Mutant> all_mutants();

/// The table as JSON: [{"name": ..., "what": ..., "imitates": ..., "pass": ..., "axis": ...}, ...]
std::string table_json();

}  // namespace fathom::mutant
