// SPDX-License-Identifier: Apache-2.0
#include "harness/worker/session.h"

#include "harness/codec/json.h"
#include "harness/core/features.h"
#include "harness/protocol/frame.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <new>

namespace fathom::worker {
namespace {

BackendStatus to_status(const BackendInfo& info) {
  BackendStatus status{info.name,      info.version,  info.device, info.absent,
                       info.lowerings, info.features, {}};
  for (const auto& [dtype, arithmetic] : info.arithmetic) {
    status.arithmetic[std::string(to_string(dtype))] = arithmetic;
  }
  return status;
}

/// `mask.window (sliding window (left, right))`; a token newer than this worker is only named.
std::string token_and_meaning(const std::string& name) {
  for (const FeatureToken& token : all_feature_tokens()) {
    if (token.name == name) return name + " (" + std::string(token.meaning) + ")";
  }
  return name;
}

/// The must-understand rule: a token that the backend does not declare is refused unasked.
std::optional<Refusal> why_not_understood(const BackendInfo& info,
                                          const std::vector<std::string>& features) {
  for (const std::string& name : features) {
    if (std::find(info.features.begin(), info.features.end(), name) != info.features.end()) {
      continue;
    }
    return Refusal{"feature." + name, info.name + " does not declare " + token_and_meaning(name)};
  }
  return std::nullopt;
}

Json error_answer(std::string_view kind, const std::string& message) {
  return {{"type", "error"}, {"kind", kind}, {"message", message}};
}

}  // namespace

Session::Session(std::string name, std::vector<std::unique_ptr<Backend>> backends)
    : name_(std::move(name)), backends_(std::move(backends)) {}

Json Session::answer(const Json& request, UniqueFd& passed) {
  Json answer;
  try {
    answer = dispatch(request, passed);
  } catch (const OutOfMemory& e) {
    answer = error_answer("out_of_memory", e.what());
  } catch (const std::bad_alloc&) {
    answer = error_answer("out_of_memory", "the host allocator refused (std::bad_alloc)");
  } catch (const std::exception& e) {
    answer = error_answer("exception", e.what());
  }
  answer["seq"] = request.at("seq");
  return answer;
}

std::span<const Session::Handler> Session::handlers() {
  static constexpr std::array table{
      Handler{"hello", &Session::hello},     Handler{"support", &Session::support},
      Handler{"prepare", &Session::prepare}, Handler{"execute", &Session::execute},
      Handler{"time", &Session::time},       Handler{"memory", &Session::memory},
      Handler{"release", &Session::release},
  };
  return table;
}

Json Session::dispatch(const Json& request, UniqueFd& passed) {
  const std::string type = request.at("type").get<std::string>();
  for (const Handler& handler : handlers()) {
    if (type == handler.type) return (this->*handler.run)(request, passed);
  }
  throw ProtocolError("'" + type + "' is no request of protocol version 1");
}

Json Session::hello(const Json& /*request*/, UniqueFd& /*passed*/) {
  HelloAnswer answer{name_, protocol_version, {}};
  for (const auto& backend : backends_) answer.backends.push_back(to_status(backend->info()));
  return to_json(answer);
}

Json Session::support(const Json& request, UniqueFd& /*passed*/) {
  const SupportRequest asked = read_support_request(request);
  const auto refusal = why_refused(asked);
  if (!refusal) return to_json(SupportAnswer{true, "", ""});
  return to_json(SupportAnswer{false, refusal->code, refusal->sentence});
}

Json Session::prepare(const Json& request, UniqueFd& passed) {
  const PrepareRequest asked = read_prepare_request(request);
  if (!passed) throw ProtocolError("prepare came without its shared memory");
  drop();
  mapping_ = Mapping(passed.get(), asked.memory_bytes);
  passed.reset();
  InputViews inputs;
  for (const TensorSlot& slot : asked.inputs) {
    inputs[slot.spec.name] = {slot.spec, slot_bytes(slot)};
  }
  OutputViews outputs;
  for (const TensorSlot& slot : asked.outputs) {
    outputs[slot.spec.name] = {slot.spec, slot_bytes(slot)};
  }
  problem_ = asked.problem;
  plan_ = find(asked.backend).prepare(problem_, asked.lowering, inputs, outputs);
  return to_json(PrepareAnswer{asked.lowering});
}

Json Session::execute(const Json& /*request*/, UniqueFd& /*passed*/) {
  Plan& plan = prepared();
  const auto start = std::chrono::steady_clock::now();
  plan.execute();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return to_json(ExecuteAnswer{plan.transports(), took.count()}, problem_);
}

Json Session::time(const Json& request, UniqueFd& /*passed*/) {
  const TimeMessage asked = read_time_message(request);
  const TimeAnswer answer = prepared().time({asked.pass, asked.samples, asked.cold});
  return to_json(TimeReply{answer.mode, answer.samples_ns, answer.reason});
}

Json Session::memory(const Json& /*request*/, UniqueFd& /*passed*/) {
  return to_json(prepared().memory());
}

Json Session::release(const Json& /*request*/, UniqueFd& /*passed*/) {
  drop();
  return {{"type", "release"}};
}

void Session::drop() {
  plan_.reset();
  mapping_ = Mapping();
}

Plan& Session::prepared() {
  if (!plan_) throw ProtocolError("nothing is prepared");
  return *plan_;
}

Backend& Session::find(const std::string& name) {
  for (const auto& backend : backends_) {
    if (backend->info().name == name) return *backend;
  }
  throw ProtocolError("worker " + name_ + " has no backend '" + name + "'");
}

std::optional<Refusal> Session::why_refused(const SupportRequest& asked) {
  Backend& backend = find(asked.backend);
  const BackendInfo info = backend.info();
  if (!info.absent.empty()) return Refusal{"absent", info.absent};
  if (auto refusal = why_not_understood(info, asked.features)) return refusal;
  const auto& lowerings = info.lowerings;
  if (std::find(lowerings.begin(), lowerings.end(), asked.lowering) == lowerings.end()) {
    return Refusal{"lowering", info.name + " has no lowering '" + asked.lowering + "'"};
  }
  return backend.why_unsupported(asked.problem, asked.lowering);
}

std::span<std::byte> Session::slot_bytes(const TensorSlot& slot) const {
  return mapping_.bytes().subspan(static_cast<std::size_t>(slot.offset),
                                  static_cast<std::size_t>(byte_count(slot.spec)));
}

}  // namespace fathom::worker
