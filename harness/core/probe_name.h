// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fathom {

/// How a Case is put to a backend. `plain` is one execution judged by the Checks; every other Probe
/// makes executions of its own from the Case's Problem and asserts something that can be tested
/// exactly, or that no single execution shows.
enum class ProbeName : std::uint8_t {
  plain,
  key_count,
  uniform_weights,
  needle,
  boundary_value,
  poison,
  hidden_change,
  linearity,
  invariance,
  sums,
  coherent_rounding,
  edges,
  repeat,
  honesty,
  conventions,
};

struct ProbeInfo {
  ProbeName probe;
  std::string_view name;
  std::string_view meaning;
};

inline constexpr std::array probe_infos{
    ProbeInfo{ProbeName::plain, "plain", "one execution, judged by the Checks"},
    ProbeInfo{ProbeName::key_count, "key_count", "Q = 0: LSE counts the visible keys of every row"},
    ProbeInfo{ProbeName::uniform_weights, "uniform_weights",
              "Q = 0: O is the mean of V, right to the last rounding"},
    ProbeInfo{ProbeName::needle, "needle", "each query seeks one key; V says which key was read"},
    ProbeInfo{ProbeName::boundary_value, "boundary_value",
              "V = 1 at one edge key, else 0: O says who sees it"},
    ProbeInfo{ProbeName::poison, "poison", "NaN in memory around the inputs changes nothing"},
    ProbeInfo{ProbeName::hidden_change, "hidden_change",
              "hidden keys, other sequences and other heads change nothing"},
    ProbeInfo{ProbeName::linearity, "linearity", "V and dO times 2^k scale the answer exactly"},
    ProbeInfo{ProbeName::invariance, "invariance",
              "layout, packing, order of heads and sequences change nothing"},
    ProbeInfo{ProbeName::sums, "sums", "what dV, dQ and dK must add up to"},
    ProbeInfo{ProbeName::coherent_rounding, "coherent_rounding",
              "LSE is summed from weights that were not rounded"},
    ProbeInfo{ProbeName::edges, "edges", "lengths 0, 1 and tile - 1, tile, tile + 1"},
    ProbeInfo{ProbeName::repeat, "repeat", "the same question gives the same bits"},
    ProbeInfo{ProbeName::honesty, "honesty", "every argument is obeyed or refused"},
    ProbeInfo{ProbeName::conventions, "conventions",
              "which corner, window ends, LSE and empty rows the backend really has"},
};

constexpr std::string_view to_string(ProbeName probe) {
  return probe_infos[static_cast<std::size_t>(probe)].name;
}
constexpr std::optional<ProbeName> parse_probe_name(std::string_view name) {
  for (const ProbeInfo& row : probe_infos) {
    if (row.name == name) return row.probe;
  }
  return std::nullopt;
}

}  // namespace fathom
