// SPDX-License-Identifier: Apache-2.0
#include "backends/fake/faults.h"

#include "harness/codec/json.h"
#include "harness/worker/serve.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <thread>

namespace fathom::fake {
namespace {

[[noreturn]] void sleep_for_ever() {
  while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

void die_of(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void hang_stubbornly() {
  std::signal(SIGTERM, SIG_IGN);
  sleep_for_ever();
}

void print_100_mb() {
  const std::string line(1023, 'x');
  for (int i = 0; i < 100 * 1024; ++i) std::printf("%s\n", line.c_str());
  std::printf("\x1b[31m::error::\xff\xfe last words\n");
  std::fflush(stdout);
}

/// A grandchild that keeps the pipes and the socket open.
void leave_a_child() {
  if (::fork() == 0) sleep_for_ever();
}

void close_channel() {
  ::shutdown(worker::channel_fd, SHUT_RDWR);
  sleep_for_ever();
}

std::string with_length(std::uint32_t length, std::string_view body) {
  std::string frame;
  for (int i = 0; i < 4; ++i) frame += static_cast<char>((length >> (8 * i)) & 0xFF);
  return frame + std::string(body);
}

std::string framed(const std::string& body) {
  return with_length(static_cast<std::uint32_t>(body.size()), body);
}

std::string framed(const Json& answer) {
  return framed(answer.dump());
}

template <typename Change>
std::string changed(Json answer, Change change) {
  change(answer);
  return framed(answer);
}

std::string wrong_bytes(const Json& answer) {
  return changed(answer, [](Json& a) { a["outputs"]["o"]["bytes"] = 12; });
}

std::string unknown_output(const Json& answer) {
  return changed(answer, [](Json& a) {
    a["outputs"]["surprise"] = {{"transport", "copied"}, {"bytes", 4}};
  });
}

std::string nan_sample(const Json& answer) {
  return changed(answer,
                 [](Json& a) { a["samples_ns"] = {std::numeric_limits<double>::quiet_NaN()}; });
}

const std::array faults{
    Fault{"segv", "", [] { die_of(SIGSEGV); }, nullptr},
    Fault{"abort", "", [] { die_of(SIGABRT); }, nullptr},
    Fault{"fpe", "", [] { die_of(SIGFPE); }, nullptr},
    Fault{"exit0", "", [] { std::_Exit(0); }, nullptr},
    Fault{"exit3", "", [] { std::_Exit(3); }, nullptr},
    Fault{"hang", "", hang_stubbornly, nullptr},
    Fault{"late", "", [] { std::this_thread::sleep_for(std::chrono::seconds(4)); }, nullptr},
    Fault{"print", "", print_100_mb, nullptr},
    Fault{"child", "", leave_a_child, nullptr},
    Fault{"close", "", close_channel, nullptr},
    Fault{"huge_frame", "", nullptr, [](const Json&) { return with_length(0x7FFFFFFF, "{}"); }},
    Fault{"not_json", "", nullptr,
          [](const Json&) { return framed(std::string("not JSON at all")); }},
    Fault{"not_object", "", nullptr, [](const Json&) { return framed(std::string("[1,2,3]")); }},
    Fault{"deep", "", nullptr, [](const Json&) { return framed(std::string(100000, '[')); }},
    Fault{"cut_frame", "", nullptr, [](const Json&) { return with_length(4096, "{\"seq\":"); }},
    Fault{"wrong_seq", "", nullptr,
          [](const Json& answer) { return changed(answer, [](Json& a) { a["seq"] = 999; }); }},
    Fault{"wrong_type", "", nullptr,
          [](const Json& answer) { return changed(answer, [](Json& a) { a["type"] = "sing"; }); }},
    Fault{"twice", "", nullptr, [](const Json& answer) { return framed(answer) + framed(answer); }},
    Fault{"wrong_bytes", "execute", nullptr, wrong_bytes},
    Fault{"unknown_output", "execute", nullptr, unknown_output},
    Fault{"nan_time", "time", nullptr, nan_sample},
    Fault{"negative_time", "time", nullptr,
          [](const Json& answer) {
            return changed(answer, [](Json& a) { a["samples_ns"] = {-1.0}; });
          }},
    Fault{"memory_text", "memory", nullptr,
          [](const Json& answer) {
            return changed(answer, [](Json& a) { a["peak_bytes"] = "much"; });
          }},
};

constexpr std::array damages{
    DamageRow{"zeros", Damage::zeros},
    DamageRow{"nan", Damage::nan},
    DamageRow{"off_by_one_key", Damage::off_by_one_key},
    DamageRow{"unwritten", Damage::unwritten},
    DamageRow{"guard_before", Damage::guard_before},
    DamageRow{"guard_behind", Damage::guard_behind},
    DamageRow{"mutate_input", Damage::mutate_input},
    DamageRow{"raise", Damage::raise},
    DamageRow{"out_of_memory", Damage::out_of_memory},
};

}  // namespace

std::span<const Fault> all_faults() {
  return faults;
}
std::span<const DamageRow> all_damages() {
  return damages;
}

}  // namespace fathom::fake
