// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/serve.h"

#include "harness/codec/json.h"
#include "harness/protocol/frame.h"
#include "harness/worker/session.h"

#include <cstdio>
#include <exception>
#include <optional>

namespace fathom::worker {

std::optional<Json> next_request(FrameBuffer& buffer, UniqueFd& passed) {
  std::optional<std::string> frame;
  while (!(frame = buffer.next())) {
    if (!receive_some(channel_fd, buffer, passed)) return std::nullopt;
  }
  Json request = parse_json(*frame, "request");
  if (request.at("type") == "bye") return std::nullopt;
  return request;
}

int serve(const std::string& worker_name, std::vector<std::unique_ptr<Backend>> backends) {
  Session session(worker_name, std::move(backends));
  FrameBuffer buffer;
  UniqueFd passed;
  try {
    while (const auto request = next_request(buffer, passed)) {
      send_frame(channel_fd, session.answer(*request, passed).dump());
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fathom worker %s: %s\n", worker_name.c_str(), e.what());
    return 70;
  }
  return 0;
}

}  // namespace fathom::worker
