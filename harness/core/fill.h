// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/types.h"

#include <array>
#include <optional>
#include <string_view>

namespace fathom {

/// How the Inputs of a Case are drawn. Each finds faults that the others hide.
enum class Fill : std::uint8_t {
  normal,
  peaked,
  flat,
  uniform01,
  uniform11,
  outlier,
  vmean,
  dupkeys,
  tiny,
  sink_token,
  q_zero,
  const_p,
  p_one,
};

struct FillInfo {
  Fill fill;
  std::string_view name;
  std::string_view meaning;
  bool adversarial;  ///< Wider row and element limits (coherent rounding).
  bool zero_mean;    ///< Tensor-wide gradient limits apply.
};

inline constexpr std::array fills{
    FillInfo{Fill::normal, "normal", "N(0,1)", false, true},
    FillInfo{Fill::peaked, "peaked", "N(0,1), Q x 4", false, true},
    FillInfo{Fill::flat, "flat", "N(0,1), Q x 0.05", false, true},
    FillInfo{Fill::uniform01, "uniform01", "U[0,1]", false, false},
    FillInfo{Fill::uniform11, "uniform11", "U[-1,1]", false, true},
    FillInfo{Fill::outlier, "outlier", "ceil(d/32) channels: Q, K x 6, V x 20", false, true},
    FillInfo{Fill::vmean, "vmean", "N(0,1), V + 3", false, false},
    FillInfo{Fill::dupkeys, "dupkeys", "K drawn from max(1, n_k/64) keys", false, false},
    FillInfo{Fill::tiny, "tiny", "N(0,1), V x 1e-4", false, true},
    FillInfo{Fill::sink_token, "sink_token", "K0 = 3 sqrt(n_q) mean(Q), V0 x 0.01", true, false},
    FillInfo{Fill::q_zero, "q_zero", "Q = 0", true, false},
    FillInfo{Fill::const_p, "const_p", "one key at the row maximum, the rest 0.37 below", true,
             false},
    FillInfo{Fill::p_one, "p_one", "scores on two levels, many weights 1, V = -|N| - 1", true,
             false},
};

constexpr const FillInfo& info(Fill fill) {
  return fills[static_cast<std::size_t>(fill)];
}
constexpr std::string_view to_string(Fill fill) {
  return info(fill).name;
}
constexpr std::optional<Fill> parse_fill(std::string_view name) {
  for (const FillInfo& row : fills) {
    if (row.name == name) return row.fill;
  }
  return std::nullopt;
}

}  // namespace fathom
