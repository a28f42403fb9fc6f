// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/explain/question.h"
#include "harness/explain/residuals.h"
#include "harness/explain/term_list.h"

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace fathom {

/// What a row would be under some change of the computation.
struct Prediction {
  std::vector<double> value;
  std::optional<double> lse = {};  ///< Of rows of O.
  std::vector<double> sigma = {};  ///< Of honest errors, where not the row's own.
};

/// Terms begin <= x < end of one list (keys for O and dQ, queries for dK and dV), taken `weight`
/// times. `head` is a KV head for O and dQ, a query head for dK and dV.
struct Piece {
  Index sequence = 0;
  Index head = 0;
  Index begin = 0;
  Index end = 0;
  double weight = 1;
};

/// A change of the sum that a row is. Empty: the row stays as it is.
struct Edit {
  std::vector<Piece> pieces;
  double zero_keys = 0;  ///< So many keys of zeros with values of zeros take part (O only).
  bool afresh = false;   ///< The pieces are the whole sum, not a change of it.
};

/// One row of an output as the sum of its terms, in fp64: sum_j p_ij v_j for O (with p relative to
/// the oracle's LSE), and its like for gradients. Hidden keys have terms too. Memory: a few times
/// n_k (or the queries of the group) times the channels.
class RowModel {
 public:
  RowModel(const Question& question, const TensorErrors& errors, const RowError& row);
  RowModel(const RowModel&) = delete;
  RowModel& operator=(const RowModel&) = delete;

  [[nodiscard]] const Question& question() const { return question_; }
  [[nodiscard]] const RowError& place() const { return row_; }
  [[nodiscard]] TensorName name() const { return errors_.name; }
  [[nodiscard]] const TensorErrors& errors() const { return errors_; }
  [[nodiscard]] bool of_keys() const;      ///< Rows are queries, terms are keys: O and dQ.
  [[nodiscard]] Index own_head() const;    ///< Of the row's own list: KV head, or first query head.
  [[nodiscard]] KeyRange visible() const;  ///< Of rows of O and dQ.

  /// The terms of one (sequence, head); computed once.
  const TermList& terms(Index sequence, Index head);
  [[nodiscard]] Prediction predict(const Edit& edit);
  [[nodiscard]] Prediction unchanged() const;

  /// O with scores scale' q k over the first `width` channels, and V taken from `value_row(key)`.
  using ValueRow = std::function<Index(Index key)>;
  [[nodiscard]] Prediction recompute(double scale, Index width, const ValueRow& value_row) const;
  /// O where the K alone, or the V alone, of some visible keys is that of the keys `lag` before.
  enum class Operand : std::uint8_t { k, v };
  [[nodiscard]] Prediction with_lag(Operand operand, const KeyRange& keys, Index lag);
  /// dQ or dK with another D: delta(query) replaces what is subtracted from dP.
  using Delta = std::function<double(Index head, Index query)>;
  [[nodiscard]] Prediction with_delta(const Delta& delta) const;
  /// The direction in which an error of D moves a row of dQ: sum_j p_ij k_j, scaled.
  [[nodiscard]] std::vector<double> delta_direction() const;

 private:
  [[nodiscard]] TermList key_terms(Index sequence, Index kv_head) const;
  [[nodiscard]] TermList query_terms(Index sequence, Index head) const;
  [[nodiscard]] double reference_lse() const;
  [[nodiscard]] double weight_of(Index head, Index query, Index key, double lse) const;
  void add_delta(const Delta& delta, Index head, Index query, Index key, const double* along,
                 std::vector<double>& value) const;

  const Question& question_;
  const TensorErrors& errors_;
  const RowError& row_;
  std::map<std::pair<Index, Index>, TermList> lists_;
};

/// The Edit that turns the visible keys of a row into those of another mask; empty if they agree.
/// `other` holds the keys of every query of the row's sequence.
Edit edit_to_mask(const RowModel& model, const std::vector<KeyRange>& other);
/// The Edit that takes the visible part of the terms begin <= x < end `weight` times more (-1: not
/// at all).
Edit edit_terms(const RowModel& model, Index begin, Index end, double weight);

double dot(const double* a, const double* b, Index n);

}  // namespace fathom
