// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/fill.h"
#include "harness/core/problem.h"
#include "harness/core/tensor.h"

#include <span>
#include <string_view>
#include <vector>

namespace fathom {

/// What a rule measures an answer with, besides the oracle's value.
enum class Yardstick : std::uint8_t {
  none,
  plain_scaled_k,     ///< Plain attention, PlainVariant::scaled_k.
  plain_scaled_both,  ///< Plain attention, PlainVariant::scaled_both.
  magnitude,          ///< sum p |v| of every element of O; gradients are judged without it.
};

/// One output as a peer's rule sees it. All vectors are equally long, except that a yardstick which
/// is not there is empty.
struct PeerTensor {
  const Problem& problem;
  TensorName name = TensorName::o;
  Dtype dtype = Dtype::f32;       ///< Of the tensor's storage.
  std::vector<double> got{};      ///< x
  std::vector<double> want{};     ///< R: the oracle's value.
  std::vector<double> rounded{};  ///< Rt: R rounded to the dtype.
  std::vector<double> plain_scaled_k{};
  std::vector<double> plain_scaled_both{};
  std::vector<double> magnitude{};
};

/// The number that a rule looks at. It passes unless !(value <= limit), so that NaN fails.
struct PeerScore {
  double value = 0;
  double limit = 0;
};
bool passes(PeerScore score);

/// How another project decides that an attention output is right.
struct PeerRule {
  std::string_view name;
  std::string_view project;
  std::string_view link;  ///< The test that it is taken from.
  std::string_view what;  ///< The rule in one line: x output, R oracle, Rt = R in the dtype.
  Yardstick needs;
  Fill fill;  ///< The nearest to the data of the project's own test.
  bool (*applies)(Dtype dtype, TensorName tensor);
  PeerScore (*judge)(const PeerTensor& tensor);
};

std::span<const PeerRule> peer_rules();
/// Null if no rule has this name.
const PeerRule* find_peer_rule(std::string_view name);

/// Whether everything that the rule needs of this tensor is there.
bool can_judge(const PeerRule& rule, const PeerTensor& tensor);

}  // namespace fathom
