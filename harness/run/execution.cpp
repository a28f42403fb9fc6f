// SPDX-License-Identifier: Apache-2.0
#include "harness/run/execution.h"

#include "harness/inputs/guards.h"

#include <algorithm>
#include <cstring>

namespace fathom {
namespace {

constexpr Index alignment = 256;
constexpr std::size_t most_unwritten_named = 8;

Index align_up(Index bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

Index tensor_end(const TensorSlot& slot) {
  return slot.offset + byte_count(slot.spec);
}

template <typename Bytes>
auto part(Bytes&& bytes, Index begin, Index end) {
  return std::span(bytes).subspan(static_cast<std::size_t>(begin),
                                  static_cast<std::size_t>(end - begin));
}

}  // namespace

// The memory's size follows from the regions, which follow from the Problem: hence the lambda.
Execution::Execution(const Problem& problem, const TensorSet& inputs, Surroundings surroundings)
    : problem_(problem), memory_([&] {
        Index at = 0;
        const auto place = [&](const TensorSpec& spec) {
          Region region{{spec, at + guard_bytes}, at, 0};
          region.end = align_up(tensor_end(region.slot)) + guard_bytes;
          at = region.end;
          return region;
        };
        for (const TensorSpec& spec : input_specs(problem)) inputs_.push_back(place(spec));
        for (const TensorSpec& spec : output_specs(problem)) outputs_.push_back(place(spec));
        return at;
      }()) {
  painted_.resize(static_cast<std::size_t>(memory_.size()));
  const auto surround = [&](const Region& r, Surroundings with) {
    paint_surroundings(with, r.slot.spec.dtype, part(painted_, r.begin, r.slot.offset));
    paint_surroundings(with, r.slot.spec.dtype, part(painted_, tensor_end(r.slot), r.end));
  };
  for (const Region& r : inputs_) {
    surround(r, surroundings);
    const std::vector<std::byte>& bytes = inputs.at(r.slot.spec.name).bytes;
    std::copy(bytes.begin(), bytes.end(), painted_.begin() + r.slot.offset);
  }
  for (const Region& r : outputs_) {
    surround(r, Surroundings::pattern);
    paint_poison(r.slot.spec.dtype, part(painted_, r.slot.offset, tensor_end(r.slot)));
  }
  memory_.write(0, painted_);
}

PrepareRequest Execution::request(const std::string& backend, const std::string& lowering) const {
  PrepareRequest request{backend, lowering, problem_, memory_.size(), {}, {}};
  for (const Region& r : inputs_) request.inputs.push_back(r.slot);
  for (const Region& r : outputs_) request.outputs.push_back(r.slot);
  return request;
}

std::string Execution::guard_damage(const Region& r, std::span<const std::byte> image) const {
  const std::string name(to_string(r.slot.spec.name));
  const Index element = info(r.slot.spec.dtype).size;
  const Index before = find_damage(part(image, r.begin, r.slot.offset));
  if (before >= 0) {
    return "the guard before " + name + " was written, " +
           std::to_string((r.slot.offset - r.begin - before + element - 1) / element) +
           " elements in front of it";
  }
  const Index behind = find_damage(part(image, tensor_end(r.slot), r.end));
  if (behind < 0) return "";
  return "the guard behind " + name + " was written, " + std::to_string(behind / element) +
         " elements past its end";
}

void Execution::repaint_outputs() {
  for (const Region& r : outputs_) {
    memory_.write(r.begin, part(painted_, r.begin, r.end));
  }
}

Execution::Observed Execution::observe(const std::map<TensorName, Transport>& transports) const {
  std::vector<std::byte> image(painted_.size());
  memory_.read(0, image);
  Observed observed;
  for (const Region& r : inputs_) {
    const auto size = static_cast<std::size_t>(r.end - r.begin);
    if (std::memcmp(image.data() + r.begin, painted_.data() + r.begin, size) != 0) {
      observed.mutated_inputs.emplace_back(to_string(r.slot.spec.name));
    }
  }
  for (const Region& r : outputs_) {
    const auto bytes = part(image, r.slot.offset, tensor_end(r.slot));
    ObservedTensor output;
    output.tensor = {r.slot.spec, {bytes.begin(), bytes.end()}};
    const auto at = transports.find(r.slot.spec.name);
    output.transport = at == transports.end() ? Transport::not_given : at->second;
    output.guard_damage = guard_damage(r, image);
    if (output.transport == Transport::in_place) {
      std::vector<Index> unwritten = find_unwritten(r.slot.spec.dtype, bytes);
      output.unwritten = static_cast<Index>(unwritten.size());
      unwritten.resize(std::min(unwritten.size(), most_unwritten_named));
      output.unwritten_sample = std::move(unwritten);
    }
    observed.outputs[r.slot.spec.name] = std::move(output);
  }
  return observed;
}

}  // namespace fathom
