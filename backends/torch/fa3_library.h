// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fathom::fa3 {

/// A build of FlashAttention-3 that registers its ops with torch's dispatcher.
struct Build {
  std::string_view ops;        ///< The operator library: ops::fwd, ops::bwd.
  std::string_view folder;     ///< Of the wheel, beside torch; also the stem of its dist-info.
  int oldest_gpu, newest_gpu;  ///< Compute capabilities, 90 for an H100.
};

/// A build in this process, or why there is none.
struct Library {
  const Build* build = nullptr;  ///< Null where `absent` has a reason.
  std::string version;           ///< `fa3_fwd 0.0.3`, or the ops and the file that has them.
  std::string absent;
};

/// Loads the op library `wanted`, or, if that is empty, the first wheel found in `site_packages`.
/// Loading is rehearsed in a child process, so that a library that kills its process is absent too.
Library load_library(const std::string& wanted, const std::filesystem::path& site_packages);

/// The folder that this process loaded its torch from.
std::filesystem::path torchs_site_packages();

}  // namespace fathom::fa3
