// SPDX-License-Identifier: Apache-2.0
#include "backends/fake/fake_backend.h"
#include "backends/fake/faults.h"
#include "harness/codec/json.h"
#include "harness/worker/serve.h"
#include "harness/worker/session.h"

#include <unistd.h>

#include <cstdio>
#include <string>

// fathom-worker-fake [FAULT[:REQUEST] | DAMAGE]: a worker that misbehaves as told, and only in
// Problems of head dim 13 (a fault of `hello` always).

namespace fathom::fake {
namespace {

struct Script {
  const Fault* fault = nullptr;
  std::string request;
  Damage damage = Damage::none;
};

Script read_script(const std::string& text) {
  Script script;
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  for (const Fault& fault : all_faults()) {
    if (fault.name != name) continue;
    script.fault = &fault;
    script.request = colon == std::string::npos ? "execute" : text.substr(colon + 1);
    if (!fault.request.empty()) script.request = fault.request;
  }
  for (const DamageRow& row : all_damages()) {
    if (row.name == name) script.damage = row.damage;
  }
  if (script.fault == nullptr && script.damage == Damage::none) {
    throw std::runtime_error("the fake knows no fault '" + name + "'");
  }
  return script;
}

/// Whether the Problem in hand is one to misbehave in; requests without one keep the last answer.
bool is_triggered(const Json& request, bool before) {
  if (request.at("type") == "hello") return true;
  if (!request.contains("problem")) return before;
  return request.at("problem").at("d") == trigger_head_dim;
}

void send_raw(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::write(worker::channel_fd, bytes.data() + sent, bytes.size() - sent);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

int run(const Script& script) {
  std::vector<std::unique_ptr<worker::Backend>> backends;
  backends.push_back(make_fake_backend(script.damage));
  worker::Session session("fake", std::move(backends));
  FrameBuffer buffer;
  UniqueFd passed;
  bool triggered = false;
  while (const auto request = worker::next_request(buffer, passed)) {
    triggered = is_triggered(*request, triggered);
    const bool now = triggered && script.fault != nullptr && request->at("type") == script.request;
    if (now && script.fault->act != nullptr) script.fault->act();
    const Json answer = session.answer(*request, passed);
    if (now && script.fault->frame != nullptr) {
      send_raw(script.fault->frame(answer));
    } else {
      send_frame(worker::channel_fd, answer.dump());
    }
  }
  return 0;
}

}  // namespace
}  // namespace fathom::fake

int main(int argc, char** argv) {
  try {
    return fathom::fake::run(argc > 1 ? fathom::fake::read_script(argv[1])
                                      : fathom::fake::Script{});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fathom worker fake: %s\n", e.what());
    return 70;
  }
}
