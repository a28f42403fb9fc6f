// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/row_model.h"

#include "harness/core/types.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

/// Beyond this a weight says nothing but "all of it", and squares of it still are numbers.
double bounded_exp(double x) {
  return std::exp(std::min(x, 200.0));
}

/// S / W, and the LSE that belongs to W; a sum without weight is a row that sees nothing.
Prediction normalised(std::vector<double> sum, double reference) {
  const double weight = sum.back();
  sum.pop_back();
  if (!(weight > 1e-12)) {
    std::fill(sum.begin(), sum.end(), 0.0);
    return {std::move(sum), -infinity};
  }
  for (double& value : sum) value /= weight;
  return {std::move(sum), reference + std::log(weight)};
}

void add_run(Edit& edit, const Piece& piece) {
  if (piece.begin < piece.end) edit.pieces.push_back(piece);
}

/// Keys that one range has and the other lacks.
void add_difference(Edit& edit, Piece piece, const KeyRange& from, const KeyRange& less) {
  const KeyRange a{from.begin, std::min(from.end, std::max(from.begin, less.begin))};
  const KeyRange b{std::max(from.begin, std::min(from.end, less.end)), from.end};
  if (less.size() == 0) {
    piece.begin = from.begin;
    piece.end = from.end;
    add_run(edit, piece);
    return;
  }
  for (const KeyRange& part : {a, b}) {
    piece.begin = part.begin;
    piece.end = part.end;
    add_run(edit, piece);
  }
}

}  // namespace

double dot(const double* a, const double* b, Index n) {
  // Four sums, so that the processor need not wait for one.
  double sums[4] = {0, 0, 0, 0};
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    for (Index l = 0; l < 4; ++l) sums[l] += a[i + l] * b[i + l];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

RowModel::RowModel(const Question& question, const TensorErrors& errors, const RowError& row)
    : question_(question), errors_(errors), row_(row) {}

bool RowModel::of_keys() const {
  return !has_key_rows(errors_.name);
}

Index RowModel::own_head() const {
  return of_keys() ? row_.head / question_.group() : row_.head * question_.group();
}

KeyRange RowModel::visible() const {
  return question_.visible(row_.sequence)[static_cast<std::size_t>(row_.row)];
}

double RowModel::reference_lse() const {
  const double lse = question_.lse(row_.sequence, row_.head, row_.row);
  return std::isfinite(lse) ? lse : 0;
}

double RowModel::weight_of(Index head, Index query, Index key, double lse) const {
  const RowSpan q = question_.rows(TensorName::q, row_.sequence, head);
  const RowSpan k = question_.rows(TensorName::k, row_.sequence, head / question_.group());
  return bounded_exp(
      softmax_scale(question_.problem()) * dot(q.row(query), k.row(key), q.channels) - lse);
}

TermList RowModel::key_terms(Index sequence, Index kv_head) const {
  const bool gradient = errors_.name == TensorName::dq;
  const double scale = softmax_scale(question_.problem());
  const double lse = reference_lse();
  const double* const q = question_.rows(TensorName::q, row_.sequence, row_.head).row(row_.row);
  const RowSpan k = question_.rows(TensorName::k, sequence, kv_head);
  const RowSpan v = question_.rows(TensorName::v, sequence, kv_head);
  const double* const dout =
      gradient ? question_.rows(TensorName::dout, row_.sequence, row_.head).row(row_.row) : nullptr;
  const double delta = gradient ? question_.delta(row_.sequence, row_.head, row_.row) : 0;
  const RowSpan& vectors = gradient ? k : v;
  TermList list(k.rows, vectors.channels + (gradient ? 0 : 1));
  for (Index key = 0; key < k.rows; ++key) {
    double weight = bounded_exp(scale * dot(q, k.row(key), k.channels) - lse);
    double* const term = list.term(key);
    if (gradient) weight *= scale * (dot(dout, v.row(key), v.channels) - delta);
    const double* const vector = vectors.row(key);
    for (Index c = 0; c < vectors.channels; ++c) term[c] = weight * vector[c];
    if (!gradient) term[vectors.channels] = weight;
  }
  list.finish();
  return list;
}

TermList RowModel::query_terms(Index sequence, Index head) const {
  const bool of_v = errors_.name == TensorName::dv;
  const double scale = softmax_scale(question_.problem());
  const RowSpan q = question_.rows(TensorName::q, sequence, head);
  const RowSpan dout = question_.rows(TensorName::dout, sequence, head);
  const double* const v =
      question_.rows(TensorName::v, sequence, head / question_.group()).row(row_.row);
  const RowSpan& vectors = of_v ? dout : q;
  TermList list(q.rows, vectors.channels);
  for (Index query = 0; query < q.rows; ++query) {
    const double lse = question_.lse(sequence, head, query);
    if (!std::isfinite(lse)) continue;
    double weight = weight_of(head, query, row_.row, lse);
    if (!of_v) {
      weight *=
          scale * (dot(dout.row(query), v, dout.channels) - question_.delta(sequence, head, query));
    }
    for (Index c = 0; c < vectors.channels; ++c) {
      list.term(query)[c] = weight * vectors.row(query)[c];
    }
  }
  list.finish();
  return list;
}

const TermList& RowModel::terms(Index sequence, Index head) {
  const auto [at, is_new] = lists_.try_emplace({sequence, head});
  if (is_new) at->second = of_keys() ? key_terms(sequence, head) : query_terms(sequence, head);
  return at->second;
}

Prediction RowModel::unchanged() const {
  Prediction prediction;
  for (Index c = 0; c < errors_.channels; ++c) {
    prediction.value.push_back(errors_.want(row_.first + c));
  }
  if (errors_.name == TensorName::o) {
    prediction.lse = question_.lse(row_.sequence, row_.head, row_.row);
  }
  return prediction;
}

Prediction RowModel::predict(const Edit& edit) {
  Prediction start = unchanged();
  if (edit.pieces.empty() && edit.zero_keys == 0) return start;
  const bool weighted = errors_.name == TensorName::o;
  std::vector<double> sum = std::move(start.value);
  if (weighted) sum.push_back(row_.live ? 1 : 0);
  if (edit.afresh) std::fill(sum.begin(), sum.end(), 0.0);
  for (const Piece& piece : edit.pieces) {
    terms(piece.sequence, piece.head).add(piece.begin, piece.end, piece.weight, sum);
  }
  if (!weighted) return {std::move(sum), std::nullopt};
  sum.back() += edit.zero_keys * bounded_exp(-reference_lse());
  return normalised(std::move(sum), reference_lse());
}

Prediction RowModel::with_lag(Operand operand, const KeyRange& keys, Index lag) {
  const TermList& list = terms(row_.sequence, own_head());
  const RowSpan v = question_.rows(TensorName::v, row_.sequence, own_head());
  const auto weight = [&](Index key) { return list.term(key)[v.channels]; };
  std::vector<double> sum = unchanged().value;
  double all = 1;
  for (Index key = keys.begin; key < keys.end; ++key) {
    const double* const now = v.row(key);
    const double* const then = operand == Operand::v ? v.row(key - lag) : now;
    const double p = operand == Operand::k ? weight(key - lag) : weight(key);
    for (Index c = 0; c < v.channels; ++c) {
      sum[static_cast<std::size_t>(c)] += p * then[c] - weight(key) * now[c];
    }
    all += p - weight(key);
  }
  sum.push_back(all);
  return normalised(std::move(sum), reference_lse());
}

Prediction RowModel::recompute(double scale, Index width, const ValueRow& value_row) const {
  const Index kv_head = row_.head / question_.group();
  const double lse = reference_lse();
  const double* const q = question_.rows(TensorName::q, row_.sequence, row_.head).row(row_.row);
  const RowSpan k = question_.rows(TensorName::k, row_.sequence, kv_head);
  const RowSpan v = question_.rows(TensorName::v, row_.sequence, kv_head);
  const KeyRange keys = visible();
  std::vector<double> scores;
  double largest = -infinity;
  for (Index key = keys.begin; key < keys.end; ++key) {
    scores.push_back(scale * dot(q, k.row(key), width));
    largest = std::max(largest, scores.back());
  }
  const double reference = scores.empty() ? lse : largest;
  std::vector<double> sum(static_cast<std::size_t>(v.channels + 1));
  for (Index key = keys.begin; key < keys.end; ++key) {
    const double weight = std::exp(scores[static_cast<std::size_t>(key - keys.begin)] - reference);
    const double* const value = v.row(std::clamp<Index>(value_row(key), 0, v.rows - 1));
    for (Index c = 0; c < v.channels; ++c) sum[static_cast<std::size_t>(c)] += weight * value[c];
    sum.back() += weight;
  }
  return normalised(std::move(sum), reference);
}

void RowModel::add_delta(const Delta& delta, Index head, Index query, Index key,
                         const double* along, std::vector<double>& value) const {
  const double lse = question_.lse(row_.sequence, head, query);
  const double change = delta(head, query) - question_.delta(row_.sequence, head, query);
  const double weight =
      -softmax_scale(question_.problem()) * change * weight_of(head, query, key, lse);
  for (Index c = 0; c < errors_.channels; ++c)
    value[static_cast<std::size_t>(c)] += weight * along[c];
}

Prediction RowModel::with_delta(const Delta& delta) const {
  Prediction prediction = unchanged();
  if (of_keys()) {
    const RowSpan k = question_.rows(TensorName::k, row_.sequence, own_head());
    for (Index key = visible().begin; key < visible().end; ++key) {
      add_delta(delta, row_.head, row_.row, key, k.row(key), prediction.value);
    }
    return prediction;
  }
  const std::vector<KeyRange>& ranges = question_.visible(row_.sequence);
  for (Index head = own_head(); head < own_head() + question_.group(); ++head) {
    const RowSpan q = question_.rows(TensorName::q, row_.sequence, head);
    for (Index query = 0; query < q.rows; ++query) {
      const KeyRange keys = ranges[static_cast<std::size_t>(query)];
      if (row_.row < keys.begin || row_.row >= keys.end) continue;
      add_delta(delta, head, query, row_.row, q.row(query), prediction.value);
    }
  }
  return prediction;
}

std::vector<double> RowModel::delta_direction() const {
  const double own = question_.delta(row_.sequence, row_.head, row_.row);
  Prediction moved = with_delta([&](Index, Index) { return own - 1; });
  for (Index c = 0; c < errors_.channels; ++c) {
    moved.value[static_cast<std::size_t>(c)] -= errors_.want(row_.first + c);
  }
  return moved.value;
}

Edit edit_to_mask(const RowModel& model, const std::vector<KeyRange>& other) {
  Edit edit;
  const RowError& row = model.place();
  if (model.of_keys()) {
    const KeyRange now = model.visible();
    const KeyRange then = other[static_cast<std::size_t>(row.row)];
    add_difference(edit, {row.sequence, model.own_head(), 0, 0, 1}, then, now);
    add_difference(edit, {row.sequence, model.own_head(), 0, 0, -1}, now, then);
    return edit;
  }
  const std::vector<KeyRange>& now = model.question().visible(row.sequence);
  const auto sees = [&](const KeyRange& keys) {
    return keys.begin <= row.row && row.row < keys.end;
  };
  for (std::size_t query = 0; query < now.size(); ++query) {
    const int change = int{sees(other[query])} - int{sees(now[query])};
    if (change == 0) continue;
    for (Index g = 0; g < model.question().group(); ++g) {
      const auto at = static_cast<Index>(query);
      add_run(edit, {row.sequence, model.own_head() + g, at, at + 1, static_cast<double>(change)});
    }
  }
  return edit;
}

Edit edit_terms(const RowModel& model, Index begin, Index end, double weight) {
  Edit edit;
  const RowError& row = model.place();
  if (model.of_keys()) {
    const KeyRange keys = model.visible();
    add_run(edit, {row.sequence, model.own_head(), std::max(begin, keys.begin),
                   std::min(end, keys.end), weight});
    return edit;
  }
  const std::vector<KeyRange>& ranges = model.question().visible(row.sequence);
  const Index last = std::min(end, static_cast<Index>(ranges.size()));
  for (Index query = std::max<Index>(begin, 0); query < last; ++query) {
    const KeyRange keys = ranges[static_cast<std::size_t>(query)];
    if (row.row < keys.begin || row.row >= keys.end) continue;
    for (Index g = 0; g < model.question().group(); ++g) {
      add_run(edit, {row.sequence, model.own_head() + g, query, query + 1, weight});
    }
  }
  return edit;
}

}  // namespace fathom
