// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/tests/judged.h"

#include "backends/hip/attention.h"
#include "backends/hip/backend.h"
#include "backends/hip/host_launcher.h"
#include "harness/inputs/inputs.h"
#include "reference/oracle.h"

namespace fathom::hip {
namespace {

const TensorSet& inputs_of(const Case& c) {
  static std::map<std::string, TensorSet> kept;
  auto& inputs = kept[to_string(c)];
  if (inputs.empty()) inputs = make_inputs(c);
  return inputs;
}

}  // namespace

std::vector<double> Answer::values(TensorName name) const {
  const Tensor& tensor = outputs.at(name).tensor;
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, values);
  return values;
}

void run(const std::string& text, Target target, const host::Schedule& schedule, Way way,
         Answer& answer) {
  answer.c = parse_case(text);
  const Problem& problem = answer.c.problem;
  TensorPlaces places;
  for (const auto& [name, tensor] : inputs_of(answer.c)) {
    places[name] = const_cast<std::byte*>(tensor.bytes.data());
  }
  for (const TensorSpec& spec : output_specs(problem)) {
    ObservedTensor& seen = answer.outputs[spec.name];
    seen.transport = Transport::in_place;
    seen.tensor = {
        spec, std::vector<std::byte>(static_cast<std::size_t>(byte_count(spec)), std::byte{0xff})};
    places[spec.name] = seen.tensor.bytes.data();
  }
  HostMemory memory;
  const Attention attention(problem, places, memory);
  const HostLauncher launcher(target, schedule, &answer.alarms);
  if (way == Way::two_pass) {
    attention.forward_in_two_passes(launcher);
  } else {
    attention.forward(launcher);
  }
  if (has_backward(problem)) attention.backward(launcher);
}

Judgement judged(const Answer& answer) {
  static const auto oracle = reference::make_oracle();
  Observation observation;
  observation.c = answer.c;
  observation.arithmetic =
      make_host_backend(Target::amd)->info().arithmetic.at(answer.c.problem.dtype);
  observation.outputs = answer.outputs;
  observation.oracle =
      oracle->answer(answer.c.problem, observation.arithmetic, inputs_of(answer.c));
  return judge(observation);
}

}  // namespace fathom::hip
