// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

namespace fathom {

/// Puts the text into the file so that a reader, or a machine that loses power, sees the old file
/// or the new one and never a part: temporary file beside it, fsync, rename, fsync of the folder.
/// Throws InfrastructureError; the temporary file does not stay.
void write_atomically(const std::filesystem::path& file, std::string_view text);

}  // namespace fathom
