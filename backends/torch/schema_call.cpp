// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/schema_call.h"

#include "harness/core/error.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>

#include <algorithm>

namespace fathom::sdpa {
namespace {

c10::OperatorHandle find_op(const std::string& op, const std::string& overload) {
  const auto handle = c10::Dispatcher::singleton().findSchema({op, overload});
  if (handle) return *handle;
  throw Error("this torch has no op " + op + (overload.empty() ? "" : "." + overload));
}

const Argument* find(const Arguments& arguments, const std::string& name) {
  const auto row = std::find_if(arguments.begin(), arguments.end(), [&](const Argument& a) {
    return std::find(a.names.begin(), a.names.end(), name) != a.names.end();
  });
  return row == arguments.end() ? nullptr : &*row;
}

bool is_plain_tensor(const c10::Argument& wanted) {
  return wanted.type()->kind() == c10::TypeKind::TensorType;
}

/// The value in the form that the schema wants; empty where there is none.
std::optional<c10::IValue> value_for(const c10::Argument& wanted, const Arguments& arguments) {
  const Argument* given = find(arguments, wanted.name());
  if (given == nullptr) return wanted.default_value();
  const bool optional = wanted.type()->kind() == c10::TypeKind::OptionalType;
  if (!given->value.isNone() || optional) return given->value;
  // A Tensor that may be absent, but is not typed as optional, is an undefined tensor.
  if (is_plain_tensor(wanted)) return c10::IValue(at::Tensor());
  return wanted.default_value();
}

bool takes(const c10::FunctionSchema& schema, const Argument& argument) {
  return std::any_of(argument.names.begin(), argument.names.end(), [&](const std::string& name) {
    return schema.argumentIndexWithName(name).has_value();
  });
}

}  // namespace

SchemaCall::SchemaCall(const std::string& op, const std::string& overload)
    : op_(find_op(op, overload)) {}

std::optional<std::string> SchemaCall::why_not(const Arguments& arguments) const {
  const c10::FunctionSchema& schema = op_.schema();
  for (const Argument& argument : arguments) {
    if (argument.essential && !takes(schema, argument)) {
      return schema.name() + " has no argument " + argument.names.front();
    }
  }
  for (const c10::Argument& wanted : schema.arguments()) {
    if (!value_for(wanted, arguments)) {
      return schema.name() + " requires an argument " + wanted.name() +
             " that fathom has no value for";
    }
  }
  return std::nullopt;
}

Results SchemaCall::call(const Arguments& arguments) const {
  if (const auto reason = why_not(arguments)) throw Error(*reason);
  torch::jit::Stack stack;
  for (const c10::Argument& wanted : op_.schema().arguments()) {
    stack.push_back(*value_for(wanted, arguments));
  }
  op_.callBoxed(stack);
  Results results;
  for (const c10::Argument& result : op_.schema().returns()) {
    results.push_back({result.name(), std::move(stack.at(results.size()))});
  }
  return results;
}

bool SchemaCall::has_kernel(c10::DispatchKey key) const {
  return op_.hasKernelForDispatchKey(key) ||
         op_.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) ||
         op_.hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd);
}

}  // namespace fathom::sdpa
