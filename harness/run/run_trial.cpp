// SPDX-License-Identifier: Apache-2.0
#include "harness/run/run_trial.h"

#include <algorithm>

namespace fathom {
namespace {

std::string answer_name(const std::string& backend, const std::string& lowering) {
  return lowering == "native" ? backend : backend + "/" + lowering;
}

std::shared_ptr<const TensorSet> inputs_of(const Trial& trial, InputCache& cache) {
  std::shared_ptr<const TensorSet> inputs = cache.get(trial.c);
  if (!trial.edit) return inputs;
  auto edited = std::make_shared<TensorSet>(*inputs);
  trial.edit(trial.c.problem, *edited);
  return edited;
}

}  // namespace

/// Only the lowering asked for by name, else the backend's own with `first` in front.
std::vector<std::string> TrialRunner::lowerings(const std::string& first) const {
  const std::string& asked = record_.planned.backend;
  if (asked.find('/') != std::string::npos) return {lowering_of(asked)};
  std::vector<std::string> lowerings = status_.lowerings;
  std::stable_partition(lowerings.begin(), lowerings.end(),
                        [&](const std::string& lowering) { return lowering == first; });
  return lowerings;
}

/// The first lowering that accepts. Empty after a refusal, which is then in the Outcome.
std::optional<std::string> TrialRunner::choose_lowering(Outcome& outcome,
                                                        const std::string& first) {
  const PhaseTimer timer(record_, "support");
  outcome.refusal_code = "lowering";
  std::string reasons;
  for (const std::string& lowering : lowerings(first)) {
    const SupportAnswer answer =
        tools_.workers.client(status_.name)
            .support(support_request(status_.name, lowering, outcome.trial->c.problem));
    if (answer.supported) return lowering;
    // The first lowering's code stands for all; a sentence that repeats itself is said once.
    if (reasons.empty()) outcome.refusal_code = answer.code;
    if (reasons.find(answer.sentence) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : "; ") + lowering + ": " + answer.sentence;
  }
  outcome.refusal = reasons.empty() ? status_.name + " has no lowering" : reasons;
  return std::nullopt;
}

Arithmetic TrialRunner::arithmetic(Dtype dtype) const {
  const auto at = status_.arithmetic.find(std::string(to_string(dtype)));
  return at == status_.arithmetic.end() ? Arithmetic() : at->second;
}

void TrialRunner::prepare(const Outcome& outcome, const std::string& lowering) {
  const PhaseTimer timer(record_, "prepare");
  const Trial& trial = *outcome.trial;
  execution_.emplace(trial.c.problem, *outcome.inputs, trial.surroundings);
  tools_.workers.client(status_.name)
      .prepare(execution_->request(status_.name, lowering), execution_->fd());
}

void TrialRunner::execute(Outcome& outcome) {
  const PhaseTimer timer(record_, "execute");
  const Case& c = outcome.trial->c;
  const ExecuteAnswer answer = tools_.workers.client(status_.name).execute(c.problem);
  if (!record_.measurement.first_call_ns) record_.measurement.first_call_ns = answer.first_call_ns;
  Execution::Observed observed = execution_->observe(answer.outputs);
  Observation& observation = outcome.observation.emplace();
  observation.c = c;
  observation.arithmetic = arithmetic(c.problem.dtype);
  observation.outputs = std::move(observed.outputs);
  observation.mutated_inputs = std::move(observed.mutated_inputs);
}

Outcome TrialRunner::run(const Trial& trial, const std::string& lowering) {
  Outcome outcome;
  outcome.trial = &trial;
  if (trial.again && execution_) {
    outcome.inputs = last_.inputs;
    outcome.answered_by = last_.answered_by;
    execution_->repaint_outputs();
  } else {
    const std::optional<std::string> chosen = choose_lowering(outcome, lowering);
    if (!chosen) return outcome;
    outcome.answered_by = answer_name(status_.name, *chosen);
    {
      const PhaseTimer timer(record_, "inputs");
      outcome.inputs = inputs_of(trial, tools_.inputs);
    }
    last_ = outcome;
    prepare(outcome, *chosen);
  }
  execute(outcome);
  if (!trial.oracle) return outcome;
  const PhaseTimer timer(record_, "oracle");
  Observation& observation = *outcome.observation;
  observation.oracle =
      tools_.oracle.answer(trial.c.problem, observation.arithmetic, *outcome.inputs);
  if (trial.c.probe == ProbeName::plain) {
    observation.plain =
        tools_.oracle.plain(trial.c.problem, *outcome.inputs, PlainVariant::scaled_k);
  }
  return outcome;
}

}  // namespace fathom
