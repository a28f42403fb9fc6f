// SPDX-License-Identifier: Apache-2.0
#include "reports/escape.h"
#include "reports/format.h"
#include "reports/outcome_style.h"
#include "reports/summary.h"
#include "reports/text_table.h"
#include "reports/writers.h"

#include <fmt/format.h>

namespace fathom {
namespace {

using Align = TextTable::Align;

std::string place_text(const ElementPlace& place) {
  return fmt::format("seq {} head {} row {} ch {}", place.sequence, place.head, place.row,
                     place.channel);
}

/// `key  value` lines; empty values are left out.
std::string facts_part(const Record& record) {
  TextTable table({{"", Align::left, 14}, {"", Align::left, 400}});
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) table.add({std::string(key), value});
  };
  add("case", to_string(record.planned.c));
  add("id", record.planned.id);
  add("why", record.planned.c.why);
  add("asked", record.planned.backend);
  add("answered by", record.answered_by);
  add("version", record.version);
  add("device", record.device);
  add("outcome", outcome_text(record));
  add("reason code", record.reason_code);
  add("reason", record.reason);
  if (record.explanation) {
    add("what is wrong", record.explanation->sentence);
    add("likely cause", record.explanation->cause);
  }
  add("arithmetic", to_string(record.arithmetic));
  if (record.expectation) {
    add("expectation", record.expectation->match + " -> " + record.expectation->verdict);
    add("", record.expectation->reason);
    add("", record.expectation->evidence);
    add("", record.expectation->link);
  }
  return table.text("  ", 400);
}

std::string findings_part(const Record& record) {
  std::string out;
  for (const Finding& finding : record.findings) {
    out +=
        fmt::format("  {} {} ({}): {}\n", visible_text(finding.check), visible_text(finding.tensor),
                    to_string(finding.fail_class), visible_text(finding.message));
    if (finding.value && finding.limit) {
      out += fmt::format("      {} against a limit of {}\n", format_number(*finding.value),
                         format_number(*finding.limit));
    }
  }
  return out.empty() ? "" : "\nFindings\n" + out;
}

std::string tensors_part(const Record& record) {
  if (record.tensors.empty()) return "";
  TextTable table({{"tensor"},
                   {"max abs", Align::right},
                   {"max rel", Align::right},
                   {"rel F", Align::right},
                   {"row rho", Align::right},
                   {"tensor rho", Align::right},
                   {"max |z|", Align::right},
                   {"bias z", Align::right},
                   {"gain", Align::right},
                   {"margin", Align::right},
                   {"transport"}});
  for (const TensorMetrics& t : record.tensors) {
    double margin = 0;
    for (const auto& [check, share] : t.margin) margin = share > margin ? share : margin;
    table.add({t.tensor, format_number(t.max_abs), format_number(t.max_rel), format_number(t.rel_f),
               t.row_rho ? format_number(t.row_rho->max) : "-",
               t.tensor_rho ? format_number(*t.tensor_rho) : "-",
               t.z_max ? format_number(*t.z_max) : "-", t.bias_z ? format_number(*t.bias_z) : "-",
               t.gain ? format_number(*t.gain) : "-",
               t.margin.empty() ? "-" : format_number(margin), t.transport});
  }
  return "\nTensors\n" + table.text("  ");
}

/// The first few of the worst elements of each tensor.
std::string worst_part(const Record& record) {
  constexpr std::size_t shown = 4;
  TextTable table({{"tensor"},
                   {"where"},
                   {"got", Align::right},
                   {"want", Align::right},
                   {"sigma", Align::right},
                   {"z", Align::right}});
  bool any = false;
  for (const TensorMetrics& t : record.tensors) {
    for (std::size_t i = 0; i < std::min(shown, t.worst.size()); ++i) {
      const Element& e = t.worst[i];
      table.add({t.tensor, place_text(e.place), fmt::format("{:.8g}", e.got),
                 fmt::format("{:.8g}", e.want), format_number(e.sigma), format_number(e.z)});
      any = true;
    }
  }
  return any ? "\nWorst elements\n" + table.text("  ") : "";
}

std::string measurement_part(const Record& record) {
  const Measurement& m = record.measurement;
  std::string out;
  for (const Latency& l : m.latency) {
    out += fmt::format("  {}{}: {} ({} to {}), {} samples by {}, {}, {}\n", visible_text(l.pass),
                       l.cold ? " cold" : "", format_time(l.median_ns), format_time(l.q25_ns),
                       format_time(l.q75_ns), l.samples_ns.size(), visible_text(l.mode),
                       format_flops(l.flops_per_s), format_traffic(l.bytes_per_s));
  }
  if (!m.why_no_latency.empty()) out += "  not timed: " + visible_text(m.why_no_latency) + "\n";
  if (m.memory && m.memory->peak_bytes) {
    out += fmt::format("  peak memory: {} by {}\n",
                       format_bytes(static_cast<double>(*m.memory->peak_bytes)),
                       visible_text(m.memory->method));
  } else if (m.memory) {
    out += "  peak memory unknown: " + visible_text(m.memory->reason) + "\n";
  }
  return out.empty() ? "" : "\nLatency (median, quartiles) and memory\n" + out;
}

/// What the Case's Probe found out.
std::string answers_part(const Record& record) {
  if (record.answers.empty()) return "";
  TextTable table({{"question"}, {"answer", TextTable::Align::left, 400}});
  for (const auto& [question, answer] : record.answers) {
    table.add({visible_text(question), visible_text(answer)});
  }
  return "\nAnswers\n" + table.text("  ");
}

std::string log_part(const Record& record) {
  return record.worker_log.empty() ? ""
                                   : "\nWorker output\n" + visible_lines(record.worker_log) + "\n";
}

}  // namespace

std::string console_record(const Record& record, bool colour) {
  const OutcomeStyle& style = outcome_style(record);
  const std::string head = fmt::format("[{}] {}  {}", style.plain, outcome_text(record),
                                       visible_text(column_of(record)));
  return (colour ? "\x1b[1m" + head + "\x1b[0m" : head) + "\n" + facts_part(record) +
         findings_part(record) + answers_part(record) + tensors_part(record) + worst_part(record) +
         measurement_part(record) + log_part(record);
}

}  // namespace fathom
