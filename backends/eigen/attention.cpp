// SPDX-License-Identifier: Apache-2.0
#include "backends/eigen/attention.h"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::eigen {
namespace {

constexpr Index tile_rows = 128;

/// The keys begin <= key < end that one query sees.
struct Keys {
  Index begin;
  Index end;
};

/// Narrows `keys` by one term of the mask after the other.
struct Narrow {
  Keys& keys;
  const Sequence& sequence;
  Index query;
  Index position;  ///< Of the query on the key axis, the last query standing on the last key.

  void operator()(const Causal& causal) const {
    stop_at(causal.corner == Corner::top_left ? query + 1 : position + 1);
  }
  void operator()(const Window& window) const {
    if (window.left >= 0) start_at(position - window.left);
    if (window.right >= 0) stop_at(position + window.right + 1);
  }
  void operator()(const PrefixLm&) const {
    const Index prefix = sequence.prefix_length;
    stop_at(position < prefix ? prefix : position + 1);
  }
  void operator()(const Document& document) const {
    Index start = 0;
    for (const Index length : document.lengths) {
      if (position < start + length) {
        stop_at(start + length);
        break;
      }
      start += length;
    }
    start_at(start);
  }

 private:
  void start_at(Index key) const { keys.begin = std::max(keys.begin, key); }
  void stop_at(Index key) const { keys.end = std::min(keys.end, key); }
};

Keys keys_seen(const Mask& mask, const Sequence& sequence, Index query) {
  Keys keys{0, sequence.key_length};
  const Index position = query + sequence.key_length - sequence.query_length;
  for (const MaskTerm& term : mask.terms) {
    std::visit(Narrow{keys, sequence, query, position}, term);
  }
  return keys.begin < keys.end ? keys : Keys{0, 0};
}

template <typename Number>
using Rows = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename Number>
using Column = Eigen::Matrix<Number, Eigen::Dynamic, 1>;

/// The sum of an array by blocks: one chain over thousands of nearly equal weights would round the
/// same way at every step.
template <typename Numbers>
auto sum_in_blocks(const Numbers& numbers) {
  constexpr Index block = 128;
  typename Numbers::Scalar sum = 0;
  for (Index at = 0; at < numbers.size(); at += block) {
    sum += numbers.segment(at, std::min(block, numbers.size() - at)).sum();
  }
  return sum;
}

/// Softmax weights of a tile of query rows over the keys that any of them sees: P = e / sum.
template <typename Real>
struct Weights {
  Index first_key = 0;
  Rows<Real> e;  ///< (rows, keys), 1 at a row's maximum, exactly 0 where the mask hides the key.
  Column<Real> sum;  ///< Of the rows of e; 1 for a row that sees no key.
  Column<Real> lse;
};

/// One Problem, its tensors stored as Stored and computed with as Real.
template <typename Stored, typename Real>
class Attention {
 public:
  Attention(const Problem& problem, const worker::InputViews& inputs,
            const worker::OutputViews& outputs)
      : problem_(problem), inputs_(inputs), outputs_(outputs) {}

  void forward() const {
    for_each_kv_head([this](Index sequence, Index kv_head) { forward_of(sequence, kv_head); });
  }
  void backward() const {
    for_each_kv_head([this](Index sequence, Index kv_head) { backward_of(sequence, kv_head); });
  }

 private:
  void forward_of(Index sequence, Index kv_head) const {
    const Rows<Real> k = load<Stored>(TensorName::k, sequence, kv_head);
    const Rows<Real> v = load<Stored>(TensorName::v, sequence, kv_head);
    for_each_query_head(kv_head, [&](Index head) {
      const Rows<Real> q = load<Stored>(TensorName::q, sequence, head);
      Rows<Real> o(q.rows(), v.cols());
      Column<Real> lse(q.rows());
      for (Index row = 0; row < q.rows(); row += tile_rows) {
        const Index rows = std::min(tile_rows, q.rows() - row);
        const Weights<Real> w = weights(sequence, q.middleRows(row, rows), k, row);
        auto o_tile = o.middleRows(row, rows);
        o_tile.noalias() = w.e * v.middleRows(w.first_key, w.e.cols());
        o_tile.array().colwise() /= w.sum.array();  // Last: one rounding, not one for every key.
        lse.segment(row, rows) = w.lse;
      }
      store<Stored>(TensorName::o, sequence, head, o);
      if (outputs_.count(TensorName::lse) != 0) store<Real>(TensorName::lse, sequence, head, lse);
    });
  }

  void backward_of(Index sequence, Index kv_head) const {
    const Rows<Real> k = load<Stored>(TensorName::k, sequence, kv_head);
    const Rows<Real> v = load<Stored>(TensorName::v, sequence, kv_head);
    Rows<Real> dk = Rows<Real>::Zero(k.rows(), k.cols());
    Rows<Real> dv = Rows<Real>::Zero(v.rows(), v.cols());
    for_each_query_head(kv_head, [&](Index head) {
      const Rows<Real> q = load<Stored>(TensorName::q, sequence, head);
      const Rows<Real> dout = load<Stored>(TensorName::dout, sequence, head);
      const Rows<Real> dlse = load_dlse(sequence, head, q.rows());
      Rows<Real> dq(q.rows(), q.cols());
      for (Index row = 0; row < q.rows(); row += tile_rows) {
        const Index rows = std::min(tile_rows, q.rows() - row);
        const auto q_tile = q.middleRows(row, rows);
        const auto dout_tile = dout.middleRows(row, rows);
        const Weights<Real> w = weights(sequence, q_tile, k, row);
        const Rows<Real> p = w.e.array().colwise() / w.sum.array();
        const Index keys = p.cols();
        // dS = P (dP - rowsum(P dP) + dLSE): the derivative of softmax, and of the LSE, which is P.
        // The row sum is dO . O: shorter, and so more exact, than a sum over the keys.
        const auto v_seen = v.middleRows(w.first_key, keys);
        const Rows<Real> o = p * v_seen;
        const Column<Real> shift =
            dlse.middleRows(row, rows) - dout_tile.cwiseProduct(o).rowwise().sum();
        Rows<Real> ds = dout_tile * v_seen.transpose();
        ds.colwise() += shift;
        ds.array() *= p.array() * scale();
        dq.middleRows(row, rows).noalias() = ds * k.middleRows(w.first_key, keys);
        dk.middleRows(w.first_key, keys).noalias() += ds.transpose() * q_tile;
        dv.middleRows(w.first_key, keys).noalias() += p.transpose() * dout_tile;
      }
      store<Stored>(TensorName::dq, sequence, head, dq);
    });
    store<Stored>(TensorName::dk, sequence, kv_head, dk);
    store<Stored>(TensorName::dv, sequence, kv_head, dv);
  }

  /// The weights of the query rows `q`, whose first is row `first_row` of the sequence.
  template <typename Queries>
  [[nodiscard]] Weights<Real> weights(Index sequence, const Queries& q, const Rows<Real>& k,
                                      Index first_row) const {
    std::vector<Keys> seen;
    Keys all{k.rows(), 0};
    for (Index row = 0; row < q.rows(); ++row) {
      seen.push_back(keys_seen(problem_.mask, problem_.sequences[size(sequence)], first_row + row));
      if (seen.back().end == 0) continue;
      all = {std::min(all.begin, seen.back().begin), std::max(all.end, seen.back().end)};
    }
    if (all.begin >= all.end) all = {0, 0};
    Weights<Real> w{all.begin, {}, Column<Real>(q.rows()), Column<Real>(q.rows())};
    w.e.noalias() = q * k.middleRows(all.begin, all.end - all.begin).transpose();
    for (Index row = 0; row < q.rows(); ++row) {
      const Keys keys = seen[size(row)];
      if (keys.end == 0) {
        w.e.row(row).setZero();
        w.sum[row] = 1;
        w.lse[row] = -std::numeric_limits<Real>::infinity();
        continue;
      }
      w.e.row(row).head(keys.begin - all.begin).setZero();
      w.e.row(row).tail(all.end - keys.end).setZero();
      auto scores = w.e.row(row).segment(keys.begin - all.begin, keys.end - keys.begin);
      scores *= scale();
      const Real most = scores.maxCoeff();
      scores = (scores.array() - most).exp();
      w.sum[row] = sum_in_blocks(scores);
      w.lse[row] = most + std::log(w.sum[row]);
    }
    return w;
  }

  [[nodiscard]] Real scale() const { return static_cast<Real>(softmax_scale(problem_)); }
  static std::size_t size(Index index) { return static_cast<std::size_t>(index); }

  template <typename Body>
  void for_each_kv_head(Body body) const {
    for (Index s = 0; s < static_cast<Index>(problem_.sequences.size()); ++s) {
      for (Index head = 0; head < problem_.kv_heads; ++head) body(s, head);
    }
  }
  template <typename Body>
  void for_each_query_head(Index kv_head, Body body) const {
    const Index group = problem_.query_heads / problem_.kv_heads;
    for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) body(head);
  }

  /// The rows of one (sequence, head) of an input, upcast.
  template <typename Number>
  [[nodiscard]] Rows<Real> load(TensorName name, Index sequence, Index head) const {
    const HeadView view = head_view(problem_, name, sequence, head);
    const auto* first = reinterpret_cast<const Number*>(inputs_.at(name).bytes.data());
    return Eigen::Map<const Rows<Number>, 0, Eigen::OuterStride<>>(
               first + view.offset, view.rows, view.channels, Eigen::OuterStride<>(view.row_stride))
        .template cast<Real>();
  }
  [[nodiscard]] Rows<Real> load_dlse(Index sequence, Index head, Index rows) const {
    if (!problem_.lse_cotangent) return Rows<Real>::Zero(rows, 1);
    return load<Real>(TensorName::dlse, sequence, head);
  }

  /// Writes the rows of one (sequence, head) of an output: the one rounding to storage.
  template <typename Number, typename Values>
  void store(TensorName name, Index sequence, Index head, const Values& values) const {
    const HeadView view = head_view(problem_, name, sequence, head);
    auto* first = reinterpret_cast<Number*>(outputs_.at(name).bytes.data());
    Eigen::Map<Rows<Number>, 0, Eigen::OuterStride<>>(first + view.offset, view.rows, view.channels,
                                                      Eigen::OuterStride<>(view.row_stride)) =
        values.template cast<Number>();
  }

  const Problem& problem_;
  const worker::InputViews& inputs_;
  const worker::OutputViews& outputs_;
};

/// Calls `body` with the Attention of the Problem's dtype.
template <typename Body>
void with_dtype(const Problem& problem, const worker::InputViews& inputs,
                const worker::OutputViews& outputs, Body body) {
  switch (problem.dtype) {
    case Dtype::f64: return body(Attention<double, double>(problem, inputs, outputs));
    case Dtype::f32: return body(Attention<float, float>(problem, inputs, outputs));
    case Dtype::f16: return body(Attention<Eigen::half, float>(problem, inputs, outputs));
    case Dtype::bf16: return body(Attention<Eigen::bfloat16, float>(problem, inputs, outputs));
  }
}

}  // namespace

void forward(const Problem& problem, const worker::InputViews& inputs,
             const worker::OutputViews& outputs) {
  with_dtype(problem, inputs, outputs, [](const auto& attention) { attention.forward(); });
}

void backward(const Problem& problem, const worker::InputViews& inputs,
              const worker::OutputViews& outputs) {
  with_dtype(problem, inputs, outputs, [](const auto& attention) { attention.backward(); });
}

}  // namespace fathom::eigen
