// SPDX-License-Identifier: Apache-2.0
#include "reports/json_report.h"

#include "harness/codec/json.h"
#include "reports/outcome_style.h"
#include "reports/summary.h"

namespace fathom {
namespace {

OrderedJson tally_json(const Tally& tally) {
  OrderedJson json{{"total", tally.total}, {"by_verdict", OrderedJson::object()}};
  for (const auto& [word, count] : tally.by_verdict) json["by_verdict"][word] = count;
  return json;
}

OrderedJson margins_json(const std::map<std::string, Margin>& margins) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [backend, margin] : margins) {
    json[backend] = {{"share", OrderedJson(number_to_json(margin.share))},
                     {"tensor", margin.tensor},
                     {"check", margin.check},
                     {"case", margin.case_id}};
  }
  return json;
}

template <typename Number>
OrderedJson or_null(const std::optional<Number>& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

OrderedJson performance_json(const Report& report) {
  OrderedJson rows = OrderedJson::array();
  for (const Performance& row : performance(report)) {
    rows.push_back({{"backend", row.backend},
                    {"pass", row.pass},
                    {"timed", row.timed},
                    {"flops_per_s", or_null(row.flops_per_s)},
                    {"bytes_per_s", or_null(row.bytes_per_s)},
                    {"relative_time", or_null(row.relative_time)},
                    {"shared_cases", row.shared},
                    {"peak_bytes", or_null(row.peak_bytes)}});
  }
  return rows;
}

OrderedJson failures_json(const Report& report) {
  OrderedJson rows = OrderedJson::array();
  for (const Record* record : failures(report)) rows.push_back(record->planned.id);
  return rows;
}

OrderedJson summary_json(const Report& report) {
  const Summary summary = summarise(report);
  OrderedJson by_backend = OrderedJson::object();
  for (const auto& [backend, counts] : summary.by_backend) by_backend[backend] = tally_json(counts);
  return {{"headline", summary.headline},
          {"exit_code", summary.exit_code},
          {"cases", tally_json(summary.total)},
          {"by_backend", by_backend},
          {"worst_margin", margins_json(summary.worst)},
          {"worst_passing_margin", margins_json(summary.worst_passing)},
          {"performance", performance_json(report)},
          {"needs_attention", failures_json(report)}};
}

/// The figures in the codec's form, each with what the backends of this run gave for it.
OrderedJson published_json(const Report& report, const Json& figures) {
  OrderedJson rows = OrderedJson::array();
  for (std::size_t i = 0; i < report.published.size(); ++i) {
    OrderedJson row(figures.at(i));
    row["ours"] = OrderedJson::object();
    for (const auto& [backend, value] : ours_beside(report.published[i], report.records)) {
      row["ours"][backend] = OrderedJson(number_to_json(value));
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

std::string json_report(const Report& report) {
  OrderedJson json{{"schema", report_schema_version}, {"summary", summary_json(report)}};
  json["run"] = {{"fathom_version", report.fathom_version},
                 {"suite", report.suite},
                 {"filter", report.filter},
                 {"started_utc", report.started_utc},
                 {"duration_s", report.duration_s},
                 {"resumes", report.resumes},
                 {"manifest_hash", report.manifest_hash},
                 {"planned", report.planned.size()},
                 {"recorded", report.records.size()}};
  // The rest has one JSON form, the one of the codec.
  const Json everything = report_to_json(report);
  for (const char* key : {"backends", "environment", "stale"}) {
    json[key] = OrderedJson(everything.at(key));
  }
  json["published"] = published_json(report, everything.at("published"));
  json["power"] = OrderedJson(everything.at("power"));
  json["records"] = OrderedJson(everything.at("records"));
  // ASCII only: what a terminal would act upon is escaped.
  return json.dump(1, ' ', true, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace fathom
