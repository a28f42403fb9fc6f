// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace fathom {

/// Holds the text to reports/tests/golden/<name>. After a change that is meant, run the test once
/// with FATHOM_ACCEPT=1, which rewrites the file, and review the difference.
inline void expect_golden(const std::string& name, const std::string& text) {
  const auto file = std::filesystem::path(FATHOM_SOURCE_DIR) / "reports/tests/golden" / name;
  const char* accept = std::getenv("FATHOM_ACCEPT");
  if (accept != nullptr && std::string_view(accept) == "1") {
    std::ofstream(file, std::ios::binary) << text;
    return;
  }
  std::ifstream in(file, std::ios::binary);
  ASSERT_TRUE(in) << file << " is missing; FATHOM_ACCEPT=1 writes it";
  std::istringstream wanted(std::string(std::istreambuf_iterator<char>(in), {}));
  std::istringstream got(text);
  std::string want_line;
  std::string got_line;
  for (int line = 1;; ++line) {
    const bool more_wanted = static_cast<bool>(std::getline(wanted, want_line));
    const bool more_got = static_cast<bool>(std::getline(got, got_line));
    ASSERT_EQ(more_got, more_wanted) << file << " has another length; they part in line " << line;
    if (!more_got) return;
    ASSERT_EQ(got_line, want_line) << file << " line " << line;
  }
}

}  // namespace fathom
