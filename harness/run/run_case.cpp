// SPDX-License-Identifier: Apache-2.0
#include "harness/run/run_case.h"

#include "harness/explain/explain.h"
#include "harness/explain/heat_map.h"
#include "harness/peers/peers.h"
#include "harness/probes/probe.h"
#include "harness/run/measure_case.h"
#include "harness/run/run_trial.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fathom {
namespace {

void end_with(Record& record, Verdict verdict, std::string code, std::string sentence) {
  record.verdict = verdict;
  record.reason_code = std::move(code);
  record.reason = std::move(sentence);
}

/// One Outcome per Trial. A backend that refuses the first, which is the Case's own Problem, is
/// asked no further.
std::vector<Outcome> run_trials(const std::vector<Trial>& trials, const BackendStatus& status,
                                Record& record, CaseTools& tools) {
  std::vector<Outcome> outcomes;
  TrialRunner runner(status, record, tools);
  std::string lowering;
  for (const Trial& trial : trials) {
    outcomes.push_back(runner.run(trial, lowering));
    const Outcome& outcome = outcomes.back();
    if (outcomes.size() > 1) continue;
    if (!outcome.observation) break;
    record.answered_by = outcome.answered_by;
    record.arithmetic = outcome.observation->arithmetic;
    lowering = lowering_of(outcome.answered_by);
  }
  return outcomes;
}

std::string hash_of_outputs(std::span<const Outcome> outcomes) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const Outcome& outcome : outcomes) {
    if (!outcome.observation) continue;
    for (const auto& [name, output] : outcome.observation->outputs) {
      XXH3_64bits_update(&state, output.tensor.bytes.data(), output.tensor.bytes.size());
    }
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(&state));
}

/// What the acceptance rules of other projects would have said of a plain Case.
void ask_peers(Record& record, const Outcome& outcome, Oracle& oracle) {
  const PhaseTimer timer(record, "peers");
  add_peer_opinions(record.tensors,
                    peer_opinions(*outcome.observation,
                                  ask_plain(oracle, record.planned.c.problem, *outcome.inputs)));
}

/// Where a failing answer is wrong, and of what kind that is.
void explain_into(Record& record, const Outcome& outcome, const Judgement& judgement) {
  const PhaseTimer timer(record, "explain");
  record.explanation = explain(*outcome.observation, *outcome.inputs, judgement);
  record.heat = heat_maps(*outcome.observation, *outcome.inputs);
}

void judge_into(Record& record, const Probe& probe, std::span<const Outcome> outcomes) {
  const PhaseTimer timer(record, "judge");
  Judgement judgement = probe.judge(record.planned.c, outcomes);
  if (judgement.verdict == Verdict::fail && probe.name == ProbeName::plain) {
    explain_into(record, outcomes.front(), judgement);
  }
  record.verdict = judgement.verdict;
  record.fail_class = judgement.fail_class;
  record.reason = std::move(judgement.reason);
  if (record.verdict == Verdict::unsupported) record.reason_code = "probe";
  record.findings = std::move(judgement.findings);
  record.tensors = std::move(judgement.tensors);
  record.answers = std::move(judgement.answers);
}

void run_on(Record& record, const BackendStatus& status, CaseTools& tools) {
  const Probe& probe = probe_named(record.planned.c.probe);
  const std::vector<Trial> trials = probe.trials(record.planned.c);
  const std::vector<Outcome> outcomes = run_trials(trials, status, record, tools);
  if (!outcomes.empty() && !outcomes.front().observation) {
    end_with(record, Verdict::unsupported, outcomes.front().refusal_code, outcomes.front().refusal);
    return;
  }
  record.outputs_hash = hash_of_outputs(outcomes);
  judge_into(record, probe, outcomes);
  if (tools.peers && probe.name == ProbeName::plain) {
    ask_peers(record, outcomes.front(), tools.oracle);
  }
  if (!tools.measure || probe.name != ProbeName::plain) return;
  if (record.verdict != Verdict::pass) {
    record.measurement.why_no_latency = "not timed: only a case that passes is";
    return;
  }
  const PhaseTimer timer(record, "measure");
  measure_case(record, tools.workers.client(status.name), tools.stop_rule);
}

/// The backend raised an error in answer to what `support` accepted: that breaks its contract.
void end_with_backend_error(Record& record, const BackendError& error) {
  if (error.kind() == "out_of_memory") {
    end_with(record, Verdict::out_of_memory, "backend", error.what());
    return;
  }
  end_with(record, Verdict::fail, "exception",
           std::string("the backend raised an error: ") + error.what());
  record.fail_class = FailClass::contract;
  record.findings.push_back({"contract.exception", "", FailClass::contract, record.reason,
                             std::nullopt, std::nullopt, std::nullopt});
}

}  // namespace

Record run_case(const PlannedCase& planned, CaseTools& tools) {
  Record record;
  record.planned = planned;
  record.cost = cost_of(planned.c.problem);
  const std::string backend = backend_of(planned.backend);
  const BackendStatus* const status = tools.workers.find(backend);
  if (status == nullptr || !status->absent.empty()) {
    end_with(record, Verdict::not_run, "absent",
             status == nullptr ? "no worker offers the backend '" + backend + "'" : status->absent);
    return record;
  }
  record.version = status->version;
  record.device = status->device;
  try {
    run_on(record, *status, tools);
    record.worker_log = tools.workers.client(backend).take_log();
  } catch (const WorkerLost& lost) {
    end_with(record, lost.verdict(), lost.code(), lost.what());
    record.worker_log = tools.workers.retire(backend);
  } catch (const BackendError& error) {
    end_with_backend_error(record, error);
    record.worker_log = tools.workers.client(backend).take_log();
  } catch (const std::exception& e) {
    end_with(record, Verdict::error, "harness", e.what());
    record.worker_log = tools.workers.retire(backend);
  }
  return record;
}

}  // namespace fathom
