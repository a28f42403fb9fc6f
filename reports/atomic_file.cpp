// SPDX-License-Identifier: Apache-2.0
#include "reports/atomic_file.h"

#include "harness/core/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace fathom {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const char* step) {
  throw InfrastructureError("cannot " + std::string(step) + " '" + file.string() +
                            "': " + std::strerror(errno));
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int fd, std::string_view text, const std::filesystem::path& file) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(file, "write");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Removes the temporary file unless it was renamed.
struct Leftover {
  std::string path;
  bool renamed = false;
  ~Leftover() {
    if (!renamed) ::unlink(path.c_str());
  }
};

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY));
  // Some file systems cannot sync a folder; the rename itself is atomic all the same.
  if (fd.get() >= 0) ::fsync(fd.get());
}

}  // namespace

void write_atomically(const std::filesystem::path& file, std::string_view text) {
  const std::string temporary = file.string() + "." + std::to_string(::getpid()) + ".tmp";
  const Descriptor fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (fd.get() < 0) fail(file, "create a file beside");
  Leftover leftover{temporary};
  write_all(fd.get(), text, file);
  if (::fsync(fd.get()) != 0) fail(file, "sync");
  if (::rename(temporary.c_str(), file.c_str()) != 0) fail(file, "rename to");
  leftover.renamed = true;
  sync_folder(file.parent_path());
}

}  // namespace fathom
