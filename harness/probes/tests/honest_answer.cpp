// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/honest_answer.h"

#include "harness/inputs/inputs.h"
#include "harness/probes/numbers.h"
#include "reference/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {
namespace {

constexpr Index tile = 64;
constexpr Index chunk = 16;  ///< Keys that one step of a matrix unit adds.

using Round = std::function<double(double)>;

float at(const Round& round, float x) {
  return round ? static_cast<float>(round(x)) : x;
}

struct Floats {
  std::vector<float> data;
  Index columns = 0;
  float* operator[](Index row) { return data.data() + row * columns; }
  const float* operator[](Index row) const { return data.data() + row * columns; }
};

Floats zeros(Index rows, Index columns) {
  return {std::vector<float>(static_cast<std::size_t>(rows * columns)), columns};
}

float dot(const float* a, const float* b, Index count) {
  float sum = 0;
  for (Index c = 0; c < count; ++c) sum += a[c] * b[c];
  return sum;
}

/// The attention of one query head.
class Head {
 public:
  Head(const Kernel& kernel, const Problem& problem, const TensorSet& inputs, Index sequence,
       Index head)
      : kernel_(kernel), problem_(problem), sequence_(sequence), head_(head) {
    const Index own = probing::kv_head_of(problem, head);
    const Index kv = kernel.kv_head ? kernel.kv_head(head) : own;
    q_ = load(inputs, TensorName::q, head);
    k_ = load(inputs, TensorName::k, kv);
    v_ = load(inputs, TensorName::v, kv);
    keys_ = static_cast<Index>(problem.sequences[static_cast<std::size_t>(sequence)].key_length);
    rows_ = problem.sequences[static_cast<std::size_t>(sequence)].query_length;
    o = zeros(rows_, problem.value_dim);
    lse = zeros(rows_, 1);
    for (Index i = 0; i < rows_; ++i) forward(i);
    if (!has_backward(problem)) return;
    dout_ = load(inputs, TensorName::dout, head);
    dlse_ = problem.lse_cotangent ? load(inputs, TensorName::dlse, head) : zeros(rows_, 1);
    dq = zeros(rows_, problem.head_dim);
    dk = zeros(keys_, problem.head_dim);
    dv = zeros(keys_, problem.value_dim);
    for (Index i = 0; i < rows_; ++i) backward(i);
    for (float& x : dq.data) x *= scale();
    for (float& x : dk.data) x *= scale();
  }
  Floats o, lse, dq, dk, dv;

 private:
  [[nodiscard]] float scale() const { return static_cast<float>(softmax_scale(problem_)); }

  Floats load(const TensorSet& inputs, TensorName name, Index head) const {
    const probing::Numbers numbers(problem_, name, inputs.at(name));
    const HeadView view = head_view(problem_, name, sequence_, head);
    Floats floats = zeros(view.rows, view.channels);
    for (Index r = 0; r < view.rows; ++r) {
      const auto row = numbers.row(sequence_, head, r);
      std::transform(row.begin(), row.end(), floats[r],
                     [&](double x) { return at(kernel_.operand, static_cast<float>(x)); });
    }
    return floats;
  }

  [[nodiscard]] KeyRange seen(Index i) const {
    const KeyRange keys = probing::keys_seen(problem_, {sequence_, head_, i, 0});
    if (!kernel_.see) return keys;
    KeyRange other = kernel_.see(keys, i, keys_);
    other.begin = std::clamp<Index>(other.begin, 0, keys_);
    other.end = std::clamp<Index>(other.end, 0, keys_);
    return other.begin < other.end ? other : KeyRange{};
  }
  [[nodiscard]] Index read(Index key) const {
    return kernel_.key_read ? std::clamp<Index>(kernel_.key_read(key), 0, keys_ - 1) : key;
  }
  [[nodiscard]] Index value_read(Index key) const {
    return kernel_.value_read ? kernel_.value_read(read(key)) : read(key);
  }
  [[nodiscard]] float score(Index i, Index key) const {
    return scale() * dot(q_[i], k_[read(key)], problem_.head_dim);
  }

  /// O over an interval of keys, and its LSE.
  float partial(Index i, const KeyRange& keys, std::vector<float>& acc) const {
    float max = -std::numeric_limits<float>::infinity();
    float sum = 0;
    std::vector<float> s;
    for (Index first = keys.begin; first < keys.end; first += tile) {
      const Index last = std::min(first + tile, keys.end);
      s.clear();
      for (Index j = first; j < last; ++j) s.push_back(score(i, j));
      const float next = std::max(max, *std::max_element(s.begin(), s.end()));
      const float rescale = std::exp(max - next);
      max = next;
      sum *= rescale;
      for (float& x : acc) x = at(kernel_.acc, x * rescale);
      float tile_sum = 0;
      for (Index j = first; j < last; ++j) {
        const float p = std::exp(s[static_cast<std::size_t>(j - first)] - max);
        tile_sum += at(kernel_.l_term, p);
        const float narrow = at(kernel_.p, p);
        for (Index c = 0; c < problem_.value_dim; ++c) {
          acc[static_cast<std::size_t>(c)] += narrow * v_[value_read(j)][c];
        }
        if (j % chunk == 0) round_all(acc, kernel_.acc);
      }
      sum += tile_sum;
      round_all(acc, kernel_.acc);
    }
    const float inverse = at(kernel_.inv_l, 1 / sum);
    for (float& x : acc) x = kernel_.inv_l ? x * inverse : x / sum;
    return max + std::log(sum);
  }

  static void round_all(std::vector<float>& x, const Round& round) {
    if (round) std::transform(x.begin(), x.end(), x.begin(), [&](float y) { return at(round, y); });
  }

  void forward(Index i) {
    const KeyRange keys = seen(i);
    if (keys.size() == 0) {
      lse[i][0] = -std::numeric_limits<float>::infinity();
      return;
    }
    std::vector<float> acc(static_cast<std::size_t>(problem_.value_dim));
    const Index middle = kernel_.split && keys.size() > 1 ? keys.begin + keys.size() / 2 : keys.end;
    float l = partial(i, {keys.begin, middle}, acc);
    if (middle < keys.end) {
      std::vector<float> other(acc.size());
      const float second = partial(i, {middle, keys.end}, other);
      const float whole = std::max(l, second) + std::log1p(std::exp(-std::abs(l - second)));
      for (std::size_t c = 0; c < acc.size(); ++c) {
        acc[c] = std::exp(l - whole) * at(kernel_.partial, acc[c]) +
                 std::exp(second - whole) * at(kernel_.partial, other[c]);
      }
      l = whole;
    }
    lse[i][0] = kernel_.constant_lse ? std::log(static_cast<float>(keys.size())) : l;
    for (Index c = 0; c < problem_.value_dim; ++c) {
      o[i][c] = acc[static_cast<std::size_t>(c)] + static_cast<float>(kernel_.stray);
    }
  }

  [[nodiscard]] float delta_of(Index i) const {
    if (kernel_.omits_delta) return 0;
    const Index row = std::clamp<Index>(i + kernel_.delta_shift, 0, rows_ - 1);
    float delta = 0;
    for (Index c = 0; c < problem_.value_dim; ++c) {
      delta += dout_[row][c] * at(kernel_.out, o[row][c]);
    }
    return at(kernel_.delta, delta);
  }

  void backward(Index i) {
    const KeyRange keys = seen(i);
    const float shift = delta_of(i) - dlse_[i][0];
    std::vector<float> row(static_cast<std::size_t>(problem_.head_dim));
    for (Index j = keys.begin; j < keys.end; ++j) {
      const float p = std::exp(score(i, j) - lse[i][0]);
      const float dp = at(kernel_.dp, dot(dout_[i], v_[value_read(j)], problem_.value_dim));
      const float ds = at(kernel_.ds, p * (dp - shift));
      const float narrow = at(kernel_.p, p);
      for (Index c = 0; c < problem_.value_dim; ++c) dv[j][c] += narrow * dout_[i][c];
      for (Index c = 0; c < problem_.head_dim; ++c) {
        if (kernel_.dropped_tile != j / tile) {
          row[static_cast<std::size_t>(c)] += ds * k_[read(j)][c];
        }
        dk[j][c] += ds * q_[i][c];
      }
      if ((j + 1) % tile == 0 || j + 1 == keys.end) round_all(row, kernel_.dq_acc);
      if (!kernel_.dkv_acc || ((i + 1) % tile != 0 && i + 1 != rows_)) continue;
      for (Index c = 0; c < problem_.head_dim; ++c) dk[j][c] = at(kernel_.dkv_acc, dk[j][c]);
      for (Index c = 0; c < problem_.value_dim; ++c) dv[j][c] = at(kernel_.dkv_acc, dv[j][c]);
    }
    std::copy(row.begin(), row.end(), dq[i]);
  }

  const Kernel& kernel_;
  const Problem& problem_;
  Index sequence_, head_;
  Index keys_ = 0, rows_ = 0;
  Floats q_, k_, v_, dout_, dlse_;
};

/// Adds the rows of one head into an output.
void put(std::vector<double>& output, const Problem& problem, TensorName name, Index sequence,
         Index head, const Floats& rows) {
  const HeadView view = head_view(problem, name, sequence, head);
  for (Index r = 0; r < view.rows; ++r) {
    for (Index c = 0; c < view.channels; ++c) {
      auto& x = output[static_cast<std::size_t>(view.offset + r * view.row_stride + c)];
      x = static_cast<float>(x) + rows[r][c];
    }
  }
}

bool is_gradient(TensorName name) {
  return name == TensorName::dq || name == TensorName::dk || name == TensorName::dv;
}

std::map<TensorName, ObservedTensor> answers(const Kernel& kernel, const Problem& problem,
                                             const TensorSet& inputs) {
  std::map<TensorName, std::vector<double>> values;
  for (const TensorSpec& spec : output_specs(problem)) {
    values[spec.name].resize(static_cast<std::size_t>(element_count(spec)));
  }
  for (Index s = 0; s < static_cast<Index>(problem.sequences.size()); ++s) {
    for (Index h = 0; h < problem.query_heads; ++h) {
      const Head head(kernel, problem, inputs, s, h);
      const Index kv = probing::kv_head_of(problem, h);
      put(values[TensorName::o], problem, TensorName::o, s, h, head.o);
      if (values.count(TensorName::lse) != 0) {
        put(values[TensorName::lse], problem, TensorName::lse, s, h, head.lse);
      }
      if (!has_backward(problem)) continue;
      put(values[TensorName::dq], problem, TensorName::dq, s, h, head.dq);
      put(values[TensorName::dk], problem, TensorName::dk, s, kv, head.dk);
      put(values[TensorName::dv], problem, TensorName::dv, s, kv, head.dv);
    }
  }
  std::map<TensorName, ObservedTensor> outputs;
  for (const TensorSpec& spec : output_specs(problem)) {
    std::vector<double>& x = values[spec.name];
    if (kernel.zero || (kernel.zero_gradients && is_gradient(spec.name))) {
      std::fill(x.begin(), x.end(), 0.0);
    }
    for (double& value : x) {
      if (spec.name == TensorName::lse) {
        value *= kernel.lse_factor;
      } else if (kernel.out) {
        value = kernel.out(value);
      }
    }
    ObservedTensor& observed = outputs[spec.name];
    const bool absent = spec.name == TensorName::lse && !kernel.gives_lse;
    observed.transport = absent ? Transport::not_given : Transport::in_place;
    observed.tensor.spec = spec;
    observed.tensor.bytes.resize(static_cast<std::size_t>(byte_count(spec)));
    encode(spec.dtype, x, observed.tensor.bytes);
  }
  return outputs;
}

Outcome answer(const Trial& trial, const Kernel& kernel, const Arithmetic& arithmetic,
               Oracle& oracle) {
  Outcome outcome;
  outcome.trial = &trial;
  auto inputs = std::make_shared<TensorSet>(make_inputs(trial.c));
  if (trial.edit) trial.edit(trial.c.problem, *inputs);
  outcome.inputs = inputs;
  Observation& observation = outcome.observation.emplace();
  observation.c = trial.c;
  observation.arithmetic = arithmetic;
  observation.outputs = answers(kernel, trial.c.problem, *inputs);
  if (trial.oracle) observation.oracle = oracle.answer(trial.c.problem, arithmetic, *inputs);
  return outcome;
}

}  // namespace

std::function<double(double)> rounded_to(Dtype dtype) {
  return [dtype](double x) { return round_to(dtype, x); };
}

std::function<double(double)> cut_to(Dtype dtype) {
  return [dtype](double x) {
    const double step = ulp(dtype, x);
    return std::trunc(x / step) * step;
  };
}

Kernel clean(Dtype dtype) {
  Kernel kernel;
  if (is_16_bit(dtype)) kernel.p = kernel.ds = kernel.out = rounded_to(dtype);
  return kernel;
}

Judgement ask(std::string_view text, const Kernel& kernel, const Arithmetic& arithmetic) {
  const Case c = parse_case(text);
  const auto oracle = reference::make_oracle({.threads = 1});
  const Probe& probe = probe_named(c.probe);
  const std::vector<Trial> trials = probe.trials(c);
  std::vector<Outcome> outcomes;
  for (const Trial& trial : trials) outcomes.push_back(answer(trial, kernel, arithmetic, *oracle));
  return probe.judge(c, outcomes);
}

Judgement ask(std::string_view text, const Kernel& kernel) {
  return ask(text, kernel, flash_arithmetic(parse_case(text).problem.dtype));
}

std::string told(const Judgement& judgement) {
  std::string text(to_string(judgement.verdict));
  text += ": " + judgement.reason;
  for (const Finding& finding : judgement.findings) text += "\n  " + finding.message;
  return text;
}

}  // namespace fathom
