// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/tests/emulated_backend.h"

#include "harness/core/features.h"
#include "harness/core/visible.h"
#include "harness/inputs/inputs.h"
#include "reference/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::probes_test {
namespace {

using Memory = std::map<TensorName, std::vector<float>>;

std::vector<float> to_floats(Dtype dtype, std::span<const std::byte> bytes) {
  std::vector<double> values(bytes.size() / static_cast<std::size_t>(info(dtype).size));
  decode(dtype, bytes, values);
  return {values.begin(), values.end()};
}

Tensor to_tensor(const TensorSpec& spec, const std::vector<float>& floats) {
  Tensor tensor{spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)))};
  const std::vector<double> values(floats.begin(), floats.end());
  encode(spec.dtype, values, tensor.bytes);
  return tensor;
}

float rounded(Dtype dtype, float x) {
  return static_cast<float>(round_to(dtype, x));
}

/// One execution: the Problem as the kernel believes it to be, and its memory.
class Kernel {
 public:
  Kernel(const Problem& asked, Fault fault, int execution)
      : asked_(asked), problem_(believed(asked, fault)), fault_(fault), execution_(execution) {}

  void load(const TensorSet& inputs, Surroundings surroundings) {
    for (const auto& [name, tensor] : inputs) {
      std::vector<std::byte> bytes(tensor.bytes.size() + 2 * static_cast<std::size_t>(guard_bytes));
      paint_surroundings(surroundings, tensor.spec.dtype, bytes);
      std::copy(tensor.bytes.begin(), tensor.bytes.end(), bytes.begin() + guard_bytes);
      memory_[name] = to_floats(tensor.spec.dtype, bytes);
      origin_[name] = guard_bytes / info(tensor.spec.dtype).size;
    }
  }

  Memory run() {
    for (const TensorSpec& spec : output_specs(asked_)) {
      memory_[spec.name].assign(static_cast<std::size_t>(element_count(spec)), 0);
    }
    memory_.try_emplace(TensorName::lse, static_cast<std::size_t>(lse_size()));
    if (fault_ != Fault::zeros) work();
    return std::move(memory_);
  }

 private:
  static Problem believed(const Problem& asked, Fault fault) {
    Problem problem = asked;
    if (fault == Fault::bshd_assumed && asked.layout == Layout::bhsd) problem.layout = Layout::bshd;
    if (fault == Fault::scale_ignored) problem.softmax_scale.reset();
    if (fault == Fault::scale_padded && !asked.softmax_scale) {
      problem.softmax_scale = 1 / std::sqrt(static_cast<double>((asked.head_dim + 63) / 64 * 64));
    }
    const auto count = static_cast<Index>(asked.sequences.size());
    if (fault == Fault::cu_seqlens_ignored) {
      for (Sequence& s : problem.sequences) {
        s.query_length = cu_seqlens_q(asked).back() / count;
        s.key_length = cu_seqlens_k(asked).back() / count;
      }
    }
    if (fault == Fault::neighbour_prefix) {
      for (std::size_t s = 0; s + 1 < problem.sequences.size(); ++s) {
        problem.sequences[s].prefix_length = asked.sequences[s + 1].prefix_length;
      }
    }
    if (fault == Fault::prefix_ignored) {
      for (Sequence& s : problem.sequences) s.prefix_length = 0;
    }
    std::vector<MaskTerm> terms;
    for (MaskTerm term : problem.mask.terms) {
      if (fault == Fault::causal_ignored && std::holds_alternative<Causal>(term)) continue;
      if (fault == Fault::window_ignored && std::holds_alternative<Window>(term)) continue;
      if (auto* causal = std::get_if<Causal>(&term); causal && fault == Fault::top_left_always) {
        causal->corner = Corner::top_left;
      }
      if (auto* window = std::get_if<Window>(&term)) {
        if (fault == Fault::window_plus_one && window->left >= 0) ++window->left;
        if (fault == Fault::minus_one_literal) {
          window->left = std::max<Index>(0, window->left);
          window->right = std::max<Index>(0, window->right);
        }
      }
      terms.push_back(term);
    }
    problem.mask.terms = terms;
    if (fault == Fault::always_causal) problem.mask = Mask{{Causal{}}};
    return problem;
  }

  [[nodiscard]] Index lse_size() const { return asked_.query_heads * cu_seqlens_q(asked_).back(); }

  void work() {
    for (Index s = 0; s < static_cast<Index>(problem_.sequences.size()); ++s) {
      for (Index head = 0; head < problem_.query_heads; ++head) {
        for (Index row = 0; row < problem_.sequences[static_cast<std::size_t>(s)].query_length;
             ++row) {
          forward(s, head, row);
        }
      }
    }
    if (has_backward(asked_)) backward();
  }

  [[nodiscard]] Index kv_head(Index head) const {
    return fault_ == Fault::head_modulo ? head % problem_.kv_heads
                                        : head / (problem_.query_heads / problem_.kv_heads);
  }

  float* at(TensorName name, Index s, Index head, Index row) {
    const HeadView view = head_view(problem_, name, s, head);
    const auto found = origin_.find(name);
    const Index origin = found == origin_.end() ? 0 : found->second;
    return memory_[name].data() + origin + view.offset + row * view.row_stride;
  }

  [[nodiscard]] KeyRange range_of(Index s, Index row) const {
    const Sequence& sequence = problem_.sequences[static_cast<std::size_t>(s)];
    KeyRange range = visible_keys(problem_.mask, sequence, row);
    if (fault_ == Fault::reads_past_end && range.end == sequence.key_length) ++range.end;
    return range;
  }

  float score(Index s, Index head, Index row, Index key) {
    const float* q = at(TensorName::q, s, head, row);
    const float* k = at(TensorName::k, s, kv_head(head), key);
    float sum = 0;
    for (Index c = 0; c < problem_.head_dim; ++c) sum += q[c] * k[c];
    return sum * static_cast<float>(softmax_scale(problem_));
  }

  /// Running state of an online softmax.
  struct Softmax {
    float largest = -std::numeric_limits<float>::infinity();
    float sum = 0;
    std::vector<float> o;
  };

  void add_tile(Softmax& state, Index s, Index head, Index row, KeyRange keys) {
    std::vector<float> scores;
    float largest = state.largest;
    for (Index key = keys.begin; key < keys.end; ++key) {
      scores.push_back(score(s, head, row, key));
      largest = std::max(largest, scores.back());
    }
    const float rescale = std::exp(state.largest - largest);
    const bool lost = fault_ == Fault::race && execution_ % 10 == 3 && head == 0 && row == 3;
    if (!lost || state.sum == 0) {
      state.sum *= rescale;
      for (float& x : state.o) x *= rescale;
    }
    if (lost && state.sum != 0) state.sum *= 0.5F;
    for (Index key = keys.begin; key < keys.end; ++key) {
      const float p = std::exp(scores[static_cast<std::size_t>(key - keys.begin)] - largest);
      const float* v = at(TensorName::v, s, kv_head(head), key);
      state.sum += p;
      const float weight = rounded(problem_.dtype, p);
      for (std::size_t c = 0; c < state.o.size(); ++c) state.o[c] += weight * v[c];
    }
    state.largest = largest;
  }

  void add_faults(Softmax& state, Index s, Index head, KeyRange range) {
    const Index length = problem_.sequences[static_cast<std::size_t>(s)].key_length;
    if (fault_ == Fault::tail_unmasked && range.end == length) {
      const Index extra = (length + 63) / 64 * 64 - length;
      state.sum += static_cast<float>(extra) * std::exp(-state.largest);
    }
    const bool hidden = range.end < length;
    if (fault_ == Fault::tail_times_zero || (fault_ == Fault::leak && hidden)) {
      const float weight = fault_ == Fault::leak ? 0x1p-20F * state.sum : 0.0F;
      const float* v =
          at(TensorName::v, s, kv_head(head), fault_ == Fault::leak ? range.end : length);
      for (std::size_t c = 0; c < state.o.size(); ++c) state.o[c] += weight * v[c];
    }
  }

  void forward(Index s, Index head, Index row) {
    const Index tile = fault_ == Fault::batch_splits && problem_.sequences.size() == 1 ? 16 : 64;
    const KeyRange range = range_of(s, row);
    float* o = at(TensorName::o, s, head, row);
    float& lse = *at_lse(s, head, row);
    Softmax state;
    state.o.resize(static_cast<std::size_t>(problem_.value_dim));
    for (Index begin = range.begin / tile * tile; begin < range.end; begin += tile) {
      add_tile(state, s, head, row,
               {std::max(begin, range.begin), std::min(begin + tile, range.end)});
    }
    if (range.size() == 0) {
      const float empty =
          fault_ == Fault::empty_row_nan ? std::numeric_limits<float>::quiet_NaN() : 0.0F;
      std::fill(o, o + problem_.value_dim, empty);
      lse = fault_ == Fault::empty_lse_zero ? 0 : -std::numeric_limits<float>::infinity();
      return;
    }
    add_faults(state, s, head, range);
    for (std::size_t c = 0; c < state.o.size(); ++c) {
      o[c] = rounded(problem_.dtype, state.o[c] / state.sum);
    }
    lse = state.largest + std::log(state.sum);
    if (fault_ == Fault::lse_log2) lse /= std::log(2.0F);
  }

  float* at_lse(Index s, Index head, Index row) {
    if (fault_ != Fault::lse_transposed || problem_.layout == Layout::thd) {
      return at(TensorName::lse, s, head, row);
    }
    const Index rows = problem_.sequences[0].query_length;
    return memory_[TensorName::lse].data() + (s * rows + row) * problem_.query_heads + head;
  }

  void backward() {
    for (Index s = 0; s < static_cast<Index>(problem_.sequences.size()); ++s) {
      for (Index head = 0; head < problem_.query_heads; ++head) {
        for (Index row = 0; row < problem_.sequences[static_cast<std::size_t>(s)].query_length;
             ++row) {
          backward_row(s, head, row);
        }
      }
    }
    for (const TensorName name : {TensorName::dq, TensorName::dk, TensorName::dv}) {
      for (float& x : memory_[name]) x = rounded(problem_.dtype, x);
    }
    if (fault_ == Fault::dk_leak) leak_into_dk();
  }

  void leak_into_dk() {
    const Sequence& sequence = problem_.sequences.back();
    const auto last = static_cast<Index>(problem_.sequences.size()) - 1;
    for (Index row = 0; row < sequence.query_length; ++row) {
      if (visible(problem_.mask, sequence, row, sequence.key_length - 1)) return;
    }
    *at(TensorName::dk, last, 0, sequence.key_length - 1) = 0x1p-14F;
  }

  void backward_row(Index s, Index head, Index row) {
    const Sequence& sequence = problem_.sequences[static_cast<std::size_t>(s)];
    const KeyRange range = visible_keys(problem_.mask, sequence, row);
    const float* o = at(TensorName::o, s, head, row);
    const float* dout = at(TensorName::dout, s, head, row);
    float lse = *at_lse(s, head, row);
    if (fault_ == Fault::lse_log2) lse *= std::log(2.0F);
    float delta = 0;
    for (Index c = 0; c < problem_.value_dim; ++c) delta += dout[c] * o[c];
    if (problem_.lse_cotangent && fault_ != Fault::dlse_ignored) {
      delta -= *at(TensorName::dlse, s, head, row);
    }
    const bool reversed = fault_ == Fault::unordered_dq && execution_ % 2 == 1;
    for (Index step = 0; step < range.size(); ++step) {
      const Index key = reversed ? range.end - 1 - step : range.begin + step;
      backward_pair(s, head, row, key, lse, delta);
    }
  }

  void backward_pair(Index s, Index head, Index row, Index key, float lse, float delta) {
    const float* dout = at(TensorName::dout, s, head, row);
    const float* v = at(TensorName::v, s, kv_head(head), key);
    const float p = std::exp(score(s, head, row, key) - lse);
    float dp = 0;
    for (Index c = 0; c < problem_.value_dim; ++c) dp += dout[c] * v[c];
    const float ds = rounded(problem_.dtype, p * (dp - delta));
    const float weight = rounded(problem_.dtype, p);
    const auto scale = static_cast<float>(softmax_scale(problem_));
    const float* q = at(TensorName::q, s, head, row);
    const float* k = at(TensorName::k, s, kv_head(head), key);
    float* dq = at(TensorName::dq, s, head, row);
    float* dk = at(TensorName::dk, s, kv_head(head), key);
    float* dv = at(TensorName::dv, s, kv_head(head), key);
    for (Index c = 0; c < problem_.head_dim; ++c) dq[c] += ds * scale * k[c];
    for (Index c = 0; c < problem_.head_dim; ++c) dk[c] += ds * scale * q[c];
    for (Index c = 0; c < problem_.value_dim; ++c) dv[c] += weight * dout[c];
  }

  Problem asked_;
  Problem problem_;
  Fault fault_;
  int execution_;
  Memory memory_;
  std::map<TensorName, Index> origin_;
};

}  // namespace

EmulatedBackend::EmulatedBackend(Fault fault, std::string refuses)
    : fault_(fault), refuses_(std::move(refuses)) {}

Outcome EmulatedBackend::answer(const Trial& trial) {
  static const std::unique_ptr<Oracle> oracle = reference::make_oracle({1});
  Outcome outcome;
  outcome.trial = &trial;
  const Problem& problem = trial.c.problem;
  const std::vector<std::string> tokens = feature_tokens(problem);
  if (std::find(tokens.begin(), tokens.end(), refuses_) != tokens.end()) {
    outcome.refusal_code = "feature." + refuses_;
    return outcome;
  }
  TensorSet inputs = make_inputs(trial.c);
  if (trial.edit) trial.edit(problem, inputs);
  Kernel kernel(problem, fault_, executions_++);
  kernel.load(inputs, trial.surroundings);
  Memory memory = kernel.run();
  outcome.answered_by = "emulated";
  Observation& observation = outcome.observation.emplace();
  observation.c = trial.c;
  observation.arithmetic = flash_arithmetic(problem.dtype);
  for (const TensorSpec& spec : output_specs(problem)) {
    std::vector<float>& last = last_[spec.name];
    std::vector<float>& now = memory[spec.name];
    const bool stale =
        fault_ == Fault::stale_output && executions_ % 2 == 0 && last.size() == now.size();
    ObservedTensor& output = observation.outputs[spec.name];
    output.tensor = to_tensor(spec, stale ? last : now);
    output.transport = fault_ == Fault::lse_missing && spec.name == TensorName::lse
                           ? Transport::not_given
                           : Transport::in_place;
    last = now;
  }
  if (trial.oracle) observation.oracle = oracle->answer(problem, observation.arithmetic, inputs);
  outcome.inputs = std::make_shared<const TensorSet>(std::move(inputs));
  return outcome;
}

Judgement put(std::string_view case_text, Fault fault, std::string refuses) {
  const Case c = parse_case(case_text);
  const Probe& probe = probe_named(c.probe);
  const std::vector<Trial> trials = probe.trials(c);
  EmulatedBackend backend(fault, std::move(refuses));
  std::vector<Outcome> outcomes;
  for (const Trial& trial : trials) outcomes.push_back(backend.answer(trial));
  return probe.judge(c, outcomes);
}

}  // namespace fathom::probes_test
