// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/error.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fathom {

inline testing::AssertionResult contains(std::string_view text, std::string_view part) {
  if (text.find(part) != std::string_view::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << part << "' is not in '" << text << "'";
}

/// The sentence of the Expected error that `action` throws; a test failure if it throws none.
template <typename Expected, typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another type of error: " << other.what();
    return {};
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}

}  // namespace fathom
