// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"
#include "harness/core/observation.h"
#include "harness/core/report.h"
#include "harness/core/tensor.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

// What driver and worker say to each other, version 1. Every request and every answer is a JSON
// object with `seq` (the answer repeats the request's) and `type`. An answer of type `error` holds
// `kind` (exception, out_of_memory) and `message`. A worker may send `phase` {name} and `beat` {}
// at any time; they carry no `seq`.

namespace fathom {

inline constexpr int protocol_version = 1;

/// `hello`, with the driver's version of the protocol and every feature token it may ever name.
Json hello_request();

/// Where a tensor lies in the execution's shared memory.
struct TensorSlot {
  TensorSpec spec;
  Index offset = 0;  ///< Bytes, a multiple of 256.
};

struct HelloAnswer {
  std::string worker;
  int protocol = 0;
  std::vector<BackendStatus> backends;
};

/// Asks whether a backend answers a Problem in one lowering. The driver also names the Problem's
/// feature tokens, so that a worker refuses one that is newer than the worker itself.
struct SupportRequest {
  std::string backend;
  std::string lowering;
  Problem problem;
  std::vector<std::string> features;
};
SupportRequest support_request(const std::string& backend, const std::string& lowering,
                               const Problem& problem);
struct SupportAnswer {
  bool supported = false;
  std::string code;      ///< Why not, for machines.
  std::string sentence;  ///< Why not, for people.
};

/// Travels with the file descriptor of the shared memory.
struct PrepareRequest {
  std::string backend;
  std::string lowering;
  Problem problem;
  Index memory_bytes = 0;
  std::vector<TensorSlot> inputs;
  std::vector<TensorSlot> outputs;
};
struct PrepareAnswer {
  std::string lowering;  ///< What is really used.
};

struct ExecuteAnswer {
  std::map<TensorName, Transport> outputs;
  double first_call_ns = 0;
};

struct TimeMessage {
  std::string pass;
  Index samples = 0;
  bool cold = false;
};
struct TimeReply {
  std::string mode;
  std::vector<double> samples_ns;
  std::string reason;
};

/// One fact about compiling; unknown without a value, and then with a reason.
struct GraphFact {
  std::optional<bool> holds;
  std::string reason;
};
/// What people who compile gate on. Optional: a worker may answer `graph` with an error.
struct GraphAnswer {
  GraphFact compile;  ///< torch.compile(fullgraph=True), one compilation for any lengths.
  GraphFact no_sync;  ///< Never waits for the device.
  GraphFact capture;  ///< Can be captured in a CUDA graph.
};

// Writers give the object without `seq`; readers throw ProtocolError for anything but the message
// they name, with one sentence that says what is wrong.
Json to_json(const HelloAnswer& answer);
HelloAnswer read_hello_answer(const Json& json);
Json to_json(const SupportRequest& request);
SupportRequest read_support_request(const Json& json);
Json to_json(const SupportAnswer& answer);
SupportAnswer read_support_answer(const Json& json);
Json to_json(const PrepareRequest& request);
PrepareRequest read_prepare_request(const Json& json);
Json to_json(const PrepareAnswer& answer);
PrepareAnswer read_prepare_answer(const Json& json);
/// `problem` says which outputs and sizes are due.
Json to_json(const ExecuteAnswer& answer, const Problem& problem);
ExecuteAnswer read_execute_answer(const Json& json, const Problem& problem);
Json to_json(const TimeMessage& request);
TimeMessage read_time_message(const Json& json);
Json to_json(const TimeReply& reply);
TimeReply read_time_reply(const Json& json, Index most_samples);
Json to_json(const MemoryUse& memory);
MemoryUse read_memory_reply(const Json& json);
GraphAnswer read_graph_answer(const Json& json);

}  // namespace fathom
