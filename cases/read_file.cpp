// SPDX-License-Identifier: Apache-2.0
#include "cases/read_file.h"

#include "harness/codec/fields.h"
#include "harness/core/error.h"

#include <fstream>
#include <string>
#include <system_error>

namespace fathom {

Json read_json_file(const std::filesystem::path& file) {
  const auto fail = [&](const std::string& sentence) -> void {
    throw DataError(file.string() + ": cannot be read: " + sentence);
  };
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) fail("no such file");
  // A pipe or a device may never end.
  if (!std::filesystem::is_regular_file(status)) fail("it is not a regular file");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail("it cannot be opened");
  const auto size = std::filesystem::file_size(file, error);
  if (size > max_json_bytes) fail(std::to_string(size) + " bytes are too many");
  std::string text(size, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad() || text.size() != size) fail("reading it failed");
  return parse_json(text, file.string());
}

}  // namespace fathom
