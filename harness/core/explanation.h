// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// What the errors of a failing case follow.
enum class Axis : std::uint8_t {
  unclear,
  rows,
  tile,
  head,
  sequence,
  channel,
  mask_edge,
  factor,
  key,
  lse,
  everywhere,
  zero,
  repeat,
  stale,
};

struct AxisInfo {
  Axis axis;
  std::string_view name;
  std::string_view meaning;
};

inline constexpr std::array axes{
    AxisInfo{Axis::unclear, "unclear", "no single cause explains the errors"},
    AxisInfo{Axis::rows, "rows", "some rows are wrong, or exchanged"},
    AxisInfo{Axis::tile, "tile", "the errors begin and end where a tile does"},
    AxisInfo{Axis::head, "head", "some heads are wrong, or read another head"},
    AxisInfo{Axis::sequence, "sequence", "some sequences are wrong, or read another sequence"},
    AxisInfo{Axis::channel, "channel", "some channels are wrong"},
    AxisInfo{Axis::mask_edge, "mask_edge", "the answer is right for another mask"},
    AxisInfo{Axis::factor, "factor", "the answer is off by a factor, or right for another scale"},
    AxisInfo{Axis::key, "key", "one key is lost, doubled, added or exchanged"},
    AxisInfo{Axis::lse, "lse", "the log-sum-exp alone is wrong"},
    AxisInfo{Axis::everywhere, "everywhere", "the errors are spread evenly, as by rounding"},
    AxisInfo{Axis::zero, "zero", "zeros, or nothing at all, where numbers belong"},
    AxisInfo{Axis::repeat, "repeat", "the same execution gives other bits"},
    AxisInfo{Axis::stale, "stale", "what an earlier step or call left was used again"},
};

static_assert([] {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].axis != static_cast<Axis>(i)) return false;
  }
  return true;
}());

constexpr std::string_view to_string(Axis axis) {
  return axes[static_cast<std::size_t>(axis)].name;
}

constexpr std::optional<Axis> parse_axis(std::string_view text) {
  for (const AxisInfo& row : axes) {
    if (row.name == text) return row.axis;
  }
  return std::nullopt;
}

/// What is probably wrong with a failing answer, for people.
struct Explanation {
  Axis axis = Axis::unclear;
  std::string tensor;    ///< The tensor spoken of, the earliest wrong one in the flow of data.
  std::string where;     ///< `query rows 64-127 of head 1`; empty where everything is meant.
  std::string sentence;  ///< One plain sentence: what is wrong, and where.
  std::string cause;     ///< One sentence: what usually does this. Empty if nothing is known.
  bool operator==(const Explanation&) const = default;
};

/// rms of z (error over the error of an honest kernel) per cell of a grid; -1 where nothing is
/// compared. At most 64 x 64 cells: tiles coarsen to fit. Row by row.
struct HeatMap {
  std::string tensor;
  std::string rows_are;     ///< `query tiles of 64`
  std::string columns_are;  ///< `heads`, `key tiles of 128`
  Index rows = 0;
  Index columns = 0;
  std::vector<double> values;
  bool operator==(const HeatMap&) const = default;
};

}  // namespace fathom
