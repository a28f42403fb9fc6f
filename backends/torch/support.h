// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/torch/device.h"
#include "backends/torch/lowering.h"
#include "backends/torch/variant.h"
#include "harness/worker/backend.h"

#include <optional>
#include <string>

namespace fathom::sdpa {

/// Why this torch cannot run the variant at all (an op or its kernel is missing); empty if it can.
std::optional<std::string> why_ops_absent(const Variant& variant);

/// Why torch, asked by argument names and on a GPU by its own rules, does not answer the Problem;
/// empty if it does. Needs why_not_lowered to be empty.
std::optional<worker::Refusal> why_torch_cannot(const Variant& variant, const Device& device,
                                                const Problem& problem, const Lowering& lowering);

}  // namespace fathom::sdpa
