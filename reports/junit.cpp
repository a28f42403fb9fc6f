// SPDX-License-Identifier: Apache-2.0
#include "reports/junit.h"

#include "reports/escape.h"
#include "reports/format.h"
#include "reports/outcome_style.h"
#include "reports/summary.h"

#include <fmt/format.h>
#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

namespace fathom {
namespace {

/// What a tally word becomes in JUnit. A case that proves nothing is a failure, and one that never
/// ran is an error: a skipped test looks green.
struct JunitRow {
  std::string_view word;
  const char* element;  ///< Empty: a testcase that passed.
};
constexpr std::array junit_rows{
    JunitRow{"pass", ""},
    JunitRow{"fail", "failure"},
    JunitRow{"crash", "error"},
    JunitRow{"hang", "error"},
    JunitRow{"protocol_error", "error"},
    JunitRow{"out_of_memory", "error"},
    JunitRow{"unsupported", "skipped"},
    JunitRow{"vacuous", "failure"},
    JunitRow{"not_run", "error"},
    JunitRow{"error", "error"},
    JunitRow{"expected_fail", "skipped"},
    JunitRow{"unexpected_pass", "failure"},
};

const char* element_of(const Record& record) {
  const std::string word = tally_word(record);
  const auto row = std::find_if(junit_rows.begin(), junit_rows.end(),
                                [&](const JunitRow& r) { return r.word == word; });
  return row == junit_rows.end() ? "error" : row->element;
}

/// type: the class of a failure, else the word.
std::string type_of(const Record& record) {
  const std::string word = tally_word(record);
  return word == "fail" ? std::string(to_string(record.fail_class)) : word;
}

std::string message_of(const Record& record) {
  if (record.expected == Expected::expected_fail && record.expectation) {
    const ExpectationNote& note = *record.expectation;
    return note.link.empty() ? note.reason : note.link;
  }
  if (record.verdict == Verdict::unsupported) return record.reason_code + ": " + record.reason;
  return record.reason;
}

void set(pugi::xml_node node, const char* name, std::string_view value) {
  node.append_attribute(name).set_value(visible_text(value).c_str());
}

void add_property(pugi::xml_node properties, std::string_view name, std::string_view value) {
  pugi::xml_node property = properties.append_child("property");
  set(property, "name", name);
  set(property, "value", value);
}

double seconds_of(const Record& record) {
  double nanoseconds = 0;
  for (const auto& [phase, time] : record.phase_ns) nanoseconds += time;
  return nanoseconds * 1e-9;
}

std::string findings_text(const Record& record) {
  std::string text = explanation_text(record);
  if (!text.empty()) text += '\n';
  for (const Finding& finding : record.findings) {
    text += fmt::format("{} {}: {}\n", finding.check, finding.tensor, finding.message);
  }
  return text;
}

void add_properties(pugi::xml_node testcase, const Record& record) {
  pugi::xml_node properties = testcase.append_child("properties");
  add_property(properties, "fathom.verdict", outcome_text(record));
  add_property(properties, "fathom.id", record.planned.id);
  if (!record.version.empty()) add_property(properties, "fathom.version", record.version);
  if (const auto margin = worst_margin(record)) {
    add_property(properties, "fathom.worst_margin", format_number(*margin));
  }
  for (const Latency& latency : record.measurement.latency) {
    add_property(properties, "fathom.median_ns." + latency.pass,
                 fmt::format("{}", latency.median_ns));
  }
}

void add_case(pugi::xml_node suite, const Record& record) {
  pugi::xml_node testcase = suite.append_child("testcase");
  set(testcase, "classname", column_of(record));
  set(testcase, "name", to_string(record.planned.c));
  set(testcase, "time", fmt::format("{:.6f}", seconds_of(record)));
  add_properties(testcase, record);
  const char* element = element_of(record);
  if (*element != '\0') {
    pugi::xml_node outcome = testcase.append_child(element);
    set(outcome, "type", type_of(record));
    set(outcome, "message", message_of(record));
    outcome.text().set(visible_lines(findings_text(record)).c_str());
  }
  if (!record.worker_log.empty()) {
    testcase.append_child("system-out").text().set(visible_lines(record.worker_log).c_str());
  }
}

void add_counts(pugi::xml_node node, const std::vector<const Record*>& records) {
  std::map<std::string, Index> counts;
  double seconds = 0;
  for (const Record* record : records) {
    ++counts[element_of(*record)];
    seconds += seconds_of(*record);
  }
  set(node, "tests", std::to_string(records.size()));
  set(node, "failures", std::to_string(counts["failure"]));
  set(node, "errors", std::to_string(counts["error"]));
  set(node, "skipped", std::to_string(counts["skipped"]));
  set(node, "time", fmt::format("{:.6f}", seconds));
}

}  // namespace

std::string junit_report(const Report& report) {
  std::map<std::string, std::vector<const Record*>> by_backend;
  std::vector<const Record*> all;
  for (const Record& record : report.records) {
    by_backend[column_of(record)].push_back(&record);
    all.push_back(&record);
  }
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  set(declaration, "version", "1.0");
  set(declaration, "encoding", "UTF-8");
  pugi::xml_node root = document.append_child("testsuites");
  set(root, "name", "fathom " + report.suite);
  add_counts(root, all);
  for (const auto& [backend, records] : by_backend) {
    pugi::xml_node suite = root.append_child("testsuite");
    set(suite, "name", backend);
    add_counts(suite, records);
    set(suite, "timestamp", report.started_utc);
    for (const Record* record : records) add_case(suite, *record);
  }
  std::ostringstream out;
  document.save(out, " ");
  return out.str();
}

}  // namespace fathom
