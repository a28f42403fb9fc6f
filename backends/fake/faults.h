// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"
#include "harness/worker/backend.h"

#include <span>
#include <string>
#include <string_view>

namespace fathom::fake {

/// One way to misbehave, in one phase. A fault either acts before the honest answer is made, or
/// changes the bytes that go out instead of it.
struct Fault {
  std::string_view name;
  std::string_view request;  ///< The request that triggers it; empty: the one asked for.
  void (*act)();             ///< Before the answer: die, hang, print. May be null.
  std::string (*frame)(const Json& answer);  ///< The raw bytes to send. Null: an honest frame.
};

/// Faults that the protocol sees.
std::span<const Fault> all_faults();

/// Faults inside the tensors: what the backend writes. `honest` by default.
enum class Damage : std::uint8_t {
  none,
  zeros,
  nan,
  off_by_one_key,
  unwritten,
  guard_before,
  guard_behind,
  mutate_input,
  raise,
  out_of_memory,
};
struct DamageRow {
  std::string_view name;
  Damage damage;
};
std::span<const DamageRow> all_damages();

}  // namespace fathom::fake
