// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/judge.h"
#include "harness/core/case.h"
#include "harness/core/observation.h"
#include "harness/core/tensor.h"
#include "harness/inputs/guards.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// One execution that a Probe asks for.
struct Trial {
  std::string label;  ///< For messages: `control`, `V x 8`, `without causal`.
  Case c{};           ///< Its Problem, Fill and seed.
  /// Changes the generated inputs, which have the Problem's specs; empty: nothing.
  std::function<void(const Problem&, TensorSet&)> edit = {};
  Surroundings surroundings = Surroundings::pattern;
  bool oracle = true;  ///< Whether the judge wants the oracle's answer.
  /// Executes the Plan of the Trial before once more, on the same memory with outputs painted anew;
  /// Case, edit and surroundings are those of that Trial.
  bool again = false;
};

/// What came of a Trial.
struct Outcome {
  const Trial* trial = nullptr;
  std::shared_ptr<const TensorSet> inputs;  ///< As they were given, edits included.
  std::optional<Observation> observation;   ///< Empty if the backend refused the Problem.
  std::string refusal_code;
  std::string refusal;      ///< The backend's own sentence.
  std::string answered_by;  ///< backend[:variant][/lowering].
};

/// Two pure functions: what to execute, and what to make of it. The judge gets one Outcome per
/// Trial, in order. An equality Probe carries a positive control, or an all-zero output would
/// satisfy it; a control that fails makes the verdict `vacuous`.
struct Probe {
  ProbeName name;
  std::vector<Trial> (*trials)(const Case&);
  Judgement (*judge)(const Case&, std::span<const Outcome>);
};

/// The Probe of that name; each name of the table in core has one.
const Probe& probe_named(ProbeName name);

}  // namespace fathom
