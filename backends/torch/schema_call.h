// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <vector>

// torch's attention ops change between releases: arguments move, appear and are renamed. So an op
// is found by its schema name and its arguments are filled by theirs.

namespace fathom::sdpa {

/// One thing to say to an op: a value, under every name that torch has given it.
struct Argument {
  std::vector<std::string> names;
  c10::IValue value;
  bool essential = false;  ///< An op without such an argument would answer another question.
};
using Arguments = std::vector<Argument>;

/// One thing that an op returned, under the schema's name; empty where the schema has none.
struct Result {
  std::string name;
  c10::IValue value;
};
using Results = std::vector<Result>;

class SchemaCall {
 public:
  /// Throws Error with one sentence if this torch has no such op.
  explicit SchemaCall(const std::string& op, const std::string& overload = "");

  /// Why the op cannot be called with these arguments: an essential one that it does not take, or
  /// a required one of its own that is not among them. Empty if it can. Looks at no tensor.
  [[nodiscard]] std::optional<std::string> why_not(const Arguments& arguments) const;

  /// Calls the op through the dispatcher; what is not among the arguments takes the schema's
  /// default. Throws Error if why_not has a reason, and c10::Error if torch throws.
  [[nodiscard]] Results call(const Arguments& arguments) const;

  [[nodiscard]] const c10::FunctionSchema& schema() const { return op_.schema(); }
  [[nodiscard]] bool has_kernel(c10::DispatchKey key) const;

 private:
  c10::OperatorHandle op_;
};

}  // namespace fathom::sdpa
