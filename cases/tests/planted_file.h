// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/error.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace fathom {

/// A file with the given text, as long as this object lives.
class PlantedFile {
 public:
  explicit PlantedFile(const std::string& text)
      : path_(testing::TempDir() + "planted-" + std::to_string(::getpid()) + ".json") {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~PlantedFile() { std::filesystem::remove(path_); }
  PlantedFile(const PlantedFile&) = delete;
  PlantedFile& operator=(const PlantedFile&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// What `load` says about a file with this text, the file's name left out; empty if it is content.
template <typename Load>
std::string complaint_about(const std::string& text, Load load) {
  const PlantedFile file(text);
  try {
    load(file.path());
    return "";
  } catch (const DataError& error) {
    const std::string said = error.what();
    const std::string name = file.path().string() + ":";
    EXPECT_TRUE(said.starts_with(name)) << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
    return said.substr(std::min(said.size(), name.size()));
  }
}

}  // namespace fathom
