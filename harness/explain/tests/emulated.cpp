// SPDX-License-Identifier: Apache-2.0
#include "harness/explain/tests/emulated.h"

#include "harness/inputs/inputs.h"
#include "reference/oracle.h"

#include <cmath>
#include <limits>
#include <random>

namespace fathom {
namespace {

class Kernel {
 public:
  Kernel(const Problem& problem, const TensorSet& inputs, const Seams& seams)
      : problem_(problem), seams_(seams) {
    for (const auto& [name, tensor] : inputs) {
      values_[name].resize(static_cast<std::size_t>(element_count(tensor.spec)));
      decode(tensor.spec.dtype, tensor.bytes, values_[name]);
    }
    for (const TensorSpec& spec : output_specs(problem)) {
      out_[spec.name].assign(static_cast<std::size_t>(element_count(spec)), 0.0);
    }
  }

  Outputs run() {
    for (Index s = 0; s < std::ssize(problem_.sequences); ++s) {
      for (Index head = 0; head < problem_.query_heads; ++head) {
        const Index queries = problem_.sequences[static_cast<std::size_t>(s)].query_length;
        for (Index query = 0; query < queries; ++query) row(s, head, query);
      }
    }
    return std::move(out_);
  }

 private:
  struct Term {
    Index s;
    Index key;
    double score;
    double times;
  };

  double* at(std::map<TensorName, std::vector<double>>& from, TensorName name, Index s, Index head,
             Index row) {
    const HeadView view = head_view(problem_, name, s, head);
    return from.at(name).data() + view.offset + row * view.row_stride;
  }
  double* in(TensorName name, Index s, Index head, Index row) {
    return at(values_, name, s, head, row);
  }

  double score(Index s, Index head, Index query, Index key_s, Index key) {
    const double* q = in(TensorName::q, s, head, query);
    const double* k =
        in(TensorName::k, key_s, kv_head(head), seams_.key_row ? seams_.key_row(key_s, key) : key);
    double sum = 0;
    for (Index c = 0; c < problem_.head_dim - seams_.lost_channels; ++c) sum += q[c] * k[c];
    return sum * softmax_scale(problem_) * seams_.scale;
  }
  Index kv_head(Index head) {
    return seams_.kv_head ? seams_.kv_head(problem_, head)
                          : head / (problem_.query_heads / problem_.kv_heads);
  }
  KeyRange asked(Index s, Index query) {
    return visible_keys(problem_.mask, problem_.sequences[static_cast<std::size_t>(s)], query);
  }

  std::vector<Term> terms(Index s, Index head, Index query) {
    std::vector<Term> all;
    const KeyRange keys = seams_.keys ? seams_.keys(problem_, s, head, query) : asked(s, query);
    for (Index key = keys.begin; key < keys.end; ++key) {
      const double times = seams_.weight ? seams_.weight(s, head, query, key) : 1;
      if (times != 0) all.push_back({s, key, score(s, head, query, s, key), times});
    }
    if (seams_.next_keys && s + 1 < std::ssize(problem_.sequences) && keys.size() > 0) {
      for (Index key = 0; key < seams_.next_keys(problem_, s); ++key) {
        all.push_back({s + 1, key, score(s, head, query, s + 1, key), 1});
      }
    }
    return all;
  }

  void row(Index s, Index head, Index query) {
    const std::vector<Term> all = terms(s, head, query);
    double largest = -std::numeric_limits<double>::infinity();
    for (const Term& term : all) largest = std::max(largest, term.score);
    double* o = at(out_, TensorName::o, s, head, query);
    double sum = all.empty() ? 0 : static_cast<double>(seams_.zero_keys) * std::exp(-largest);
    for (const Term& term : all) {
      const double p = term.times * std::exp(term.score - largest);
      const double* v = in(TensorName::v, term.s, kv_head(head),
                           seams_.value_row ? seams_.value_row(term.s, term.key) : term.key);
      for (Index c = 0; c < problem_.value_dim; ++c) o[c] += p * v[c];
      sum += p;
    }
    for (Index c = 0; c < problem_.value_dim && sum > 0; ++c) o[c] /= sum;
    const double lse = all.empty() ? largest : largest + std::log(sum);
    if (out_.contains(TensorName::lse)) *at(out_, TensorName::lse, s, head, query) = lse;
    if (has_backward(problem_) && !all.empty()) gradients(s, head, query, lse);
  }

  double delta(Index s, Index head, Index query) {
    if (seams_.delta_row) {
      const Index other = seams_.delta_row(query);
      if (other < 0) return 0;
      const std::vector<double> own = value_of(s, head, other);
      return product(own.data(), in(TensorName::dout, s, head, other));
    }
    return product(at(out_, TensorName::o, s, head, query), in(TensorName::dout, s, head, query));
  }
  std::vector<double> value_of(Index s, Index head, Index query) {
    const std::vector<Term> all = terms(s, head, query);
    std::vector<double> o(static_cast<std::size_t>(problem_.value_dim));
    double sum = 0;
    for (const Term& term : all) {
      const double p = std::exp(term.score);
      for (Index c = 0; c < problem_.value_dim; ++c) {
        o[static_cast<std::size_t>(c)] += p * in(TensorName::v, s, kv_head(head), term.key)[c];
      }
      sum += p;
    }
    for (double& value : o) value /= sum;
    return o;
  }
  double product(const double* a, const double* b) {
    double sum = 0;
    for (Index c = 0; c < problem_.value_dim; ++c) sum += a[c] * b[c];
    return sum;
  }

  void gradients(Index s, Index head, Index query, double lse) {
    const KeyRange keys =
        seams_.backward_keys ? seams_.backward_keys(problem_, s, query) : asked(s, query);
    const double d = delta(s, head, query);
    const double scale = softmax_scale(problem_);
    const double* dout = in(TensorName::dout, s, head, query);
    const double* q = in(TensorName::q, s, head, query);
    double* dq = at(out_, TensorName::dq, s, head, query);
    for (Index key = keys.begin; key < keys.end; ++key) {
      const double p = std::exp(score(s, head, query, s, key) - lse);
      const double ds = p * (product(dout, in(TensorName::v, s, kv_head(head), key)) - d) * scale;
      const double* k = in(TensorName::k, s, kv_head(head), key);
      double* dk = at(out_, TensorName::dk, s, kv_head(head), key);
      double* dv = at(out_, TensorName::dv, s, kv_head(head), key);
      const double wq = seams_.dq_weight ? seams_.dq_weight(s, head, query, key) : 1;
      const double wk = seams_.dk_weight ? seams_.dk_weight(s, head, query, key) : 1;
      const double wv = seams_.dv_weight ? seams_.dv_weight(s, head, query, key) : 1;
      for (Index c = 0; c < problem_.head_dim; ++c) dq[c] += wq * ds * k[c];
      for (Index c = 0; c < problem_.head_dim; ++c) dk[c] += wk * ds * q[c];
      for (Index c = 0; c < problem_.value_dim; ++c) dv[c] += wv * p * dout[c];
    }
  }

  const Problem& problem_;
  const Seams& seams_;
  std::map<TensorName, std::vector<double>> values_;
  Outputs out_;
};

void add_noise(const TensorSpec& spec, const OracleTensor& oracle, std::vector<double>& values,
               std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (spec.name == TensorName::lse) {
      values[i] += std::isfinite(values[i]) && !oracle.bound.empty()
                       ? 0.1 * oracle.bound[i] * normal(generator)
                       : 0;
    } else if (!oracle.sigma.empty()) {
      // Storing rounds a 16-bit value once more, which sigma already holds.
      const double rounding =
          is_16_bit(spec.dtype) ? ulp(spec.dtype, oracle.value[i]) / std::sqrt(12) : 0;
      const double rest = oracle.sigma[i] * oracle.sigma[i] - rounding * rounding;
      values[i] += std::sqrt(std::max(rest, 0.0)) * normal(generator);
    }
  }
}

}  // namespace

Emulated emulate(const Case& c, const Seams& seams,
                 const std::function<void(const Problem&, Outputs&)>& edit) {
  Emulated emulated{c, make_inputs(c), {}, {}};
  Observation& observation = emulated.observation;
  observation.c = c;
  observation.arithmetic = flash_arithmetic(c.problem.dtype);
  static const std::unique_ptr<Oracle> oracle = reference::make_oracle({.threads = 1});
  observation.oracle = oracle->answer(c.problem, observation.arithmetic, emulated.inputs);
  Outputs outputs = Kernel(c.problem, emulated.inputs, seams).run();
  std::mt19937_64 generator(c.seed);
  for (const TensorSpec& spec : output_specs(c.problem)) {
    add_noise(spec, observation.oracle->at(spec.name), outputs.at(spec.name), generator);
  }
  if (edit) edit(c.problem, outputs);
  for (const TensorSpec& spec : output_specs(c.problem)) {
    ObservedTensor& output = observation.outputs[spec.name];
    output.transport = Transport::in_place;
    output.tensor.spec = spec;
    output.tensor.bytes.resize(static_cast<std::size_t>(byte_count(spec)));
    encode(spec.dtype, outputs.at(spec.name), output.tensor.bytes);
  }
  emulated.judgement = judge(observation);
  return emulated;
}

Case case_of(std::string_view text) {
  return parse_case(text);
}

}  // namespace fathom
