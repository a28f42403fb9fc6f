// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/error.h"
#include "harness/protocol/unique_fd.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

/// A frame is a little-endian u32 length and that many bytes of JSON.
inline constexpr std::size_t most_frame_bytes = std::size_t{1} << 20;

/// The peer broke the protocol: a frame too long, cut short, or not what was asked for.
class ProtocolError : public Error {
 public:
  using Error::Error;
};

/// The peer closed the channel.
class ChannelClosed : public Error {
 public:
  using Error::Error;
};

/// Puts arriving bytes together to frames. Never blocks, never reads; knows no file descriptor.
class FrameBuffer {
 public:
  void append(std::string_view bytes) { bytes_ += bytes; }
  /// The next whole frame's JSON text. Throws ProtocolError for an impossible length.
  std::optional<std::string> next();
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::string bytes_;
};

/// Writes one frame, with a file descriptor beside it if `passed_fd` >= 0. Throws ChannelClosed if
/// the peer is gone.
void send_frame(int socket, std::string_view json, int passed_fd = -1);

/// One read from the socket into the buffer; a descriptor that came along is stored in `passed`.
/// False at end of file.
bool receive_some(int socket, FrameBuffer& buffer, UniqueFd& passed);

}  // namespace fathom
