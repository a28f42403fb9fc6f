// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/dtype.h"
#include "harness/core/mask.h"
#include "harness/core/types.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class Direction : std::uint8_t { fwd, fwd_bwd };

/// How tensors lie in memory. B batch, S padded length, H heads, D channels, T packed tokens.
/// bshd (B,S,H,D); bhsd (B,H,S,D); thd (T,H,D) packed varlen with cu_seqlens.
enum class Layout : std::uint8_t { bshd, bhsd, thd };

/// Whether the log-sum-exp is an output: `wanted` is judged where the backend gives it, `required`
/// must be given (feature token `lse`).
enum class LseRequest : std::uint8_t { no, wanted, required };

struct Sequence {
  Index query_length = 0;
  Index key_length = 0;
  Index prefix_length = 0;  ///< Of prefix_lm; 0 <= prefix_length <= key_length.
  bool operator==(const Sequence&) const = default;
};

/// What is asked, independent of who answers: softmax(scale * Q K^T + mask) V and its gradients.
struct Problem {
  Direction direction = Direction::fwd;
  Dtype dtype = Dtype::f32;
  Layout layout = Layout::bshd;
  Index query_heads = 1;
  Index kv_heads = 1;    ///< Divides query_heads; query head h uses KV head h / (Hq / Hkv).
  Index head_dim = 64;   ///< d, of Q and K.
  Index value_dim = 64;  ///< dv, of V and O.
  std::vector<Sequence> sequences;
  Mask mask;
  std::optional<double> softmax_scale;  ///< Default 1/sqrt(head_dim).
  LseRequest lse = LseRequest::wanted;
  bool lse_cotangent = false;  ///< dLSE is given, and enters dQ and dK.
  bool deterministic = false;  ///< Bitwise equal runs are asked for.
  bool operator==(const Problem&) const = default;
};

double softmax_scale(const Problem& problem);
bool has_backward(const Problem& problem);
bool has_cross_lengths(const Problem& problem);  ///< Some query_length != key_length.

/// Running sums of the query (or key) lengths, starting with 0: n + 1 numbers.
std::vector<Index> cu_seqlens_q(const Problem& problem);
std::vector<Index> cu_seqlens_k(const Problem& problem);

/// Why the Problem has no meaning (heads that do not divide, ragged lengths in a dense layout, a
/// size that overflows, ...); empty if all is well.
std::optional<std::string> why_invalid(const Problem& problem);

/// One row of the field table that gives a Problem its text and its JSON.
struct ProblemField {
  enum class Kind : std::uint8_t { word, number, flag };
  std::string_view key;
  Kind kind;
  bool required;
  std::string (*get)(const Problem&);             ///< Text form; equal to the default: left out.
  void (*set)(Problem&, std::string_view value);  ///< Throws DataError with one sentence.
};
std::span<const ProblemField> problem_fields();

/// Canonical one-line text, `dir=fwd+bwd dtype=bf16 layout=thd hq=8 hkv=2 d=64 dv=64
/// seqs=37p5,2*64x70 mask=prefix_lm`; the name of the Problem and its reproducer.
std::string to_string(const Problem& problem);

/// Inverse of to_string; also accepts fields in any order. Throws DataError (unknown key, bad
/// value, or why_invalid).
Problem parse_problem(std::string_view text);

}  // namespace fathom
