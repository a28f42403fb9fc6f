// SPDX-License-Identifier: Apache-2.0
#include "harness/run/run_trial.h"

#include "harness/run/execution.h"

#include <algorithm>
#include <optional>

namespace fathom {
namespace {

std::string answer_name(const std::string& backend, const std::string& lowering) {
  return lowering == "native" ? backend : backend + "/" + lowering;
}

/// The lowerings to try: only the one asked for by name, else the backend's own, `first` in front.
std::vector<std::string> lowerings_of(const PlannedCase& planned, const BackendStatus& status,
                                      const std::string& first) {
  if (planned.backend.find('/') != std::string::npos) return {lowering_of(planned.backend)};
  std::vector<std::string> lowerings = status.lowerings;
  std::stable_partition(lowerings.begin(), lowerings.end(),
                        [&](const std::string& lowering) { return lowering == first; });
  return lowerings;
}

/// The first lowering that accepts. Empty after a refusal, which is then in the Outcome.
std::optional<std::string> choose_lowering(Outcome& outcome, const BackendStatus& status,
                                           const std::vector<std::string>& lowerings,
                                           CaseTools& tools) {
  outcome.refusal_code = "lowering";
  std::string reasons;
  for (const std::string& lowering : lowerings) {
    const SupportAnswer answer = tools.workers.client(status.name)
                                     .support({status.name, lowering, outcome.trial->c.problem});
    if (answer.supported) return lowering;
    // The first lowering's code stands for all; a sentence that repeats itself is said once.
    if (reasons.empty()) outcome.refusal_code = answer.code;
    if (reasons.find(answer.sentence) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : "; ") + lowering + ": " + answer.sentence;
  }
  outcome.refusal = reasons.empty() ? status.name + " has no lowering" : reasons;
  return std::nullopt;
}

std::shared_ptr<const TensorSet> inputs_of(const Trial& trial, InputCache& cache) {
  std::shared_ptr<const TensorSet> inputs = cache.get(trial.c);
  if (!trial.edit) return inputs;
  auto edited = std::make_shared<TensorSet>(*inputs);
  trial.edit(trial.c.problem, *edited);
  return edited;
}

Arithmetic arithmetic_of(const BackendStatus& status, Dtype dtype) {
  const auto at = status.arithmetic.find(std::string(to_string(dtype)));
  return at == status.arithmetic.end() ? Arithmetic() : at->second;
}

void execute(Outcome& outcome, const BackendStatus& status, const std::string& lowering,
             Record& record, CaseTools& tools) {
  const Trial& trial = *outcome.trial;
  const Problem& problem = trial.c.problem;
  WorkerClient& worker = tools.workers.client(status.name);
  const PhaseTimer timer(record, "prepare");
  const Execution execution(problem, *outcome.inputs, trial.surroundings);
  worker.prepare(execution.request(status.name, lowering), execution.fd());
  const PhaseTimer execute_timer(record, "execute");
  const ExecuteAnswer answer = worker.execute(problem);
  if (!record.measurement.first_call_ns) record.measurement.first_call_ns = answer.first_call_ns;
  Execution::Observed observed = execution.observe(answer.outputs);
  outcome.observation->outputs = std::move(observed.outputs);
  outcome.observation->mutated_inputs = std::move(observed.mutated_inputs);
}

}  // namespace

Outcome run_trial(const Trial& trial, const BackendStatus& status, const std::string& lowering,
                  Record& record, CaseTools& tools) {
  Outcome outcome;
  outcome.trial = &trial;
  std::optional<std::string> chosen;
  {
    const PhaseTimer timer(record, "support");
    chosen =
        choose_lowering(outcome, status, lowerings_of(record.planned, status, lowering), tools);
  }
  if (!chosen) return outcome;
  outcome.answered_by = answer_name(status.name, *chosen);
  {
    const PhaseTimer timer(record, "inputs");
    outcome.inputs = inputs_of(trial, tools.inputs);
  }
  Observation& observation = outcome.observation.emplace();
  observation.c = trial.c;
  observation.arithmetic = arithmetic_of(status, trial.c.problem.dtype);
  execute(outcome, status, *chosen, record, tools);
  if (!trial.oracle) return outcome;
  const PhaseTimer timer(record, "oracle");
  observation.oracle =
      tools.oracle.answer(trial.c.problem, observation.arithmetic, *outcome.inputs);
  if (trial.c.probe == ProbeName::plain) {
    observation.plain = tools.oracle.plain(trial.c.problem, *outcome.inputs);
  }
  return outcome;
}

}  // namespace fathom
