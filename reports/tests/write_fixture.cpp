// SPDX-License-Identifier: Apache-2.0
// write_fixture <folder> every|hostile|<count>: every report of a hand-made run, for the browser
// test and for looking at the page.

#include "harness/core/text.h"
#include "reports/tests/fixture.h"
#include "reports/writers.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>

namespace {

fathom::Report report_named(std::string_view name) {
  if (name == "every") return fathom::every_verdict_report();
  if (name == "hostile") return fathom::hostile_report();
  return fathom::large_report(fathom::parse_index(name).value());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: write_fixture FOLDER every|hostile|COUNT\n");
    return 64;
  }
  try {
    const fathom::Report report = report_named(argv[2]);
    const auto start = std::chrono::steady_clock::now();
    fathom::write_reports(report, argv[1]);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print("{} records written in {:.2f} s\n", report.records.size(), took.count());
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "write_fixture: {}\n", e.what());
    return 70;
  }
}
