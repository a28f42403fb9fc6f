// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/serve.h"

#include "harness/codec/json.h"
#include "harness/protocol/frame.h"
#include "harness/protocol/messages.h"
#include "harness/protocol/shared_memory.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>

namespace fathom::worker {
namespace {

constexpr int channel_fd = 3;

BackendStatus to_status(const BackendInfo& info) {
  BackendStatus status{info.name,      info.version,  info.device, info.absent,
                       info.lowerings, info.features, {}};
  for (const auto& [dtype, arithmetic] : info.arithmetic) {
    status.arithmetic[std::string(to_string(dtype))] = arithmetic;
  }
  return status;
}

/// The must-understand rule: a token that the backend does not declare is refused unasked.
std::optional<Refusal> why_not_understood(const BackendInfo& info, const Problem& problem) {
  for (const FeatureToken& token : all_feature_tokens()) {
    if (!token.needed(problem)) continue;
    const std::string name(token.name);
    if (std::find(info.features.begin(), info.features.end(), name) != info.features.end()) {
      continue;
    }
    return Refusal{"feature." + name, info.name + " does not declare " + name + " (" +
                                          std::string(token.meaning) + ")"};
  }
  return std::nullopt;
}

/// The state of one worker: which backends it has, and what is prepared.
class Session {
 public:
  Session(std::string name, std::vector<std::unique_ptr<Backend>> backends)
      : name_(std::move(name)), backends_(std::move(backends)) {}

  /// The answer to one request. `passed` is the descriptor that came with it.
  Json answer(const Json& request, UniqueFd& passed) {
    const std::string type = request.at("type").get<std::string>();
    for (const Handler& handler : handlers()) {
      if (type == handler.type) return (this->*handler.run)(request, passed);
    }
    throw ProtocolError("'" + type + "' is no request of protocol version 1");
  }

 private:
  struct Handler {
    std::string_view type;
    Json (Session::*run)(const Json&, UniqueFd&);
  };
  static std::span<const Handler> handlers() {
    static constexpr std::array table{
        Handler{"hello", &Session::hello},     Handler{"support", &Session::support},
        Handler{"prepare", &Session::prepare}, Handler{"execute", &Session::execute},
        Handler{"time", &Session::time},       Handler{"memory", &Session::memory},
        Handler{"release", &Session::release},
    };
    return table;
  }

  Json hello(const Json& /*request*/, UniqueFd& /*passed*/) {
    HelloAnswer answer{name_, protocol_version, {}};
    for (const auto& backend : backends_) answer.backends.push_back(to_status(backend->info()));
    return to_json(answer);
  }

  Json support(const Json& json, UniqueFd& /*passed*/) {
    const SupportRequest request = read_support_request(json);
    const auto refusal = why_refused(request.backend, request.lowering, request.problem);
    if (!refusal) return to_json(SupportAnswer{true, "", ""});
    return to_json(SupportAnswer{false, refusal->code, refusal->sentence});
  }

  Json prepare(const Json& json, UniqueFd& passed) {
    const PrepareRequest request = read_prepare_request(json);
    if (!passed) throw ProtocolError("prepare came without its shared memory");
    drop();
    mapping_ = Mapping(passed.get(), request.memory_bytes);
    passed.reset();
    InputViews inputs;
    for (const TensorSlot& slot : request.inputs) {
      inputs[slot.spec.name] = {slot.spec, slot_bytes(slot)};
    }
    OutputViews outputs;
    for (const TensorSlot& slot : request.outputs) {
      outputs[slot.spec.name] = {slot.spec, slot_bytes(slot)};
    }
    problem_ = request.problem;
    plan_ = find(request.backend).prepare(problem_, request.lowering, inputs, outputs);
    return to_json(PrepareAnswer{request.lowering});
  }

  Json execute(const Json& /*request*/, UniqueFd& /*passed*/) {
    Plan& plan = prepared();
    const auto start = std::chrono::steady_clock::now();
    plan.execute();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    return to_json(ExecuteAnswer{plan.transports(), took.count()}, problem_);
  }

  Json time(const Json& json, UniqueFd& /*passed*/) {
    const TimeMessage request = read_time_message(json);
    const TimeAnswer answer = prepared().time({request.pass, request.samples, request.cold});
    return to_json(TimeReply{answer.mode, answer.samples_ns, answer.reason});
  }

  Json memory(const Json& /*request*/, UniqueFd& /*passed*/) {
    return to_json(prepared().memory());
  }

  Json release(const Json& /*request*/, UniqueFd& /*passed*/) {
    drop();
    return {{"type", "release"}};
  }

  void drop() {
    plan_.reset();
    mapping_ = Mapping();
  }

  Plan& prepared() {
    if (!plan_) throw ProtocolError("nothing is prepared");
    return *plan_;
  }

  Backend& find(const std::string& name) {
    for (const auto& backend : backends_) {
      if (backend->info().name == name) return *backend;
    }
    throw ProtocolError("worker " + name_ + " has no backend '" + name + "'");
  }

  std::optional<Refusal> why_refused(const std::string& name, const std::string& lowering,
                                     const Problem& problem) {
    Backend& backend = find(name);
    const BackendInfo info = backend.info();
    if (!info.absent.empty()) return Refusal{"absent", info.absent};
    if (auto refusal = why_not_understood(info, problem)) return refusal;
    const auto& lowerings = info.lowerings;
    if (std::find(lowerings.begin(), lowerings.end(), lowering) == lowerings.end()) {
      return Refusal{"lowering", name + " has no lowering '" + lowering + "'"};
    }
    return backend.why_unsupported(problem, lowering);
  }

  [[nodiscard]] std::span<std::byte> slot_bytes(const TensorSlot& slot) const {
    return mapping_.bytes().subspan(static_cast<std::size_t>(slot.offset),
                                    static_cast<std::size_t>(byte_count(slot.spec)));
  }

  std::string name_;
  std::vector<std::unique_ptr<Backend>> backends_;
  Problem problem_;
  Mapping mapping_;
  std::unique_ptr<Plan> plan_;  // Uses the mapping, so it is declared, and dies, after it.
};

Json error_answer(std::string_view kind, const std::string& message) {
  return {{"type", "error"}, {"kind", kind}, {"message", message}};
}

Json answer_or_error(Session& session, const Json& request, UniqueFd& passed) {
  try {
    return session.answer(request, passed);
  } catch (const OutOfMemory& e) {
    return error_answer("out_of_memory", e.what());
  } catch (const std::bad_alloc&) {
    return error_answer("out_of_memory", "the host allocator refused (std::bad_alloc)");
  } catch (const std::exception& e) {
    return error_answer("exception", e.what());
  }
}

}  // namespace

int serve(const std::string& worker_name, std::vector<std::unique_ptr<Backend>> backends) {
  Session session(worker_name, std::move(backends));
  FrameBuffer buffer;
  UniqueFd passed;
  try {
    while (true) {
      std::optional<std::string> frame;
      while (!(frame = buffer.next())) {
        if (!receive_some(channel_fd, buffer, passed)) return 0;
      }
      const Json request = parse_json(*frame, "request");
      if (request.at("type") == "bye") return 0;
      Json answer = answer_or_error(session, request, passed);
      answer["seq"] = request.at("seq");
      send_frame(channel_fd, answer.dump());
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fathom worker %s: %s\n", worker_name.c_str(), e.what());
    return 70;
  }
}

}  // namespace fathom::worker
