// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/case.h"
#include "harness/core/finding.h"
#include "harness/core/metrics.h"
#include "harness/core/oracle.h"
#include "harness/core/tensor.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fathom {

/// How an output came back.
enum class Transport : std::uint8_t {
  in_place,   ///< The kernel wrote between the driver's guards: guards and poison mean something.
  copied,     ///< The worker copied a result in: guard and unwritten checks are unavailable.
  not_given,  ///< A wanted output that the backend does not have.
};
std::string_view to_string(Transport transport);

/// One output as it lay in shared memory after the execution.
struct ObservedTensor {
  Tensor tensor;
  Transport transport = Transport::copied;
  Index unwritten = 0;                  ///< Elements that still hold the driver's poison.
  std::vector<Index> unwritten_sample;  ///< The first few of them.
  std::string guard_damage;             ///< Which guard, how far away; empty if intact.
};

/// What Checks judge: the question, the answer, and the oracle's answer. A pure value.
struct Observation {
  Case c;
  Arithmetic arithmetic;
  std::map<TensorName, ObservedTensor> outputs;
  std::vector<std::string> mutated_inputs;  ///< Inputs whose bytes changed during the execution.
  std::shared_ptr<const OracleAnswer> oracle;
  std::shared_ptr<const PlainAnswer> plain;  ///< PlainVariant::scaled_k; may be null.
};

}  // namespace fathom
