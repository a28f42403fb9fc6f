// SPDX-License-Identifier: Apache-2.0
#include "reports/page_data.h"

#include "harness/codec/json.h"
#include "harness/core/filter.h"
#include "reports/outcome_style.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace fathom {
namespace {

constexpr auto replace_bad_utf8 = Json::error_handler_t::replace;

/// A column of values of which many are equal: each value once, and a code per row.
class Dictionary {
 public:
  void add(Json value) {
    const auto [at, is_new] = codes_.try_emplace(value, values_.size());
    if (is_new) values_.push_back(std::move(value));
    column_.push_back(at->second);
  }
  [[nodiscard]] Json json() const { return {{"values", values_}, {"codes", column_}}; }

 private:
  std::map<Json, std::size_t> codes_;
  Json values_ = Json::array();
  Json column_ = Json::array();
};

/// `digits` significant digits: what a person reads. report.json has all of them.
Json rounded(double value, int digits) {
  if (!std::isfinite(value) || value == 0) return number_to_json(value);
  const double scale = std::pow(10.0, digits - 1 - std::floor(std::log10(std::abs(value))));
  const double shorter = std::round(value * scale) / scale;
  return number_to_json(std::isfinite(shorter) ? shorter : value);
}

/// The fields of the query grammar: texts and numbers of every row, as the C++ filter sees them.
Json field_columns(const std::vector<FilterRow>& rows) {
  Json fields = Json::array();
  for (const FilterField& field : filter_fields()) {
    Dictionary texts;
    Json numbers = Json::array();
    bool any_text = false;
    bool any_number = false;
    for (const FilterRow& row : rows) {
      const auto values = row.texts(field.name);
      const auto number = row.number(field.name);
      any_text |= !values.empty();
      any_number |= number.has_value();
      texts.add(values);
      numbers.push_back(number ? number_to_json(*number) : Json());
    }
    Json column{{"name", field.name},
                {"meaning", field.meaning},
                {"is_text", field.text},
                {"is_number", field.number}};
    if (any_text) column["texts"] = texts.json();
    if (any_number) column["numbers"] = numbers;
    fields.push_back(std::move(column));
  }
  return fields;
}

Json style_table() {
  Json styles = Json::object();
  for (const OutcomeStyle& style : outcome_styles()) {
    styles[std::string(style.kind)] = {
        {"family", style.family}, {"gravity", style.gravity}, {"query", query_of_kind(style.kind)}};
  }
  return styles;
}

/// Words that can follow `backend:` in a query.
Json verdict_words() {
  Json words{to_string(Expected::expected_fail), to_string(Expected::unexpected_pass)};
  for (const VerdictInfo& row : verdicts) words.push_back(row.name);
  return words;
}

/// Warm and cold latencies of all rows as columns: the charts read nothing else.
Json timing_columns(const std::vector<Record>& records) {
  Json rows = Json::array();
  Json passes = Json::array();
  Json numbers = Json::array();
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (const Latency& l : records[i].measurement.latency) {
      rows.push_back(i);
      passes.push_back(l.pass + (l.cold ? " (cold)" : ""));
      Json values = Json::array();
      for (const double value :
           {l.median_ns, l.q25_ns, l.q75_ns, l.min_ns, l.flops_per_s, l.bytes_per_s}) {
        values.push_back(rounded(value, 5));
      }
      numbers.push_back(std::move(values));
    }
  }
  return {{"row", rows}, {"pass", passes}, {"numbers", numbers}};
}

Json rounded_list(const std::vector<double>& values, int digits) {
  Json list = Json::array();
  for (const double value : values) list.push_back(rounded(value, digits));
  return list;
}

/// `[sequence, head, row, channel, got, want, sigma, z]`; nine digits tell float32 values apart.
Json element_row(const Element& e) {
  return {e.place.sequence,  e.place.head,       e.place.row,         e.place.channel,
          rounded(e.got, 9), rounded(e.want, 9), rounded(e.sigma, 4), rounded(e.z, 4)};
}

/// A Record as the drawer wants it: the codec's form with the bulky numbers shortened, since they
/// are nearly all of it. A pass keeps its four worst elements.
std::string detail_line(const Record& record) {
  constexpr std::size_t shown_of_pass = 4;
  const bool passed = outcome_style(record).kind == "pass";
  Json json = record_to_json(record);
  for (std::size_t t = 0; t < record.tensors.size(); ++t) {
    const TensorMetrics& tensor = record.tensors[t];
    Json worst = Json::array();
    for (const Element& element : tensor.worst) {
      if (passed && worst.size() == shown_of_pass) break;
      worst.push_back(element_row(element));
    }
    json["tensors"][t]["tile_rho"] = rounded_list(tensor.tile_rho, 3);
    json["tensors"][t]["worst"] = std::move(worst);
  }
  for (std::size_t i = 0; i < record.heat.size(); ++i) {
    json["heat"][i]["values"] = rounded_list(record.heat[i].values, 3);
  }
  for (std::size_t i = 0; i < record.measurement.latency.size(); ++i) {
    json["measurement"]["latency"][i]["samples_ns"] =
        rounded_list(record.measurement.latency[i].samples_ns, 5);
  }
  return json.dump(-1, ' ', true, replace_bad_utf8);
}

/// Rows in the order in which their details deserve room: see page_data.
std::vector<std::size_t> detail_order(const std::vector<Record>& records) {
  constexpr std::size_t stride = 97;  // A prime, so that the sample does not follow an axis.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (outcome_style(records[i]).kind != "pass") order.push_back(i);
  }
  for (std::size_t start = 0; start < stride; ++start) {
    for (std::size_t i = start; i < records.size(); i += stride) {
      if (outcome_style(records[i]).kind == "pass") order.push_back(i);
    }
  }
  return order;
}

/// Fills `details` and returns, per row, its line in there, or -1.
std::vector<int> add_details(const std::vector<Record>& records, std::size_t budget,
                             std::string& details) {
  std::vector<int> lines(records.size(), -1);
  int next = 0;
  for (const std::size_t i : detail_order(records)) {
    const std::string line = detail_line(records[i]);
    if (details.size() + line.size() > budget) break;
    details += line + '\n';
    lines[i] = next++;
  }
  return lines;
}

}  // namespace

PageData page_data(const Report& report, std::size_t detail_budget) {
  std::vector<FilterRow> rows;
  Json ids = Json::array();
  Json reasons = Json::array();
  Dictionary texts;
  Dictionary outcomes;
  Dictionary kinds;
  Dictionary answered;
  for (const Record& record : report.records) {
    rows.push_back(filter_row(record));
    ids.push_back(record.planned.id);
    reasons.push_back(record.reason);
    texts.add(to_string(record.planned.c));
    outcomes.add(outcome_text(record));
    kinds.add(outcome_style(record).kind);
    answered.add(column_of(record));
  }
  PageData data;
  const std::vector<int> lines = add_details(report.records, detail_budget, data.details);
  const Json table{{"suite", report.suite},
                   {"styles", style_table()},
                   {"verdicts", verdict_words()},
                   {"fields", field_columns(rows)},
                   {"id", ids},
                   {"text", texts.json()},
                   {"outcome", outcomes.json()},
                   {"kind", kinds.json()},
                   {"backend", answered.json()},
                   {"reason", reasons},
                   {"detail_line", lines},
                   {"timings", timing_columns(report.records)}};
  data.table = table.dump(-1, ' ', true, replace_bad_utf8);
  return data;
}

}  // namespace fathom
