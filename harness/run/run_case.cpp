// SPDX-License-Identifier: Apache-2.0
#include "harness/run/run_case.h"

#include "harness/checks/judge.h"
#include "harness/inputs/inputs.h"
#include "harness/run/execution.h"
#include "harness/run/measure_case.h"

#include <chrono>
#include <optional>

namespace fathom {
namespace {

/// Adds the time it lives to one phase of a Record.
class PhaseTimer {
 public:
  PhaseTimer(Record& record, std::string phase) : record_(record), phase_(std::move(phase)) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer() {
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start_;
    record_.phase_ns[phase_] += took.count();
  }

 private:
  Record& record_;
  std::string phase_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void end_with(Record& record, Verdict verdict, std::string code, std::string sentence) {
  record.verdict = verdict;
  record.reason_code = std::move(code);
  record.reason = std::move(sentence);
}

std::string answer_name(const std::string& backend, const std::string& lowering) {
  return lowering == "native" ? backend : backend + "/" + lowering;
}

/// The lowering that will answer: the one asked for, or the first of the backend's that accepts.
/// Empty after a refusal, which is then in the Record.
std::optional<std::string> choose_lowering(Record& record, const BackendStatus& status,
                                           CaseTools& tools) {
  const PhaseTimer timer(record, "support");
  const PlannedCase& planned = record.planned;
  std::vector<std::string> lowerings = status.lowerings;
  if (planned.backend.find('/') != std::string::npos) lowerings = {lowering_of(planned.backend)};
  std::string code = "lowering";
  std::string reasons;
  for (const std::string& lowering : lowerings) {
    const SupportAnswer answer =
        tools.workers.client(status.name).support({status.name, lowering, planned.c.problem});
    if (answer.supported) return lowering;
    // The first lowering's code stands for all; a sentence that repeats itself is said once.
    if (reasons.empty()) code = answer.code;
    if (reasons.find(answer.sentence) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : "; ") + lowering + ": " + answer.sentence;
  }
  end_with(record, Verdict::unsupported, code,
           reasons.empty() ? status.name + " has no lowering" : reasons);
  return std::nullopt;
}

Observation execute(Record& record, const BackendStatus& status, const std::string& lowering,
                    CaseTools& tools, const TensorSet& inputs) {
  const Problem& problem = record.planned.c.problem;
  WorkerClient& worker = tools.workers.client(status.name);
  Execution::Observed observed;
  {
    const PhaseTimer timer(record, "prepare");
    const Execution execution(problem, inputs);
    worker.prepare(execution.request(status.name, lowering), execution.fd());
    const PhaseTimer execute_timer(record, "execute");
    const ExecuteAnswer answer = worker.execute(problem);
    record.measurement.first_call_ns = answer.first_call_ns;
    observed = execution.observe(answer.outputs);
  }
  Observation observation;
  observation.c = record.planned.c;
  observation.arithmetic = record.arithmetic;
  observation.outputs = std::move(observed.outputs);
  observation.mutated_inputs = std::move(observed.mutated_inputs);
  return observation;
}

void judge_into(Record& record, Observation& observation, CaseTools& tools,
                const TensorSet& inputs) {
  {
    const PhaseTimer timer(record, "oracle");
    observation.oracle = tools.oracle.answer(record.planned.c.problem, record.arithmetic, inputs);
    observation.plain =
        tools.oracle.plain(record.planned.c.problem, inputs, PlainVariant::scaled_k);
  }
  const PhaseTimer timer(record, "judge");
  Judgement judgement = judge(observation);
  record.verdict = judgement.verdict;
  record.fail_class = judgement.fail_class;
  record.reason = std::move(judgement.reason);
  record.findings = std::move(judgement.findings);
  record.tensors = std::move(judgement.tensors);
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

void run_on(Record& record, const BackendStatus& status, CaseTools& tools, InputCache& cache) {
  const auto lowering = choose_lowering(record, status, tools);
  if (!lowering) return;
  record.answered_by = answer_name(status.name, *lowering);
  const std::string dtype(to_string(record.planned.c.problem.dtype));
  if (const auto at = status.arithmetic.find(dtype); at != status.arithmetic.end()) {
    record.arithmetic = at->second;
  }
  const TensorSet* inputs = nullptr;
  {
    const PhaseTimer timer(record, "inputs");
    inputs = &cache.get(record.planned.c);
  }
  Observation observation = execute(record, status, *lowering, tools, *inputs);
  judge_into(record, observation, tools, *inputs);
  if (!tools.measure) return;
  if (record.verdict != Verdict::pass) {
    record.measurement.why_no_latency = "not timed: only a case that passes is";
    return;
  }
  const PhaseTimer timer(record, "measure");
  measure_case(record, tools.workers.client(status.name), tools.stop_rule);
}

}  // namespace

const TensorSet& InputCache::get(const Case& c) {
  std::string key = to_string(c);
  if (key != key_) {
    inputs_ = make_inputs(c);
    key_ = std::move(key);
  }
  return inputs_;
}

Record run_case(const PlannedCase& planned, CaseTools& tools, InputCache& inputs) {
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
    run_on(record, *status, tools, inputs);
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
