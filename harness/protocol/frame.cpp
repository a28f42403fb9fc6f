// SPDX-License-Identifier: Apache-2.0
#include "harness/protocol/frame.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace fathom {
namespace {

constexpr std::size_t header_bytes = sizeof(std::uint32_t);

std::uint32_t read_length(std::string_view bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = header_bytes; i-- > 0;) {
    length = (length << 8) | static_cast<unsigned char>(bytes[i]);
  }
  return length;
}

std::string header_for(std::size_t length) {
  std::string header;
  for (std::size_t i = 0; i < header_bytes; ++i) {
    header += static_cast<char>((length >> (8 * i)) & 0xFF);
  }
  return header;
}

void attach_fd(msghdr& message, std::array<char, CMSG_SPACE(sizeof(int))>& control, int fd) {
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &fd, sizeof(int));
}

}  // namespace

std::optional<std::string> FrameBuffer::next() {
  if (bytes_.size() < header_bytes) return std::nullopt;
  const std::size_t length = read_length(bytes_);
  if (length > most_frame_bytes) {
    throw ProtocolError("a frame of " + std::to_string(length) + " bytes was announced; at most " +
                        std::to_string(most_frame_bytes) + " are allowed");
  }
  if (bytes_.size() < header_bytes + length) return std::nullopt;
  std::string json = bytes_.substr(header_bytes, length);
  bytes_.erase(0, header_bytes + length);
  return json;
}

void send_frame(int socket, std::string_view json, int passed_fd) {
  if (json.size() > most_frame_bytes) {
    throw ProtocolError("a frame of " + std::to_string(json.size()) + " bytes is too long to send");
  }
  const std::string bytes = header_for(json.size()) + std::string(json);
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    iovec part{const_cast<char*>(bytes.data()) + sent, bytes.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (passed_fd >= 0 && sent == 0) attach_fd(message, control, passed_fd);
    const ssize_t count = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw ChannelClosed(std::string("cannot send a frame: ") + std::strerror(errno));
    sent += static_cast<std::size_t>(count);
  }
}

bool receive_some(int socket, FrameBuffer& buffer, UniqueFd& passed) {
  std::array<char, 65536> bytes;
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t count = -1;
  do {
    count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;  // End of file, or a reset by a dying peer.
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(c), sizeof(int));
    passed = UniqueFd(fd);
  }
  buffer.append({bytes.data(), static_cast<std::size_t>(count)});
  return true;
}

}  // namespace fathom
