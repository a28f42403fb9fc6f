// SPDX-License-Identifier: Apache-2.0
#include "reference/tests/honest_kernel.h"

#include "reference/tests/support.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::reference {
namespace {

constexpr Index tile = 128;

struct Floats {
  std::vector<float> data;
  Index columns = 0;
  float& operator()(Index r, Index c) { return data[static_cast<std::size_t>(r * columns + c)]; }
  float operator()(Index r, Index c) const {
    return data[static_cast<std::size_t>(r * columns + c)];
  }
};

Floats zeros(Index rows, Index columns) {
  return {std::vector<float>(static_cast<std::size_t>(rows * columns)), columns};
}

float dot(const Floats& a, Index i, const Floats& b, Index j) {
  float sum = 0;
  for (Index c = 0; c < a.columns; ++c) sum += a(i, c) * b(j, c);
  return sum;
}

class Kernel {
 public:
  Kernel(const Problem& p, const TensorSet& inputs, const Roundings& roundings)
      : round_(roundings),
        queries_(p.sequences[0].query_length),
        keys_(p.sequences[0].key_length),
        scale_(static_cast<float>(softmax_scale(p))),
        q_(load(inputs, TensorName::q, p.head_dim)),
        k_(load(inputs, TensorName::k, p.head_dim)),
        v_(load(inputs, TensorName::v, p.value_dim)) {
    if (!has_backward(p)) return;
    dout_ = load(inputs, TensorName::dout, p.value_dim);
    dlse_ = p.lse_cotangent ? load(inputs, TensorName::dlse, 1) : zeros(queries_, 1);
  }

  HonestAnswer run() {
    o_ = zeros(queries_, v_.columns);
    lse_ = zeros(queries_, 1);
    for (Index i = 0; i < queries_; ++i) forward(i);
    if (dout_.columns > 0) backward();
    return {store(o_), store(lse_, false), store(dq_), store(dk_), store(dv_)};
  }

 private:
  static Floats load(const TensorSet& inputs, TensorName name, Index columns) {
    const std::vector<double> values = values_of(inputs.at(name));
    return {std::vector<float>(values.begin(), values.end()), columns};
  }
  std::vector<double> store(const Floats& x, bool rounded = true) const {
    std::vector<double> out(x.data.begin(), x.data.end());
    if (rounded) std::transform(out.begin(), out.end(), out.begin(), round_.out);
    return out;
  }

  /// Unrounded O over keys [begin, end), with its log-sum-exp.
  float partial(Index i, Index begin, Index end, std::vector<float>& acc) const;
  void forward(Index i);
  void backward();
  void backward_row(Index i, float delta);

  const Roundings& round_;
  Index queries_, keys_;
  float scale_;
  Floats q_, k_, v_, dout_, dlse_, o_, lse_, dq_, dk_, dv_;
};

float Kernel::partial(Index i, Index begin, Index end, std::vector<float>& acc) const {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0;
  for (Index first = begin; first < end; first += tile) {
    const Index last = std::min(first + tile, end);
    std::vector<float> s;
    for (Index j = first; j < last; ++j) s.push_back(scale_ * dot(q_, i, k_, j));
    const float next = std::max(max, *std::max_element(s.begin(), s.end()));
    const float rescale = std::exp(max - next);
    max = next;
    sum *= rescale;
    for (float& x : acc) x *= rescale;
    std::vector<float> part(acc.size());
    for (Index j = first; j < last; ++j) {
      const float p = std::exp(s[static_cast<std::size_t>(j - first)] - max);
      sum += p;
      const auto narrow = static_cast<float>(round_.p(p));
      for (Index c = 0; c < v_.columns; ++c) part[static_cast<std::size_t>(c)] += narrow * v_(j, c);
    }
    for (std::size_t c = 0; c < acc.size(); ++c) acc[c] += part[c];
  }
  for (float& x : acc) x /= sum;
  return max + std::log(sum);
}

void Kernel::forward(Index i) {
  std::vector<float> acc(static_cast<std::size_t>(v_.columns));
  float lse = partial(i, round_.split, keys_, acc);
  if (round_.split > 0) {
    std::vector<float> other(acc.size());
    const float first = partial(i, 0, round_.split, other);
    const float whole = std::max(first, lse) + std::log1p(std::exp(-std::abs(first - lse)));
    for (std::size_t c = 0; c < acc.size(); ++c) {
      acc[c] = std::exp(lse - whole) * static_cast<float>(round_.partial(acc[c])) +
               std::exp(first - whole) * static_cast<float>(round_.partial(other[c]));
    }
    lse = whole;
  }
  lse_(i, 0) = lse;
  for (Index c = 0; c < v_.columns; ++c) o_(i, c) = acc[static_cast<std::size_t>(c)];
}

void Kernel::backward_row(Index i, float delta) {
  for (Index j = 0; j < keys_; ++j) {
    const float p = std::exp(scale_ * dot(q_, i, k_, j) - lse_(i, 0));
    const float ds = p * (dot(dout_, i, v_, j) - delta);
    const auto narrow_p = static_cast<float>(round_.p(p));
    const auto narrow_ds = static_cast<float>(round_.ds(ds));
    for (Index c = 0; c < v_.columns; ++c) dv_(j, c) += narrow_p * dout_(i, c);
    for (Index c = 0; c < q_.columns; ++c) {
      dq_(i, c) += narrow_ds * k_(j, c);
      dk_(j, c) += narrow_ds * q_(i, c);
    }
  }
}

void Kernel::backward() {
  dq_ = zeros(queries_, q_.columns);
  dk_ = zeros(keys_, q_.columns);
  dv_ = zeros(keys_, v_.columns);
  for (Index i = 0; i < queries_; ++i) {
    float delta = 0;
    for (Index c = 0; c < v_.columns; ++c)
      delta += dout_(i, c) * static_cast<float>(round_.out(o_(i, c)));
    backward_row(i, delta - dlse_(i, 0));
  }
  for (float& x : dq_.data) x *= scale_;
  for (float& x : dk_.data) x *= scale_;
}

}  // namespace

double truncate_to(Dtype dtype, double x) {
  const double step = ulp(dtype, x);
  return std::trunc(x / step) * step;
}

Roundings nearest(Dtype p, Dtype out) {
  const auto to = [](Dtype dtype) { return [dtype](double x) { return round_to(dtype, x); }; };
  return {to(p), to(p), to(out), to(Dtype::f32), 0};
}

HonestAnswer run_honest_kernel(const Problem& problem, const TensorSet& inputs,
                               const Roundings& roundings) {
  return Kernel(problem, inputs, roundings).run();
}

}  // namespace fathom::reference
