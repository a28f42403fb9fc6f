// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/judge.h"
#include "harness/core/case.h"
#include "harness/core/visible.h"
#include "harness/probes/probe.h"

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace fathom {

/// A small honest attention in fp32 (tiles of 64, P and dS rounded, l not, one rounding at the end)
/// with a seam for every fault that the Probes are there to find. As it stands it is clean.
struct Kernel {
  std::function<double(double)> p, ds, out, acc, dq_acc, dkv_acc, inv_l, partial, delta, dp, l_term,
      operand, lse;    ///< Roundings; empty: none.
  bool split = false;  ///< Two halves of the keys, merged by their LSE.
  bool zero = false;   ///< Every output is 0.
  bool zero_gradients = false;
  bool gives_lse = true;
  bool omits_delta = false;
  Index delta_shift = 0;    ///< D of another row.
  Index dropped_tile = -1;  ///< A tile of keys that dQ leaves out.
  double stray = 0;         ///< Added to every element of O.
  double lse_factor = 1;
  bool constant_lse = false;                                     ///< ln of all keys, whatever Q.
  std::function<KeyRange(KeyRange, Index row, Index keys)> see;  ///< Instead of the mask's keys.
  std::function<Index(Index)> key_read;    ///< Which row of K and V is read for a key.
  std::function<Index(Index)> value_read;  ///< Which row of V only.
  std::function<Index(Index)> kv_head;     ///< Instead of the KV head of a query head.
};

/// The rounding to a dtype, and the cut toward zero.
std::function<double(double)> rounded_to(Dtype dtype);
std::function<double(double)> cut_to(Dtype dtype);

/// The clean kernel of a dtype: P, dS and outputs in it.
Kernel clean(Dtype dtype);

/// Puts a Case, `... probe=NAME`, to the kernel: every Trial executed, the oracle asked where it is
/// wanted, and judged. The kernel declares flash_arithmetic unless told otherwise.
Judgement ask(std::string_view text, const Kernel& kernel);
Judgement ask(std::string_view text, const Kernel& kernel, const Arithmetic& arithmetic);

/// Verdict and Findings in one line, for messages of failing tests.
std::string told(const Judgement& judgement);

}  // namespace fathom
