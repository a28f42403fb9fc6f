// SPDX-License-Identifier: Apache-2.0
#include "reports/summary.h"

#include "harness/core/text.h"
#include "reports/format.h"
#include "reports/outcome_style.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

/// Whether share `a` is worse than `b`; NaN is the worst of all, so it is never hidden.
bool worse(double a, double b) {
  return std::isnan(a) ? !std::isnan(b) : a > b;
}

void keep_worse(std::map<std::string, Margin>& by_backend, const std::string& backend,
                const Margin& margin) {
  const auto [at, is_new] = by_backend.try_emplace(backend, margin);
  if (!is_new && worse(margin.share, at->second.share)) at->second = margin;
}

/// Running geometric mean of positive numbers.
class GeometricMean {
 public:
  void add(double value) {
    if (!(value > 0) || !std::isfinite(value)) return;
    sum_ += std::log(value);
    ++count_;
  }
  [[nodiscard]] std::optional<double> value() const {
    if (count_ == 0) return std::nullopt;
    return std::exp(sum_ / static_cast<double>(count_));
  }

 private:
  double sum_ = 0;
  Index count_ = 0;
};

/// Median by case text, of one backend in one pass.
using Medians = std::map<std::string, double>;

/// The least median of each case of a pass, and how many backends timed it.
struct Fastest {
  double median = 0;
  int backends = 0;
};
std::map<std::string, Fastest> fastest_of(const std::map<std::string, Medians>& by_backend) {
  std::map<std::string, Fastest> fastest;
  for (const auto& [backend, medians] : by_backend) {
    for (const auto& [text, median] : medians) {
      Fastest& best = fastest[text];
      best.median = best.backends == 0 ? median : std::min(best.median, median);
      ++best.backends;
    }
  }
  return fastest;
}

void compare(const Medians& medians, const std::map<std::string, Fastest>& fastest,
             Performance& row) {
  GeometricMean ratio;
  for (const auto& [text, median] : medians) {
    const Fastest& best = fastest.at(text);
    if (best.backends < 2) continue;
    ratio.add(median / best.median);
    ++row.shared;
  }
  row.relative_time = ratio.value();
}

Performance rates(const Report& report, const std::string& backend, const std::string& pass) {
  Performance row;
  row.backend = backend;
  row.pass = pass;
  GeometricMean flops;
  GeometricMean bytes;
  for (const Record& record : report.records) {
    if (column_of(record) != backend) continue;
    const auto& memory = record.measurement.memory;
    if (memory && memory->peak_bytes) {
      row.peak_bytes = std::max(row.peak_bytes.value_or(0), *memory->peak_bytes);
    }
    const Latency* latency = warm_latency(record, pass);
    if (latency == nullptr) continue;
    ++row.timed;
    flops.add(latency->flops_per_s);
    bytes.add(latency->bytes_per_s);
  }
  row.flops_per_s = flops.value();
  row.bytes_per_s = bytes.value();
  return row;
}

}  // namespace

std::string explanation_text(const Record& record) {
  if (!record.explanation) return "";
  const Explanation& said = *record.explanation;
  return said.cause.empty() ? said.sentence : said.sentence + " Likely cause: " + said.cause;
}

std::optional<Margin> worst_margin_of(const Record& record) {
  std::optional<Margin> worst;
  for (const TensorMetrics& tensor : record.tensors) {
    for (const auto& [check, share] : tensor.margin) {
      if (worst && !worse(share, worst->share)) continue;
      worst = Margin{share, tensor.tensor, check, record.planned.id};
    }
  }
  return worst;
}

Summary summarise(const Report& report) {
  Summary summary{.headline = headline(report),
                  .exit_code = exit_code(report),
                  .total = tally(report.records),
                  .by_backend = tally_by_backend(report.records),
                  .worst = {},
                  .worst_passing = {}};
  for (const Record& record : report.records) {
    const auto margin = worst_margin_of(record);
    if (!margin) continue;
    keep_worse(summary.worst, column_of(record), *margin);
    if (record.verdict != Verdict::pass) continue;
    keep_worse(summary.worst_passing, column_of(record), *margin);
  }
  return summary;
}

const Latency* warm_latency(const Record& record, std::string_view pass) {
  const auto& all = record.measurement.latency;
  const auto found = std::find_if(all.begin(), all.end(),
                                  [pass](const Latency& l) { return l.pass == pass && !l.cold; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<Performance> performance(const Report& report) {
  std::map<std::string, std::map<std::string, Medians>> by_pass;
  for (const Record& record : report.records) {
    for (const Latency& latency : record.measurement.latency) {
      if (latency.cold) continue;
      by_pass[latency.pass][column_of(record)][to_string(record.planned.c)] = latency.median_ns;
    }
  }
  std::vector<Performance> rows;
  for (const auto& [pass, by_backend] : by_pass) {
    const auto fastest = fastest_of(by_backend);
    for (const auto& [backend, medians] : by_backend) {
      Performance row = rates(report, backend, pass);
      compare(medians, fastest, row);
      rows.push_back(row);
    }
  }
  // `forward` before `backward`: the order in which they run.
  std::stable_sort(rows.begin(), rows.end(), [](const Performance& a, const Performance& b) {
    return (a.pass == "forward") > (b.pass == "forward");
  });
  return rows;
}

std::vector<const Record*> failures(const Report& report) {
  std::vector<const Record*> found;
  for (const Record& record : report.records) {
    if (needs_attention(record)) found.push_back(&record);
  }
  std::stable_sort(found.begin(), found.end(), [](const Record* a, const Record* b) {
    return outcome_style(*a).gravity > outcome_style(*b).gravity;
  });
  return found;
}

std::vector<const Record*> with_expected(const Report& report, Expected expected) {
  std::vector<const Record*> found;
  for (const Record& record : report.records) {
    if (record.expected == expected) found.push_back(&record);
  }
  return found;
}

std::vector<MatchedExpectation> matched_expectations(const Report& report) {
  std::vector<MatchedExpectation> matched;
  for (const Record* record : with_expected(report, Expected::expected_fail)) {
    const ExpectationNote note = record->expectation.value_or(ExpectationNote{});
    auto at = std::find_if(matched.begin(), matched.end(),
                           [&](const MatchedExpectation& known) { return known.note == note; });
    if (at == matched.end()) at = matched.insert(at, {note, 0});
    ++at->cases;
  }
  return matched;
}

std::vector<FigureBeside> figures_beside(const Report& report) {
  std::vector<FigureBeside> rows;
  for (const PublishedFigure& figure : report.published) {
    const auto ours = ours_beside(figure, report.records);
    if (ours.empty()) rows.push_back({&figure, "", 0});
    for (const auto& [backend, value] : ours) rows.push_back({&figure, backend, value});
  }
  return rows;
}

std::string figure_name(const PublishedFigure& figure) {
  return join(figure.tensors, ", ") + " of " + figure.dtype + ": " + figure.what;
}

std::string figure_range(const PublishedFigure& figure) {
  const std::string high = format_number(figure.high);
  return figure.low > 0 ? format_number(figure.low) + " to " + high : "up to " + high;
}

}  // namespace fathom
