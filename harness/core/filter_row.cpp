// SPDX-License-Identifier: Apache-2.0
#include "harness/core/features.h"
#include "harness/core/filter.h"
#include "harness/core/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom {
namespace {

using Texts = std::vector<std::string>;
using Number = std::optional<double>;

/// One field of the grammar: how a Record shows it as text, or as a number, or neither.
struct FieldRow {
  std::string_view name;
  std::string_view meaning;
  Texts (*texts)(const Record&);
  Number (*number)(const Record&);
};

Number longest(const Record& r, Index Sequence::*length) {
  Index most = 0;
  for (const Sequence& s : r.planned.c.problem.sequences) most = std::max(most, s.*length);
  return static_cast<double>(most);
}

std::string problem_field(const Record& r, std::string_view key) {
  for (const ProblemField& field : problem_fields()) {
    if (field.key == key) return field.get(r.planned.c.problem);
  }
  return {};
}

const std::string& answered(const Record& r) {
  return r.answered_by.empty() ? r.planned.backend : r.answered_by;
}

Number median_seconds(const Record& r) {
  double sum = 0;
  for (const Latency& latency : r.measurement.latency) sum += latency.median_ns * 1e-9;
  return r.measurement.latency.empty() ? Number() : sum;
}

Number peak_memory(const Record& r) {
  if (!r.measurement.memory || !r.measurement.memory->peak_bytes) return std::nullopt;
  return static_cast<double>(*r.measurement.memory->peak_bytes);
}

constexpr auto no_number = +[](const Record&) { return Number(); };
constexpr auto no_text = +[](const Record&) { return Texts(); };

const std::array field_rows{
    FieldRow{"backend", "backend[:variant][/lowering], whole or without what follows",
             [](const Record& r) {
               const std::string backend = backend_of(answered(r));
               return Texts{answered(r), backend, backend.substr(0, backend.find(':')),
                            r.planned.backend};
             },
             no_number},
    FieldRow{"lowering", "how the backend answered: native, loop, dense_mask, ...",
             [](const Record& r) { return Texts{lowering_of(answered(r))}; }, no_number},
    FieldRow{"device", "cpu, cuda, ...",
             [](const Record& r) {
               return Texts{r.device, r.device.substr(0, r.device.find_first_of(": "))};
             },
             no_number},
    FieldRow{"suite", "the suite of the case",
             [](const Record& r) { return Texts{r.planned.c.suite}; }, no_number},
    FieldRow{"tag", "a tag of the case", [](const Record& r) { return r.planned.c.tags; },
             no_number},
    FieldRow{"id", "the ten-digit name of the planned case",
             [](const Record& r) { return Texts{r.planned.id}; }, no_number},
    FieldRow{"dir", "fwd or fwd+bwd",
             [](const Record& r) { return Texts{problem_field(r, "dir")}; }, no_number},
    FieldRow{"dtype", "f64, f32, f16, bf16",
             [](const Record& r) { return Texts{problem_field(r, "dtype")}; }, no_number},
    FieldRow{"layout", "bshd, bhsd, thd",
             [](const Record& r) { return Texts{problem_field(r, "layout")}; }, no_number},
    FieldRow{"mask", "the whole mask, its family, or one of its terms",
             [](const Record& r) {
               const Mask& mask = r.planned.c.problem.mask;
               Texts texts{to_string(mask), family(mask)};
               for (const MaskTerm& term : mask.terms) texts.push_back(family({{term}}));
               return texts;
             },
             no_number},
    FieldRow{"family", "the words of all mask terms, as in causal&window",
             [](const Record& r) { return Texts{family(r.planned.c.problem.mask)}; }, no_number},
    FieldRow{"fill", "how the inputs are drawn",
             [](const Record& r) { return Texts{std::string(to_string(r.planned.c.fill))}; },
             no_number},
    FieldRow{"probe", "plain, key_count, repeat, ...",
             [](const Record& r) { return Texts{std::string(to_string(r.planned.c.probe))}; },
             no_number},
    FieldRow{"feature", "a feature token of the problem",
             [](const Record& r) { return feature_tokens(r.planned.c.problem); }, no_number},
    FieldRow{"seqs", "number of sequences",
             [](const Record& r) { return Texts{problem_field(r, "seqs")}; },
             [](const Record& r) -> Number {
               return static_cast<double>(r.planned.c.problem.sequences.size());
             }},
    FieldRow{"sq", "longest query length", no_text,
             [](const Record& r) { return longest(r, &Sequence::query_length); }},
    FieldRow{"sk", "longest key length", no_text,
             [](const Record& r) { return longest(r, &Sequence::key_length); }},
    FieldRow{"hq", "query heads", no_text,
             [](const Record& r) { return Number(r.planned.c.problem.query_heads); }},
    FieldRow{"hkv", "KV heads", no_text,
             [](const Record& r) { return Number(r.planned.c.problem.kv_heads); }},
    FieldRow{"g", "query heads per KV head", no_text,
             [](const Record& r) {
               return Number(r.planned.c.problem.query_heads / r.planned.c.problem.kv_heads);
             }},
    FieldRow{"d", "head dim", no_text,
             [](const Record& r) { return Number(r.planned.c.problem.head_dim); }},
    FieldRow{"dv", "value head dim", no_text,
             [](const Record& r) { return Number(r.planned.c.problem.value_dim); }},
    FieldRow{"seed", "seed of the inputs", no_text,
             [](const Record& r) { return Number(static_cast<double>(r.planned.c.seed)); }},
    FieldRow{"empty_rows", "query rows of one head that see no key", no_text,
             [](const Record& r) {
               return Number(static_cast<double>(empty_rows(r.planned.c.problem)));
             }},
    FieldRow{"verdict", "pass, fail, fail(accuracy), expected_fail, ...",
             [](const Record& r) {
               Texts texts{std::string(to_string(r.verdict)),
                           outcome_text(r.verdict, r.fail_class, Expected::no), outcome_text(r)};
               if (r.expected != Expected::no) texts.emplace_back(to_string(r.expected));
               return texts;
             },
             no_number},
    FieldRow{"class", "class of a failure: accuracy, contract, ...",
             [](const Record& r) { return Texts{std::string(to_string(r.fail_class))}; },
             no_number},
    FieldRow{"reason", "reason code of a refusal, crash, hang",
             [](const Record& r) { return Texts{r.reason_code}; }, no_number},
    FieldRow{"check", "a check that found something",
             [](const Record& r) {
               Texts texts;
               for (const Finding& finding : r.findings) texts.push_back(finding.check);
               return texts;
             },
             no_number},
    FieldRow{"err_tol", "largest share of a limit", no_text, worst_margin},
    FieldRow{"latency", "sum of the median latencies, in seconds", no_text, median_seconds},
    FieldRow{"memory", "peak memory, in bytes", no_text, peak_memory},
};

const FieldRow* find_row(std::string_view name) {
  const auto at = std::find_if(field_rows.begin(), field_rows.end(),
                               [&](const FieldRow& row) { return row.name == name; });
  return at == field_rows.end() ? nullptr : &*at;
}

/// Fields that only a case that ended has; the others are known when it is planned.
bool is_outcome(std::string_view name) {
  constexpr std::array<std::string_view, 5> names{"device", "verdict", "class", "reason", "check"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

FilterRow row_of(const std::shared_ptr<const Record>& record) {
  FilterRow row;
  row.texts = [record](std::string_view name) {
    const FieldRow* field = find_row(name);
    return field == nullptr ? Texts() : field->texts(*record);
  };
  row.number = [record](std::string_view name) {
    const FieldRow* field = find_row(name);
    return field == nullptr ? Number() : field->number(*record);
  };
  row.all_text = record->planned.id + ' ' + answered(*record) + ' ' + to_string(record->planned.c);
  return row;
}

}  // namespace

const std::vector<FilterField>& filter_fields() {
  static const std::vector<FilterField> list = [] {
    std::vector<FilterField> fields;
    for (const FieldRow& row : field_rows) {
      fields.push_back({row.name, row.meaning, row.texts != no_text, row.number != no_number});
    }
    return fields;
  }();
  return list;
}

FilterRow filter_row(const Record& record) {
  FilterRow row = row_of(std::make_shared<Record>(record));
  row.all_text += ' ' + outcome_text(record) + ' ' + record.reason;
  return row;
}

FilterRow filter_row(const PlannedCase& planned) {
  auto record = std::make_shared<Record>();
  record->planned = planned;
  FilterRow row = row_of(record);
  row.texts = [texts = std::move(row.texts)](std::string_view name) {
    return is_outcome(name) ? Texts() : texts(name);
  };
  return row;
}

}  // namespace fathom
