// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/conventions.h"

#include "harness/cli/small_question.h"
#include "harness/run/run_case.h"
#include "reference/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <set>

namespace fathom::cli {
namespace {

std::vector<Record> ask(WorkerPool& pool, const std::vector<BackendStatus>& backends) {
  const auto oracle = reference::make_oracle();
  InputCache inputs;
  CaseTools tools{pool, *oracle, inputs, false, {}};
  std::vector<Record> records;
  for (const BackendStatus& status : backends) {
    Case c;
    c.probe = ProbeName::conventions;
    c.problem = small_question(status);
    records.push_back(run_case({case_id(status.name, c), status.name, c}, tools));
  }
  return records;
}

std::string answer_of(const Record& record, const std::string& question) {
  const auto found = record.answers.find(question);
  return found == record.answers.end() ? "" : found->second;
}

void print_table(const std::vector<Record>& records) {
  std::set<std::string> questions;
  for (const Record& record : records) {
    for (const auto& [question, answer] : record.answers) questions.insert(question);
  }
  constexpr std::size_t gap = 2;
  std::size_t first = 0;
  for (const std::string& question : questions) first = std::max(first, question.size() + gap);
  std::vector<std::size_t> widths;
  for (const Record& record : records) {
    std::size_t width = record.planned.backend.size();
    for (const auto& [question, answer] : record.answers) width = std::max(width, answer.size());
    widths.push_back(width + gap);
  }
  const auto print_row = [&](const std::string& head, auto cell) {
    std::string line = fmt::format("{:<{}}", head, first);
    for (std::size_t i = 0; i < records.size(); ++i) {
      line += fmt::format("{:<{}}", cell(records[i]), widths[i]);
    }
    std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  };
  print_row("", [](const Record& record) { return record.planned.backend; });
  for (const std::string& question : questions) {
    print_row(question, [&](const Record& record) { return answer_of(record, question); });
  }
}

}  // namespace

void print_conventions(WorkerPool& pool, const std::vector<BackendStatus>& backends) {
  const std::vector<Record> all = ask(pool, backends);
  std::vector<Record> told;
  std::copy_if(all.begin(), all.end(), std::back_inserter(told),
               [](const Record& record) { return !record.answers.empty(); });
  if (!told.empty()) print_table(told);
  for (const Record& record : all) {
    for (const Finding& finding : record.findings) {
      std::cout << fmt::format("{}: {}\n", record.planned.backend, finding.message);
    }
    if (!record.answers.empty()) continue;
    std::cout << fmt::format("{}: {}, {}\n", record.planned.backend, to_string(record.verdict),
                             record.reason);
  }
}

}  // namespace fathom::cli
