// SPDX-License-Identifier: Apache-2.0
#include "reports/atomic_file.h"

#include "harness/core/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace fathom {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  // A folder of its own for every test, which may run beside the others.
  AtomicFileTest()
      : folder_(fs::path(testing::TempDir()) /
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~AtomicFileTest() override { fs::remove_all(folder_); }

  static std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), {});
  }

  fs::path folder_;
};

TEST_F(AtomicFileTest, ReplacesAFileAndLeavesNothingElse) {
  write_atomically(folder_ / "a", "first");
  const std::string second(1U << 20, 'x');
  write_atomically(folder_ / "a", second);
  EXPECT_EQ(text_of(folder_ / "a"), second);
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFileTest, AReaderWhoOpenedTheOldFileKeepsIt) {
  write_atomically(folder_ / "a", "old");
  std::ifstream reader(folder_ / "a");
  write_atomically(folder_ / "a", "new");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "old");
}

TEST_F(AtomicFileTest, AFailureNamesTheFileAndLeavesNoTemporary) {
  fs::create_directories(folder_ / "target" / "full");  // A folder in the way: rename fails.
  try {
    write_atomically(folder_ / "target", "text");
    FAIL() << "a folder was replaced by a file";
  } catch (const InfrastructureError& e) {
    EXPECT_NE(std::string(e.what()).find("target"), std::string::npos) << e.what();
  }
  EXPECT_EQ(files(), 1);
  EXPECT_THROW(write_atomically(folder_ / "missing" / "a", "text"), InfrastructureError);
}

}  // namespace
}  // namespace fathom
