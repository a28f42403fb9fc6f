// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/plain.h"

namespace fathom::plain_probe {

std::vector<Trial> trials(const Case& c) {
  return {{.label = "plain", .c = c}};
}

Judgement judge(const Case& /*c*/, std::span<const Outcome> outcomes) {
  return fathom::judge(*outcomes[0].observation);
}

}  // namespace fathom::plain_probe
