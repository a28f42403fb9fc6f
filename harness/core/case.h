// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/fill.h"
#include "harness/core/probe_name.h"
#include "harness/core/problem.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// A Problem with the numbers to put into it: one question that every backend is asked.
struct Case {
  Problem problem;
  Fill fill = Fill::normal;
  std::uint64_t seed = 1;
  ProbeName probe = ProbeName::plain;
  std::string suite;
  std::vector<std::string> tags;
  std::string why;  ///< Why the Case exists, from the suite file.
  bool operator==(const Case&) const = default;
};

/// `dir=fwd ... mask=full fill=normal seed=1`: the Problem's text, the Fill, the seed, and
/// `probe=key_count` unless the Case is plain.
std::string to_string(const Case& c);
/// Inverse of to_string as far as the text goes (suite, tags and why stay empty).
Case parse_case(std::string_view text);

/// Ten hex digits that name one planned case: a hash of the backend asked for and the Case's text.
std::string case_id(std::string_view backend, const Case& c);

/// A Case and whom it is put to: `backend[:variant][/lowering]`, the unit of a plan and a Record.
struct PlannedCase {
  std::string id;
  std::string backend;
  Case c;
  bool operator==(const PlannedCase&) const = default;
};

}  // namespace fathom
