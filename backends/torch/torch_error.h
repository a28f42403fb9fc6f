// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/error.h"
#include "harness/worker/backend.h"

#include <c10/util/Exception.h>

#include <string>
#include <utility>

namespace fathom::sdpa {

/// Runs body; what torch throws becomes Error, or OutOfMemory, with torch's sentence and without
/// its C++ stack.
template <typename Body>
auto with_torchs_words(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const c10::OutOfMemoryError& error) {
    throw worker::OutOfMemory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string sentence = error.what_without_backtrace();
    // The CPU allocator has no error type of its own.
    if (sentence.find("DefaultCPUAllocator") != std::string::npos) {
      throw worker::OutOfMemory(sentence);
    }
    throw Error(sentence);
  }
}

}  // namespace fathom::sdpa
