// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/fathom_hip.h"

#include "backends/hip/call.h"
#include "backends/hip/platforms.h"

#include <string>

namespace fathom::hip {
namespace {

thread_local std::string last_error;

fathom_hip_status failed(fathom_hip_status status, std::string sentence) {
  last_error = std::move(sentence);
  return status;
}

constexpr const char* unknown =
    "there is no platform of this number; fathom_hip_platform lists them";

/// What is the same for both passes: the platform, lengths that can be read, and errors.
template <typename Pass>
fathom_hip_status call(fathom_hip_platform number, const fathom_hip_attention* attention,
                       const void* stream, Pass pass) {
  const Platform* platform = find_platform(number);
  if (platform == nullptr) return failed(FATHOM_HIP_BAD_ARGUMENT, unknown);
  if (platform->launcher == nullptr) return failed(FATHOM_HIP_ABSENT, platform->why_absent);
  if (attention == nullptr) return failed(FATHOM_HIP_BAD_ARGUMENT, "attention is null");
  try {
    if (platform->host_memory) {
      if (stream != nullptr) throw BadCall("a host has no streams; stream must be null");
      if (const auto why = why_lengths_unfit(*attention)) throw BadCall(*why);
    }
    pass(*platform->launcher);
    return FATHOM_HIP_OK;
  } catch (const BadCall& bad) {
    return failed(FATHOM_HIP_BAD_ARGUMENT, bad.what());
  } catch (const std::exception& error) {
    return failed(FATHOM_HIP_FAILED, error.what());
  }
}

}  // namespace
}  // namespace fathom::hip

fathom_hip_status fathom_hip_forward(fathom_hip_platform platform,
                                     const fathom_hip_attention* attention, void* stream) {
  return fathom::hip::call(platform, attention, stream, [&](const fathom::hip::Launcher& launcher) {
    fathom::hip::run_forward(launcher, *attention, stream);
  });
}

fathom_hip_status fathom_hip_backward(fathom_hip_platform platform,
                                      const fathom_hip_attention* attention, void* workspace,
                                      size_t workspace_bytes, void* stream) {
  return fathom::hip::call(platform, attention, stream, [&](const fathom::hip::Launcher& launcher) {
    fathom::hip::run_backward(launcher, *attention, workspace, workspace_bytes, stream);
  });
}

size_t fathom_hip_workspace_bytes(const fathom_hip_attention* attention) {
  return attention == nullptr ? 0 : fathom::hip::workspace_bytes(*attention);
}

const char* fathom_hip_why_absent(fathom_hip_platform platform) {
  const fathom::hip::Platform* found = fathom::hip::find_platform(platform);
  if (found == nullptr) return fathom::hip::unknown;
  return found->launcher != nullptr ? nullptr : found->why_absent.c_str();
}

const char* fathom_hip_last_error() {
  return fathom::hip::last_error.c_str();
}
