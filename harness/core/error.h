// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace fathom {

/// An answer that could not be had. The message says what happened, to what, and what to do next.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The command line is wrong: exit code 64.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A file, or a value in it, is wrong: exit code 65. The message names the file and the key path.
class DataError : public Error {
 public:
  using Error::Error;
};

/// The machine failed us (disk, lock, spawn): exit code 3.
class InfrastructureError : public Error {
 public:
  using Error::Error;
};

}  // namespace fathom
