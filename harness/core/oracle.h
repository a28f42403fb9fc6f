// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/problem.h"
#include "harness/core/tensor.h"

#include <map>
#include <memory>
#include <vector>

namespace fathom {

/// What the oracle says about one output tensor; every vector is indexed like the tensor itself.
struct OracleTensor {
  std::vector<double> value;  ///< fp64 truth. LSE of a fully masked row is -infinity.
  std::vector<double> sigma;  ///< Standard deviation of an honest kernel's error. Empty for LSE.
                              ///< Exactly 0 in rows to which no visible pair contributes.
  std::vector<double>
      bound;                 ///< O (16 bit): hard bound of |error|. LSE: the limit T_L. Else empty.
  std::vector<double> mean;  ///< Expected error under truncating rounding; empty if it is zero.
};

using OracleAnswer = std::map<TensorName, OracleTensor>;

/// How plain attention scales its scores, each product rounded: K' = scale K (FlashAttention's own
/// tests), or sqrt(scale) on Q and on K (torch's math attention).
enum class PlainVariant : std::uint8_t { scaled_k, scaled_both };

/// Values by tensor, O and the gradients, indexed like the tensor itself.
using PlainAnswer = std::map<TensorName, std::vector<double>>;

/// The judge's own attention in fp64. Errors are modelled from the declared Arithmetic.
class Oracle {
 public:
  virtual ~Oracle() = default;
  /// Inputs hold input_specs(problem), already rounded to storage. Answers every tensor of
  /// output_specs(problem), and LSE always.
  [[nodiscard]] virtual std::shared_ptr<const OracleAnswer> answer(const Problem& problem,
                                                                   const Arithmetic& arithmetic,
                                                                   const TensorSet& inputs) = 0;
  /// Attention as a plain low-precision framework would compute it (every product and softmax
  /// rounded to the Problem's dtype): with scaled_k the yardstick of the FlashAttention ratios.
  /// Null if the score matrix is too large to materialise, or in fp64.
  [[nodiscard]] virtual std::shared_ptr<const PlainAnswer> plain(const Problem& problem,
                                                                 const TensorSet& inputs,
                                                                 PlainVariant variant) = 0;
};

}  // namespace fathom
