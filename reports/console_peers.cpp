// SPDX-License-Identifier: Apache-2.0
#include "reports/format.h"
#include "reports/text_table.h"
#include "reports/writers.h"

#include <set>

namespace fathom {
namespace {

using Align = TextTable::Align;

std::string cell(bool pass, double share) {
  return (pass ? "pass " : "FAIL ") + format_number(share);
}

/// fathom's own checks of one tensor, in the form of a peer's: the largest share of a limit.
std::string own_cell(const TensorMetrics& tensor) {
  if (tensor.margin.empty()) return "-";
  double worst = 0;
  for (const auto& [check, share] : tensor.margin) {
    if (!(share <= worst)) worst = share;
  }
  return cell(worst <= 1, worst);
}

std::set<std::string> rules_of(const Record& record) {
  std::set<std::string> rules;
  for (const TensorMetrics& tensor : record.tensors) {
    for (const auto& [rule, verdict] : tensor.peer_rules) rules.insert(rule);
  }
  return rules;
}

std::vector<std::string> row_of(const std::string& rule, const Record& record) {
  std::vector<std::string> row{rule, "pass"};
  for (const TensorMetrics& tensor : record.tensors) {
    const auto found = tensor.peer_rules.find(rule);
    if (found == tensor.peer_rules.end()) {
      row.emplace_back("-");
      continue;
    }
    row.push_back(cell(found->second.pass, found->second.share));
    if (!found->second.pass) row[1] = "FAIL";
  }
  return row;
}

}  // namespace

std::string console_peers(const Record& record) {
  const std::set<std::string> rules = rules_of(record);
  const std::string head = "\nPeer rules (value as a share of the limit)\n";
  if (rules.empty()) return head + "  none in this Record: run the case with --peers\n";
  std::vector<TextTable::Column> columns{{"rule"}, {"all"}};
  std::vector<std::string> own{"fathom", outcome_text(record)};
  for (const TensorMetrics& tensor : record.tensors) {
    columns.push_back({tensor.tensor, Align::right});
    own.push_back(own_cell(tensor));
  }
  TextTable table(columns);
  table.add(own);
  for (const std::string& rule : rules) table.add(row_of(rule, record));
  return head + table.text("  ");
}

}  // namespace fathom
