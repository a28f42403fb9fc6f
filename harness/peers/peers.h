// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/metrics.h"
#include "harness/core/observation.h"
#include "harness/core/oracle.h"

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace fathom {

/// The yardsticks of peers' rules beside the oracle's answer. Each may be null: plain attention
/// where the score matrix is too large, all of them in fp64.
struct PlainAnswers {
  std::shared_ptr<const PlainAnswer> scaled_k;
  std::shared_ptr<const PlainAnswer> scaled_both;
  std::shared_ptr<const std::vector<double>> magnitude;  ///< sum p |v|, indexed like O.
};

/// Asks the oracle for them: plain attention twice, and the forward pass with |V|. As expensive as
/// an answer, so to be asked only where somebody wants the opinions.
PlainAnswers ask_plain(Oracle& oracle, const Problem& problem, const TensorSet& inputs);

/// What one rule says of one output tensor.
struct PeerOpinion {
  std::string_view rule;
  TensorName tensor = TensorName::o;
  std::optional<bool> pass;  ///< Empty: not applicable, a yardstick that the rule needs is missing.
  double value = 0;
  double limit = 0;
};

/// What peers' acceptance rules would have said of the outputs, each rule of the tensors that it
/// compares; in the table's order. LSE rows that see no key are left out, since every project has
/// its own convention for them. Throws Error if an output does not have the oracle's size.
std::vector<PeerOpinion> peer_opinions(const Observation& observation, const PlainAnswers& plain);

/// By rule: whether it passes every tensor that it compares. Empty if it fails none but could not
/// judge some. Rules that compare nothing here are absent.
std::map<std::string_view, std::optional<bool>> peer_outcomes(
    const std::vector<PeerOpinion>& opinions);

/// Writes the applicable opinions into the metrics of their tensors.
void add_peer_opinions(std::vector<TensorMetrics>& tensors,
                       const std::vector<PeerOpinion>& opinions);

}  // namespace fathom
