// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/arithmetic.h"
#include "harness/core/measurement.h"
#include "harness/core/observation.h"
#include "harness/core/problem.h"
#include "harness/core/tensor.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fathom::worker {

/// Why a backend does not answer a Problem: a code for machines, a sentence for people.
struct Refusal {
  std::string code;      ///< `feature`, `dtype`, `shape`, `lowering`, `device`, ...
  std::string sentence;  ///< The backend's own words where it has some.
};

/// What a backend says of itself, before it has seen any Problem.
struct BackendInfo {
  std::string name;     ///< backend[:variant], e.g. `sdpa:math`.
  std::string version;  ///< Of the implementation under test.
  std::string device;   ///< `cpu`, `cuda:0 NVIDIA H100`, ...
  std::string absent;   ///< Why it cannot exist here; empty if it does.
  std::vector<std::string>
      lowerings;                      ///< In the order they are tried; `native` first if it is one.
  std::vector<std::string> features;  ///< Feature tokens honoured by some lowering.
  std::map<Dtype, Arithmetic> arithmetic;
};

/// `forward` or `backward`, timed apart.
struct TimeRequest {
  std::string pass = "forward";
  Index samples = 1;
  bool cold = false;
};
struct TimeAnswer {
  std::string mode;  ///< event, cpu
  std::vector<double> samples_ns;
  std::string reason;  ///< Why there are no samples; else empty.
};

/// A Backend made ready for one Problem: owns every buffer and handle that running it needs.
class Plan {
 public:
  virtual ~Plan() = default;
  /// Writes every output that `transports` gives; returns when the device is quiet.
  virtual void execute() = 0;
  /// How each output of the Problem is answered.
  [[nodiscard]] virtual std::map<TensorName, Transport> transports() const = 0;
  [[nodiscard]] virtual TimeAnswer time(const TimeRequest& request) = 0;
  [[nodiscard]] virtual MemoryUse memory() = 0;
};

using InputViews = std::map<TensorName, TensorView>;
using OutputViews = std::map<TensorName, MutableTensorView>;

/// For a Plan whose kernel writes every output into the shared tensors itself.
std::map<TensorName, Transport> all_in_place(const OutputViews& outputs);
/// What all outputs take together.
Index output_bytes(const OutputViews& outputs);

/// An attention implementation under test, as its worker sees it.
class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual BackendInfo info() const = 0;
  /// Why the Problem is outside what this backend claims to support; empty if it is inside. The
  /// worker library has already refused tokens that info() does not declare.
  [[nodiscard]] virtual std::optional<Refusal> why_unsupported(const Problem& problem,
                                                               const std::string& lowering) = 0;
  /// Binds the shared tensors, which outlive the Plan. Throws if the device refuses.
  [[nodiscard]] virtual std::unique_ptr<Plan> prepare(const Problem& problem,
                                                      const std::string& lowering,
                                                      const InputViews& inputs,
                                                      const OutputViews& outputs) = 0;
};

/// A sentence for the driver instead of a result: out of memory is a verdict of its own.
class OutOfMemory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace fathom::worker
