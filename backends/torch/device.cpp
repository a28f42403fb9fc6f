// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/device.h"

#include "harness/worker/measure.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <dlfcn.h>

#include <filesystem>
#include <fstream>

namespace fathom::sdpa {
namespace {

/// Twice the last-level cache of any GPU of today (MI300X: 256 MB of Infinity Cache).
constexpr Index flush_bytes = Index{640} << 20;

bool gpu_is_here() {
  const auto type = at::getAccelerator(false);
  return type && *type == c10::DeviceType::CUDA && at::accelerator::deviceCount() > 0;
}

/// The model of the first GPU that NVIDIA's driver lists; torch tells it only in vendor headers.
std::string gpu_model() {
  std::error_code none;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none)) {
    std::ifstream file(gpu.path() / "information");
    for (std::string line; std::getline(file, line);) {
      const std::size_t text = line.find_first_not_of(" \t", line.find(':') + 1);
      if (line.starts_with("Model:") && text != std::string::npos) return " " + line.substr(text);
    }
  }
  return "";
}

std::vector<double> event_samples(c10::Device where, const worker::TimeRequest& request,
                                  const std::function<void()>& body) {
  const c10::Stream stream = at::accelerator::getCurrentStream(where.index());
  const at::Tensor flush =
      at::empty({request.cold ? flush_bytes : 1}, at::TensorOptions(where).dtype(at::kByte));
  // An event is created when it is first recorded, so each is recorded once before the clock runs.
  c10::Event begin(where.type(), c10::EventFlag::BACKEND_DEFAULT);
  c10::Event end(where.type(), c10::EventFlag::BACKEND_DEFAULT);
  begin.record(stream);
  body();
  end.record(stream);
  end.synchronize();
  std::vector<double> samples_ns;
  for (Index i = 0; i < request.samples; ++i) {
    // The flush also keeps the queue busy while the host launches the body.
    if (request.cold) flush.zero_();
    begin.record(stream);
    body();
    end.record(stream);
    end.synchronize();
    samples_ns.push_back(begin.elapsedTime(end) * 1e6);
  }
  return samples_ns;
}

MemoryUse allocator_peak(c10::Device where, const std::function<void()>& body, Index output_bytes) {
  constexpr auto all = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(where.type());
  at::accelerator::synchronizeDevice(where.index());
  allocator->resetPeakStats(where.index());
  const Index before = allocator->getDeviceStats(where.index()).allocated_bytes[all].current;
  body();
  at::accelerator::synchronizeDevice(where.index());
  const Index peak = allocator->getDeviceStats(where.index()).allocated_bytes[all].peak;
  return {.peak_bytes = peak - before,
          .method = "allocator",
          .reason = "",
          .output_bytes = output_bytes};
}

}  // namespace

Device::Device(const std::string& wanted) {
  if (wanted == "cpu") return;
  if (!wanted.empty() && wanted != "cuda") {
    absent_ = "FATHOM_DEVICE is '" + wanted + "'; it must be cpu or cuda";
  } else if (gpu_is_here()) {
    where_ = c10::Device(c10::DeviceType::CUDA, 0);
    name_ = "cuda:0" + gpu_model();
  } else if (wanted == "cuda") {
    absent_ = "FATHOM_DEVICE=cuda, but torch " FATHOM_TORCH_VERSION " sees no GPU here";
  }
}

std::string Device::version() const {
  if (is_gpu()) return FATHOM_TORCH_VERSION;
  return FATHOM_TORCH_VERSION " (" + at::get_cpu_capability() + ", " +
         std::to_string(at::get_num_threads()) + " threads)";
}

std::optional<int> Device::compute_capability() const {
  // torch tells it only in headers that want a CUDA toolkit; the runtime is there with torch.
  using Attribute = int (*)(int* value, int attribute, int device);
  const auto get = reinterpret_cast<Attribute>(::dlsym(RTLD_DEFAULT, "cudaDeviceGetAttribute"));
  constexpr int major_attribute = 75;
  constexpr int minor_attribute = 76;
  int major = 0;
  int minor = 0;
  if (!is_gpu() || get == nullptr || get(&major, major_attribute, where_.index()) != 0 ||
      get(&minor, minor_attribute, where_.index()) != 0) {
    return std::nullopt;
  }
  return 10 * major + minor;
}

bool Device::vectorised() const {
  return at::get_cpu_capability() != "DEFAULT";
}

void Device::synchronize() const {
  if (is_gpu()) at::accelerator::synchronizeDevice(where_.index());
}

worker::TimeAnswer Device::time(const worker::TimeRequest& request,
                                const std::function<void()>& body) const {
  if (!is_gpu()) return worker::time_on_cpu(request, body);
  return {.mode = "event", .samples_ns = event_samples(where_, request, body), .reason = ""};
}

MemoryUse Device::memory(const std::function<void()>& body, Index output_bytes) const {
  return is_gpu() ? allocator_peak(where_, body, output_bytes)
                  : worker::resident_growth(body, output_bytes);
}

}  // namespace fathom::sdpa
