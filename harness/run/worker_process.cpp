// SPDX-License-Identifier: Apache-2.0
#include "harness/run/worker_process.h"

#include "harness/core/error.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

namespace fathom {
namespace {

constexpr int child_channel = 3;
constexpr int exec_failed = 127;

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

[[noreturn]] void fail(const std::string& what) {
  throw InfrastructureError("cannot start a worker: " + what + ": " + std::strerror(errno));
}

Ends make_channel() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) fail("socketpair");
  // A worker that stops reading must not block the driver for ever.
  const timeval patience{10, 0};
  ::setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) fail("pipe");
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// Between fork and exec: only async-signal-safe calls, since the driver has threads.
[[noreturn]] void become_worker(pid_t driver, int channel, int output, char* const* argv) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != driver) ::_exit(exec_failed);  // The driver died before the line above.
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGPIPE, SIG_DFL);
  // The channel may itself be 0..3 by accident: move it out of the way first.
  const int safe_channel = ::fcntl(channel, F_DUPFD, 10);
  const int safe_output = ::fcntl(output, F_DUPFD, 10);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(safe_output, STDOUT_FILENO);
  ::dup2(safe_output, STDERR_FILENO);
  ::dup2(safe_channel, child_channel);
  ::close(safe_channel);
  ::close(safe_output);
  ::execvp(argv[0], argv);
  constexpr std::string_view message = "fathom: the worker program cannot be executed\n";
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, message.data(), message.size());
  ::_exit(exec_failed);
}

std::string signal_name(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : std::string("SIG") + name;
}

}  // namespace

WorkerProcess::WorkerProcess(const WorkerCommand& command) {
  if (command.argv.empty()) throw InfrastructureError("worker " + command.name + " has no command");
  Ends channel = make_channel();
  Ends output = make_pipe();
  std::vector<std::string> words = command.argv;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t driver = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become_worker(driver, channel.theirs.get(), output.theirs.get(), argv.data());
  ::setpgid(pid_, pid_);  // In both processes, so that neither has to wait for the other.
  channel_ = std::move(channel.ours);
  output_ = std::move(output.ours);
}

WorkerProcess::~WorkerProcess() {
  kill();
  wait_end(std::chrono::milliseconds(5000));
}

void WorkerProcess::kill() {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

void WorkerProcess::drain() {
  std::array<char, 65536> bytes;
  while (output_) {
    const ssize_t count = ::read(output_.get(), bytes.data(), bytes.size());
    if (count > 0) {
      captured_.append({bytes.data(), static_cast<std::size_t>(count)});
    } else if (count == 0) {
      output_.reset();
    } else if (errno != EINTR) {
      return;
    }
  }
}

bool WorkerProcess::wait_readable(Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() < 0) return false;
    std::array<pollfd, 2> fds{pollfd{channel_.get(), POLLIN, 0}, pollfd{output_.get(), POLLIN, 0}};
    const int timeout = static_cast<int>(std::min<long long>(left.count(), 1000));
    const int ready = ::poll(fds.data(), output_ ? 2 : 1, timeout);
    if (ready < 0 && errno != EINTR) fail("poll");
    if (output_ && fds[1].revents != 0) drain();
    if (ready > 0 && fds[0].revents != 0) return true;
  }
}

std::optional<std::string> WorkerProcess::wait_end(std::chrono::milliseconds grace) {
  const auto deadline = Clock::now() + grace;
  while (!reaped_) {
    const pid_t ended = ::waitpid(pid_, &status_, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) {
      reaped_ = true;
    } else if (Clock::now() >= deadline) {
      return std::nullopt;
    } else {
      drain();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  drain();
  if (WIFSIGNALED(status_)) return signal_name(WTERMSIG(status_));
  return "exit(" + std::to_string(WEXITSTATUS(status_)) + ")";
}

std::string WorkerProcess::take_log() {
  drain();
  return captured_.take();
}

}  // namespace fathom
