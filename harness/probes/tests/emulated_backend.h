// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/probe.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::probes_test {

/// What may be planted in the emulated kernel.
enum class Fault : std::uint8_t {
  none,
  zeros,             ///< Every output 0.
  reads_past_end,    ///< One key behind the last one takes part.
  tail_times_zero,   ///< V behind the last key is multiplied by a weight of 0.
  tail_unmasked,     ///< The last tile is filled up with keys and values of 0.
  leak,              ///< 2^-20 of the V of the first hidden key.
  dk_leak,           ///< dK of a hidden key is 2^-60.
  neighbour_prefix,  ///< The prefix length of the next sequence.
  head_modulo,       ///< Query head h uses KV head h mod hkv.
  bshd_assumed,      ///< Whatever the dense layout.
  race,              ///< In one execution of ten a tile is added without rescaling.
  stale_output,      ///< Every other execution returns the outputs before, if they fit.
  unordered_dq,      ///< The order of the sum over keys changes with every execution.
  batch_splits,      ///< A lone sequence is worked on in smaller tiles.
  causal_ignored,
  always_causal,
  top_left_always,
  window_ignored,
  window_plus_one,
  minus_one_literal,  ///< A window's -1 is taken as a finite end.
  prefix_ignored,
  scale_ignored,
  scale_padded,  ///< 1/sqrt of the width rounded up to 64.
  dlse_ignored,
  cu_seqlens_ignored,  ///< All sequences taken as equally long.
  lse_log2,
  lse_transposed,  ///< (B,S,H).
  empty_lse_zero,  ///< Declared is -infinity.
  empty_row_nan,
  lse_missing,
};

/// An honest tiled kernel (online softmax, P and dS rounded to the dtype, fp32 otherwise) that
/// answers Trials in this process, with at most one fault.
class EmulatedBackend {
 public:
  explicit EmulatedBackend(Fault fault = Fault::none, std::string refuses = "");
  Outcome answer(const Trial& trial);

 private:
  Fault fault_;
  std::string refuses_;  ///< A feature token that is refused.
  int executions_ = 0;
  std::map<TensorName, std::vector<float>> last_;
};

/// All Trials of a Case's Probe put to the emulated backend, and judged.
Judgement put(std::string_view case_text, Fault fault = Fault::none, std::string refuses = "");

}  // namespace fathom::probes_test
