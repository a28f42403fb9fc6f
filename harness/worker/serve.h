// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"
#include "harness/protocol/frame.h"
#include "harness/worker/backend.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fathom::worker {

/// The descriptor of the protocol's socket, inherited from the driver.
inline constexpr int channel_fd = 3;

/// Answers the worker protocol until `bye` or end of file; the whole main() of a C++ worker.
/// Returns the process's exit code.
int serve(const std::string& worker_name, std::vector<std::unique_ptr<Backend>> backends);

/// The next request on the channel, with the descriptor that came along; empty at the end.
std::optional<Json> next_request(FrameBuffer& buffer, UniqueFd& passed);

}  // namespace fathom::worker
