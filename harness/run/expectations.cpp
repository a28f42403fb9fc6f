// SPDX-License-Identifier: Apache-2.0
#include "harness/run/expectations.h"

#include <array>
#include <ctime>

namespace fathom {

namespace {

/// The Record of a backend as if the run had called it by another name.
Record called(Record record, const std::string& name) {
  const std::string backend = backend_of(record.planned.backend);
  for (std::string* text : {&record.planned.backend, &record.answered_by}) {
    if (backend_of(*text) == backend) text->replace(0, backend.size(), name);
  }
  return record;
}

}  // namespace

Expectations::Expectations(std::vector<Expectation> entries, const std::string& today) {
  for (Expectation& expectation : entries) {
    Filter filter = Filter::parse(expectation.note.match);
    const bool expired = expectation.note.expires < today;  // ISO dates order as text.
    entries_.push_back({std::move(expectation), std::move(filter), expired});
  }
}

void Expectations::apply(Record& record, const std::string& declared) const {
  const FilterRow row = filter_row(called(record, declared));
  const std::string outcome = outcome_text(record.verdict, record.fail_class, Expected::no);
  for (const Entry& entry : entries_) {
    if (entry.expired || !entry.filter.matches(row)) continue;
    if (outcome == entry.expectation.note.verdict) {
      record.expected = Expected::expected_fail;
    } else if (record.verdict == Verdict::pass) {
      record.expected = Expected::unexpected_pass;
    } else {
      continue;
    }
    record.expectation = entry.expectation.note;
    return;
  }
}

std::vector<StaleExpectation> Expectations::stale() const {
  std::vector<StaleExpectation> list;
  for (const Entry& entry : entries_) {
    if (entry.expired) list.push_back({entry.expectation.note, entry.expectation.file, "expired"});
  }
  return list;
}

std::string today_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 16> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d", &utc);
  return {text.data(), length};
}

}  // namespace fathom
