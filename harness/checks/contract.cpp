// SPDX-License-Identifier: Apache-2.0
#include "harness/checks/contract.h"

#include <fmt/format.h>

namespace fathom {
namespace {

bool must_be_given(const Evidence& evidence, TensorName name) {
  return name != TensorName::lse || evidence.observation.c.problem.lse == LseRequest::required;
}

}  // namespace

std::vector<Finding> check_contract(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const std::string& input : evidence.observation.mutated_inputs) {
    Finding& finding = findings.emplace_back();
    finding.check = "contract.mutated_input";
    finding.tensor = input;
    finding.fail_class = FailClass::contract;
    finding.message = fmt::format("{}: an input was changed by the execution", input);
  }
  for (const Comparison& comparison : evidence.tensors) {
    if (comparison.observed != nullptr || !must_be_given(evidence, comparison.spec.name)) continue;
    Finding finding = start_finding("contract.not_given", comparison, FailClass::contract);
    finding.message = fmt::format("{}: the output was asked for and not given", finding.tensor);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace fathom
