// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/platform/gpu/gpu.h"

#include "backends/hip/platform/gpu/kernels.h"
#include "backends/hip/platform/gpu/runtime.h"

#include <new>
#include <stdexcept>

namespace fathom::hip {
namespace {

#if defined(FATHOM_HIP_GPU_AMD)
constexpr Vendor built_for = Vendor::amd;
constexpr bool shared_is_dynamic = false;  // Fields of the kernels themselves.
constexpr const char* runtime = "HIP";
constexpr const char* first_device = "hip:0 ";
#else
constexpr Vendor built_for = Vendor::nvidia;
constexpr bool shared_is_dynamic = true;
constexpr const char* runtime = "CUDA";
constexpr const char* first_device = "cuda:0 ";
#endif

/// Beyond this a kernel must be allowed what it asks for.
constexpr int unasked_shared_bytes = 48 * 1024;

void check(hipError_t status, const char* what) {
  if (status == hipSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + hipGetErrorString(status));
}

class GpuLauncher : public Launcher {
 public:
  void launch(Kernel kernel, ElementType element, int head_dim, const Arguments& arguments,
              void* stream) const override {
    const auto* kernels = kernels_of(element, head_dim);
    if (kernels == nullptr) throw std::runtime_error("no kernel is built for this head dim");
    const auto& [geometry, entry] = (*kernels)[kernel];
    const Grid grid = grid_of(kernel, geometry, arguments);
    if (grid.x == 0) return;
    const int shared = shared_is_dynamic ? geometry.shared_bytes : 0;
    if (shared > unasked_shared_bytes) {
      check(hipFuncSetAttribute(entry, hipFuncAttributeMaxDynamicSharedMemorySize, shared),
            "the GPU refuses the kernel's shared memory");
    }
    void* values[] = {const_cast<Arguments*>(&arguments)};
    check(hipLaunchKernel(entry, dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y)),
                          dim3(static_cast<unsigned>(geometry.waves * geometry.wave)), values,
                          static_cast<std::size_t>(shared), static_cast<hipStream_t>(stream)),
          "the GPU refuses the kernel");
  }

 private:
  [[nodiscard]] const KernelSet<const void*>* kernels_of(ElementType element, int head_dim) const {
    for (const GpuKernels& sets : dims_) {
      if (const auto* found = find_kernels(sets, element, head_dim)) return found;
    }
    return nullptr;
  }

  GpuKernels dims_[4] = {gpu_kernels_64(), gpu_kernels_96(), gpu_kernels_128(), gpu_kernels_256()};
};

class GpuMemory : public Memory {
 public:
  [[nodiscard]] void* allocate(std::size_t bytes) override {
    void* data = nullptr;
    const hipError_t status = hipMalloc(&data, bytes == 0 ? 1 : bytes);
    if (status == hipErrorOutOfMemory) {
      (void)hipGetLastError();  // Said once; the next launch shall not find it.
      throw std::bad_alloc();
    }
    check(status, "the GPU's allocator");
    return data;
  }
  void release(void* data) noexcept override { (void)hipFree(data); }
  void clear(void* data, std::size_t bytes) override {
    check(hipMemsetAsync(data, 0, bytes, nullptr), "clearing memory of the GPU");
  }
  void upload(void* to, const void* from, std::size_t bytes) override {
    check(hipMemcpy(to, from, bytes, hipMemcpyHostToDevice), "copying to the GPU");
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    check(hipDeviceSynchronize(), "the kernel failed");
    check(hipMemcpy(to, from, bytes, hipMemcpyDeviceToHost), "copying from the GPU");
  }
};

class EventStopwatch : public Stopwatch {
 public:
  void start() override {
    if (!created_) {
      check(hipEventCreate(&begin_), "creating an event");
      check(hipEventCreate(&end_), "creating an event");
      created_ = true;
    }
    check(hipEventRecord(begin_, nullptr), "recording an event");
  }
  [[nodiscard]] double stop_ns() override {
    check(hipEventRecord(end_, nullptr), "recording an event");
    check(hipEventSynchronize(end_), "the kernel failed");
    float milliseconds = 0;
    check(hipEventElapsedTime(&milliseconds, begin_, end_), "reading an event");
    return static_cast<double>(milliseconds) * 1e6;
  }

 private:
  bool created_ = false;
  hipEvent_t begin_{};
  hipEvent_t end_{};
};

/// Why the kernels of this build do not run on a device; empty if they do.
std::string why_unfit(const hipDeviceProp_t& device) {
#if defined(FATHOM_HIP_GPU_AMD)
  const std::string arch = device.gcnArchName;
  if (arch.starts_with("gfx90a") || arch.starts_with("gfx942")) return "";
  return device.name + (" is " + arch) + "; the kernels are built for gfx90a and gfx942";
#else
  if (device.major == 8 || device.major == 9) return "";
  return std::string(device.name) + " has compute capability " + std::to_string(device.major) +
         "." + std::to_string(device.minor) + "; the kernels are built for 8.0 and 9.0";
#endif
}

GpuOrWhy look() {
  int count = 0;
  hipDeviceProp_t device;
  hipError_t status = hipGetDeviceCount(&count);
  if (status == hipSuccess && count > 0) status = hipGetDeviceProperties(&device, 0);
  if (status != hipSuccess || count == 0) {
    const char* why = status == hipSuccess ? "none is visible" : hipGetErrorString(status);
    return {nullptr, std::string(runtime) + " kernels are built, but there is no device: " + why};
  }
  if (std::string unfit = why_unfit(device); !unfit.empty()) return {nullptr, std::move(unfit)};
  static const GpuLauncher launcher;
  static GpuMemory memory;
  static EventStopwatch stopwatch;
  static const Gpu gpu{std::string(first_device) + device.name, launcher, memory, stopwatch};
  return {&gpu, ""};
}

}  // namespace

const GpuOrWhy& find_gpu(Vendor vendor) {
  static const GpuOrWhy found = look();
  static const GpuOrWhy other{
      nullptr, std::string("this build's kernels are for the other vendor, by ") + runtime};
  return vendor == built_for ? found : other;
}

}  // namespace fathom::hip
