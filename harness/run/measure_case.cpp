// SPDX-License-Identifier: Apache-2.0
#include "harness/run/measure_case.h"

#include "harness/timing/statistics.h"

#include <algorithm>

namespace fathom {
namespace {

/// What one pass should cost.
struct Pass {
  std::string name;
  double flops;
  double bytes;
};

void summarise(Latency& latency, const Pass& pass) {
  const std::vector<double>& samples = latency.samples_ns;
  latency.median_ns = quantile(samples, 0.5);
  latency.q25_ns = quantile(samples, 0.25);
  latency.q75_ns = quantile(samples, 0.75);
  latency.min_ns = *std::min_element(samples.begin(), samples.end());
  latency.half_width_95_ns = median_half_width_95(samples);
  if (!(latency.median_ns > 0)) return;
  latency.flops_per_s = pass.flops / (latency.median_ns * 1e-9);
  latency.bytes_per_s = pass.bytes / (latency.median_ns * 1e-9);
}

void time_pass(Record& record, WorkerClient& worker, const StopRule& rule, const Pass& pass) {
  Latency latency;
  latency.pass = pass.name;
  while (latency.stop_reason.empty()) {
    const TimeReply reply = worker.time({pass.name, rule.min_samples, latency.cold});
    if (reply.samples_ns.empty()) {
      record.measurement.why_no_latency = pass.name + ": " + reply.reason;
      return;
    }
    latency.mode = reply.mode;
    latency.samples_ns.insert(latency.samples_ns.end(), reply.samples_ns.begin(),
                              reply.samples_ns.end());
    latency.stop_reason = why_stop(rule, latency.samples_ns);
  }
  summarise(latency, pass);
  record.measurement.latency.push_back(std::move(latency));
}

}  // namespace

void measure_case(Record& record, WorkerClient& worker, const StopRule& rule) {
  const Cost& cost = record.cost;
  time_pass(record, worker, rule, {"forward", cost.flops_forward, cost.bytes_forward});
  if (has_backward(record.planned.c.problem)) {
    time_pass(record, worker, rule, {"backward", cost.flops_backward, cost.bytes_backward});
  }
  record.measurement.memory = worker.memory();
}

}  // namespace fathom
