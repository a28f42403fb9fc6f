// SPDX-License-Identifier: Apache-2.0
#include "harness/run/worker_client.h"

#include "harness/codec/json.h"

namespace fathom {
namespace {

/// Time for a process whose channel closed to finish dying, so that its signal can be named.
constexpr std::chrono::milliseconds grace{2000};

/// Turns every malformed answer into the loss of the worker.
template <typename Read>
auto trusting_nothing(const std::string& name, Read read) {
  try {
    return read();
  } catch (const ProtocolError& e) {
    throw WorkerLost(Verdict::protocol_error, "answer",
                     "worker " + name + " answered nonsense: " + e.what());
  }
}

}  // namespace

WorkerClient::WorkerClient(const WorkerCommand& command, const Deadlines& deadlines)
    : name_(command.name), deadlines_(deadlines), process_(command) {}

void WorkerClient::lose_closed(const std::string& during) {
  const auto end = process_.wait_end(grace);
  if (!end) {
    throw WorkerLost(Verdict::protocol_error, "closed",
                     "worker " + name_ + " closed its channel during " + during + " and lives on");
  }
  throw WorkerLost(Verdict::crash, *end,
                   "worker " + name_ + " died during " + during + ": " + *end);
}

Json WorkerClient::receive(std::int64_t seq, const std::string& type,
                           WorkerProcess::Clock::time_point deadline) {
  while (true) {
    const std::optional<std::string> frame = buffer_.next();
    if (!frame) {
      if (!process_.wait_readable(deadline)) {
        const std::string where = phase_.empty() ? type : type + ", phase " + phase_;
        throw WorkerLost(Verdict::hang, type,
                         "worker " + name_ + " did not answer before its deadline (" + where + ")");
      }
      UniqueFd unexpected;
      if (!receive_some(process_.channel(), buffer_, unexpected)) lose_closed(type);
      continue;
    }
    Json json;
    try {
      json = parse_json(*frame, "frame");
      const std::string got = json.at("type").get<std::string>();
      if (got == "beat") continue;
      if (got == "phase") {
        phase_ = json.at("name").get<std::string>().substr(0, 80);
        continue;
      }
      if (json.at("seq").get<std::int64_t>() != seq) throw ProtocolError("wrong seq");
      if (got != type && got != "error") throw ProtocolError("a message of type '" + got + "'");
      return json;
    } catch (const std::exception& e) {
      throw ProtocolError(std::string("no proper answer to ") + type + ": " + e.what());
    }
  }
}

Json WorkerClient::ask(Json request, std::chrono::milliseconds patience, int passed_fd) {
  const auto deadline = WorkerProcess::Clock::now() + patience;
  const std::string type = request.at("type").get<std::string>();
  phase_.clear();
  request["seq"] = ++seq_;
  return trusting_nothing(name_, [&] {
    try {
      send_frame(process_.channel(), request.dump(), passed_fd);
    } catch (const ChannelClosed&) {
      lose_closed(type);
    }
    Json answer = receive(seq_, type, deadline);
    if (answer.at("type") == "error") {
      const auto kind = answer.value("kind", std::string("exception"));
      throw BackendError(kind, answer.value("message", std::string("no message")));
    }
    return answer;
  });
}

HelloAnswer WorkerClient::hello() {
  return trusting_nothing(
      name_, [&] { return read_hello_answer(ask(hello_request(), deadlines_.hello)); });
}

const std::string& WorkerClient::own_name(const std::string& backend) const {
  const auto at = aliases_.find(backend);
  return at == aliases_.end() ? backend : at->second;
}

SupportAnswer WorkerClient::support(SupportRequest request) {
  request.backend = own_name(request.backend);
  return trusting_nothing(
      name_, [&] { return read_support_answer(ask(to_json(request), deadlines_.support)); });
}

PrepareAnswer WorkerClient::prepare(PrepareRequest request, int memory) {
  request.backend = own_name(request.backend);
  return trusting_nothing(name_, [&] {
    return read_prepare_answer(ask(to_json(request), deadlines_.prepare, memory));
  });
}

ExecuteAnswer WorkerClient::execute(const Problem& problem) {
  return trusting_nothing(name_, [&] {
    return read_execute_answer(ask({{"type", "execute"}}, deadlines_.execute), problem);
  });
}

TimeReply WorkerClient::time(const TimeMessage& request) {
  return trusting_nothing(name_, [&] {
    return read_time_reply(ask(to_json(request), deadlines_.time), request.samples);
  });
}

MemoryUse WorkerClient::memory() {
  return trusting_nothing(name_, [&] {
    return read_memory_reply(ask({{"type", "memory"}}, deadlines_.execute));
  });
}

GraphAnswer WorkerClient::graph() {
  return trusting_nothing(name_, [&] {
    return read_graph_answer(ask({{"type", "graph"}}, deadlines_.execute));
  });
}

void WorkerClient::release() {
  ask({{"type", "release"}}, deadlines_.support);
}

}  // namespace fathom
