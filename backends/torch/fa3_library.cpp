// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_library.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace fathom::fa3 {
namespace {

namespace fs = std::filesystem;

/// In order of preference: the reference, which has gradients, first.
constexpr std::array builds{
    Build{"flash_attn_3", "flash_attn_3", 80, 90},
    Build{"fa3_fwd", "fa3_fwd", 90, 90},
};

/// The wheel's `_C.abi3.so`, `_C.cpython-312-x86_64-linux-gnu.so`, ...
std::optional<fs::path> library_in(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("_C") && name.ends_with(".so")) return entry.path();
  }
  return std::nullopt;
}

/// `0.0.3` of `fa3_fwd-0.0.3.dist-info` beside the wheel's folder.
std::string wheel_version(const fs::path& site_packages, std::string_view name) {
  constexpr std::string_view ending = ".dist-info";
  const std::string begin = std::string(name) + "-";
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(site_packages, none)) {
    const std::string folder = entry.path().filename().string();
    if (!folder.starts_with(begin) || !folder.ends_with(ending)) continue;
    return folder.substr(begin.size(), folder.size() - begin.size() - ending.size());
  }
  return "of unknown version";
}

/// Lazily, because a wheel's library has symbols of Python that nobody here calls.
void* open_library(const fs::path& path) {
  return ::dlopen(path.c_str(), RTLD_LAZY | RTLD_GLOBAL);
}

/// What throws while a library registers itself ends the process: nothing can be caught across
/// dlopen. So a child goes first.
bool survives_loading(const fs::path& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    open_library(path);
    ::_exit(0);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status);
}

std::string why_not_loaded(const fs::path& path) {
  if (!fs::exists(path)) return "there is no file " + path.string() + " (FATHOM_FA3_LIBRARY)";
  if (!survives_loading(path)) return "loading " + path.string() + " kills the process";
  if (open_library(path) == nullptr) return path.string() + " does not load: " + ::dlerror();
  return "";
}

bool is_registered(const Build& build) {
  const std::string op = std::string(build.ops) + "::fwd";
  return c10::Dispatcher::singleton().findSchema({op, ""}).has_value();
}

Library absent(const std::string& reason) {
  return {nullptr, "", reason};
}

Library load_file(const fs::path& path) {
  if (std::string reason = why_not_loaded(path); !reason.empty()) return absent(reason);
  for (const Build& build : builds) {
    if (!is_registered(build)) continue;
    return {&build, std::string(build.ops) + " of " + path.filename().string(), ""};
  }
  return absent(path.string() + " registers no flash_attn_3::fwd and no fa3_fwd::fwd");
}

}  // namespace

Library load_library(const std::string& wanted, const fs::path& site_packages) {
  if (!wanted.empty()) return load_file(wanted);
  for (const Build& build : builds) {
    const auto path = library_in(site_packages / build.folder);
    if (!path) continue;
    Library library = load_file(*path);
    if (library.build != nullptr) {
      library.version =
          std::string(build.folder) + " " + wheel_version(site_packages, build.folder);
    }
    return library;
  }
  return absent("neither flash_attn_3 nor fa3_fwd is installed beside torch in " +
                site_packages.string() + ", and FATHOM_FA3_LIBRARY names no library");
}

fs::path torchs_site_packages() {
  Dl_info found{};
  // The object lies in site-packages/torch/lib/libtorch_cpu.so.
  if (::dladdr(&c10::Dispatcher::singleton(), &found) == 0) return {};
  std::error_code none;
  return fs::canonical(found.dli_fname, none).parent_path().parent_path().parent_path();
}

}  // namespace fathom::fa3
