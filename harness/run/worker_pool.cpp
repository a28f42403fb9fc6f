// SPDX-License-Identifier: Apache-2.0
#include "harness/run/worker_pool.h"

#include "harness/core/text.h"

#include <algorithm>

namespace fathom {

std::vector<std::string> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool open = false;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      open = true;
    } else if (c == ' ' || c == '\t') {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (quote != 0) throw UsageError("the command '" + std::string(text) + "' lacks a closing quote");
  if (open) words.push_back(std::move(word));
  return words;
}

namespace {

/// A worker's backend called after the worker, which may offer it alone or beside others.
std::string named_after(const std::string& worker, const std::string& backend, bool alone) {
  const std::size_t colon = backend.find(':');
  if (colon != std::string::npos) return worker + backend.substr(colon);
  return alone ? worker : worker + ':' + backend;
}

}  // namespace

WorkerPool::WorkerPool(std::vector<WorkerCommand> commands, Deadlines deadlines)
    : deadlines_(deadlines) {
  for (WorkerCommand& command : commands) slots_.push_back({std::move(command), nullptr, {}});
}

std::vector<BackendStatus> WorkerPool::introduce(std::size_t slot) {
  const WorkerCommand& command = slots_[slot].command;
  BackendStatus absent;
  absent.name = command.name;
  std::string log;
  try {
    slots_[slot].client = std::make_unique<WorkerClient>(command, deadlines_);
    return slots_[slot].client->hello().backends;
  } catch (const std::exception& e) {
    absent.absent = e.what();
    if (slots_[slot].client) log = slots_[slot].client->take_log();
    slots_[slot].client.reset();
  }
  const std::string_view printed = trim(log);
  if (!printed.empty()) absent.absent += "; it printed: " + std::string(printed.substr(0, 400));
  return {absent};
}

void WorkerPool::enter(std::size_t slot, BackendStatus& status, bool alone) {
  if (slot_of_.contains(status.name)) {
    const std::string renamed = named_after(slots_[slot].command.name, status.name, alone);
    if (slot_of_.contains(renamed)) {
      throw UsageError("two workers offer the backend '" + renamed + "'");
    }
    slots_[slot].aliases[renamed] = status.name;
    status.name = renamed;
  }
  slot_of_[status.name] = slot;
  statuses_[status.name] = status;
}

std::vector<BackendStatus> WorkerPool::hello() {
  std::vector<BackendStatus> all;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    std::vector<BackendStatus> introduced = introduce(slot);
    for (BackendStatus& status : introduced) {
      enter(slot, status, introduced.size() == 1);
      all.push_back(std::move(status));
    }
    if (slots_[slot].client) slots_[slot].client->use(slots_[slot].aliases);
  }
  return all;
}

const BackendStatus* WorkerPool::find(const std::string& backend) const {
  const auto at = statuses_.find(backend);
  return at == statuses_.end() ? nullptr : &at->second;
}

std::string WorkerPool::declared_name(const std::string& backend) const {
  const auto slot = slot_of_.find(backend);
  if (slot == slot_of_.end()) return backend;
  const BackendAliases& aliases = slots_[slot->second].aliases;
  const auto at = aliases.find(backend);
  return at == aliases.end() ? backend : at->second;
}

WorkerClient& WorkerPool::client(const std::string& backend) {
  Slot& slot = slots_.at(slot_of_.at(backend));
  if (!slot.client) {
    slot.client = std::make_unique<WorkerClient>(slot.command, deadlines_);
    slot.client->hello();
    slot.client->use(slot.aliases);
  }
  return *slot.client;
}

std::string WorkerPool::retire(const std::string& backend) {
  Slot& slot = slots_.at(slot_of_.at(backend));
  if (!slot.client) return {};
  std::string log = slot.client->take_log();
  slot.client.reset();
  return log;
}

}  // namespace fathom
