// SPDX-License-Identifier: Apache-2.0
#include "harness/protocol/messages.h"

#include "harness/codec/json.h"
#include "harness/core/features.h"
#include "harness/protocol/frame.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

constexpr Index alignment = 256;

/// Runs a reader; every complaint of the JSON library becomes one ProtocolError.
template <typename Read>
auto reading(std::string_view message, Read read) {
  try {
    return read();
  } catch (const ProtocolError&) {
    throw;
  } catch (const std::exception& e) {
    throw ProtocolError("a malformed '" + std::string(message) + "' message: " + e.what());
  }
}

Json slot_to_json(const TensorSlot& slot) {
  return {{"name", to_string(slot.spec.name)},
          {"dtype", to_string(slot.spec.dtype)},
          {"shape", slot.spec.shape},
          {"strides", contiguous_strides(slot.spec)},
          {"offset", slot.offset}};
}

TensorName tensor_named(const std::string& name) {
  const auto tensor = parse_tensor_name(name);
  if (!tensor) throw ProtocolError("a tensor is called '" + name + "'");
  return *tensor;
}

TensorSlot slot_from_json(const Json& json) {
  TensorSlot slot;
  slot.spec.name = tensor_named(json.at("name").get<std::string>());
  const auto dtype = parse_dtype(json.at("dtype").get<std::string>());
  if (!dtype) throw ProtocolError("a tensor has an unknown dtype");
  slot.spec.dtype = *dtype;
  slot.spec.shape = json.at("shape").get<std::vector<Index>>();
  slot.offset = json.at("offset").get<Index>();
  return slot;
}

Json slots_to_json(const std::vector<TensorSlot>& slots) {
  Json list = Json::array();
  for (const TensorSlot& slot : slots) list.push_back(slot_to_json(slot));
  return list;
}

/// Reads slots and holds them against what the Problem and the memory allow.
std::vector<TensorSlot> read_slots(const Json& json, const std::vector<TensorSpec>& due,
                                   Index memory_bytes) {
  std::vector<TensorSlot> slots;
  for (const Json& item : json) slots.push_back(slot_from_json(item));
  if (slots.size() != due.size()) throw ProtocolError("the number of tensors is wrong");
  for (std::size_t i = 0; i < due.size(); ++i) {
    if (slots[i].spec != due[i]) {
      throw ProtocolError("tensor " + std::string(to_string(due[i].name)) + " has a wrong shape");
    }
    const bool inside = slots[i].offset >= 0 && slots[i].offset % alignment == 0 &&
                        byte_count(due[i]) <= memory_bytes - slots[i].offset;
    if (!inside) {
      throw ProtocolError("tensor " + std::string(to_string(due[i].name)) +
                          " lies outside the memory");
    }
  }
  return slots;
}

Transport transport_named(const std::string& name) {
  for (const Transport t : {Transport::in_place, Transport::copied, Transport::not_given}) {
    if (to_string(t) == name) return t;
  }
  throw ProtocolError("an output is answered '" + name + "'");
}

double duration(const Json& json) {
  const double ns = json.get<double>();
  if (!(ns >= 0) || !std::isfinite(ns)) throw ProtocolError("a duration is not a finite number");
  return ns;
}

}  // namespace

Json hello_request() {
  Json features = Json::array();
  for (const FeatureToken& token : all_feature_tokens()) features.push_back(token.name);
  return {{"type", "hello"}, {"protocol", protocol_version}, {"features", features}};
}

Json to_json(const HelloAnswer& answer) {
  Json backends = Json::array();
  for (const BackendStatus& status : answer.backends) {
    backends.push_back(backend_status_to_json(status));
  }
  return {{"type", "hello"},
          {"worker", answer.worker},
          {"protocol", answer.protocol},
          {"backends", backends}};
}

HelloAnswer read_hello_answer(const Json& json) {
  return reading("hello", [&] {
    HelloAnswer answer{json.at("worker").get<std::string>(), json.at("protocol").get<int>(), {}};
    if (answer.protocol != protocol_version) {
      throw ProtocolError("the worker speaks protocol " + std::to_string(answer.protocol) +
                          "; this fathom speaks " + std::to_string(protocol_version));
    }
    for (const Json& item : json.at("backends")) {
      answer.backends.push_back(backend_status_from_json(item, "hello.backends"));
    }
    return answer;
  });
}

SupportRequest support_request(const std::string& backend, const std::string& lowering,
                               const Problem& problem) {
  return {backend, lowering, problem, feature_tokens(problem)};
}

Json to_json(const SupportRequest& request) {
  return {{"type", "support"},
          {"backend", request.backend},
          {"lowering", request.lowering},
          {"problem", problem_to_json(request.problem)},
          {"features", request.features}};
}

SupportRequest read_support_request(const Json& json) {
  return reading("support", [&] {
    return SupportRequest{json.at("backend").get<std::string>(),
                          json.at("lowering").get<std::string>(),
                          problem_from_json(json.at("problem"), "support.problem"),
                          json.at("features").get<std::vector<std::string>>()};
  });
}

Json to_json(const SupportAnswer& answer) {
  return {{"type", "support"},
          {"supported", answer.supported},
          {"code", answer.code},
          {"sentence", answer.sentence}};
}

SupportAnswer read_support_answer(const Json& json) {
  return reading("support", [&] {
    SupportAnswer answer{json.at("supported").get<bool>(), json.at("code").get<std::string>(),
                         json.at("sentence").get<std::string>()};
    if (!answer.supported && (answer.code.empty() || answer.sentence.empty())) {
      throw ProtocolError("a refusal has no code or no sentence");
    }
    return answer;
  });
}

Json to_json(const PrepareRequest& request) {
  return {{"type", "prepare"},
          {"backend", request.backend},
          {"lowering", request.lowering},
          {"problem", problem_to_json(request.problem)},
          {"memory_bytes", request.memory_bytes},
          {"inputs", slots_to_json(request.inputs)},
          {"outputs", slots_to_json(request.outputs)}};
}

PrepareRequest read_prepare_request(const Json& json) {
  return reading("prepare", [&] {
    PrepareRequest request;
    request.backend = json.at("backend").get<std::string>();
    request.lowering = json.at("lowering").get<std::string>();
    request.problem = problem_from_json(json.at("problem"), "prepare.problem");
    request.memory_bytes = json.at("memory_bytes").get<Index>();
    request.inputs =
        read_slots(json.at("inputs"), input_specs(request.problem), request.memory_bytes);
    request.outputs =
        read_slots(json.at("outputs"), output_specs(request.problem), request.memory_bytes);
    return request;
  });
}

Json to_json(const PrepareAnswer& answer) {
  return {{"type", "prepare"}, {"lowering", answer.lowering}};
}

PrepareAnswer read_prepare_answer(const Json& json) {
  return reading("prepare", [&] { return PrepareAnswer{json.at("lowering").get<std::string>()}; });
}

Json to_json(const ExecuteAnswer& answer, const Problem& problem) {
  Json outputs = Json::object();
  for (const TensorSpec& spec : output_specs(problem)) {
    const auto at = answer.outputs.find(spec.name);
    const Transport transport = at == answer.outputs.end() ? Transport::not_given : at->second;
    outputs[std::string(to_string(spec.name))] = {
        {"transport", to_string(transport)},
        {"bytes", transport == Transport::not_given ? Index{0} : byte_count(spec)}};
  }
  return {{"type", "execute"}, {"outputs", outputs}, {"first_call_ns", answer.first_call_ns}};
}

ExecuteAnswer read_execute_answer(const Json& json, const Problem& problem) {
  return reading("execute", [&] {
    ExecuteAnswer answer;
    answer.first_call_ns = duration(json.at("first_call_ns"));
    const Json& outputs = json.at("outputs");
    const std::vector<TensorSpec> due = output_specs(problem);
    if (outputs.size() != due.size()) throw ProtocolError("execute answers a wrong set of outputs");
    for (const TensorSpec& spec : due) {
      const std::string name(to_string(spec.name));
      const Json& item = outputs.at(name);
      const Transport transport = transport_named(item.at("transport").get<std::string>());
      const Index bytes = transport == Transport::not_given ? 0 : byte_count(spec);
      if (item.at("bytes").get<Index>() != bytes) {
        throw ProtocolError("output " + name + " has " + item.at("bytes").dump() + " bytes; " +
                            std::to_string(bytes) + " are due");
      }
      answer.outputs[spec.name] = transport;
    }
    return answer;
  });
}

Json to_json(const TimeMessage& request) {
  return {{"type", "time"},
          {"pass", request.pass},
          {"samples", request.samples},
          {"cold", request.cold}};
}

TimeMessage read_time_message(const Json& json) {
  return reading("time", [&] {
    return TimeMessage{json.at("pass").get<std::string>(), json.at("samples").get<Index>(),
                       json.at("cold").get<bool>()};
  });
}

Json to_json(const TimeReply& reply) {
  return {{"type", "time"},
          {"mode", reply.mode},
          {"samples_ns", reply.samples_ns},
          {"reason", reply.reason}};
}

TimeReply read_time_reply(const Json& json, Index most_samples) {
  return reading("time", [&] {
    TimeReply reply{json.at("mode").get<std::string>(), {}, json.at("reason").get<std::string>()};
    for (const Json& sample : json.at("samples_ns")) reply.samples_ns.push_back(duration(sample));
    if (static_cast<Index>(reply.samples_ns.size()) > most_samples) {
      throw ProtocolError("more samples came back than were asked for");
    }
    if (reply.samples_ns.empty() && reply.reason.empty()) {
      throw ProtocolError("no samples and no reason");
    }
    return reply;
  });
}

Json to_json(const MemoryUse& memory) {
  return {{"type", "memory"},
          {"peak_bytes", memory.peak_bytes ? Json(*memory.peak_bytes) : Json()},
          {"method", memory.method},
          {"reason", memory.reason},
          {"output_bytes", memory.output_bytes}};
}

GraphAnswer read_graph_answer(const Json& json) {
  const auto fact = [&](const char* name) {
    const Json& one = json.at(name);
    GraphFact fact{std::nullopt, one.at("reason").get<std::string>()};
    if (!one.at("holds").is_null()) fact.holds = one.at("holds").get<bool>();
    if (!fact.holds && fact.reason.empty())
      throw ProtocolError("a fact is unknown without a reason");
    return fact;
  };
  return reading("graph", [&] {
    return GraphAnswer{fact("compile"), fact("no_sync"), fact("capture")};
  });
}

MemoryUse read_memory_reply(const Json& json) {
  return reading("memory", [&] {
    MemoryUse memory;
    const Json& peak = json.at("peak_bytes");
    if (!peak.is_null()) {
      if (!peak.is_number_integer() || peak.get<Index>() < 0) {
        throw ProtocolError("peak_bytes is no byte count");
      }
      memory.peak_bytes = peak.get<Index>();
    }
    memory.method = json.at("method").get<std::string>();
    memory.reason = json.at("reason").get<std::string>();
    memory.output_bytes = json.at("output_bytes").get<Index>();
    if (!memory.peak_bytes && memory.reason.empty()) {
      throw ProtocolError("peak_bytes is null without a reason");
    }
    return memory;
  });
}

}  // namespace fathom
