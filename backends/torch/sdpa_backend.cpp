// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/sdpa_backend.h"

#include "backends/torch/device.h"
#include "backends/torch/lowering.h"
#include "backends/torch/sdpa_plan.h"
#include "backends/torch/support.h"
#include "backends/torch/variant.h"
#include "harness/core/error.h"

#include <utility>

namespace fathom::sdpa {
namespace {

class SdpaBackend final : public worker::Backend {
 public:
  SdpaBackend(std::string_view name, std::shared_ptr<const Device> device)
      : device_(std::move(device)), variant_(find_variant(name, device_->is_gpu())) {
    info_.name = name;
    info_.version = device_->version();
    info_.device = device_->name();
    info_.absent = why_absent();
    if (!info_.absent.empty()) return;
    for (const Lowering& lowering : lowerings) info_.lowerings.emplace_back(lowering.name);
    info_.features = features(*variant_);
    for (const Dtype dtype : variant_->dtypes) {
      info_.arithmetic[dtype] = declared_arithmetic(*variant_, dtype, device_->vectorised());
    }
  }

  [[nodiscard]] worker::BackendInfo info() const override { return info_; }

  [[nodiscard]] std::optional<worker::Refusal> why_unsupported(
      const Problem& problem, const std::string& lowering) override {
    if (!info_.absent.empty()) return worker::Refusal{"absent", info_.absent};
    const auto row = find_lowering(lowering);
    if (!row)
      return worker::Refusal{"lowering", info_.name + " has no lowering '" + lowering + "'"};
    if (auto refusal = why_not_lowered(problem, *row)) return refusal;
    return why_torch_cannot(*variant_, *device_, problem, *row);
  }

  [[nodiscard]] std::unique_ptr<worker::Plan> prepare(const Problem& problem,
                                                      const std::string& lowering,
                                                      const worker::InputViews& inputs,
                                                      const worker::OutputViews& outputs) override {
    if (const auto refusal = why_unsupported(problem, lowering)) throw Error(refusal->sentence);
    return make_plan(*variant_, *device_, problem, *find_lowering(lowering), inputs, outputs);
  }

 private:
  [[nodiscard]] std::string why_absent() const {
    if (!device_->absent().empty()) return device_->absent();
    if (variant_ != nullptr) return why_ops_absent(*variant_).value_or("");
    return "torch has " + info_.name + " on GPUs only, and this worker computes on the CPU";
  }

  worker::BackendInfo info_;
  std::shared_ptr<const Device> device_;
  const Variant* variant_;  ///< Null where torch has none on this device.
};

}  // namespace

std::vector<std::unique_ptr<worker::Backend>> make_backends(const std::string& device) {
  const auto shared = std::make_shared<const Device>(device);
  std::vector<std::unique_ptr<worker::Backend>> backends;
  for (const std::string_view name : variant_names()) {
    backends.push_back(std::make_unique<SdpaBackend>(name, shared));
  }
  return backends;
}

}  // namespace fathom::sdpa
