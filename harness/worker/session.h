// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"
#include "harness/protocol/messages.h"
#include "harness/protocol/shared_memory.h"
#include "harness/protocol/unique_fd.h"
#include "harness/worker/backend.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fathom::worker {

/// The state of one worker, which backends it has and what is prepared, and its answer to each
/// request of the protocol. Knows no socket.
class Session {
 public:
  Session(std::string name, std::vector<std::unique_ptr<Backend>> backends);

  /// The answer, with the request's `seq`. `passed` is the descriptor that came with it. What a
  /// backend throws becomes an answer of type `error`.
  Json answer(const Json& request, UniqueFd& passed);

 private:
  struct Handler {
    std::string_view type;
    Json (Session::*run)(const Json&, UniqueFd&);
  };
  static std::span<const Handler> handlers();
  Json dispatch(const Json& request, UniqueFd& passed);

  Json hello(const Json& request, UniqueFd& passed);
  Json support(const Json& request, UniqueFd& passed);
  Json prepare(const Json& request, UniqueFd& passed);
  Json execute(const Json& request, UniqueFd& passed);
  Json time(const Json& request, UniqueFd& passed);
  Json memory(const Json& request, UniqueFd& passed);
  Json release(const Json& request, UniqueFd& passed);

  void drop();
  Plan& prepared();
  Backend& find(const std::string& name);
  std::optional<Refusal> why_refused(const SupportRequest& asked);
  [[nodiscard]] std::span<std::byte> slot_bytes(const TensorSlot& slot) const;

  std::string name_;
  std::vector<std::unique_ptr<Backend>> backends_;
  Problem problem_;
  Mapping mapping_;
  std::unique_ptr<Plan> plan_;  // Uses the mapping, so it is declared, and dies, after it.
};

}  // namespace fathom::worker
