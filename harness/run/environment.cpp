// SPDX-License-Identifier: Apache-2.0
#include "harness/run/environment.h"

#include "harness/core/text.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

namespace fathom {
namespace {

/// The value of the first line `name : value` of a /proc file.
std::string proc_value(const char* file, std::string_view name) {
  std::ifstream stream(file);
  std::string line;
  while (std::getline(stream, line)) {
    if (!line.starts_with(name)) continue;
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos)
      return std::string(trim(std::string_view(line).substr(colon + 1)));
  }
  return {};
}

constexpr std::array recorded_variables{
    "OMP_NUM_THREADS",         "OMP_WAIT_POLICY",     "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",    "HIP_VISIBLE_DEVICES", "FATHOM_DEVICE",
    "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF",  "ATEN_CPU_CAPABILITY",
};

}  // namespace

Environment capture_environment() {
  Environment environment;
  utsname system{};
  if (::uname(&system) == 0) {
    environment["kernel"] = std::string(system.sysname) + " " + system.release;
    environment["machine"] = system.machine;
  }
  environment["cpu"] = proc_value("/proc/cpuinfo", "model name");
  environment["cpu_threads"] = std::to_string(::sysconf(_SC_NPROCESSORS_ONLN));
  environment["memory"] = proc_value("/proc/meminfo", "MemTotal");
#if defined(__clang__)
  environment["compiler"] = "clang " __clang_version__;
#else
  environment["compiler"] = "gcc " __VERSION__;
#endif
  for (const char* const name : recorded_variables) {
    if (const char* const value = std::getenv(name)) environment[name] = value;
  }
  return environment;
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text.data(), length};
}

}  // namespace fathom
