// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/backend.h"

namespace fathom::worker {

std::map<TensorName, Transport> all_in_place(const OutputViews& outputs) {
  std::map<TensorName, Transport> transports;
  for (const auto& [name, view] : outputs) transports[name] = Transport::in_place;
  return transports;
}

Index output_bytes(const OutputViews& outputs) {
  Index bytes = 0;
  for (const auto& [name, view] : outputs) bytes += byte_count(view.spec);
  return bytes;
}

}  // namespace fathom::worker
