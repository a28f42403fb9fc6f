// SPDX-License-Identifier: Apache-2.0
#include "reports/tests/golden.h"

#include "reports/html_report.h"
#include "reports/json_report.h"
#include "reports/markdown.h"
#include "reports/tests/fixture.h"
#include "reports/writers.h"

#include <algorithm>

namespace fathom {
namespace {

/// The page without its style and scripts: they have files and tests of their own.
PageAssets stub_assets() {
  PageAssets assets = page_assets();
  assets.glyphs = "<svg></svg>";
  assets.style = "p{}";
  assets.style_hash = "sha256-style";
  assets.script = "1";
  assets.script_hash = "sha256-script";
  assets.chart = "2";
  assets.chart_hash = "sha256-chart";
  return assets;
}

const Record& first(const Report& report, Verdict verdict, Expected expected = Expected::no) {
  return *std::find_if(report.records.begin(), report.records.end(), [&](const Record& r) {
    return r.verdict == verdict && r.expected == expected;
  });
}

TEST(GoldenTest, Json) {
  expect_golden("report.json", json_report(every_verdict_report()));
}

TEST(GoldenTest, Html) {
  expect_golden("report.html", html_report(every_verdict_report(), stub_assets()));
}

TEST(GoldenTest, Markdown) {
  expect_golden("summary.md", markdown_summary(every_verdict_report()));
}

TEST(GoldenTest, ConsoleSummary) {
  expect_golden("console.txt", console_summary(every_verdict_report(), false));
  expect_golden("console_colour.txt", console_summary(every_verdict_report(), true));
}

TEST(GoldenTest, ConsoleRecords) {
  const Report report = every_verdict_report();
  expect_golden("record_pass.txt", console_record(first(report, Verdict::pass), false));
  expect_golden("record_fail.txt", console_record(first(report, Verdict::fail), false));
  expect_golden("record_crash.txt", console_record(first(report, Verdict::crash), false));
  expect_golden("record_expected.txt",
                console_record(first(report, Verdict::fail, Expected::expected_fail), false));
}

TEST(GoldenTest, ConsolePeers) {
  const Report report = every_verdict_report();
  expect_golden("peers_pass.txt", console_peers(first(report, Verdict::pass)));
  expect_golden("peers_fail.txt", console_peers(first(report, Verdict::fail)));
  expect_golden("peers_none.txt", console_peers(first(report, Verdict::crash)));
}

TEST(GoldenTest, EveryWriterOfTheTableWritesItsFile) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "fathom_write_reports";
  std::filesystem::remove_all(folder);
  const Report report = every_verdict_report();
  write_reports(report, folder / "deep" / "down");
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "deep" / "down")) {
    const auto writer = std::find_if(writers().begin(), writers().end(), [&](const Writer& w) {
      return w.file_name == entry.path().filename().string();
    });
    ASSERT_NE(writer, writers().end()) << entry.path();
    std::ifstream in(entry.path(), std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), writer->write(report));
    ++files;
  }
  EXPECT_EQ(files, writers().size());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fathom
