// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/key_count.h"

#include "harness/checks/lse.h"
#include "harness/probes/exact_limits.h"
#include "harness/probes/numbers.h"

#include <fmt/format.h>

#include <cmath>

namespace fathom::key_count_probe {
namespace {

using namespace probing;

void random_signs(const Problem& problem, TensorSet& inputs) {
  rewrite(problem, inputs, TensorName::q, [](const RowAt& at, std::span<double> q) {
    for (std::size_t c = 0; c < q.size(); ++c) {
      q[c] = sign_of(1, TensorName::q, at, static_cast<Index>(c));
    }
  });
}

std::string counted(double lse) {
  if (!std::isfinite(lse)) return fmt::format("has LSE {}", lse);
  const double keys = std::exp(lse);
  return keys < 1e9 ? fmt::format("counts {:.0f} keys (exp(LSE) = {:.6g})", std::round(keys), keys)
                    : fmt::format("has LSE {:.6g}", lse);
}

Finding miscounted(const Case& c, const Tally& tally, const KeyRange& keys) {
  Finding finding = tally.finding(c.problem, TensorName::lse, "probe.key_count", "");
  const ElementPlace& at = finding.worst->place;
  finding.message = fmt::format(
      "lse: row {} of head {} of sequence {} {}, {} are visible; {} rows in all are off", at.row,
      at.head, at.sequence, counted(tally.got()), keys.size(), tally.wrong());
  return finding;
}

/// Whether some row of the control has another LSE than the row of the same place.
bool moved(const Problem& problem, const Numbers& counts, const Numbers& control) {
  bool any = false;
  visit_rows(problem, TensorName::lse, [&](const RowAt& at) {
    const auto i = static_cast<std::size_t>(at.first);
    any |= keys_seen(problem, at).size() > 0 &&
           std::abs(control.values()[i] - counts.values()[i]) > 1e-3;
  });
  return any;
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  Trial count{.label = "Q = 0", .c = c, .edit = {}};
  count.c.fill = Fill::q_zero;
  if (count.c.problem.lse == LseRequest::no) count.c.problem.lse = LseRequest::wanted;
  Trial control = count;
  control.label = "control: Q = random signs";
  control.edit = random_signs;
  control.oracle = false;
  return {count, control};
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  const Problem& problem = outcomes[0].trial->c.problem;
  if (!someone_sees(problem)) return judgement_of({}, "no query sees a key: nothing to count");
  const Observation& observation = *outcomes[0].observation;
  const Tensor* lse = given(observation, TensorName::lse);
  if (lse == nullptr) {
    Judgement judgement;
    judgement.verdict = Verdict::unsupported;
    judgement.reason = "the backend gives no LSE, which is what counts the keys";
    return judgement;
  }
  const Numbers got(problem, TensorName::lse, *lse);
  const OracleTensor& oracle = observation.oracle->at(TensorName::lse);
  const bool fp64 = problem.dtype == Dtype::f64;
  Tally tally;
  visit_rows(problem, TensorName::lse, [&](const RowAt& at) {
    const Index keys = keys_seen(problem, at).size();
    if (keys == 0) return;  // The `lse` Check holds rows without keys to the declared convention.
    const auto i = static_cast<std::size_t>(at.first);
    const double want = std::log(static_cast<double>(keys));
    const double limit = fp64 ? fp64_share * std::max(1.0, want) : oracle.bound[i];
    tally.compare(at.first, got.values()[i], want, limit);
  });
  if (!tally.clean()) {
    const ElementPlace at = place_of(problem, TensorName::lse, tally.worst());
    const KeyRange keys = keys_seen(problem, {at.sequence, at.head, at.row, 0});
    return judgement_of({miscounted(outcomes[0].trial->c, tally, keys)}, {});
  }
  const Tensor* other =
      outcomes[1].observation ? given(*outcomes[1].observation, TensorName::lse) : nullptr;
  const bool control =
      other != nullptr && moved(problem, got, Numbers(problem, TensorName::lse, *other));
  Judgement judgement = judgement_of(
      {}, control || softmax_scale(c.problem) == 0
              ? (control ? "" : "scale = 0: no Q moves the LSE, so a memorised one would pass")
              : "control: the LSE does not move when Q does, so nothing was counted");
  judgement.answers["key_count.share_of_limit"] = fmt::format("{:.3g}", tally.share());
  return judgement;
}

}  // namespace fathom::key_count_probe
