// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cases/suite.h"
#include "harness/core/filter.h"
#include "harness/core/report.h"

#include <string>
#include <vector>

namespace fathom {

/// The Expectations of a run, and what they say of its Records.
class Expectations {
 public:
  /// `today` as YYYY-MM-DD: an entry that expires before it no longer excuses anything.
  Expectations(std::vector<Expectation> entries, const std::string& today);

  /// Marks the Record: exactly the foretold outcome is expected_fail, a pass is unexpected_pass,
  /// anything else stands as if there were no entry. `declared`: what the backend's worker calls
  /// it, since entries foretell what an implementation does, whatever a run calls it.
  void apply(Record& record, const std::string& declared) const;

  /// Entries past their date.
  [[nodiscard]] std::vector<StaleExpectation> stale() const;

 private:
  struct Entry {
    Expectation expectation;
    Filter filter;
    bool expired = false;
  };
  std::vector<Entry> entries_;
};

/// Today's date in UTC, YYYY-MM-DD.
std::string today_utc();

}  // namespace fathom
