// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/dtype.h"

#include <span>
#include <string>
#include <string_view>

namespace fathom {

enum class Rounding : std::uint8_t { rne, rtz, rna };
enum class Accumulator : std::uint8_t { fp64, fp32, fp16, bf16, tf32x1, tf32x3 };
enum class DeltaSource : std::uint8_t { o_rounded, fp32 };
enum class EmptyRowLse : std::uint8_t { minus_inf, plus_inf, zero };

/// How a backend says it computes: the only per-backend input of the error budget. A field that
/// differs from the default widens the budget visibly, so it needs a link that proves it.
struct Arithmetic {
  Dtype p_dtype = Dtype::f32;  ///< What P is rounded to before P V.
  Rounding p_round = Rounding::rne;
  Rounding out_round = Rounding::rne;
  Accumulator acc = Accumulator::fp32;       ///< Of Q K^T and P V.
  Accumulator grad_acc = Accumulator::fp32;  ///< Of dQ, dK, dV.
  Dtype ds_dtype = Dtype::f32;               ///< What dS is rounded to before its products.
  DeltaSource delta_src = DeltaSource::o_rounded;
  Dtype split_partial = Dtype::f32;
  double exp_rel = 0;  ///< Relative error of the exponential; cancels in O, not in LSE.
  EmptyRowLse empty_row_lse = EmptyRowLse::minus_inf;
  int block_m = 64;
  int block_n = 128;
  std::string link;  ///< Source of every non-default value.
  bool operator==(const Arithmetic&) const = default;
};

/// The field table behind text and JSON, as for Problem.
struct ArithmeticField {
  std::string_view key;
  std::string (*get)(const Arithmetic&);
  void (*set)(Arithmetic&, std::string_view value);  ///< Throws DataError.
};
std::span<const ArithmeticField> arithmetic_fields();

/// The fields that differ from the default, `p_dtype=bf16 exp_rel=5.4e-05`; `default` if none do.
std::string to_string(const Arithmetic& arithmetic);

/// The usual declaration of a flash kernel: P and dS in the Problem's dtype, fp32 accumulation.
Arithmetic flash_arithmetic(Dtype dtype);
/// A backend that upcasts and rounds once: P stays fp32 (fp64 in an f64 Problem).
Arithmetic upcast_arithmetic(Dtype dtype);

}  // namespace fathom
