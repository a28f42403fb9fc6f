// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/graph.h"

#include "harness/cli/small_question.h"
#include "harness/inputs/inputs.h"
#include "harness/run/execution.h"

#include <fmt/format.h>

#include <array>
#include <iostream>

namespace fathom::cli {
namespace {

struct Column {
  std::string_view name;
  GraphFact GraphAnswer::*fact;
};
constexpr std::array columns{
    Column{"compiles whole", &GraphAnswer::compile},
    Column{"never waits", &GraphAnswer::no_sync},
    Column{"captured", &GraphAnswer::capture},
};

std::string_view word_of(const GraphFact& fact) {
  return !fact.holds ? "unknown" : *fact.holds ? "yes" : "no";
}

/// What one reason says of all three.
GraphAnswer unknown(const std::string& reason) {
  const GraphFact fact{std::nullopt, reason};
  return {fact, fact, fact};
}

/// One line a reason; one that holds for all three is said once.
std::string reasons_of(const std::string& backend, const GraphAnswer& answer) {
  if (answer.compile.reason == answer.no_sync.reason &&
      answer.compile.reason == answer.capture.reason) {
    return answer.compile.reason.empty()
               ? ""
               : fmt::format("  {}: {}\n", backend, answer.compile.reason);
  }
  std::string lines;
  for (const Column& column : columns) {
    const GraphFact& fact = answer.*column.fact;
    if (fact.reason.empty()) continue;
    lines += fmt::format("  {}, {}: {}\n", backend, column.name, fact.reason);
  }
  return lines;
}

GraphAnswer ask(WorkerPool& pool, const BackendStatus& status) {
  Case c;
  c.problem = small_question(status);
  WorkerClient& worker = pool.client(status.name);
  std::string refusals;
  for (const std::string& lowering : status.lowerings) {
    const SupportAnswer support = worker.support(support_request(status.name, lowering, c.problem));
    if (!support.supported) {
      refusals = support.sentence;
      continue;
    }
    const Execution execution(c.problem, make_inputs(c));
    worker.prepare(execution.request(status.name, lowering), execution.fd());
    return worker.graph();
  }
  return unknown(refusals);
}

GraphAnswer ask_gently(WorkerPool& pool, const BackendStatus& status) {
  try {
    return ask(pool, status);
  } catch (const BackendError& error) {
    return unknown(std::string("its worker does not tell: ") + error.what());
  } catch (const WorkerLost& lost) {
    pool.retire(status.name);
    return unknown(lost.what());
  }
}

}  // namespace

void print_graph(WorkerPool& pool, const std::vector<BackendStatus>& backends) {
  std::cout << fmt::format("{:<34}{:<16}{:<13}{}\n", "", columns[0].name, columns[1].name,
                           columns[2].name);
  std::string reasons;
  for (const BackendStatus& status : backends) {
    if (!status.absent.empty()) continue;
    const GraphAnswer answer = ask_gently(pool, status);
    std::cout << fmt::format("{:<33} {:<16}{:<13}{}\n", status.name, word_of(answer.compile),
                             word_of(answer.no_sync), word_of(answer.capture));
    reasons += reasons_of(status.name, answer);
  }
  std::cout << '\n' << reasons;
}

}  // namespace fathom::cli
