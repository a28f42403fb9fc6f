// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/clean_cases.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

namespace fathom {
namespace {

/// Choices from one stream. The standard's distributions differ between libraries; its engines do
/// not.
class Dice {
 public:
  Dice(std::uint64_t draw, std::uint64_t index) : bits_(draw * 0x9E3779B97F4A7C15U + index) {}

  double uniform() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  bool chance(double probability) { return uniform() < probability; }
  Index below(Index end) { return static_cast<Index>(uniform() * static_cast<double>(end)); }
  Index between(Index low, Index high) { return low + below(high - low + 1); }
  Index log_uniform(Index low, Index high) {
    const double ratio = static_cast<double>(high + 1) / static_cast<double>(low);
    return std::min(high,
                    static_cast<Index>(static_cast<double>(low) * std::pow(ratio, uniform())));
  }
  template <typename Table>
  auto pick(const Table& table) {
    return table[static_cast<std::size_t>(below(static_cast<Index>(table.size())))];
  }

 private:
  std::mt19937_64 bits_;
};

Mask draw_mask(Dice& dice, const Sequence& longest) {
  const Index keys = longest.key_length;
  const auto causal = [&] {
    return MaskTerm(Causal{dice.chance(0.7) ? Corner::bottom_right : Corner::top_left});
  };
  const auto window = [&] {
    return MaskTerm(Window{dice.chance(0.2) ? -1 : dice.log_uniform(1, keys + 1) - 1,
                           dice.chance(0.4) ? -1 : dice.log_uniform(1, keys + 1) - 1});
  };
  const auto document = [&] {
    return MaskTerm(Document{{dice.between(1, keys), dice.between(1, keys)}});
  };
  const double u = dice.uniform();
  if (u < 0.3) return {};
  if (u < 0.6) return {{causal()}};
  if (u < 0.72) return {{window()}};
  if (u < 0.84) return {{PrefixLm{}}};
  if (u < 0.9) return {{document()}};
  if (u < 0.96) return {{causal(), window()}};
  return {{PrefixLm{}, window()}};
}

Sequence draw_sequence(Dice& dice, bool square) {
  Sequence s;
  s.query_length = square ? dice.log_uniform(1, 512) : dice.log_uniform(1, 256);
  s.key_length = square ? s.query_length : dice.log_uniform(1, 4096);
  return s;
}

void draw_sequences(Dice& dice, Problem& p) {
  const Sequence first = draw_sequence(dice, dice.chance(0.02));
  p.sequences = {first};
  if (dice.chance(0.8)) return;
  const Index more = dice.between(1, 2);
  p.layout = dice.chance(0.6) ? Layout::thd : p.layout;
  for (Index i = 0; i < more; ++i) {
    p.sequences.push_back(p.layout == Layout::thd ? draw_sequence(dice, false) : first);
  }
}

/// Multiply-adds of one product, which everything else is a small multiple of.
double work_of(const Problem& p) {
  double pairs = 0;
  for (const Sequence& s : p.sequences) {
    pairs += static_cast<double>(s.query_length) * static_cast<double>(s.key_length);
  }
  return pairs * static_cast<double>(p.query_heads) * static_cast<double>(p.head_dim + p.value_dim);
}

/// Probes that any Problem can be put by.
constexpr std::array drawn_probes{
    ProbeName::key_count,      ProbeName::uniform_weights, ProbeName::needle,     ProbeName::poison,
    ProbeName::hidden_change,  ProbeName::linearity,       ProbeName::invariance, ProbeName::sums,
    ProbeName::boundary_value,
};

}  // namespace

Case draw_clean_case(std::uint64_t draw, std::uint64_t index) {
  Dice dice(draw, index);
  Case c;
  c.suite = "clean";
  c.seed = index + 1;
  c.fill = dice.pick(fills).fill;
  Problem& p = c.problem;
  p.direction = dice.chance(0.5) ? Direction::fwd_bwd : Direction::fwd;
  p.dtype = dice.pick(std::array{Dtype::f32, Dtype::f16, Dtype::bf16});
  p.layout = dice.chance(0.5) ? Layout::bshd : Layout::bhsd;
  p.head_dim = dice.pick(std::array<Index, 8>{16, 32, 64, 64, 64, 80, 96, 128});
  p.value_dim = dice.chance(0.85) ? p.head_dim : dice.pick(std::array<Index, 3>{16, 32, 96});
  p.kv_heads = dice.chance(0.7) ? 1 : 2;
  p.query_heads = p.kv_heads * (dice.chance(0.75) ? 1 : 2);
  draw_sequences(dice, p);
  p.mask = draw_mask(dice, p.sequences.front());
  if (has<PrefixLm>(p.mask)) {
    for (Sequence& s : p.sequences) s.prefix_length = dice.between(0, s.key_length);
  }
  if (dice.chance(0.1)) p.softmax_scale = 0.02 + 0.3 * dice.uniform();
  p.lse_cotangent = has_backward(p) && dice.chance(0.1);
  if (p.lse_cotangent) p.lse = LseRequest::required;
  constexpr double most_work = 64e6;
  while (work_of(p) > most_work && p.sequences.size() > 1) p.sequences.pop_back();
  if (work_of(p) > most_work) p.query_heads = p.kv_heads = 1;
  if (dice.chance(0.05) && work_of(p) < most_work / 8) c.probe = dice.pick(drawn_probes);
  return c;
}

CleanRun run_clean_cases(Lanes& lanes, const std::vector<std::string>& backends, std::uint64_t draw,
                         std::uint64_t first, std::uint64_t count,
                         const std::function<void(std::size_t done)>& on_progress) {
  CleanRun run;
  run.draw = draw;
  constexpr std::uint64_t chunk = 512;
  for (std::uint64_t begin = first; begin < first + count; begin += chunk) {
    std::vector<PlannedCase> planned;
    for (std::uint64_t i = begin; i < std::min(begin + chunk, first + count); ++i) {
      const Case c = draw_clean_case(draw, i);
      for (const std::string& backend : backends) {
        planned.push_back({case_id(backend, c), backend, c});
      }
    }
    lanes.run(
        planned,
        [&](std::size_t, const Record& record) {
          const std::string& backend = record.planned.backend;
          const bool alarm = is_kill(record);
          ++(alarm || record.verdict == Verdict::pass ? run.judged : run.other)[backend];
          if (!alarm) return;
          run.alarms.push_back(alarm_of(record));
        },
        backends.size());
    if (on_progress)
      on_progress(static_cast<std::size_t>(std::min(begin + chunk, first + count) - first));
  }
  return run;
}

}  // namespace fathom
