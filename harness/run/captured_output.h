// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom {

/// What a worker printed: the first and the last 64 KiB, however much there was.
class CapturedOutput {
 public:
  void append(std::string_view bytes);
  /// The text so far, made safe to print (no control characters but newline and tab, no broken
  /// UTF-8), with a note where bytes were left out; then forgets it.
  std::string take();

 private:
  std::string head_;
  std::string tail_;
  std::size_t left_out_ = 0;
};

}  // namespace fathom
