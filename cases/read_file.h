// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"

#include <filesystem>

namespace fathom {

/// The JSON in a file. Throws DataError, `file: ...`, if it cannot be read or is no strict JSON.
Json read_json_file(const std::filesystem::path& file);

}  // namespace fathom
